/**
 * One open conversation: joins what is stored, what is on its way and what arrives with the list,
 * the composer and the header that show it.
 */

import { Announcer } from "./announcer.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { part } from "./parts.js";
import { isSame, keyOf } from "./post.js";
import { showPresence } from "./presence.js";
import { Timeline, entryOf, pendingEntry } from "./timeline.js";
import { TimelineView } from "./timeline-view.js";
import { Typists } from "./typing.js";
import { words } from "./words.js";

const PAGE = 50;
/** PROMISES: read receipts are told at most so often. */
const READ_MS = 500;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./realtime.js").RealtimeMessages} RealtimeMessages */
/** @typedef {import("./post.js").Peer} Peer */
/** @typedef {import("./post.js").Topic} Topic */

/**
 * @typedef {object} Parts
 * @property {import("./api.js").Api} api
 * @property {import("./clock.js").Clock} clock
 * @property {import("./drafts.js").Drafts} drafts
 * @property {import("./post.js").Post} post
 * @property {() => User | null} me
 * @property {(() => Topic)} [topic] what the next message is about
 * @property {(conversationId: string, readSeq: number) => void} [onRead]
 * @property {(conversation: Conversation) => void} [onConversation] what the server says of it
 * @property {import("./banner.js").Action | null} [login]
 */

/** @typedef {Peer & {name: string, conversationId: string}} Other */

export class ConversationPane {
  #root;
  #parts;
  #peer;
  #conversationId;
  #timeline = new Timeline();
  #view;
  #composer;
  #banner;
  #announcer;
  #typists;
  /** @type {RealtimeMessages | null} */
  #realtime = null;
  /** @type {(() => void)[]} */
  #subscriptions = [];
  #listeners = new AbortController();
  #readSeq = 0;
  #arrivedBelow = 0;
  #isLoading = false;
  #isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #readTimer;

  /**
   * @param {HTMLElement} root
   * @param {Other} other
   * @param {Parts} parts
   */
  constructor(root, other, parts) {
    this.#root = root;
    this.#parts = parts;
    this.#peer = other;
    this.#conversationId = other.conversationId;
    this.#view = new TimelineView(root, parts.clock, {
      older: () => void this.#loadOlder(),
      jump: () => void this.#jumpToEnd(),
      looked: () => this.#looked(),
      again: (clientId) => parts.post.again(clientId),
      remove: (clientId) => parts.post.remove(clientId),
    });
    this.#composer = new Composer(root, {
      send: (text) => void this.#send(text),
      keepDraft: (text) => parts.drafts.keep(this.#owner, keyOf(this.#peer), text),
      typing: (isTyping) => this.#tellTyping(isTyping),
    });
    this.#banner = new Banner(part(root, "banner", HTMLElement), parts.login ?? null);
    this.#announcer = new Announcer(part(root, "news", HTMLElement));
    this.#typists = new Typists((names) => this.#showTyping(names));
    this.#listen();
  }

  get conversationId() {
    return this.#conversationId;
  }

  get peer() {
    return this.#peer;
  }

  /** The last message that is shown, for a connection that asks what it missed. */
  get lastSeq() {
    return this.#timeline.lastSeq;
  }

  /** Goes on from what the server rendered. */
  adopt() {
    const { hasMore, readSeq } = part(this.#root, "timeline", HTMLElement).dataset;
    this.#readSeq = Number(readSeq);
    this.#timeline.fill(this.#view.adopt(), { hasMore: hasMore === "true" });
    this.#timeline.drawNewLine(this.#readSeq);
    this.#begin();
  }

  /** Starts empty, and loads what there is. */
  async load() {
    this.#view.clear();
    this.#begin();
    await this.#reload({ newLine: true });
  }

  /** Starts empty: nothing was written yet. */
  empty() {
    this.#view.clear();
    this.#begin();
  }

  /**
   * Follows a connection; `change` is what was last heard of it.
   *
   * @param {RealtimeMessages} realtime
   * @param {import("./realtime.js").Change | null} [change]
   */
  attach(realtime, change = null) {
    this.#unsubscribe();
    this.#realtime = realtime;
    if (change !== null) {
      this.#banner.connectionChanged(change);
    }
    this.#subscriptions = [
      realtime.onNewMessage((message) => this.#arrived(message)),
      realtime.onTyping((data) => {
        if (isSame(this.#peer, { id: data.sender_id, type: data.sender_type })) {
          this.#typists.heard(data);
        }
      }),
      realtime.onMessageRead(({ conversation_id, seq, read_at, ...reader }) => {
        if (conversation_id === this.#conversationId) {
          this.#read(seq, read_at, { id: reader.user_id, type: reader.user_type });
        }
      }),
      realtime.onMessageDelivered(({ conversation_id, seq }) => {
        if (conversation_id === this.#conversationId) {
          this.#advance("delivered", seq, null);
        }
      }),
      realtime.onMessageUpdated(({ conversation_id, seq, changes }) => {
        if (conversation_id === this.#conversationId && changes.status) {
          this.#advance(changes.status, seq, null);
        }
      }),
      realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
        if (isSame(this.#peer, { id: user_id, type: user_type })) {
          this.#showPresence(status);
        }
      }),
      realtime.onOnlineUsers(({ users }) => {
        const peer = users.find((user) => isSame(this.#peer, user));
        this.#showPresence(peer?.status ?? "offline");
      }),
      realtime.onReset(({ conversation_id }) => {
        if (conversation_id === this.#conversationId) {
          void this.#reload({ newLine: false });
        }
      }),
      realtime.onRegistered(({ conversations }) => this.#registered(conversations)),
      realtime.onConnectionChanged((change) => this.#banner.connectionChanged(change)),
    ];
    this.#join();
  }

  focus() {
    this.#composer.focus();
  }

  close() {
    this.#isClosed = true;
    if (this.#realtime && this.#conversationId) {
      this.#realtime.leaveRoom(this.#conversationId).catch(() => {});
    }
    clearTimeout(this.#readTimer);
    this.#composer.close();
    this.#view.close();
    this.#typists.close();
    this.#announcer.close();
    this.#banner.close();
    this.#unsubscribe();
    this.#listeners.abort();
  }

  /** Whose drafts these are: also before there is a session. */
  get #owner() {
    const me = this.#parts.me();
    return me ? keyOf(me) : "new";
  }

  #listen() {
    const { signal } = this.#listeners;
    addEventListener("focus", () => this.#looked(), { signal });
    document.addEventListener("visibilitychange", () => this.#looked(), { signal });
    const unsubscribe = this.#parts.post.onChanged((parcel, message) => {
      if (isSame(parcel.peer, this.#peer)) {
        if (message) {
          this.#take(message); // it takes the place of its pending row
        }
        this.#syncPending();
        this.#draw({ follow: false });
      }
    });
    signal.addEventListener("abort", unsubscribe);
  }

  #begin() {
    this.#composer.text = this.#composer.text || this.#parts.drafts.text(this.#owner, keyOf(this.#peer));
    this.#syncPending();
    this.#draw({ follow: true });
    this.#view.offerJump(0, false);
  }

  // --- Out ---

  /** @param {string} text */
  async #send(text) {
    this.#timeline.eraseNewLine();
    const topic = this.#parts.topic?.() ?? { subject: null, message_type: "general" };
    this.#parts.post.send(this.#peer, text, topic);
    await this.#jumpToEnd();
  }

  /** The rows of what is on its way, as the post has them now. */
  #syncPending() {
    const parcels = this.#parts.post.parcelsFor(this.#peer);
    this.#timeline.keepPending(parcels.map(({ unsent }) => unsent.client_id));
    for (const { unsent, status, trouble } of parcels) {
      this.#timeline.pend(pendingEntry(unsent));
      this.#timeline.mark(unsent.client_id, { status, trouble });
    }
  }

  /** @param {boolean} isTyping */
  #tellTyping(isTyping) {
    const { id, type } = this.#peer;
    this.#realtime?.typing({ recipient_id: id, recipient_type: type, is_typing: isTyping });
  }

  /** Tells what has been seen: only what is on the screen of somebody who looks. */
  #looked() {
    if (this.#view.isNearEnd && !this.#timeline.hasMoreAfter && this.#arrivedBelow > 0) {
      this.#arrivedBelow = 0;
      this.#view.offerJump(0, false);
    }
    const newest = this.#seen();
    if (newest > this.#readSeq && this.#readTimer === undefined) {
      this.#readTimer = setTimeout(() => this.#tellRead(), READ_MS);
    }
  }

  #tellRead() {
    this.#readTimer = undefined;
    const seq = this.#seen();
    if (seq <= this.#readSeq || !this.#realtime) {
      return;
    }
    this.#readSeq = seq;
    const conversation_id = this.#conversationId;
    this.#realtime.markAsRead({ conversation_id, seq }).catch(() => {}); // onError has told it
    this.#parts.onRead?.(conversation_id, seq);
  }

  #seen() {
    const isLooking = document.visibilityState === "visible" && document.hasFocus();
    return isLooking ? (this.#view.newestOnScreen?.seq ?? 0) : 0;
  }

  // --- In ---

  /** @param {Message} message */
  #arrived(message) {
    if (!this.#isHere(message)) {
      return;
    }
    const wasNearEnd = this.#view.isNearEnd && !this.#timeline.hasMoreAfter;
    const entry = this.#take(message);
    if (entry.sender === "theirs") {
      this.#typists.stopped(keyOf(this.#peer));
      this.#announcer.arrived(entry.name || this.#peer.name);
      this.#arrivedBelow += wasNearEnd ? 0 : 1;
      if (!document.hasFocus()) {
        this.#timeline.drawNewLine(this.#readSeq);
      }
    }
    if (wasNearEnd) {
      this.#timeline.trimStart();
    }
    this.#draw({ follow: true, animate: true });
    this.#view.offerJump(this.#arrivedBelow, this.#timeline.hasMoreAfter);
    void this.#fillGap();
  }

  /**
   * @param {Message} message
   * @returns {import("./timeline.js").Entry}
   */
  #take(message) {
    if (this.#conversationId === "") {
      this.#conversationId = message.conversation_id;
      this.#join();
    }
    const entry = entryOf(message, this.#parts.me());
    this.#timeline.add(entry);
    return entry;
  }

  /** @param {Message} message */
  #isHere(message) {
    if (this.#conversationId !== "") {
      return message.conversation_id === this.#conversationId;
    }
    const { sender_id, sender_type, recipient_id, recipient_type } = message;
    return (
      isSame(this.#peer, { id: sender_id, type: sender_type }) ||
      isSame(this.#peer, { id: recipient_id, type: recipient_type })
    );
  }

  /**
   * @param {number} seq
   * @param {string} at
   * @param {Peer} reader
   */
  #read(seq, at, reader) {
    if (isSame(reader, this.#peer)) {
      this.#advance("read", seq, at);
    } else {
      this.#readSeq = Math.max(this.#readSeq, seq); // in another tab of ours
    }
  }

  /**
   * @param {"delivered" | "read"} status
   * @param {number} seq
   * @param {string | null} at
   */
  #advance(status, seq, at) {
    this.#timeline.advance(status, seq, at);
    this.#draw({ follow: false });
  }

  /** What moved while we were away. @param {Conversation[]} conversations */
  #registered(conversations) {
    const here = conversations.find(({ participants }) =>
      participants.some((participant) => isSame(participant, this.#peer)),
    );
    if (here && this.#conversationId === "") {
      void this.#reload({ newLine: true });
    } else if (here) {
      this.#sync(here);
      this.#draw({ follow: false });
    }
  }

  /** The server's word on who has got and read what. @param {Conversation} conversation */
  #sync(conversation) {
    if (this.#conversationId !== conversation.id) {
      this.#conversationId = conversation.id;
      this.#join();
    }
    for (const participant of conversation.participants) {
      if (isSame(participant, this.#peer)) {
        this.#timeline.advance("delivered", participant.delivered_seq, null);
        this.#timeline.advance("read", participant.read_seq, null);
        this.#showPresence(participant.status);
      }
    }
    this.#readSeq = Math.max(this.#readSeq, conversation.last_seq - conversation.unread);
    this.#parts.onConversation?.(conversation);
  }

  #join() {
    if (this.#realtime && this.#conversationId !== "") {
      this.#realtime.joinRoom(this.#conversationId).catch(() => {}); // onError has told it
    }
  }

  #unsubscribe() {
    for (const unsubscribe of this.#subscriptions) {
      unsubscribe();
    }
    this.#subscriptions = [];
  }

  // --- Pages of the history ---

  /** Loads the newest page in place of what is shown. @param {{newLine: boolean}} how */
  async #reload({ newLine }) {
    const page = await this.#fetch("");
    if (page === null) {
      return;
    }
    const { conversation, messages, has_more } = page;
    this.#timeline.fill(this.#entries(messages), { hasMore: has_more });
    if (conversation) {
      this.#sync(conversation);
      this.#realtime?.setPosition(conversation.id, this.#timeline.lastSeq);
    }
    if (newLine) {
      this.#timeline.drawNewLine(this.#readSeq);
    }
    this.#arrivedBelow = 0;
    this.#syncPending();
    this.#draw({ follow: true });
    this.#view.offerJump(0, false);
  }

  async #loadOlder() {
    if (!this.#timeline.hasMoreBefore) {
      return;
    }
    const page = await this.#fetch(`&before=${this.#timeline.firstSeq}`);
    if (page !== null) {
      this.#timeline.prepend(this.#entries(page.messages), { hasMore: page.has_more });
      this.#draw({ follow: false });
      this.#view.offerJump(this.#arrivedBelow, this.#timeline.hasMoreAfter);
    }
  }

  async #fillGap() {
    const gap = this.#timeline.gap;
    const page = gap && (await this.#fetch(`&after=${gap.after}`));
    if (page) {
      for (const entry of this.#entries(page.messages)) {
        this.#timeline.add(entry);
      }
      this.#draw({ follow: false });
    }
  }

  async #jumpToEnd() {
    if (this.#timeline.hasMoreAfter) {
      await this.#reload({ newLine: false });
    }
    this.#view.goToEnd();
    this.#looked();
  }

  /**
   * One request at a time.
   *
   * @param {string} range
   * @returns {Promise<{conversation: Conversation | null, messages: Message[], has_more: boolean} | null>}
   */
  async #fetch(range) {
    if (this.#isLoading) {
      return null;
    }
    this.#isLoading = true;
    this.#view.showLoading(true);
    const { id, type } = this.#peer;
    try {
      const path = `/api/messages/conversation/${encodeURIComponent(id)}/${type}?limit=${PAGE}${range}`;
      const page = await this.#parts.api.get(path);
      return this.#isClosed ? null : page;
    } catch {
      if (!this.#isClosed) {
        this.#banner.say(words.notLoaded, { words: words.tryAgain, act: () => void this.#retry(range) });
      }
      return null;
    } finally {
      this.#isLoading = false;
      this.#view.showLoading(false);
    }
  }

  /** @param {string} range */
  async #retry(range) {
    this.#banner.close();
    await (range === "" ? this.#reload({ newLine: true }) : this.#loadOlder());
  }

  /** @param {Message[]} messages */
  #entries(messages) {
    return messages.map((message) => entryOf(message, this.#parts.me()));
  }

  // --- On the screen ---

  /** @param {{follow: boolean, animate?: boolean}} how */
  #draw(how) {
    const rows = this.#timeline.rows((iso) => this.#parts.clock.dayKey(iso));
    this.#view.draw(rows, { hasMore: this.#timeline.hasMoreBefore, ...how });
  }

  /** @param {import("./realtime/wire.js").PresenceStatus} status */
  #showPresence(status) {
    showPresence(part(this.#root, "header", HTMLElement), status);
  }

  /** @param {string[]} names */
  #showTyping(names) {
    const element = part(this.#root, "typing", HTMLElement);
    element.hidden = names.length === 0;
    const who = element.querySelector(".typing__who");
    if (who) {
      who.textContent = names[0] === undefined ? "" : words.typing(names[0]);
    }
  }
}
