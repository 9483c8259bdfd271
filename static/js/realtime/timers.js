/** Timers by name, on a clock that may be a test's. */

/**
 * Where time comes from: `now` in milliseconds, from any beginning, and never running backwards.
 *
 * @typedef {object} Clock
 * @property {() => number} now
 * @property {(callback: () => void, milliseconds: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/** Wrapped, because a browser's own functions refuse to be called as methods of something else.
 * @type {Clock} */
export const SYSTEM_CLOCK = Object.freeze({
  // Not Date: a wall clock that is set back by an hour would hold messages back for an hour.
  now: () => performance.now(),
  setTimeout: (/** @type {() => void} */ callback, /** @type {number} */ milliseconds) =>
    setTimeout(callback, milliseconds),
  clearTimeout: (/** @type {any} */ timer) => clearTimeout(timer),
});

/** setTimeout fires at once for anything longer. */
const LONGEST_MS = 2 ** 31 - 1;

/** @template {string} Name */
export class Timers {
  /** @type {Map<Name, unknown>} */
  #timers = new Map();
  #clock;

  /** @param {Clock} clock */
  constructor(clock) {
    this.#clock = clock;
  }

  /**
   * Replaces the timer of this name.
   *
   * @param {Name} name
   * @param {number} milliseconds
   * @param {() => void} callback
   */
  set(name, milliseconds, callback) {
    this.#clock.clearTimeout(this.#timers.get(name));
    const run = () => {
      this.#timers.delete(name);
      callback();
    };
    this.#timers.set(name, this.#clock.setTimeout(run, Math.min(milliseconds, LONGEST_MS)));
  }

  /** @param {Name} name */
  has(name) {
    return this.#timers.has(name);
  }

  /** Ends them all. */
  clear() {
    for (const timer of this.#timers.values()) {
      this.#clock.clearTimeout(timer);
    }
    this.#timers.clear();
  }
}
