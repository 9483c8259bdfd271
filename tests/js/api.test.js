import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Api, ApiError } from "../../static/js/api.js";

const ORIGIN = "https://chat.example";

/** Answers every call with this, and tells what was asked. */
function answering(status, content) {
  const asked = [];
  mock.method(globalThis, "fetch", async (url, request) => {
    asked.push({ url: String(url), ...request, headers: Object.fromEntries(request.headers) });
    if (content instanceof Error) {
      throw content;
    }
    return new Response(JSON.stringify(content), { status });
  });
  return asked;
}

test("without a token the cookie speaks; with one it speaks alone", async () => {
  const asked = answering(200, {});
  const api = new Api(ORIGIN, null);
  await api.get("/api/conversations");
  api.setToken("a.b.c");
  await api.get("/api/conversations");
  const [first, second] = asked;
  assert.deepEqual([first.url, first.credentials], [`${ORIGIN}/api/conversations`, "same-origin"]);
  assert.equal("authorization" in first.headers, false);
  assert.deepEqual([second.credentials, second.headers.authorization], ["omit", "Bearer a.b.c"]);
});

test("a body is JSON, and a call may leave the cookies out", async () => {
  const asked = answering(201, { token: "t" });
  const content = await new Api(ORIGIN, null).post("/api/session/guest", { seller_id: "s1" }, { cookies: "omit" });
  const [{ method, body, headers, credentials }] = asked;
  assert.deepEqual([method, body, credentials], ["POST", '{"seller_id":"s1"}', "omit"]);
  assert.equal(headers["content-type"], "application/json");
  assert.deepEqual(content, { token: "t" });
});

test("a refusal bears the contract's code", async () => {
  answering(429, { error: { code: "rate_limited", message: "Slower.", retry_after: 3 } });
  await assert.rejects(
    new Api(ORIGIN, null).get("/"),
    (error) => error instanceof ApiError && error.code === "rate_limited" && error.retry_after === 3,
  );
});

test("a refusal without a word is still one", async () => {
  answering(502, "bad gateway");
  await assert.rejects(new Api(ORIGIN, null).get("/"), { code: "internal" });
});

test("no answer, or one that is no JSON, is told as being offline", async () => {
  answering(0, new TypeError("Failed to fetch"));
  await assert.rejects(new Api(ORIGIN, null).get("/"), { code: "offline" });
  mock.method(globalThis, "fetch", async () => new Response("<html>", { status: 200 }));
  await assert.rejects(new Api(ORIGIN, null).get("/"), { code: "offline" });
});
