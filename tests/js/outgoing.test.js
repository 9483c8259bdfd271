import assert from "node:assert/strict";
import { test } from "node:test";

import { ANSWER_MS, Outgoing } from "../../static/js/realtime/outgoing.js";

const middle = () => 0.5;

/** A message of Maya's, known by its letter. */
function add(outgoing, letter, lane = "omar") {
  const data = { client_id: letter };
  return outgoing.add({ kind: "messages", lane, event: "send_message", data });
}

function addEvent(outgoing, lane, { kind = "events", seq = 1 } = {}) {
  return outgoing.add({ kind, lane, event: "mark_as_read", data: { seq } });
}

const due = (outgoing, now) => outgoing.due(now).map(({ data }) => data.client_id);

test("of one lane, one is under way at a time, in order", () => {
  const outgoing = new Outgoing(middle);
  const [a] = ["a", "b", "c"].map((letter) => add(outgoing, letter));
  assert.deepEqual(due(outgoing, 0), ["a"]);
  assert.deepEqual(due(outgoing, 0), []);
  assert.equal(outgoing.acknowledged(a.id), a);
  assert.deepEqual(due(outgoing, 0), ["b"]);
});

test("lanes do not wait for each other", () => {
  const outgoing = new Outgoing(middle);
  add(outgoing, "a", "omar");
  add(outgoing, "b", "lena");
  assert.deepEqual(due(outgoing, 0), ["a", "b"]);
});

test("an answer counts once", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  outgoing.due(0);
  assert.equal(outgoing.acknowledged(a.id), a);
  assert.equal(outgoing.acknowledged(a.id), undefined);
  assert.equal(outgoing.refused(a.id, { code: "invalid", message: "" }, 0), undefined);
});

test("what is refused for good makes room for the next", () => {
  for (const code of [
    "invalid",
    "forbidden",
    "not_found",
    "conflict",
    "too_large",
    "bad_request",
    "new",
  ]) {
    const outgoing = new Outgoing(middle);
    const [a] = [add(outgoing, "a"), add(outgoing, "b")];
    outgoing.due(0);
    assert.deepEqual(outgoing.refused(a.id, { code, message: "" }, 0), { entry: a, wait: null });
    assert.deepEqual(due(outgoing, 0), ["b"], code);
  }
});

test("what is refused for now is sent again, before what stands behind it", () => {
  const outgoing = new Outgoing(middle);
  const [a] = [add(outgoing, "a"), add(outgoing, "b")];
  outgoing.due(0);
  const error = { code: "rate_limited", message: "", retry_after: 3 };
  assert.deepEqual(outgoing.refused(a.id, error, 1000), { entry: a, wait: 3000 });
  assert.equal(outgoing.wakeAt(), 4000);
  assert.deepEqual(due(outgoing, 3999), []);
  assert.deepEqual(due(outgoing, 4000), ["a"]);
});

test("a refusal for now stops all messages, which then go one by one", () => {
  const outgoing = new Outgoing(middle);
  const entries = ["a", "b", "c"].map((letter) => add(outgoing, letter, letter));
  outgoing.due(0);
  const error = { code: "rate_limited", message: "", retry_after: 1 };
  entries.forEach(({ id }) => outgoing.refused(id, error, 0));
  add(outgoing, "d", "d");
  assert.deepEqual(due(outgoing, 999), []);
  for (const letter of ["a", "b", "c", "d"]) {
    assert.deepEqual(due(outgoing, 1000), [letter]);
    assert.deepEqual(due(outgoing, 1000), []);
    outgoing.acknowledged(outgoing.message(letter).id);
  }
  add(outgoing, "e", "e");
  add(outgoing, "f", "f");
  assert.deepEqual(due(outgoing, 1000), ["e", "f"]);
});

test("messages and events do not slow each other down", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  const read = addEvent(outgoing, "read");
  outgoing.due(0);
  outgoing.refused(a.id, { code: "rate_limited", message: "", retry_after: 9 }, 0);
  outgoing.acknowledged(read.id);
  addEvent(outgoing, "read");
  assert.equal(outgoing.due(0).length, 1);
});

test("without a retry_after the waits grow, and many refusals at once are one", () => {
  const outgoing = new Outgoing(middle);
  const entries = ["a", "b", "c"].map((letter) => add(outgoing, letter, letter));
  outgoing.due(0);
  const error = { code: "unavailable", message: "" };
  const waits = entries.map(({ id }) => outgoing.refused(id, error, 0).wait);
  assert.deepEqual(waits, [1250, 1250, 1250]);
  outgoing.due(1250);
  assert.equal(outgoing.refused(entries[0].id, error, 1250).wait, 2250);
});

test("after a success the waits are short again", () => {
  const outgoing = new Outgoing(middle);
  const refuse = (letter, now) => {
    const { id } = outgoing.message(letter) ?? add(outgoing, letter);
    outgoing.due(now);
    return outgoing.refused(id, { code: "unavailable", message: "" }, now).wait;
  };
  assert.deepEqual([refuse("a", 0), refuse("a", 60_000)], [1250, 2250]);
  outgoing.acknowledged(outgoing.message("a").id);
  assert.equal(refuse("b", 120_000), 1250);
});

test("a retry_after of nothing is no hot loop", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  outgoing.due(0);
  const { wait } = outgoing.refused(a.id, { code: "rate_limited", message: "", retry_after: 0 }, 0);
  assert.equal(wait, 50);
});

test("a server that stumbles over the same frame three times is not asked again", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  const error = { code: "internal", message: "" };
  const waits = [0, 60_000, 120_000].map((now) => {
    outgoing.due(now);
    return outgoing.refused(a.id, error, now).wait;
  });
  assert.deepEqual(waits, [1250, 2250, null]);
  assert.equal(outgoing.message("a"), undefined);
});

test("unavailable is borne for ever", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  for (let now = 0; now < 100 * 60_000; now += 60_000) {
    assert.deepEqual(due(outgoing, now), ["a"]);
    assert.ok(outgoing.refused(a.id, { code: "unavailable", message: "" }, now).wait <= 30_000);
  }
});

test("what was under way when the connection broke is sent again, with the same id", () => {
  const outgoing = new Outgoing(middle);
  const [a] = [add(outgoing, "a"), add(outgoing, "b")];
  const [{ id }] = outgoing.due(0);
  assert.deepEqual(outgoing.connectionLost(), [a]);
  const [again] = outgoing.due(5);
  assert.equal(again, a);
  assert.equal(again.id, id);
});

test("what has no answer for ten seconds is told once", () => {
  const outgoing = new Outgoing(middle);
  const a = add(outgoing, "a");
  outgoing.due(0);
  assert.equal(outgoing.wakeAt(), ANSWER_MS);
  assert.deepEqual(outgoing.unanswered(ANSWER_MS - 1), []);
  assert.deepEqual(outgoing.unanswered(ANSWER_MS), [a]);
  assert.deepEqual(outgoing.unanswered(ANSWER_MS), []);
  assert.equal(outgoing.wakeAt(), Infinity);
  outgoing.again(a);
  outgoing.due(20_000);
  assert.deepEqual(outgoing.unanswered(20_000 + ANSWER_MS), [a]);
});

test("only what was never sent may still be changed", () => {
  const outgoing = new Outgoing(middle);
  const first = addEvent(outgoing, "read");
  assert.equal(outgoing.unsentIn("read"), first);
  outgoing.due(0);
  assert.equal(outgoing.unsentIn("read"), undefined);
  outgoing.connectionLost();
  assert.equal(outgoing.unsentIn("read"), undefined);
  const second = addEvent(outgoing, "read");
  assert.equal(outgoing.unsentIn("read"), second);
  assert.equal(outgoing.unsentIn("nothing"), undefined);
});

test("in whatever minute, no more than 120 events go, and all of them go in the end", () => {
  const outgoing = new Outgoing(middle);
  for (let lane = 0; lane < 300; lane += 1) {
    addEvent(outgoing, `read:${lane}`);
  }
  const sentAt = [];
  for (let now = 0; now <= 300_000; now += 500) {
    outgoing.due(now).forEach(({ id }) => {
      sentAt.push(now);
      outgoing.acknowledged(id);
    });
  }
  assert.equal(sentAt.length, 300);
  for (const start of sentAt) {
    const inThisMinute = sentAt.filter((at) => at >= start && at < start + 60_000).length;
    assert.ok(inThisMinute <= 120, `${inThisMinute} from ${start} on`);
  }
});

test("receipts leave room to what a person does", () => {
  const outgoing = new Outgoing(middle);
  for (let lane = 0; lane < 100; lane += 1) {
    addEvent(outgoing, `delivered:${lane}`, { kind: "receipts" });
  }
  const receipts = outgoing.due(0).length;
  assert.ok(receipts > 20 && receipts < 40, `${receipts}`);
  for (let lane = 0; lane < 20; lane += 1) {
    addEvent(outgoing, `read:${lane}`);
  }
  assert.equal(outgoing.due(0).length, 20);
  assert.ok(outgoing.wakeAt() > 0 && outgoing.wakeAt() < Infinity);
});

test("messages are in no budget but the server's", () => {
  const outgoing = new Outgoing(middle);
  for (let lane = 0; lane < 500; lane += 1) {
    add(outgoing, `${lane}`, `${lane}`);
  }
  assert.equal(outgoing.due(0).length, 500);
});
