import assert from "node:assert/strict";
import { test } from "node:test";

import { UnreadCount } from "../../static/js/unread-count.js";

test("what arrived after the last one read is unread, however it was told", () => {
  const unread = new UnreadCount();
  assert.equal(unread.count, 0);
  unread.known({ last_seq: 7, unread: 2 });
  assert.equal(unread.count, 2);
  unread.arrived(8);
  unread.arrived(8); // the wire is at-least-once
  assert.equal(unread.count, 3);
  unread.read(7);
  assert.equal(unread.count, 1);
  unread.read(6); // late news takes nothing back
  assert.equal(unread.count, 1);
});

test("writing reads all before", () => {
  const unread = new UnreadCount();
  unread.known({ last_seq: 3, unread: 2 });
  unread.read(4); // the own one
  assert.equal(unread.count, 0);
  unread.arrived(5);
  assert.equal(unread.count, 1);
});

test("of somebody else nothing is left", () => {
  const unread = new UnreadCount();
  unread.known({ last_seq: 3, unread: 2 });
  unread.clear();
  assert.equal(unread.count, 0);
});
