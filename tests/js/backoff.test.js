import assert from "node:assert/strict";
import { test } from "node:test";

import { Backoff } from "../../static/js/realtime/backoff.js";
import { seeded } from "./cast.js";

const waits = (backoff, count) => Array.from({ length: count }, () => backoff.next());

test("waits are never shorter than half a second and never longer than thirty", () => {
  for (let seed = 0; seed < 200; seed += 1) {
    for (const wait of waits(new Backoff(seeded(seed)), 40)) {
      assert.ok(wait >= 0.5 && wait <= 30, `${wait}`);
    }
  }
});

test("the range grows from 2 to 30 seconds", () => {
  const longest = waits(new Backoff(() => 1 - Number.EPSILON), 6).map(Math.round);
  assert.deepEqual(longest, [2, 4, 8, 16, 30, 30]);
  assert.deepEqual(waits(new Backoff(() => 0), 6), [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]);
});

test("a thousand failures are no trouble", () => {
  const backoff = new Backoff(() => 0.5);
  assert.equal(waits(backoff, 2000).at(-1), 0.5 + 0.5 * 29.5);
});

test("the server's retry_after is the least", () => {
  const backoff = new Backoff(() => 0.5);
  assert.equal(backoff.next(120), 120);
  assert.equal(backoff.next(0.1), 0.5 + 0.5 * 3.5);
});

test("a success brings the short waits back", () => {
  const backoff = new Backoff(() => 0.999);
  waits(backoff, 10);
  backoff.reset();
  assert.ok(backoff.next() < 2);
});

test("P11: five hundred clients dropped at once do not come back at once", () => {
  const random = seeded(7);
  const first = Array.from({ length: 500 }, () => new Backoff(random).next());
  const busiest = Math.max(
    ...first.map((start) => first.filter((wait) => wait >= start && wait < start + 0.1).length),
  );
  assert.ok(busiest < 75, `${busiest} within a tenth of a second`);
});
