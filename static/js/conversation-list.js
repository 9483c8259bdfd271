/** The list of conversations beside the open one: kept up to date, in order, and still under the hand. */

import { ConversationRow } from "./conversation-row.js";
import { HeldList } from "./held-list.js";
import { clone, part } from "./parts.js";
import { isCalled } from "./names.js";
import { isSame, keyOf, nameOf } from "./people.js";
import { words } from "./words.js";

/** Times that say "2 min" are wrong after one. */
const TICK_MS = 20_000;
const PAGE = 50;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").PresenceStatus} PresenceStatus */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {import("./conversation-row.js").NamedPeer} NamedPeer */
/** @typedef {import("./list-filter.js").Chosen} Filter */
/** @typedef {{id: string, peer: NamedPeer}} Chosen */

/**
 * @typedef {object} Acts
 * @property {(row: Chosen) => void} open
 * @property {(more: number) => void} unread so many more are unread, or fewer
 */

/**
 * @typedef {object} Parts
 * @property {User} me
 * @property {import("./api.js").Api} api
 * @property {import("./clock.js").Clock} clock
 * @property {import("./drafts.js").Drafts} drafts
 * @property {Filter} filter what the server showed
 */

export class ConversationList {
  #list;
  #held;
  #blank;
  #nothing;
  #more;
  #parts;
  #acts;
  #filter;
  /** @type {Map<string, ConversationRow>} all that is known, shown or not, by the conversation's id */
  #rows = new Map();
  /** @type {Set<string>} what is shown although it was read meanwhile */
  #kept = new Set();
  /** @type {Map<string, PresenceStatus>} also of people without a row yet */
  #statuses = new Map();
  #openId = "";

  /**
   * @param {HTMLElement} root
   * @param {Parts} parts
   * @param {Acts} acts
   */
  constructor(root, parts, acts) {
    this.#list = part(root, "conversations", HTMLOListElement);
    this.#held = new HeldList(this.#list);
    this.#blank = part(root, "blank-conversation", HTMLTemplateElement);
    this.#nothing = part(root, "no-conversations", HTMLElement);
    this.#more = part(root, "more", HTMLAnchorElement);
    this.#parts = parts;
    this.#acts = acts;
    this.#filter = parts.filter;
    for (const element of this.#list.querySelectorAll("a.conversation")) {
      const row = ConversationRow.adopt(/** @type {HTMLAnchorElement} */ (element), parts.clock);
      this.#rows.set(row.id, row);
      this.#kept.add(row.id);
      this.#statuses.set(keyOf(row.peer), row.presence);
      this.#openId = row.isOpen ? row.id : this.#openId;
    }
    this.#list.addEventListener("click", (event) => this.#clicked(event));
    this.#more.addEventListener("click", (event) => void this.#showMore(event));
    this.#list.addEventListener("pointerleave", () => this.#arrange());
    this.#list.addEventListener("focusout", () => setTimeout(() => this.#arrange())); // where it went is known then
    setInterval(() => this.#refresh(), TICK_MS);
    addEventListener("storage", () => this.#refresh()); // drafts of other tabs
    this.#refresh();
  }

  get isEmpty() {
    return this.#rows.size === 0;
  }

  // --- What the desk tells ---

  /** Shows other conversations: at once what is known of them, then what the server knows. @param {Filter} filter */
  async filter(filter) {
    this.#filter = filter;
    this.#kept.clear();
    this.#more.hidden = true;
    this.#arrange({ anyway: true });
    await this.#load("");
  }

  /** A message between somebody and us. @param {Message} message */
  arrived(message) {
    const { sender_id, sender_type, recipient_id, recipient_type, conversation_id: id, seq } = message;
    const mine = isSame(this.#parts.me, { id: sender_id, type: sender_type });
    const peer = mine
      ? { id: recipient_id, type: recipient_type, name: "" }
      : { id: sender_id, type: sender_type, name: message.sender_name ?? "" };
    let row = this.#rows.get(id);
    if (row === undefined) {
      row = this.#make(id, peer);
      row.move({ lastSeq: seq - 1, readSeq: seq - 1 });
      void this.#learn(row);
    }
    row.showLast(message, mine);
    this.#acts.unread(row.move({ lastSeq: seq, readSeq: mine ? seq : 0 }));
    this.#refresh();
    this.#arrange();
  }

  /**
   * One has read up to here, on this page or elsewhere.
   *
   * @param {string} id
   * @param {number} seq
   * @returns {boolean} false if the conversation is not known
   */
  read(id, seq) {
    const row = this.#rows.get(id);
    if (row) {
      this.#acts.unread(row.move({ readSeq: seq }));
    }
    return row !== undefined;
  }

  /** The server's word; it may be news, or known. @param {Conversation[]} conversations */
  take(conversations) {
    conversations.forEach((conversation) => this.#take(conversation));
    this.#arrange();
  }

  /** What was known of a conversation holds no more. @param {string} id */
  async reset(id) {
    const row = this.#rows.get(id);
    if (row) {
      await this.#learn(row);
    }
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

  /** @param {string} id */
  row(id) {
    return this.#rows.get(id);
  }

  /** The one so many places after the open one, or an end of the list. @param {number} places */
  beside(places) {
    const ids = [...this.#list.children].map((item) => item.querySelector("a")?.dataset.conversationId ?? "");
    const at = ids.indexOf(this.#openId);
    const next = at < 0 ? 0 : Math.min(Math.max(at + places, 0), ids.length - 1);
    return this.#rows.get(ids[next] ?? "");
  }

  /** @param {string} id @param {number} seq @param {"delivered" | "read"} status */
  advance(id, seq, status) {
    this.#rows.get(id)?.advance(seq, status);
  }

  /** @param {import("./realtime/wire.js").UserTyping} data */
  heardTyping(data) {
    this.#rowWith({ id: data.sender_id, type: data.sender_type })?.heardTyping(data);
  }

  /** @param {Peer} user @param {PresenceStatus} status */
  showPresence(user, status) {
    this.#statuses.set(keyOf(user), status);
    this.#rowWith(user)?.showPresence(status);
  }

  /** @param {(Peer & {status: PresenceStatus})[]} users all who are here */
  showOnline(users) {
    this.#statuses = new Map(users.map((user) => [keyOf(user), user.status]));
    this.#rows.forEach((row) => row.showPresence(this.statusOf(row.peer)));
  }

  /** How present somebody is, as far as it was told. @param {Peer} peer @returns {PresenceStatus} */
  statusOf(peer) {
    return this.#statuses.get(keyOf(peer)) ?? "offline";
  }

  // --- Inside ---

  /** @param {Conversation} conversation */
  #take({ id, participants, last_seq, last_message: last, unread, updated_at }) {
    const peer = participants.find((participant) => !isSame(participant, this.#parts.me));
    if (!peer) {
      return;
    }
    const row = this.#rows.get(id) ?? this.#make(id, peer);
    this.#statuses.set(keyOf(peer), peer.status);
    row.showPresence(peer.status);
    if (isSame(row.peer, peer) && row.peer.name !== nameOf(peer)) {
      row.rename(nameOf(peer));
    }
    if (last) {
      row.showLast(last, isSame(this.#parts.me, { id: last.sender_id, type: last.sender_type }));
    } else {
      row.showNothing(updated_at);
    }
    row.move({ lastSeq: last_seq, readSeq: last_seq - unread });
  }

  /**
   * @param {string} id
   * @param {NamedPeer} peer
   */
  #make(id, peer) {
    const row = ConversationRow.make(clone(this.#blank), { id, peer }, this.#parts.clock);
    row.showPresence(this.statusOf(peer));
    row.markOpen(id === this.#openId);
    this.#rows.set(id, row);
    return row;
  }

  /** How much is unread in a conversation that came from far down the list. @param {ConversationRow} row */
  async #learn(row) {
    const { id, type } = row.peer;
    const path = `/api/messages/conversation/${encodeURIComponent(id)}/${type}?limit=1`;
    const page = await this.#parts.api.get(path).catch(() => null);
    if (page?.conversation) {
      row.setRead(page.conversation.last_seq - page.conversation.unread);
      this.take([page.conversation]);
    }
  }

  /** @param {Event} event */
  async #showMore(event) {
    event.preventDefault();
    await this.#load(this.#more.dataset.next ?? "");
  }

  /** A page of what the filter asks for. @param {string} before */
  async #load(before) {
    const filter = this.#filter;
    const query = new URLSearchParams({ limit: String(PAGE), filter: filter.unread ? "unread" : "all" });
    if (filter.name !== "") {
      query.set("name", filter.name);
    }
    if (before !== "") {
      query.set("before", before);
    }
    this.#list.ariaBusy = "true";
    const page = await this.#parts.api.get(`/api/conversations?${query}`).catch(() => null);
    if (filter !== this.#filter) {
      return; // somebody chose otherwise meanwhile
    }
    this.#list.ariaBusy = null;
    if (page !== null) {
      this.#more.dataset.next = page.next ?? "";
      this.take(page.conversations);
    } // else the button is there, and may be pressed
    this.#more.hidden = page !== null && page.next === null;
    this.#arrange({ anyway: before === "" });
  }

  /** @param {Peer} peer */
  #rowWith(peer) {
    return [...this.#rows.values()].find((row) => isSame(row.peer, peer));
  }

  /** @param {ConversationRow} row */
  #isWanted(row) {
    const { unread, name } = this.#filter;
    const isRightly = !unread || row.unread > 0 || row.id === this.#openId || this.#kept.has(row.id);
    return isRightly && (name === "" || isCalled(row.peer.name, name));
  }

  /** Newest first, but nothing moves under the pointer or the focus. @param {{anyway?: boolean}} [how] */
  #arrange(how = {}) {
    const rows = [...this.#rows.values()].filter((row) => this.#isWanted(row));
    rows.sort((one, other) => other.updatedAt.localeCompare(one.updatedAt));
    rows.forEach((row) => this.#kept.add(row.id));
    this.#showNothing(rows.length === 0);
    this.#held.show(
      rows.map((row) => row.item),
      how,
    );
  }

  /** @param {boolean} isNothing */
  #showNothing(isNothing) {
    const { unread, name } = this.#filter;
    this.#nothing.hidden = !isNothing || this.#list.ariaBusy === "true";
    this.#nothing.dataset.because = name !== "" ? "name" : unread ? "unread" : "all";
    part(this.#nothing, "nobody-called", HTMLElement).textContent = words.nobodyCalled(name);
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
}
