import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { TypingSignal, Typists } from "../../static/js/typing.js";

/** With the clock in our hands. */
function withTimers(name, body) {
  test(name, () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    try {
      body();
    } finally {
      mock.timers.reset();
    }
  });
}

function signal() {
  const told = [];
  return { told, typing: new TypingSignal((isTyping) => told.push(isTyping)) };
}

withTimers("typing is told at once, then every three seconds", () => {
  const { told, typing } = signal();
  for (let key = 0; key < 70; key += 1) {
    typing.typed();
    mock.timers.tick(100);
  }
  assert.deepEqual(told, [true, true, true]);
});

withTimers("four idle seconds end it, and so does leaving", () => {
  const { told, typing } = signal();
  typing.typed();
  mock.timers.tick(3_999);
  assert.deepEqual(told, [true]);
  mock.timers.tick(1);
  assert.deepEqual(told, [true, false]);
  typing.typed();
  typing.stop();
  typing.stop();
  assert.deepEqual(told, [true, false, true, false]);
});

withTimers("a message says by itself that typing is over", () => {
  const { told, typing } = signal();
  typing.typed();
  typing.sent();
  mock.timers.tick(10_000);
  assert.deepEqual(told, [true]);
});

const heard = (is_typing) => ({
  sender_id: "maya",
  sender_type: "Buyer",
  sender_name: "Maya",
  is_typing,
});

withTimers("a typist is shown for six seconds after the last sign", () => {
  const shown = [];
  const typists = new Typists((names) => shown.push(names.join()));
  typists.heard(heard(true));
  mock.timers.tick(4_000);
  typists.heard(heard(true));
  mock.timers.tick(5_999);
  assert.equal(shown.at(-1), "Maya");
  mock.timers.tick(1);
  assert.equal(shown.at(-1), "");
});

withTimers("a message or the word of the typist ends it", () => {
  const shown = [];
  const typists = new Typists((names) => shown.push(names.join()));
  typists.heard(heard(true));
  typists.heard(heard(false));
  assert.equal(shown.at(-1), "");
  typists.heard(heard(true));
  typists.stopped("Buyer:maya");
  assert.equal(shown.at(-1), "");
  typists.stopped("Buyer:maya");
  assert.equal(shown.length, 4);
});
