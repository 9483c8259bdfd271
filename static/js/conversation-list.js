/** The list of conversations beside the open one: kept up to date, in order, and still under the hand. */

import { ConversationRow } from "./conversation-row.js";
import { clone, part } from "./parts.js";
import { isSame, keyOf } from "./people.js";

const MINUTE_MS = 60_000;
const PAGE = 50;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").PresenceStatus} PresenceStatus */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./realtime.js").RealtimeMessages} RealtimeMessages */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {import("./conversation-row.js").NamedPeer} NamedPeer */
/** @typedef {{id: string, peer: NamedPeer}} Chosen */

/**
 * @typedef {object} Parts
 * @property {User} me
 * @property {import("./api.js").Api} api
 * @property {import("./clock.js").Clock} clock
 * @property {import("./drafts.js").Drafts} drafts
 * @property {number} unread in all conversations, also those that are not listed
 */

/**
 * @typedef {object} Acts
 * @property {(row: Chosen) => void} open
 * @property {(count: number) => void} unread
 */

export class ConversationList {
  #list;
  #blank;
  #nothing;
  #more;
  #onlyUnread;
  #parts;
  #acts;
  /** @type {Map<string, ConversationRow>} by the conversation's id */
  #rows = new Map();
  /** @type {Map<string, PresenceStatus>} also of people without a row yet */
  #statuses = new Map();
  #openId = "";
  #total;

  /**
   * @param {HTMLElement} root
   * @param {Parts} parts
   * @param {Acts} acts
   */
  constructor(root, parts, acts) {
    this.#list = part(root, "conversations", HTMLOListElement);
    this.#blank = part(root, "blank-conversation", HTMLTemplateElement);
    this.#nothing = part(root, "no-conversations", HTMLElement);
    this.#more = part(root, "more", HTMLAnchorElement);
    this.#onlyUnread = root.querySelector('[data-filter="unread"][aria-current]') !== null;
    this.#parts = parts;
    this.#acts = acts;
    this.#total = parts.unread;
    for (const element of this.#links()) {
      const row = ConversationRow.adopt(element, parts.clock);
      this.#rows.set(row.id, row);
      this.#statuses.set(keyOf(row.peer), row.presence);
      if (element.hasAttribute("aria-current")) {
        this.#openId = row.id;
      }
    }
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#more.addEventListener("click", (event) => void this.#showMore(event));
    this.#list.addEventListener("pointerleave", () => this.#sort());
    this.#list.addEventListener("focusout", () => this.#sort());
    setInterval(() => this.#refresh(), MINUTE_MS);
    this.#refresh();
  }

  /** @param {RealtimeMessages} realtime */
  attach(realtime) {
    realtime.onNewMessage((message) => this.#arrived(message));
    realtime.onSendState(({ message }) => {
      if (message) {
        this.#arrived(message);
      }
    });
    realtime.onRegistered(({ conversations, unread }) => this.#registered(conversations, unread));
    realtime.onMessageRead(({ conversation_id, seq, user_id, user_type }) => {
      if (isSame(this.#parts.me, { id: user_id, type: user_type })) {
        this.read(conversation_id, seq);
      }
    });
    realtime.onMessageUpdated(({ conversation_id, seq, changes }) => {
      if (changes.status) {
        this.#rows.get(conversation_id)?.advance(seq, changes.status);
      }
    });
    realtime.onTyping((data) => {
      this.#rowWith({ id: data.sender_id, type: data.sender_type })?.heardTyping(data);
    });
    realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
      const user = { id: user_id, type: user_type };
      this.#statuses.set(keyOf(user), status);
      this.#rowWith(user)?.showPresence(status);
    });
    realtime.onOnlineUsers(({ users }) => {
      this.#statuses = new Map(users.map((user) => [keyOf(user), user.status]));
      this.#rows.forEach((row) => row.showPresence(this.statusOf(row.peer)));
    });
  }

  /** Marks the row of the open conversation. @param {string} id empty for none */
  markOpen(id) {
    this.#openId = id;
    this.#rows.forEach((row) => row.markOpen(row.id === id));
    this.#refresh();
  }

  /** @param {string} id */
  focus(id) {
    this.#rows.get(id)?.focus();
  }

  /** @param {string} id @returns {Chosen | undefined} */
  row(id) {
    return this.#rows.get(id);
  }

  /** One has read up to here, on this page or elsewhere. @param {string} id @param {number} seq */
  read(id, seq) {
    const row = this.#rows.get(id);
    if (row) {
      this.#move(row, { readSeq: seq });
    }
  }

  /** How present somebody is, as far as it was told. @param {Peer} peer @returns {PresenceStatus} */
  statusOf(peer) {
    return this.#statuses.get(keyOf(peer)) ?? "offline";
  }

  // --- What happened ---

  /** @param {Message} message */
  #arrived(message) {
    const { sender_id, sender_type, recipient_id, recipient_type } = message;
    const mine = isSame(this.#parts.me, { id: sender_id, type: sender_type });
    const peer = mine
      ? { id: recipient_id, type: recipient_type, name: "" }
      : { id: sender_id, type: sender_type, name: message.sender_name ?? "" };
    const row = this.#rows.get(message.conversation_id) ?? this.#make(message.conversation_id, peer);
    row.showLast(message, mine);
    this.#move(row, { lastSeq: message.seq, readSeq: mine ? message.seq : 0 });
    this.#refresh();
    this.#sort();
  }

  /**
   * The server's word on everything, after each registration: it may be news, or known.
   *
   * @param {Conversation[]} conversations
   * @param {number} unread
   */
  #registered(conversations, unread) {
    conversations.forEach((conversation) => this.#show(conversation));
    this.#total = unread;
    this.#acts.unread(unread);
    this.#sort();
  }

  /** @param {Conversation} conversation */
  #show({ id, participants, last_seq, last_message: last, unread }) {
    const peer = participants.find((participant) => !isSame(participant, this.#parts.me));
    const isWanted = !this.#onlyUnread || unread > 0 || this.#rows.has(id);
    if (!peer || !last || !isWanted) {
      return;
    }
    const row = this.#rows.get(id) ?? this.#make(id, peer);
    this.#statuses.set(keyOf(peer), peer.status);
    row.showPresence(peer.status);
    row.showLast(last, isSame(this.#parts.me, { id: last.sender_id, type: last.sender_type }));
    this.#move(row, { lastSeq: last_seq, readSeq: last_seq - unread });
  }

  /**
   * @param {string} id
   * @param {NamedPeer} peer
   */
  #make(id, peer) {
    const item = clone(this.#blank);
    const row = ConversationRow.make(item, { id, peer }, this.#parts.clock);
    row.showPresence(this.statusOf(peer));
    this.#rows.set(id, row);
    this.#list.append(item);
    return row;
  }

  /**
   * @param {ConversationRow} row
   * @param {{lastSeq?: number, readSeq?: number}} to
   */
  #move(row, to) {
    const before = row.unread;
    row.move(to);
    if (row.unread !== before) {
      this.#total = Math.max(0, this.#total + row.unread - before);
      this.#acts.unread(this.#total);
    }
  }

  // --- On the screen ---

  #links() {
    return /** @type {NodeListOf<HTMLAnchorElement>} */ (
      this.#list.querySelectorAll("a.conversation")
    );
  }

  /** @param {Peer} peer */
  #rowWith(peer) {
    return [...this.#rows.values()].find((row) => isSame(row.peer, peer));
  }

  /** Newest first, but nothing moves under the pointer or the focus. */
  #sort() {
    this.#nothing.hidden = this.#rows.size > 0;
    if (this.#list.matches(":hover") || this.#list.contains(document.activeElement)) {
      return;
    }
    const rows = [...this.#rows.values()];
    rows.sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
    let next = this.#list.firstElementChild;
    for (const { item } of rows) {
      if (item === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(item, next);
      }
    }
  }

  /** Times, and the drafts that wait elsewhere than before one's eyes. */
  #refresh() {
    const owner = keyOf(this.#parts.me);
    for (const row of this.#rows.values()) {
      row.showTime();
      const isOpen = row.id === this.#openId;
      row.showDraft(isOpen ? "" : this.#parts.drafts.text(owner, keyOf(row.peer)));
    }
  }

  /** @param {MouseEvent} event */
  #clicked(event) {
    const { target, button, ctrlKey, metaKey, shiftKey } = event;
    const link = target instanceof Element ? target.closest("a.conversation") : null;
    const id = link instanceof HTMLElement ? (link.dataset.conversationId ?? "") : "";
    const row = this.#rows.get(id);
    if (row && button === 0 && !ctrlKey && !metaKey && !shiftKey) {
      event.preventDefault();
      this.#acts.open(row);
    }
  }

  /** @param {Event} event */
  async #showMore(event) {
    event.preventDefault();
    const filter = this.#onlyUnread ? "unread" : "all";
    const before = encodeURIComponent(this.#more.dataset.next ?? "");
    const path = `/api/conversations?limit=${PAGE}&filter=${filter}&before=${before}`;
    const page = await this.#parts.api.get(path).catch(() => null);
    if (page !== null) {
      page.conversations.forEach((/** @type {Conversation} */ found) => this.#show(found));
      this.#more.dataset.next = page.next ?? "";
      this.#more.hidden = page.next === null;
      this.#sort();
    } // else the button stays, and may be pressed again
  }
}
