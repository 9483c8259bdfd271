/** How many events may be sent at all: the server hangs up on who sends more. Pure. */

/** CONTRACT: 120 events a minute a socket. Whatever minute is looked at, this stays within them. */
const AT_ONCE = 60;
const PER_SECOND = 1;

/** A bucket that drips full again; times are in milliseconds. */
export class Budget {
  #left = AT_ONCE;
  #at = -Infinity;

  /**
   * @param {number} now
   * @returns {number} how many may go now
   */
  left(now) {
    const dripped = ((now - this.#at) / 1000) * PER_SECOND;
    this.#left = Math.min(AT_ONCE, this.#left + dripped);
    this.#at = now;
    return this.#left;
  }

  /** @param {number} now one goes, also if there was none left */
  take(now) {
    this.#left = Math.max(0, this.left(now) - 1);
  }

  /**
   * When so many will be left.
   *
   * @param {number} needed
   * @returns {number}
   */
  hasAt(needed) {
    return this.#at + Math.max(0, ((needed - this.#left) / PER_SECOND) * 1000);
  }
}
