/** How long to wait before the next try. Pure: randomness is passed in, nothing is timed here. */

/** @typedef {{shortest: number, longest: number, first: number}} BackoffSeconds */

/** CONTRACT: full jitter, 0.5 to 30 s. The first wait is spread over 2 s, so that the clients which
 * a restart dropped at the same moment do not come back at the same moment. */
export const RECONNECT_SECONDS = Object.freeze({ shortest: 0.5, longest: 30, first: 2 });

/**
 * Waits grow in range, not in length: each is drawn anew between the shortest and a rising ceiling.
 */
export class Backoff {
  #failures = 0;
  #seconds;
  #random;

  /**
   * @param {() => number} random in [0, 1)
   * @param {BackoffSeconds} [seconds]
   */
  constructor(random, seconds = RECONNECT_SECONDS) {
    this.#random = random;
    this.#seconds = seconds;
  }

  /**
   * Seconds to wait after one more failure, never less than the server asked for.
   *
   * @param {number} [retryAfter]
   * @returns {number}
   */
  next(retryAfter = 0) {
    const { shortest, longest, first } = this.#seconds;
    const ceiling = Math.min(longest, first * 2 ** this.#failures);
    this.#failures += 1;
    return Math.max(retryAfter, shortest + this.#random() * (ceiling - shortest));
  }

  /** After a success that lasted. */
  reset() {
    this.#failures = 0;
  }
}
