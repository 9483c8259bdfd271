import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { words } from "../../static/js/words.js";

test("how soon a seller replies is said as the server says it", () => {
  const table = JSON.parse(readFileSync(new URL("../replies.json", import.meta.url), "utf-8"));
  for (const [seconds, sentence] of table) {
    assert.equal(words.repliesWithin(seconds), sentence);
  }
});
