/** What somebody began to write and did not send, for a week. No DOM. */

import { shelfName } from "./shelf.js";

const KIND = "draft";
const KEEP_MS = 7 * 24 * 60 * 60 * 1000;

export class Drafts {
  #shelf;
  #now;

  /**
   * @param {import("./shelf.js").Shelf} shelf
   * @param {() => number} [now]
   */
  constructor(shelf, now = Date.now) {
    this.#shelf = shelf;
    this.#now = now;
    this.#clearOld();
  }

  /**
   * @param {string} owner
   * @param {string} peer
   */
  text(owner, peer) {
    return this.#read(shelfName(KIND, owner, peer))?.text ?? "";
  }

  /**
   * @param {string} owner
   * @param {string} peer
   * @param {string} text empty to forget it
   */
  keep(owner, peer, text) {
    const name = shelfName(KIND, owner, peer);
    if (text.trim() === "") {
      this.#shelf.remove(name);
    } else {
      this.#shelf.set(name, { text, at: this.#now() });
    }
  }

  /**
   * Another owner: a guest who was just made, or whom a guest turned out to be.
   *
   * @param {string} owner
   * @param {string} next
   */
  moveTo(owner, next) {
    for (const name of this.#shelf.names(owner)) {
      const [kind, , peer = ""] = name.split(" ");
      const text = kind === KIND ? this.text(owner, peer) : "";
      if (text !== "" && owner !== next) {
        this.keep(next, peer, text);
        this.#shelf.remove(name);
      }
    }
  }

  #clearOld() {
    for (const name of this.#shelf.names()) {
      if (name.startsWith(`${KIND} `) && this.#read(name) === null) {
        this.#shelf.remove(name);
      }
    }
  }

  /**
   * @param {string} name
   * @returns {{text: string} | null}
   */
  #read(name) {
    const kept = this.#shelf.get(name);
    if (typeof kept !== "object" || kept === null || !("text" in kept) || !("at" in kept)) {
      return null;
    }
    const { text, at } = kept;
    const fresh = typeof at === "number" && this.#now() - at < KEEP_MS;
    return fresh && typeof text === "string" ? { text } : null;
  }
}
