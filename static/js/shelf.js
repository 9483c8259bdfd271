/**
 * What a page keeps in the browser: texts not yet stored and drafts, each under its owner's name.
 *
 * Storage may be missing, full or forbidden (in a frame even asking for it may throw); then this
 * page's memory serves. No DOM.
 */

const PREFIX = "shopbell:";

/** @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">} Store */

export class Shelf {
  /** @type {Store | null} */
  #store;
  /** @type {Map<string, string>} what the store did not take */
  #memory = new Map();

  /** @param {() => Store} open reads `localStorage`, which may throw */
  constructor(open) {
    try {
      this.#store = open();
    } catch {
      this.#store = null;
    }
  }

  /**
   * @param {string} name
   * @returns {unknown} what was kept, or null
   */
  get(name) {
    const key = PREFIX + name;
    try {
      return JSON.parse(this.#memory.get(key) ?? this.#store?.getItem(key) ?? "null");
    } catch {
      return null;
    }
  }

  /**
   * @param {string} name
   * @param {unknown} value
   */
  set(name, value) {
    const key = PREFIX + name;
    const text = JSON.stringify(value);
    try {
      if (this.#store === null) {
        throw new Error("There is no storage.");
      }
      this.#store.setItem(key, text);
      this.#memory.delete(key);
    } catch {
      this.#memory.set(key, text);
    }
  }

  /** @param {string} name */
  remove(name) {
    const key = PREFIX + name;
    this.#memory.delete(key);
    try {
      this.#store?.removeItem(key);
    } catch {
      // What cannot be removed could not be kept either.
    }
  }

  /**
   * The names of all that is kept for one owner, or for everybody.
   *
   * @param {string} [owner]
   */
  names(owner) {
    const keys = new Set(this.#memory.keys());
    try {
      for (let index = 0; index < (this.#store?.length ?? 0); index += 1) {
        keys.add(this.#store?.key(index) ?? "");
      }
    } catch {
      // Only the memory's, then.
    }
    const names = [...keys].filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return owner === undefined ? names : names.filter((name) => name.split(" ")[1] === owner);
  }

  /**
   * Everything that one person left here goes: at a logout nothing of it may be found.
   *
   * @param {string} owner
   */
  forget(owner) {
    for (const name of this.names(owner)) {
      this.remove(name);
    }
  }
}

/**
 * The name of something kept for one owner about one other person.
 *
 * @param {string} kind
 * @param {string} owner
 * @param {string} peer
 */
export function shelfName(kind, owner, peer) {
  return `${kind} ${owner} ${peer}`; // a space can stand in no id
}
