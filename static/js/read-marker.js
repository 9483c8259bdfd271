/** Tells what has been read: only what is on the screen of somebody who looks at it. */

/** PROMISES: receipts are told at most so often. */
const TOGETHER_MS = 500;

export class ReadMarker {
  #seen;
  #tell;
  #readSeq = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #listeners = new AbortController();

  /**
   * @param {() => number} seen the newest message of the other side on the screen; 0 for none
   * @param {(seq: number) => void} tell
   */
  constructor(seen, tell) {
    this.#seen = seen;
    this.#tell = tell;
    const { signal } = this.#listeners;
    addEventListener("focus", () => this.looked(), { signal });
    document.addEventListener("visibilitychange", () => this.looked(), { signal });
  }

  /** How far this person has read, here or elsewhere. */
  get readSeq() {
    return this.#readSeq;
  }

  /** They have read up to here. @param {number} seq */
  passed(seq) {
    this.#readSeq = Math.max(this.#readSeq, seq);
  }

  /** Something else is on the screen, or somebody came back to it. */
  looked() {
    if (this.#unread() > 0) {
      this.#timer ??= setTimeout(() => this.#mark(), TOGETHER_MS);
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#listeners.abort();
  }

  #mark() {
    this.#timer = undefined;
    const seq = this.#unread();
    if (seq > 0) {
      this.#readSeq = seq;
      this.#tell(seq);
    }
  }

  /** The newest seen message that is not marked yet; 0 for none. */
  #unread() {
    const isLooking = document.visibilityState === "visible" && document.hasFocus();
    const seq = isLooking ? this.#seen() : 0;
    return seq > this.#readSeq ? seq : 0;
  }
}
