import assert from "node:assert/strict";
import { test } from "node:test";

import { Shelf, shelfName } from "../../static/js/shelf.js";
import { forbidden, full, storage } from "./storage.js";

for (const [name, open] of [
  ["kept", storage],
  ["forbidden", forbidden],
  ["full", full],
]) {
  test(`where storage is ${name}, what was put in comes out until it is removed`, () => {
    const shelf = new Shelf(open);
    assert.equal(shelf.get("draft a b"), null);
    shelf.set("draft a b", { text: "Hello" });
    assert.deepEqual(shelf.get("draft a b"), { text: "Hello" });
    assert.deepEqual(shelf.names("a"), ["draft a b"]);
    shelf.remove("draft a b");
    assert.equal(shelf.get("draft a b"), null);
  });
}

test("what is kept outlives the page", () => {
  const store = storage();
  new Shelf(() => store).set("draft a b", "Hello");
  assert.equal(new Shelf(() => store).get("draft a b"), "Hello");
});

test("forgetting one person leaves the others' things, and other scripts' things", () => {
  const store = storage();
  store.setItem("the shop's own", "1");
  const shelf = new Shelf(() => store);
  for (const owner of ["Buyer:maya", "Buyer:maya2"]) {
    shelf.set(shelfName("draft", owner, "Seller:omar"), "Hello");
  }
  shelf.forget("Buyer:maya");
  assert.deepEqual(shelf.names(), ["draft Buyer:maya2 Seller:omar"]);
  assert.equal(store.getItem("the shop's own"), "1");
});

test("what another version or hand left there is taken for nothing", () => {
  const store = storage();
  store.setItem("shopbell:draft a b", "{not json");
  assert.equal(new Shelf(() => store).get("draft a b"), null);
});
