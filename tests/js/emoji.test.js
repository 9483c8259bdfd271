import assert from "node:assert/strict";
import { test } from "node:test";

import { isEmojiAlone } from "../../static/js/emoji.js";

for (const text of ["😍", "👍🏽 👨‍👩‍👧", "❤️", "🇩🇪🇪🇸", "1️⃣", "😀".repeat(6)]) {
  test(`${text} is shown large`, () => {
    assert.equal(isEmojiAlone(text), true);
  });
}

for (const text of ["", "hi", "12", "#", "😀 hi", "😀".repeat(7), "…", "©", " ", "🇩".repeat(300)]) {
  test(`${JSON.stringify(text.slice(0, 20))} is shown as text`, () => {
    assert.equal(isEmojiAlone(text), false);
  });
}
