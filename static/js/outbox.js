/**
 * Texts that were sent and are not yet known to be stored. They survive a reload and a crash.
 *
 * Each keeps the `client_id` it was given when it was written, so that sending it again stores
 * nothing twice. Several tabs share one outbox: each entry bears the name of the tab that sends it,
 * and what a closed tab left behind is taken over by one other. No DOM.
 */

import { shelfName } from "./shelf.js";

/**
 * @typedef {object} Unsent
 * @property {string} client_id
 * @property {string} message
 * @property {string | null} subject
 * @property {"general" | "product"} message_type
 * @property {string} created_at
 * @property {string} tab
 */

export class Outbox {
  #shelf;
  #name;
  #tab;

  /**
   * @param {import("./shelf.js").Shelf} shelf
   * @param {{owner: string, peer: string, tab: string}} place
   */
  constructor(shelf, { owner, peer, tab }) {
    this.#shelf = shelf;
    this.#name = shelfName("outbox", owner, peer);
    this.#tab = tab;
  }

  /** Oldest first. @returns {Unsent[]} */
  get entries() {
    const kept = this.#shelf.get(this.#name);
    return Array.isArray(kept) ? kept.filter(isUnsent) : [];
  }

  /** @param {Omit<Unsent, "tab">} entry */
  add(entry) {
    const others = this.entries.filter(({ client_id }) => client_id !== entry.client_id);
    this.#keep([...others, { ...entry, tab: this.#tab }]);
  }

  /** @param {string} clientId */
  remove(clientId) {
    this.#keep(this.entries.filter(({ client_id }) => client_id !== clientId));
  }

  /**
   * Takes over what tabs that are gone left unsent. Call it under a lock.
   *
   * @param {ReadonlySet<string>} openTabs
   * @returns {Unsent[]} what is this tab's to send now
   */
  takeOver(openTabs) {
    const entries = this.entries.map((entry) =>
      openTabs.has(entry.tab) && entry.tab !== this.#tab ? entry : { ...entry, tab: this.#tab },
    );
    this.#keep(entries);
    return entries.filter(({ tab }) => tab === this.#tab);
  }

  /**
   * Moves everything to another owner: to the guest that the first message made.
   *
   * @param {string} owner
   * @param {string} peer
   */
  moveTo(owner, peer) {
    const entries = this.entries;
    this.#keep([]);
    this.#name = shelfName("outbox", owner, peer);
    this.#keep([...this.entries, ...entries]); // each goes on being its tab's
  }

  /** @param {Unsent[]} entries */
  #keep(entries) {
    if (entries.length === 0) {
      this.#shelf.remove(this.#name);
    } else {
      this.#shelf.set(this.#name, entries);
    }
  }
}

/**
 * @param {unknown} value
 * @returns {value is Unsent}
 */
function isUnsent(value) {
  return (
    typeof value === "object" &&
    value !== null &&
    "client_id" in value &&
    typeof value.client_id === "string" &&
    "message" in value &&
    typeof value.message === "string"
  );
}
