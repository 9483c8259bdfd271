import assert from "node:assert/strict";
import { test } from "node:test";

import { Tabs } from "../../static/js/tabs.js";

/** Locks as a browser has them, for one name at a time. */
function lockManager() {
  const held = [];
  const last = new Map();
  return {
    request(name, task) {
      const before = last.get(name) ?? Promise.resolve();
      const done = before.then(async () => {
        held.push({ name });
        try {
          return await task();
        } finally {
          held.splice(held.findIndex((lock) => lock.name === name), 1);
        }
      });
      last.set(name, done.catch(() => {}));
      return done;
    },
    query: async () => ({ held: [...held] }),
  };
}

test("a task hears which tabs are open", async () => {
  const locks = lockManager();
  const one = new Tabs("tab-1", locks);
  new Tabs("tab-2", locks);
  const open = await one.alone("outbox a b", (names) => names);
  assert.deepEqual([...open].sort(), ["tab-1", "tab-2"]);
});

test("two tabs do not run a task of one name at once", async () => {
  const locks = lockManager();
  const seen = [];
  const task = (name) => async () => {
    seen.push(`${name} begins`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen.push(`${name} ends`);
  };
  await Promise.all([
    new Tabs("tab-1", locks).alone("outbox a b", task("one")),
    new Tabs("tab-2", locks).alone("outbox a b", task("other")),
  ]);
  assert.deepEqual(seen, ["one begins", "one ends", "other begins", "other ends"]);
});

test("without locks, or where they are forbidden, the task is run all the same", async () => {
  assert.equal((await new Tabs("tab-1", undefined).alone("x", (names) => names)).size, 0);
  const forbidden = {
    request: () => Promise.reject(new DOMException("Not here.", "SecurityError")),
    query: async () => ({ held: [] }),
  };
  assert.equal((await new Tabs("tab-1", forbidden).alone("x", (names) => names)).size, 0);
});

test("a task's own failure is its caller's", async () => {
  const failing = () => {
    throw new TypeError("broken");
  };
  await assert.rejects(new Tabs("tab-1", lockManager()).alone("x", failing), TypeError);
});
