import assert from "node:assert/strict";
import { test } from "node:test";

import { lengthOf } from "../../static/js/message-length.js";

const CASES = [
  ["code points, not halves of them", "👍👍", 2],
  ["composed letters", "e\u0301", 1],
  ["no white space around it", " \n\u00a0 vase \t\n", 4],
  ["white space within", "a\n\tb", 4],
  ["one sign for each line break", "a\r\nb\rc", 5],
  ["no control characters", "a\u0000b\u007fc\u0085", 3],
  ["no half of a pair", "a\ud83d", 1],
  ["nothing of nothing", " \n ", 0],
];

for (const [name, text, length] of CASES) {
  test(`a message's length counts ${name}`, () => assert.equal(lengthOf(text), length));
}
