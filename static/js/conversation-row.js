/** One line of the list of conversations: whom it is with, the last word, the time, what is unread. */

import { link } from "./address.js";
import { find } from "./parts.js";
import { isSealed, nameOf } from "./people.js";
import { showAvatar, showPresence } from "./presence.js";
import { Typists } from "./typing.js";
import { words } from "./words.js";

const PREVIEW_CHARACTERS = 160;
const MOST_SHOWN = 99;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./people.js").Peer & {name: string}} NamedPeer */

export class ConversationRow {
  id;
  peer;
  updatedAt = "";
  #element;
  #clock;
  #lastSeq = 0;
  #readSeq = 0;
  #lastIsMine = false;
  #typists = new Typists((names) => {
    this.#element.dataset.typing = String(names.length > 0);
  });

  /**
   * @param {HTMLAnchorElement} element
   * @param {{id: string, peer: NamedPeer}} conversation
   * @param {import("./clock.js").Clock} clock
   */
  constructor(element, { id, peer }, clock) {
    this.#element = element;
    this.#clock = clock;
    this.id = id;
    this.peer = peer;
  }

  /**
   * A row that the server rendered.
   *
   * @param {HTMLAnchorElement} element
   * @param {import("./clock.js").Clock} clock
   */
  static adopt(element, clock) {
    const { conversationId = "", peerId = "", peerType, peerName = "" } = element.dataset;
    const { updatedAt = "", lastSeq, count } = element.dataset;
    const type = peerType === "Seller" ? "Seller" : "Buyer";
    const peer = /** @type {NamedPeer} */ ({ id: peerId, type, name: peerName });
    const row = new ConversationRow(element, { id: conversationId, peer }, clock);
    row.updatedAt = updatedAt;
    row.#lastSeq = Number(lastSeq);
    row.#readSeq = row.#lastSeq - Number(count);
    row.#lastIsMine = row.#tick.parentElement?.getAttribute("data-status") !== "";
    return row;
  }

  /**
   * A row of a conversation that began while one looks.
   *
   * @param {HTMLElement} item made from the template
   * @param {{id: string, peer: NamedPeer}} conversation
   * @param {import("./clock.js").Clock} clock
   */
  static make(item, { id, peer }, clock) {
    const element = find(item, "a", HTMLAnchorElement);
    const named = { ...peer, name: nameOf(peer) };
    element.href = link(`/inbox/${id}`);
    element.dataset.conversationId = id;
    find(element, ".conversation__name", HTMLElement).textContent = named.name;
    find(element, ".seal", HTMLElement).hidden = !isSealed(peer);
    showAvatar(element, named);
    return new ConversationRow(element, { id, peer: named }, clock);
  }

  /** What stands in the list. */
  get item() {
    return /** @type {HTMLElement} */ (this.#element.parentElement);
  }

  /** As it is shown. @returns {import("./realtime/wire.js").PresenceStatus} */
  get presence() {
    const shown = find(this.#element, ".avatar", HTMLElement).dataset.presence;
    return shown === "online" || shown === "away" ? shown : "offline";
  }

  get unread() {
    return this.#lastSeq - this.#readSeq;
  }

  get isOpen() {
    return this.#element.hasAttribute("aria-current");
  }

  focus() {
    this.#element.focus();
  }

  /** @param {boolean} isOpen */
  markOpen(isOpen) {
    this.#element.toggleAttribute("aria-current", isOpen);
    if (isOpen) {
      this.#element.setAttribute("aria-current", "true");
    }
  }

  /** @param {import("./realtime/wire.js").PresenceStatus} status */
  showPresence(status) {
    showPresence(this.#element, status);
  }

  /** @param {import("./realtime/wire.js").UserTyping} data */
  heardTyping(data) {
    this.#typists.heard(data);
  }

  /**
   * The last word, if it is one.
   *
   * @param {Message} message
   * @param {boolean} mine
   */
  showLast(message, mine) {
    if (message.seq < this.#lastSeq) {
      return;
    }
    this.updatedAt = message.created_at;
    this.#lastIsMine = mine;
    this.#typists.close();
    this.#showPreview(message.erased_at === undefined ? message.message : words.removed);
    this.#showTick(mine ? message.status : "");
    this.showTime();
  }

  /** Nothing that was said is kept any more. @param {string} updatedAt */
  showNothing(updatedAt) {
    this.updatedAt = updatedAt;
    this.#lastIsMine = false;
    this.#showPreview("");
    this.#showTick("");
    this.showTime();
  }

  /** The other side has another name by now. @param {string} name */
  rename(name) {
    this.peer = { ...this.peer, name };
    this.#element.dataset.peerName = name;
    find(this.#element, ".conversation__name", HTMLElement).textContent = name;
    showAvatar(this.#element, this.peer);
  }

  /**
   * What one wrote last is delivered, or read.
   *
   * @param {number} seq
   * @param {"delivered" | "read"} status
   */
  advance(seq, status) {
    if (this.#lastIsMine && seq >= this.#lastSeq) {
      this.#showTick(status);
    }
  }

  /**
   * There are messages up to `lastSeq`, read up to `readSeq`. Neither goes back.
   *
   * @param {{lastSeq?: number, readSeq?: number}} to
   * @returns {number} how many more are unread
   */
  move({ lastSeq = 0, readSeq = 0 }) {
    const before = this.unread;
    this.#lastSeq = Math.max(this.#lastSeq, lastSeq);
    this.#readSeq = Math.min(Math.max(this.#readSeq, readSeq), this.#lastSeq);
    this.#showUnread();
    return this.unread - before;
  }

  /** The server's word on how far one has read, in place of a guess. @param {number} readSeq */
  setRead(readSeq) {
    this.#readSeq = Math.min(readSeq, this.#lastSeq);
    this.#showUnread();
  }

  /** Relative times grow old. */
  showTime() {
    const time = find(this.#element, "time", HTMLTimeElement);
    if (this.updatedAt) {
      time.dateTime = this.updatedAt;
      time.title = this.#clock.full(this.updatedAt);
      time.textContent = this.#clock.inList(this.updatedAt);
    }
  }

  /** What waits for its writer stands in place of the last word. @param {string} text empty for none */
  showDraft(text) {
    const preview = find(this.#element, ".conversation__preview", HTMLElement);
    preview.querySelector(".conversation__draft")?.remove();
    preview.dataset.draft = String(text !== "");
    if (text !== "") {
      const label = document.createElement("span");
      label.className = "conversation__label";
      label.textContent = words.draft;
      const draft = document.createElement("bdi");
      draft.textContent = text.slice(0, PREVIEW_CHARACTERS);
      const shown = document.createElement("span");
      shown.className = "conversation__draft";
      shown.append(label, " ", draft);
      preview.prepend(shown);
    }
  }

  /** @param {string} text */
  #showPreview(text) {
    const preview = find(this.#element, ".conversation__preview > bdi", HTMLElement);
    preview.textContent = text.slice(0, PREVIEW_CHARACTERS);
  }

  #showUnread() {
    this.#element.dataset.unread = String(this.unread > 0);
    find(this.#element, ".badge", HTMLElement).hidden = this.unread === 0;
    find(this.#element, ".conversation__count", HTMLElement).textContent = shownCount(this.unread);
    find(this.#element, ".conversation__unread", HTMLElement).textContent = words.unread(this.unread);
  }

  get #tick() {
    return find(this.#element, ".tick", SVGElement);
  }

  /** @param {"" | "sent" | "delivered" | "read"} status */
  #showTick(status) {
    this.#tick.parentElement?.setAttribute("data-status", status);
    find(this.#element, ".conversation__status", HTMLElement).textContent = statusWord(status);
    find(this.#tick, "use", SVGUseElement).setAttribute("href", `#tick-${status || "sent"}`);
  }
}

/** @param {"" | "sent" | "delivered" | "read"} status */
function statusWord(status) {
  return { "": "", sent: words.sent, delivered: words.delivered, read: words.readEarlier }[status];
}

/** @param {number} count */
export function shownCount(count) {
  return count > MOST_SHOWN ? `${MOST_SHOWN}+` : String(count);
}
