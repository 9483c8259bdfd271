/** The list of conversations beside the open one: kept up to date, in order, and still under the hand. */

import { clone, find, part } from "./parts.js";
import { isSame, keyOf } from "./post.js";
import { isGuest, nameOf, showAvatar, showPresence } from "./presence.js";
import { Typists } from "./typing.js";
import { words } from "./words.js";

/** Relative times grow old. */
const MINUTE_MS = 60_000;
const PREVIEW_CHARACTERS = 160;
const MOST_SHOWN = 99;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./realtime.js").RealtimeMessages} RealtimeMessages */
/** @typedef {import("./post.js").Peer} Peer */

/**
 * @typedef {object} Row
 * @property {HTMLAnchorElement} element
 * @property {string} id of the conversation
 * @property {Peer & {name: string}} peer
 * @property {string} updatedAt
 * @property {number} lastSeq
 * @property {number} readSeq
 * @property {boolean} lastIsMine
 */

/**
 * @typedef {object} Acts
 * @property {(row: {id: string, peer: Peer & {name: string}}) => void} open
 * @property {(count: number) => void} unread
 */

export class ConversationList {
  #list;
  #blank;
  #nothing;
  #more;
  #me;
  #api;
  #clock;
  #drafts;
  #acts;
  /** @type {Map<string, Row>} */
  #rows = new Map();
  /** @type {Map<string, Typists>} */
  #typists = new Map();
  /** @type {Map<string, import("./realtime/wire.js").PresenceStatus>} also of people without a row yet */
  #statuses = new Map();
  #onlyUnread;
  #openId = "";
  #total;

  /**
   * @param {HTMLElement} root
   * @param {{me: User, api: import("./api.js").Api, clock: import("./clock.js").Clock,
   *   drafts: import("./drafts.js").Drafts, unread: number}} parts
   * @param {Acts} acts
   */
  constructor(root, { me, api, clock, drafts, unread }, acts) {
    this.#list = part(root, "conversations", HTMLOListElement);
    this.#blank = part(root, "blank-conversation", HTMLTemplateElement);
    this.#nothing = part(root, "no-conversations", HTMLElement);
    this.#more = part(root, "more", HTMLAnchorElement);
    this.#onlyUnread = root.querySelector('[data-filter="unread"][aria-current]') !== null;
    this.#me = me;
    this.#api = api;
    this.#clock = clock;
    this.#drafts = drafts;
    this.#total = unread;
    this.#acts = acts;
    for (const element of this.#list.querySelectorAll("a.conversation")) {
      this.#adopt(/** @type {HTMLAnchorElement} */ (element));
    }
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#more.addEventListener("click", (event) => void this.#showMore(event));
    this.#list.addEventListener("pointerleave", () => this.#sort());
    this.#list.addEventListener("focusout", () => this.#sort());
    setInterval(() => this.#showTimes(), MINUTE_MS);
    this.#showTimes();
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
      if (isSame(this.#me, { id: user_id, type: user_type })) {
        this.read(conversation_id, seq);
      }
    });
    realtime.onMessageUpdated(({ conversation_id, seq, changes }) => {
      const row = this.#rows.get(conversation_id);
      if (row?.lastIsMine && seq >= row.lastSeq && changes.status) {
        showTick(row.element, changes.status);
      }
    });
    realtime.onTyping((data) => this.#typing(data));
    realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
      this.#statuses.set(keyOf({ id: user_id, type: user_type }), status);
      this.#showStatuses();
    });
    realtime.onOnlineUsers(({ users }) => {
      this.#statuses = new Map(users.map((user) => [keyOf(user), user.status]));
      this.#showStatuses();
    });
  }

  /** Marks the row of the open conversation. @param {string} id */
  markOpen(id) {
    this.#openId = id;
    for (const row of this.#rows.values()) {
      row.element.toggleAttribute("aria-current", row.id === id);
      if (row.id === id) {
        row.element.setAttribute("aria-current", "true");
      }
      this.#showDraft(row);
    }
  }

  /** @param {string} id @returns {{id: string, peer: Peer & {name: string}} | undefined} */
  row(id) {
    return this.#rows.get(id);
  }

  /** The conversation before or after the open one. @param {1 | -1} step */
  neighbour(step) {
    const ids = [...this.#list.querySelectorAll("a.conversation")].map((element) =>
      element instanceof HTMLElement ? (element.dataset.conversationId ?? "") : "",
    );
    const index = ids.indexOf(this.#openId);
    return this.#rows.get(ids[index < 0 ? 0 : index + step] ?? "");
  }

  /** One has read up to here, on this page or elsewhere. @param {string} id @param {number} seq */
  read(id, seq) {
    const row = this.#rows.get(id);
    if (row && seq > row.readSeq) {
      this.#move(row, { lastSeq: row.lastSeq, readSeq: seq });
    }
  }

  // --- Rows ---

  /** @param {HTMLAnchorElement} element */
  #adopt(element) {
    const { conversationId = "", peerId = "", peerType, peerName = "", updatedAt = "" } = element.dataset;
    const lastSeq = Number(element.dataset.lastSeq);
    this.#rows.set(conversationId, {
      element,
      id: conversationId,
      peer: { id: peerId, type: peerType === "Seller" ? "Seller" : "Buyer", name: peerName },
      updatedAt,
      lastSeq,
      readSeq: lastSeq - Number(element.dataset.count),
      lastIsMine: element.querySelector('[data-status]:not([data-status=""])') !== null,
    });
    if (element.hasAttribute("aria-current")) {
      this.#openId = conversationId;
    }
  }

  /**
   * @param {string} id
   * @param {Peer & {name: string}} peer
   * @returns {Row}
   */
  #make(id, peer) {
    const item = clone(this.#blank);
    const element = find(item, "a", HTMLAnchorElement);
    const name = nameOf(peer);
    element.href = `/inbox/${id}`;
    element.dataset.conversationId = id;
    find(element, ".conversation__name", HTMLElement).textContent = name;
    find(element, ".seal", HTMLElement).hidden = peer.type === "Seller" || isGuest(peer.id);
    showAvatar(element, { ...peer, name });
    /** @type {Row} */
    const row = { element, id, peer: { ...peer, name }, updatedAt: "", lastSeq: 0, readSeq: 0, lastIsMine: false };
    this.#rows.set(id, row);
    this.#list.append(item);
    showPresence(element, this.#statuses.get(keyOf(peer)) ?? "offline");
    return row;
  }

  #showStatuses() {
    for (const { element, peer } of this.#rows.values()) {
      showPresence(element, this.#statuses.get(keyOf(peer)) ?? "offline");
    }
  }

  /** @param {Peer} peer */
  #rowsWith(peer) {
    return [...this.#rows.values()].filter((row) => isSame(row.peer, peer));
  }

  // --- What happened ---

  /** @param {Message} message */
  #arrived(message) {
    const mine = isSame(this.#me, { id: message.sender_id, type: message.sender_type });
    const row = this.#rows.get(message.conversation_id) ?? this.#make(message.conversation_id, this.#peerOf(message, mine));
    if (message.seq <= row.lastSeq) {
      return;
    }
    this.#showLast(row, message, mine);
    const readSeq = mine ? message.seq : row.readSeq;
    this.#move(row, { lastSeq: message.seq, readSeq });
    this.#typists.get(row.id)?.stopped(keyOf(row.peer));
    this.#sort();
  }

  /**
   * @param {Message} message
   * @param {boolean} mine
   * @returns {Peer & {name: string}}
   */
  #peerOf(message, mine) {
    return mine
      ? { id: message.recipient_id, type: message.recipient_type, name: "" }
      : { id: message.sender_id, type: message.sender_type, name: message.sender_name ?? "" };
  }

  /**
   * The server's word on everything, after each registration: it may be news, or known.
   *
   * @param {Conversation[]} conversations
   * @param {number} unread
   */
  #registered(conversations, unread) {
    for (const conversation of conversations) {
      this.#show(conversation);
    }
    this.#total = unread;
    this.#acts.unread(unread);
    this.#sort();
  }

  /** @param {Conversation} conversation */
  #show(conversation) {
    const peer = conversation.participants.find((participant) => !isSame(participant, this.#me));
    const last = conversation.last_message;
    if (!peer || (this.#onlyUnread && conversation.unread === 0 && !this.#rows.has(conversation.id))) {
      return;
    }
    this.#statuses.set(keyOf(peer), peer.status);
    const row = this.#rows.get(conversation.id) ?? this.#make(conversation.id, peer);
    if (last && last.seq >= row.lastSeq) {
      this.#showLast(row, last, isSame(this.#me, { id: last.sender_id, type: last.sender_type }));
    }
    const readSeq = conversation.last_seq - conversation.unread;
    this.#move(row, { lastSeq: conversation.last_seq, readSeq });
  }

  /**
   * @param {Row} row
   * @param {Message} message
   * @param {boolean} mine
   */
  #showLast(row, message, mine) {
    row.updatedAt = message.created_at;
    row.lastIsMine = mine;
    find(row.element, ".conversation__preview bdi", HTMLElement).textContent = message.message.slice(0, PREVIEW_CHARACTERS);
    showTick(row.element, mine ? message.status : "");
    this.#showTime(row);
    this.#showDraft(row);
  }

  /** @param {import("./realtime/wire.js").UserTyping} data */
  #typing(data) {
    const [row] = this.#rowsWith({ id: data.sender_id, type: data.sender_type });
    if (!row) {
      return;
    }
    let typists = this.#typists.get(row.id);
    if (!typists) {
      typists = new Typists((names) => {
        row.element.dataset.typing = String(names.length > 0);
      });
      this.#typists.set(row.id, typists);
    }
    typists.heard(data);
  }

  /**
   * @param {Row} row
   * @param {{lastSeq: number, readSeq: number}} to
   */
  #move(row, { lastSeq, readSeq }) {
    const before = unreadOf(row);
    row.lastSeq = Math.max(row.lastSeq, lastSeq);
    row.readSeq = Math.min(Math.max(row.readSeq, readSeq), row.lastSeq);
    const unread = unreadOf(row);
    row.element.dataset.unread = String(unread > 0);
    find(row.element, ".badge", HTMLElement).hidden = unread === 0;
    find(row.element, ".conversation__count", HTMLElement).textContent = shownCount(unread);
    if (unread !== before) {
      this.#total = Math.max(0, this.#total + unread - before);
      this.#acts.unread(this.#total);
    }
  }

  // --- On the screen ---

  /** Newest first, but nothing moves under the pointer or the focus. */
  #sort() {
    this.#nothing.hidden = this.#rows.size > 0;
    if (this.#list.matches(":hover") || this.#list.contains(document.activeElement)) {
      return;
    }
    const rows = [...this.#rows.values()].sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
    let next = this.#list.firstElementChild;
    for (const { element } of rows) {
      const item = /** @type {HTMLElement} */ (element.parentElement);
      if (item === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(item, next);
      }
    }
  }

  #showTimes() {
    for (const row of this.#rows.values()) {
      this.#showTime(row);
      this.#showDraft(row);
    }
  }

  /** @param {Row} row */
  #showTime(row) {
    const time = find(row.element, "time", HTMLTimeElement);
    if (row.updatedAt) {
      time.dateTime = row.updatedAt;
      time.title = this.#clock.full(row.updatedAt);
      time.textContent = this.#clock.inList(row.updatedAt);
    }
  }

  /** A draft waits for its writer: in the list, but not where it stands before one's eyes. @param {Row} row */
  #showDraft(row) {
    const draft = row.id === this.#openId ? "" : this.#drafts.text(keyOf(this.#me), keyOf(row.peer));
    const preview = find(row.element, ".conversation__preview", HTMLElement);
    let shown = preview.querySelector(".conversation__draft");
    preview.dataset.draft = String(draft !== "");
    if (draft === "") {
      shown?.remove();
      return;
    }
    if (!shown) {
      shown = document.createElement("span");
      shown.className = "conversation__draft";
      preview.prepend(shown);
    }
    shown.textContent = `${words.draft} `;
    const text = document.createElement("bdi");
    text.textContent = draft.slice(0, PREVIEW_CHARACTERS);
    shown.append(text);
  }

  /** @param {Event} event */
  #clicked(event) {
    const mouse = /** @type {MouseEvent} */ (event);
    const link = event.target instanceof Element ? event.target.closest("a.conversation") : null;
    const row = link instanceof HTMLElement ? this.#rows.get(link.dataset.conversationId ?? "") : undefined;
    if (row && mouse.button === 0 && !mouse.ctrlKey && !mouse.metaKey && !mouse.shiftKey) {
      event.preventDefault();
      this.#acts.open(row);
    }
  }

  /** @param {Event} event */
  async #showMore(event) {
    event.preventDefault();
    const filter = this.#onlyUnread ? "unread" : "all";
    const before = encodeURIComponent(this.#more.dataset.next ?? "");
    const page = await this.#api.get(`/api/conversations?limit=50&filter=${filter}&before=${before}`).catch(() => null);
    if (page === null) {
      return; // the button stays, and may be pressed again
    }
    for (const conversation of page.conversations) {
      this.#show(conversation);
    }
    this.#more.dataset.next = page.next ?? "";
    this.#more.hidden = page.next === null;
    this.#sort();
  }
}

/** @param {Row} row */
function unreadOf({ lastSeq, readSeq }) {
  return lastSeq - readSeq;
}

/** @param {number} count */
export function shownCount(count) {
  return count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
}

/**
 * @param {HTMLElement} element
 * @param {"" | "sent" | "delivered" | "read"} status
 */
function showTick(element, status) {
  const tick = find(element, ".tick", SVGElement);
  tick.parentElement?.setAttribute("data-status", status);
  find(tick, "use", SVGUseElement).setAttribute("href", `#tick-${status || "sent"}`);
}
