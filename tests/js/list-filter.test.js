import assert from "node:assert/strict";
import test from "node:test";

import { filterIn, searchFor } from "../../static/js/list-filter.js";

test("an address says which conversations are shown, and keeps what else it said", () => {
  for (const [search, chosen, again] of [
    ["", { unread: false, name: "" }, ""],
    ["?filter=unread", { unread: true, name: "" }, "?filter=unread"],
    ["?filter=all&name=+Zo%C3%AB+", { unread: false, name: "Zoë" }, "?name=Zo%C3%AB"],
    ["?language=de&name=a&before=x", { unread: false, name: "a" }, "?language=de&name=a"],
  ]) {
    assert.deepEqual(filterIn(search), chosen);
    assert.equal(searchFor(chosen, search), again);
  }
});
