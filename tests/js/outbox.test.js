import assert from "node:assert/strict";
import { test } from "node:test";

import { Outbox } from "../../static/js/outbox.js";
import { Shelf } from "../../static/js/shelf.js";
import { storage } from "./storage.js";

const place = { owner: "Buyer:maya", peer: "Seller:omar", tab: "tab-1" };
const unsent = (client_id) => ({
  client_id,
  message: `text of ${client_id}`,
  subject: null,
  message_type: "general",
  created_at: "2026-01-02T03:04:05.678Z",
});
const ids = (entries) => entries.map(({ client_id }) => client_id);

function outboxes(...tabs) {
  const store = storage();
  return tabs.map((tab) => new Outbox(new Shelf(() => store), { ...place, tab }));
}

test("what is not stored survives the page, in the order in which it was written", () => {
  const [before, after] = outboxes("tab-1", "tab-2");
  before.add(unsent("c1"));
  before.add(unsent("c2"));
  assert.deepEqual(ids(after.entries), ["c1", "c2"]);
  before.remove("c1");
  assert.deepEqual(ids(after.entries), ["c2"]);
});

test("what an open tab is sending is left to it; what a closed one left is taken over once", () => {
  const [one, other, third] = outboxes("tab-1", "tab-2", "tab-3");
  one.add(unsent("c1"));
  assert.deepEqual(other.takeOver(new Set(["tab-1", "tab-2"])), []);
  assert.deepEqual(ids(other.takeOver(new Set(["tab-2"]))), ["c1"]);
  assert.deepEqual(third.takeOver(new Set(["tab-2", "tab-3"])), [], "the other has it now");
});

test("another owner gets what was written before, and nothing is left behind", () => {
  const store = storage();
  const shelf = new Shelf(() => store);
  const outbox = new Outbox(shelf, { ...place, owner: "new" });
  outbox.add(unsent("c1"));
  outbox.moveTo("Buyer:guest-1", place.peer);
  assert.deepEqual(ids(outbox.entries), ["c1"]);
  assert.deepEqual(shelf.names("new"), []);
  assert.deepEqual(shelf.names("Buyer:guest-1"), ["outbox Buyer:guest-1 Seller:omar"]);
});

test("what is no unsent message is left out", () => {
  const shelf = new Shelf(storage);
  shelf.set("outbox Buyer:maya Seller:omar", [null, 1, {}, unsent("c1")]);
  assert.deepEqual(ids(new Outbox(shelf, place).entries), ["c1"]);
});
