/** Who is writing: telling it, and showing it. */

/** CONTRACT: shown so long after the last sign; PROMISES: told so often. */
const SHOWN_MS = 6_000;
const TELL_EVERY_MS = 3_000;
const IDLE_MS = 4_000;

/** Tells the other side that one is writing: at once, then every 3 s, and when it is over. */
export class TypingSignal {
  #tell;
  #now;
  #toldAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;

  /**
   * @param {(isTyping: boolean) => void} tell
   * @param {() => number} [now]
   */
  constructor(tell, now = Date.now) {
    this.#tell = tell;
    this.#now = now;
  }

  /** Something was typed. */
  typed() {
    if (this.#now() - this.#toldAt >= TELL_EVERY_MS) {
      this.#toldAt = this.#now();
      this.#tell(true);
    }
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.stop(), IDLE_MS);
  }

  /** Nothing more comes: idle, elsewhere, or gone. */
  stop() {
    clearTimeout(this.#idle);
    if (this.#toldAt !== -Infinity) {
      this.#toldAt = -Infinity;
      this.#tell(false);
    }
  }

  /** The message itself says that it is over. */
  sent() {
    clearTimeout(this.#idle);
    this.#toldAt = -Infinity;
  }
}

/** Keeps who is writing, each for 6 s after their last sign. */
export class Typists {
  #changed;
  /** @type {Map<string, {name: string, timer: ReturnType<typeof setTimeout>}>} */
  #typists = new Map();

  /** @param {(names: string[]) => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {{sender_id: string, sender_type: string, sender_name: string, is_typing: boolean}} data */
  heard({ sender_id, sender_type, sender_name, is_typing }) {
    const key = `${sender_type}:${sender_id}`;
    clearTimeout(this.#typists.get(key)?.timer);
    if (is_typing) {
      const timer = setTimeout(() => this.stopped(key), SHOWN_MS);
      this.#typists.set(key, { name: sender_name, timer });
      this.#tell();
    } else {
      this.stopped(key);
    }
  }

  /** @param {string} key `Buyer:b1` */
  stopped(key) {
    clearTimeout(this.#typists.get(key)?.timer);
    if (this.#typists.delete(key)) {
      this.#tell();
    }
  }

  close() {
    for (const { timer } of this.#typists.values()) {
      clearTimeout(timer);
    }
    this.#typists.clear();
    this.#tell();
  }

  #tell() {
    this.#changed([...this.#typists.values()].map(({ name }) => name));
  }
}
