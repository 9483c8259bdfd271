/**
 * A conversation between the page, its post and the server: which messages belong to it, and what
 * stands in its timeline. No DOM.
 */

import { entryOf, pendingEntry } from "./entry.js";
import { isSame } from "./people.js";
import { Timeline } from "./timeline.js";

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./people.js").Peer} Peer */

export class Thread {
  timeline = new Timeline();
  /** Empty before the first message. */
  id;
  peer;
  #post;
  #me;
  /** @type {import("./entry.js").Entry[] | null} what comes while the newest page is on its way */
  #meanwhile = null;

  /**
   * @param {Peer & {name: string, conversationId: string}} other
   * @param {{post: import("./post.js").Post, me: () => User | null}} parts
   */
  constructor(other, { post, me }) {
    this.peer = other;
    this.id = other.conversationId;
    this.#post = post;
    this.#me = me;
  }

  /** Whether a message belongs here. @param {Message} message */
  holds(message) {
    if (this.id !== "") {
      return message.conversation_id === this.id;
    }
    const { sender_id, sender_type, recipient_id, recipient_type } = message;
    return (
      isSame(this.peer, { id: sender_id, type: sender_type }) ||
      isSame(this.peer, { id: recipient_id, type: recipient_type })
    );
  }

  /**
   * Takes in one stored message.
   *
   * @param {Message} message
   * @returns {import("./entry.js").Entry}
   */
  take(message) {
    this.id ||= message.conversation_id;
    const entry = entryOf(message, this.#me());
    this.#meanwhile?.push(entry);
    this.timeline.add(entry);
    return entry;
  }

  /** The newest page is asked for now: what arrives from here on may not be on it. */
  awaitNewest() {
    this.#meanwhile = [];
  }

  /** Takes in a page of older ones. @param {import("./history.js").Page} page */
  takeOlder({ messages, has_more }) {
    this.timeline.prepend(this.#entries(messages), { hasMore: has_more });
  }

  /** Takes the newest page in place of what was there. @param {import("./history.js").Page} page */
  takeNewest({ conversation, messages, has_more }) {
    this.id ||= conversation?.id ?? "";
    this.timeline.fill(this.#entries(messages), { hasMore: has_more });
    this.#meanwhile?.forEach((entry) => this.timeline.add(entry));
    this.#meanwhile = null;
    this.takePending();
  }

  /** What is on its way, as the post has it now. */
  takePending() {
    const parcels = this.#post.parcelsFor(this.peer);
    this.timeline.keepPending(parcels.map(({ unsent }) => unsent.client_id));
    for (const { unsent, status, trouble } of parcels) {
      this.timeline.pend(pendingEntry(unsent));
      this.timeline.mark(unsent.client_id, { status, trouble });
    }
  }

  /**
   * The server's word on who has got and read what.
   *
   * @param {Conversation} conversation
   * @returns {{presence: import("./realtime/wire.js").PresenceStatus, readSeq: number}} the other
   *   side's presence, and how far this side has read
   */
  takeReceipts({ participants }) {
    /** @type {import("./realtime/wire.js").PresenceStatus} */
    let presence = "offline";
    let readSeq = 0;
    for (const { delivered_seq, read_seq, status, ...who } of participants) {
      if (isSame(who, this.peer)) {
        this.timeline.advance("delivered", delivered_seq, null);
        this.timeline.advance("read", read_seq, null);
        presence = status;
      } else {
        readSeq = read_seq;
      }
    }
    return { presence, readSeq };
  }

  /** @param {Message[]} messages */
  #entries(messages) {
    return messages.map((message) => entryOf(message, this.#me()));
  }
}
