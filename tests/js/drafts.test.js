import assert from "node:assert/strict";
import { test } from "node:test";

import { Drafts } from "../../static/js/drafts.js";
import { Shelf } from "../../static/js/shelf.js";
import { storage } from "./storage.js";

const DAY_MS = 24 * 60 * 60 * 1000;
const PEOPLE = ["Buyer:maya", "Seller:omar"];

test("a draft comes back for its writer and its conversation, and for no other", () => {
  const drafts = new Drafts(new Shelf(storage));
  drafts.keep(...PEOPLE, "Is the vase");
  assert.equal(drafts.text(...PEOPLE), "Is the vase");
  assert.equal(drafts.text("Buyer:lena", "Seller:omar"), "");
  assert.equal(drafts.text("Buyer:maya", "Seller:lena"), "");
});

test("a new guest, and whom the guest turns out to be, find what they began to write", () => {
  const shelf = new Shelf(storage);
  const drafts = new Drafts(shelf);
  shelf.set("outbox new Seller:omar", ["not a draft"]);
  drafts.keep("new", "Seller:omar", "Is the vase");
  drafts.moveTo("new", "Buyer:guest-1");
  assert.equal(drafts.text("Buyer:guest-1", "Seller:omar"), "Is the vase");
  drafts.moveTo("Buyer:guest-1", "Buyer:guest-1");
  drafts.moveTo("Buyer:guest-1", "Buyer:maya");
  assert.equal(drafts.text("Buyer:maya", "Seller:omar"), "Is the vase");
  assert.deepEqual(shelf.names().sort(), ["draft Buyer:maya Seller:omar", "outbox new Seller:omar"]);
});

test("an emptied draft is forgotten", () => {
  const shelf = new Shelf(storage);
  const drafts = new Drafts(shelf);
  drafts.keep(...PEOPLE, "Is the vase");
  drafts.keep(...PEOPLE, "  \n");
  assert.deepEqual(shelf.names(), []);
});

test("a draft is kept for a week, and then cleared away", () => {
  const store = storage();
  let now = 0;
  new Drafts(new Shelf(() => store), () => now).keep(...PEOPLE, "Is the vase");
  now = 7 * DAY_MS - 1;
  assert.equal(new Drafts(new Shelf(() => store), () => now).text(...PEOPLE), "Is the vase");
  now = 7 * DAY_MS;
  assert.equal(new Drafts(new Shelf(() => store), () => now).text(...PEOPLE), "");
  assert.equal(store.length, 0);
});
