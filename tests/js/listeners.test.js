import assert from "node:assert/strict";
import { test } from "node:test";

import { Listeners } from "../../static/js/realtime/listeners.js";

test("each callback is told, until it is unsubscribed", () => {
  const listeners = new Listeners(() => {});
  const heard = [];
  const remove = listeners.add("message", (data) => heard.push(data));
  assert.equal(listeners.tell("message", 1), true);
  remove();
  remove();
  assert.equal(listeners.tell("message", 2), false);
  assert.deepEqual(heard, [1]);
});

test("the same function subscribed twice is two subscriptions", () => {
  const listeners = new Listeners(() => {});
  const heard = [];
  const callback = (data) => heard.push(data);
  const remove = listeners.add("message", callback);
  listeners.add("message", callback);
  remove();
  listeners.tell("message", 1);
  assert.deepEqual(heard, [1]);
});

test("a callback that throws is reported and keeps nobody from hearing", () => {
  const failures = [];
  const listeners = new Listeners((error, name) => failures.push([error.message, name]));
  const heard = [];
  listeners.add("message", () => {
    throw new Error("mine");
  });
  listeners.add("message", (data) => heard.push(data));
  listeners.tell("message", 1);
  assert.deepEqual([heard, failures], [[1], [["mine", "message"]]]);
});

test("subscribing and unsubscribing while being told is safe", () => {
  const listeners = new Listeners(() => {});
  const heard = [];
  listeners.add("message", () => {
    removeSecond();
    listeners.add("message", () => heard.push("late"));
  });
  const removeSecond = listeners.add("message", () => heard.push("second"));
  listeners.tell("message", 1);
  assert.deepEqual(heard, []);
  listeners.tell("message", 2);
  assert.deepEqual(heard, ["late"]);
});

test("hostile names are names like any other", () => {
  const listeners = new Listeners(() => {});
  for (const name of ["constructor", "__proto__", "hasOwnProperty"]) {
    assert.equal(listeners.tell(name, 1), false);
  }
});

test("only a function can be told anything", () => {
  assert.throws(() => new Listeners(() => {}).add("message", undefined), TypeError);
});
