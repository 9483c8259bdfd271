import assert from "node:assert/strict";
import { test } from "node:test";

import {
  RealtimeError,
  isMessage,
  newClientId,
  readError,
  readFrames,
  socketUrl,
} from "../../static/js/realtime/wire.js";
import { message } from "./cast.js";

test("a frame is an object, or an array of them", () => {
  assert.deepEqual(readFrames('{"event": "beat", "data": {}}'), {
    frames: [{ event: "beat", data: {} }],
    malformed: 0,
  });
  const { frames, malformed } = readFrames('[{"event": "beat"}, {"event": "reset"}]');
  assert.deepEqual([frames.map(({ event }) => event), malformed], [["beat", "reset"], 0]);
  assert.deepEqual(readFrames("[]"), { frames: [], malformed: 0 });
});

test("what is no frame is left out, and takes no neighbour along", () => {
  for (const text of [
    "",
    "{",
    "null",
    "7",
    '"beat"',
    "{}",
    '{"event": 1}',
    "[[]]",
    undefined,
    null,
  ]) {
    assert.deepEqual(readFrames(text), { frames: [], malformed: 1 }, `${text}`);
  }
  assert.deepEqual(readFrames(new ArrayBuffer(2)), { frames: [], malformed: 1 });
  const { frames, malformed } = readFrames('[null, {"event": "beat"}, 3]');
  assert.deepEqual([frames.length, malformed], [1, 2]);
});

test("a message has a conversation and a whole seq from 1 on", () => {
  assert.ok(isMessage(message(1)));
  for (const seq of [0, -1, 1.5, "1", null, undefined, 2 ** 60]) {
    assert.ok(!isMessage({ ...message(1), seq }), `${seq}`);
  }
  for (const wrong of [
    null,
    undefined,
    7,
    "text",
    [],
    {},
    { seq: 1 },
    { ...message(1), conversation_id: 1 },
  ]) {
    assert.ok(!isMessage(wrong));
  }
});

test("the server's refusal is read whatever is left out of it", () => {
  const whole = { code: "rate_limited", message: "Slower.", field: "message", retry_after: 2.5 };
  assert.deepEqual(readError(whole), whole);
  for (const wrong of [
    undefined,
    null,
    7,
    [],
    { code: 1, message: [], field: {}, retry_after: "2" },
  ]) {
    const { code, message: text, ...rest } = readError(wrong);
    assert.deepEqual([code, typeof text, rest], ["internal", "string", {}]);
  }
  assert.equal(readError({ retry_after: -1 }).retry_after, undefined);
});

test("an error is an Error, with the contract's words for it", () => {
  const error = new RealtimeError({ code: "invalid", message: "Too long.", field: "message" });
  assert.ok(error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.field, error.definite],
    ["RealtimeError", "invalid", "Too long.", "message", true],
  );
});

test("the socket's address is the public one with another scheme", () => {
  assert.equal(socketUrl("http://localhost:8080"), "ws://localhost:8080/ws");
  assert.equal(socketUrl("https://chat.example"), "wss://chat.example/ws");
  assert.equal(socketUrl("https://chat.example/?token=x#y"), "wss://chat.example/ws");
  assert.throws(() => socketUrl("chat.example"), TypeError);
});

test("a client_id is new each time, also where randomUUID is missing, as on plain http", (t) => {
  const ids = Array.from({ length: 100 }, newClientId);
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  t.after(() => delete crypto.randomUUID); // the prototype's shows again
  ids.push(...Array.from({ length: 100 }, newClientId));
  assert.equal(new Set(ids).size, 200);
  assert.ok(ids.every((id) => id.length >= 32 && id.length <= 64));
});
