import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { isCalled } from "../../static/js/names.js";

const cases = JSON.parse(readFileSync(new URL("../names.json", import.meta.url), "utf-8"));

for (const [name, typed, found] of cases) {
  test(`"${typed}" ${found ? "finds" : "does not find"} "${name}"`, () => {
    assert.equal(isCalled(name, typed), found);
  });
}
