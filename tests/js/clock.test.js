import assert from "node:assert/strict";
import { test } from "node:test";

import { Clock, localesFor } from "../../static/js/clock.js";

const NOW = Date.parse("2026-03-10T12:00:00Z");
const clock = (timeZone = "Europe/Berlin", locale = "en-GB") =>
  new Clock([locale], { timeZone, now: () => NOW });

test("a time is shown in the reader's zone and manner", () => {
  assert.equal(clock().time("2026-03-10T09:05:00.000Z"), "10:05");
  assert.match(clock("America/New_York", "en-US").time("2026-03-10T18:05:00.000Z"), /^2:05\sPM$/);
});

test("a time is written as the server writes it, so that nothing jumps when a script comes", () => {
  assert.equal(clock("UTC").time("2026-03-10T09:05:00.000Z"), "09:05");
  assert.equal(clock("UTC", "es").time("2026-03-10T09:05:00.000Z"), "9:05");
});

test("days are the reader's days", () => {
  assert.equal(clock().day("2026-03-09T23:30:00.000Z"), "Today");
  assert.equal(clock("UTC").day("2026-03-09T23:30:00.000Z"), "Yesterday");
  assert.equal(clock().day("2026-03-08T12:00:00.000Z"), "Sunday 8 March");
  assert.equal(clock().day("2025-12-24T12:00:00.000Z"), "Wednesday, 24 December 2025");
  assert.equal(
    clock().dayKey("2026-03-09T23:30:00.000Z"),
    clock().dayKey("2026-03-10T08:00:00.000Z"),
  );
});

test("yesterday is a calendar day, also when it had 23 hours", () => {
  const afterTheChange = Date.parse("2026-03-30T00:30:00+02:00");
  const berlin = new Clock(["en-GB"], { timeZone: "Europe/Berlin", now: () => afterTheChange });
  assert.equal(berlin.day("2026-03-28T23:10:00.000Z"), "Yesterday");
});

test("what is to come is so many of the reader's days ahead, on a day that has a name", () => {
  assert.equal(clock().daysAhead("2026-03-10T22:30:00.000Z"), 0);
  assert.equal(clock().daysAhead("2026-03-10T23:30:00.000Z"), 1);
  assert.equal(clock("UTC").daysAhead("2026-03-10T23:30:00.000Z"), 0);
  assert.equal(clock().daysAhead("2026-03-13T09:00:00.000Z"), 3);
  assert.equal(clock().weekday("2026-03-13T09:00:00.000Z"), "Friday");
  assert.equal(clock("Europe/Berlin", "de").weekday("2026-03-13T23:30:00.000Z"), "Samstag");
});

test("in a list a time is as short as its age allows", () => {
  const shown = {
    "2026-03-10T11:59:30.000Z": "now",
    "2026-03-10T12:00:03.000Z": "now",
    "2026-03-10T11:01:00.000Z": /^59 min/,
    "2026-03-10T10:30:00.000Z": "11:30",
    "2026-03-09T10:30:00.000Z": "Yesterday",
    "2026-03-05T10:30:00.000Z": "Thu",
    "2026-03-03T10:30:00.000Z": "3 Mar",
  };
  for (const [iso, words] of Object.entries(shown)) {
    const found = clock().inList(iso);
    assert.ok(words instanceof RegExp ? words.test(found) : found === words, `${iso}: ${found}`);
  }
});

test("the reader's locale is taken where it speaks the page's language", () => {
  assert.deepEqual(localesFor("en", ["de-AT", "en-US"]), ["en-US", "en-GB"]);
  assert.deepEqual(localesFor("en", ["de-AT"]), ["en-GB"]);
  assert.deepEqual(localesFor("ar", ["de-AT", "en-GB"]), ["ar"]);
});
