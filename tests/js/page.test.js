import assert from "node:assert/strict";
import { test } from "node:test";

import { watchPage } from "../../static/js/realtime/page.js";
import { ManualClock } from "./manual-clock.js";

/** A window, as far as it matters. */
class FakeWindow extends EventTarget {
  document = new (class extends EventTarget {
    visibilityState = "visible";
  })();

  show(visibilityState) {
    this.document.visibilityState = visibilityState;
    this.document.dispatchEvent(new Event("visibilitychange"));
  }
}

function watched() {
  const clock = new ManualClock();
  const host = new FakeWindow();
  const heard = [];
  const stop = watchPage(host, clock.now, {
    online: () => heard.push("online"),
    returned: (hiddenMs) => heard.push(hiddenMs),
  });
  return { clock, host, heard, stop };
}

test("a page that comes back says for how long it was out of sight", () => {
  const { clock, host, heard } = watched();
  host.show("hidden");
  clock.advance(30_000);
  host.show("hidden");
  clock.advance(31_000);
  host.show("visible");
  host.show("visible");
  assert.deepEqual(heard, [61_000]);
});

test("a page that was opened in the background counts from then", () => {
  const clock = new ManualClock();
  const host = new FakeWindow();
  host.document.visibilityState = "hidden";
  const heard = [];
  watchPage(host, clock.now, { online: () => {}, returned: (hiddenMs) => heard.push(hiddenMs) });
  clock.advance(5_000);
  host.show("visible");
  assert.deepEqual(heard, [5_000]);
});

test("being online again is told, until nobody watches", () => {
  const { host, heard, stop } = watched();
  host.dispatchEvent(new Event("online"));
  stop();
  host.dispatchEvent(new Event("online"));
  host.show("hidden");
  host.show("visible");
  assert.deepEqual(heard, ["online"]);
});

test("in Node there is nothing to watch, and that is fine", () => {
  watchPage(globalThis, () => 0, { online: () => {}, returned: () => {} })();
  watchPage({}, () => 0, { online: () => {}, returned: () => {} })();
});
