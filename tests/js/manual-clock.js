/** A clock that goes only when a test says so. */
export class ManualClock {
  #timers = new Map();
  #lastTimer = 0;
  #now = 0;

  now = () => this.#now;

  setTimeout = (callback, milliseconds) => {
    this.#lastTimer += 1;
    this.#timers.set(this.#lastTimer, { at: this.#now + Math.max(0, milliseconds), callback });
    return this.#lastTimer;
  };

  clearTimeout = (timer) => {
    this.#timers.delete(timer);
  };

  /** How many timers are set. */
  get pending() {
    return this.#timers.size;
  }

  /** Goes on, and calls what falls due on the way, in order. */
  advance(milliseconds) {
    const end = this.#now + milliseconds;
    for (let next = this.#nextBefore(end); next; next = this.#nextBefore(end)) {
      const [timer, { at, callback }] = next;
      this.#timers.delete(timer);
      this.#now = Math.max(this.#now, at);
      callback();
    }
    this.#now = end;
  }

  /** Time passes, and no timer runs: the computer sleeps, or a hidden page is throttled. */
  sleep(milliseconds) {
    this.#now += milliseconds;
  }

  #nextBefore(end) {
    const due = [...this.#timers].filter(([, { at }]) => at <= end);
    return due.sort(([, one], [, other]) => one.at - other.at)[0];
  }
}
