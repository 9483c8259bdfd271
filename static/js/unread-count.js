/**
 * How many messages of the one conversation wait for their reader: what the bell shows. Pure.
 *
 * CONTRACT section 3: that is the last message's place less the last one read, and sending reads
 * all before.
 */

export class UnreadCount {
  #last = 0;
  #read = 0;

  get count() {
    return Math.max(0, this.#last - this.#read);
  }

  /** The server's word on it. @param {{last_seq: number, unread: number}} conversation */
  known({ last_seq, unread }) {
    this.#last = last_seq;
    this.#read = last_seq - unread;
  }

  /** Somebody else wrote. @param {number} seq */
  arrived(seq) {
    this.#last = Math.max(this.#last, seq);
  }

  /** Here or in another window it was read, or something was written after it. @param {number} seq */
  read(seq) {
    this.#read = Math.max(this.#read, seq);
    this.arrived(seq);
  }

  /** Somebody else is here now. */
  clear() {
    this.#last = this.#read = 0;
  }
}
