import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  initialsOf,
  isSame,
  isSealed,
  keyOf,
  nameOf,
  peerOf,
  toneOf,
} from "../../static/js/people.js";

const people = JSON.parse(readFileSync(new URL("../people.json", import.meta.url), "utf8"));

for (const { shown, initials, sealed, tone, ...person } of people) {
  test(`${person.id} is shown as the server shows them`, () => {
    assert.equal(nameOf(person), shown);
    assert.equal(initialsOf(person), initials);
    assert.equal(isSealed(person), sealed);
    assert.equal(toneOf(person.id), tone);
  });
}

test("a key names one participant, and leads back to them", () => {
  for (const peer of [
    { type: "Buyer", id: "omar" },
    { type: "Seller", id: "omar" },
  ]) {
    assert.deepEqual(peerOf(keyOf(peer)), peer);
  }
  assert.equal(isSame(peerOf("Buyer:omar"), peerOf("Seller:omar")), false);
});
