import assert from "node:assert/strict";
import test from "node:test";

import { languageName, localTime, visitOf } from "../../static/js/visit.js";

const PAGE = { url: "https://shop.example/mugs/?size=2", title: "Mugs" };
const NOON = Date.parse("2026-11-22T12:00:00Z");

test("a page is named by its product, its title or its address", () => {
  const product = { name: "Mug", url: "https://shop.example/mug/", price: "€ 28" };
  assert.deepEqual(visitOf({ ...PAGE, product }), {
    address: "https://shop.example/mug/",
    host_and_path: "shop.example/mug",
    what: "Mug",
    price: "€ 28",
  });
  assert.equal(visitOf(PAGE).what, "Mugs");
  assert.equal(visitOf({ ...PAGE, title: "" }).what, "shop.example/mugs/?size=2");
});

test("only addresses that a browser may follow are taken over", () => {
  for (const url of ["javascript:alert(1)", "data:text/html,x", "//shop.example", ""]) {
    assert.equal(visitOf({ url, title: "Mugs" }).address, "", url);
  }
});

test("a language is named in the reader's own", () => {
  assert.equal(languageName("ar-EG", ["en"]), "Arabic (Egypt)");
  assert.equal(languageName("de", ["es"]), "alemán");
  for (const code of [undefined, "", "not a language", "xx-"]) {
    assert.equal(languageName(code, ["en"]), "", code);
  }
});

test("the local time has a weekday where it is another day", () => {
  const there = (/** @type {string} */ zone) => localTime(zone, ["en-GB"], NOON);
  assert.match(there("UTC"), /12:00/);
  const morning = Date.parse("2026-03-10T09:05:00Z");
  assert.match(localTime("UTC", ["en-GB"], morning), /\b09:05$/); // as beside the messages
  const zones = ["Pacific/Kiritimati", "Etc/GMT+12"].map(there);
  assert.equal(zones.filter((time) => /^(Mon|Sat|Sun|Tue)/.test(time)).length >= 1, true, String(zones));
  for (const zone of [undefined, "", "Mars/Phobos"]) {
    assert.equal(localTime(zone, ["en"], NOON), "");
  }
});
