import assert from "node:assert/strict";
import { test } from "node:test";

import { Thread } from "../../static/js/thread.js";
import { LENA, MAYA, OMAR, OTHER_TALK, TALK, conversation, message, stored } from "./cast.js";

const unsent = (client_id) => ({
  unsent: { client_id, message: client_id, subject: null, created_at: "2026-01-02T03:04:05.678Z" },
  peer: OMAR,
  status: "sending",
  trouble: null,
});

/** Maya's conversation with Omar; what is on its way is in `parcels`. */
function thread({ conversationId = "", parcels = [] } = {}) {
  const post = { parcelsFor: () => parcels };
  return new Thread({ ...OMAR, conversationId }, { post, me: () => MAYA });
}

const shown = ({ timeline }) =>
  timeline
    .rows((iso) => iso.slice(0, 10))
    .filter(({ kind }) => kind === "message")
    .map(({ entry }) => `${entry.sender} ${entry.seq || entry.clientId} ${entry.status}`);

test("before the first message its people tell what belongs here, then its id does", () => {
  const talk = thread();
  assert.equal(talk.holds(message(1)), true);
  assert.equal(talk.holds(stored(1, { client_id: "c1", message: "Hello" })), true);
  assert.equal(talk.holds(message(1, { from: LENA, to: MAYA })), false);
  talk.take(message(1));
  assert.equal(talk.id, TALK);
  assert.equal(talk.holds(message(2, { talk: OTHER_TALK })), false);
});

test("what is on its way stands there until its stored form has come", () => {
  const parcels = [unsent("c1"), unsent("c2")];
  const talk = thread({ parcels });
  talk.takePending();
  assert.deepEqual(shown(talk), ["mine c1 sending", "mine c2 sending"]);
  talk.take(stored(1, { client_id: "c1", message: "c1" }));
  parcels.shift();
  talk.takePending();
  assert.deepEqual(shown(talk), ["mine 1 sent", "mine c2 sending"]);
});

test("a newest page replaces what was there, and keeps what is on its way", () => {
  const talk = thread({ conversationId: TALK, parcels: [unsent("c1")] });
  talk.take(message(1));
  talk.takeNewest({
    conversation: conversation({ last_seq: 9 }),
    messages: [message(8), message(9)],
    has_more: true,
  });
  assert.deepEqual(shown(talk), ["theirs 8 sent", "theirs 9 sent", "mine c1 sending"]);
  assert.equal(talk.timeline.hasMoreBefore, true);
});

test("what came while the newest page was on its way is not lost to it, what came before is", () => {
  const talk = thread({ conversationId: TALK });
  talk.take(message(7)); // of a database that was restored since
  talk.awaitNewest();
  talk.take(message(6));
  talk.takeNewest({ conversation: null, messages: [message(4), message(5)], has_more: false });
  assert.deepEqual(shown(talk), ["theirs 4 sent", "theirs 5 sent", "theirs 6 sent"]);
});

test("the server's receipts are the other side's for one's own messages, one's own for reading", () => {
  const talk = thread({ conversationId: TALK });
  talk.take(stored(1, { client_id: "c1", message: "Hello" }));
  const receipts = talk.takeReceipts(conversation({ last_seq: 3, unread: 2 }));
  assert.deepEqual(receipts, { presence: "online", readSeq: 1 });
  assert.deepEqual(shown(talk), ["mine 1 read"]);
});
