import assert from "node:assert/strict";
import { test } from "node:test";

import { Registration } from "../../static/js/realtime/registration.js";
import { LENA, MAYA, OMAR, TALK, message, registered } from "./cast.js";

function framesOf(registration, since) {
  let id = 0;
  return registration.frames(since, () => (id += 1)).map((text) => JSON.parse(text));
}

test("the first frame says as much as is known", () => {
  assert.deepEqual(framesOf(new Registration({}), {}), [
    { event: "register_user", id: 1, data: { since: {} } },
  ]);
  const known = new Registration({ user: MAYA, sellerId: "omar", epoch: "epoch-1" });
  assert.deepEqual(framesOf(known, { [TALK]: 3 })[0].data, {
    user_id: "maya",
    user_type: "Buyer",
    seller_id: "omar",
    epoch: "epoch-1",
    since: { [TALK]: 3 },
  });
});

test("the next frame says who the server took us for, and its epoch", () => {
  const registration = new Registration({});
  registration.accept(registered());
  const { user_id, user_type, epoch } = framesOf(registration, {})[0].data;
  assert.deepEqual([user_id, user_type, epoch], ["maya", "Buyer", "epoch-1"]);
});

test("a registration as somebody else is refused, also the first for a given user", () => {
  const registration = new Registration({ user: MAYA });
  assert.equal(registration.accept(registered({ user: LENA })), "forbidden");
  assert.equal(registration.user, null);
  assert.equal(registration.accept(registered()).user.id, "maya");
  const sameIdOfAnotherType = { ...MAYA, type: "Seller" };
  assert.equal(registration.accept(registered({ user: sameIdOfAnotherType })), "forbidden");
  assert.deepEqual(registration.user, MAYA);
});

test("an answer that makes no sense is none", () => {
  const registration = new Registration({});
  for (const wrong of [undefined, null, 7, {}, { user: MAYA }, { user: null, conversations: [] }]) {
    assert.equal(registration.accept(wrong), undefined);
  }
});

test("thousands of positions go in several frames, far below 64 KiB, and none is left out", () => {
  const ids = Array.from({ length: 2500 }, (_, n) => n.toString(16).padStart(24, "0"));
  const since = Object.fromEntries(ids.map((id) => [id, 123_456_789]));
  const registration = new Registration({ sellerId: "omar", epoch: "e".repeat(64) });
  const frames = framesOf(registration, since);
  assert.equal(frames.length, 3);
  assert.ok(frames.every((frame) => JSON.stringify(frame).length < 50_000));
  assert.deepEqual(Object.assign({}, ...frames.map(({ data }) => data.since)), since);
  assert.deepEqual(
    frames.flatMap(({ id }) => registration.take(id)),
    ids,
  );
});

test("an answer is taken once, and never after the socket is gone", () => {
  const registration = new Registration({});
  framesOf(registration, { [TALK]: 1 });
  assert.deepEqual(registration.take(1), [TALK]);
  assert.equal(registration.take(1), undefined);
  framesOf(registration, { [TALK]: 1 });
  registration.disconnected();
  assert.equal(registration.take(1), undefined);
  assert.equal(registration.take(undefined), undefined);
});

test("a message is one's own by id and type", () => {
  const registration = new Registration({});
  assert.ok(!registration.isOwn(message(1, { from: MAYA, to: OMAR })));
  registration.accept(registered());
  assert.ok(registration.isOwn(message(1, { from: MAYA, to: OMAR })));
  assert.ok(!registration.isOwn(message(1)));
  assert.ok(!registration.isOwn(message(1, { from: { ...OMAR, id: "maya" } })));
});
