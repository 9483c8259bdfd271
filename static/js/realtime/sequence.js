/**
 * Each message once, in the order of `seq`, conversation by conversation.
 *
 * Pure: messages go in as they arrive, out come those that may be called back now. Asking the
 * server for what is missing is the business of `arrivals.js`; this module only knows what that is.
 */

/** @typedef {import("./wire.js").Message} Message */
/** @typedef {import("./wire.js").Conversation} Conversation */

/**
 * Where one conversation stands. All up to `position` was called back, or is on the page already;
 * `known` is the highest `seq` heard of. `silent` messages take their place and nothing more.
 *
 * @typedef {object} Line
 * @property {number} position
 * @property {number} known
 * @property {Map<number, {message: Message, silent: boolean}>} held
 * @property {number} asked how often the gap behind `position` was asked for
 */

/** CONTRACT: `register_user` lists up to 100 conversations. Fewer are all that there are. */
const LISTED_CONVERSATIONS = 100;

export class Sequence {
  /** @type {Map<string, Line>} */
  #lines = new Map();
  /** @type {Set<string>} the conversations with a gap */
  #gaps = new Set();
  /** @type {Map<string, number>} `last_seq` of the last registration's list, or of what came since */
  #heads = new Map();
  #registered = false;
  #allWereListed = false;

  /** @param {Record<string, number>} [since] what the page shows already. Throws a TypeError. */
  constructor(since = {}) {
    for (const [id, seq] of Object.entries(since)) {
      this.moveTo(id, seq);
    }
  }

  /**
   * Takes in one message and says which may be called back now, in order.
   *
   * A conversation never heard of begins here. One with a gap holds the message back.
   *
   * @param {Message} message
   * @param {{silent?: boolean}} [how] silent: told in another way, as the answer to its sender
   * @returns {Message[]}
   */
  place(message, { silent = false } = {}) {
    const { conversation_id: id, seq } = message;
    if (seq > (this.#heads.get(id) ?? Infinity)) {
      this.#heads.set(id, seq);
    }
    const line = this.#lines.get(id) ?? this.#begin(id, seq - 1);
    const held = line.held.get(seq);
    if (held) {
      held.silent ||= silent;
      return [];
    }
    if (seq <= line.position) {
      return [];
    }
    line.held.set(seq, { message, silent });
    line.known = Math.max(line.known, seq);
    return this.#release(id, line);
  }

  /**
   * Takes in the list of conversations that a registration answers, and says which held messages
   * that sets free.
   *
   * A conversation not known at the first registration starts at its end: its history is loaded
   * over HTTP. One that turns up later has come into being, or has moved, while the client was
   * away: then it has a gap from its beginning, or from the first unread message.
   *
   * @param {Conversation[]} conversations
   * @returns {Message[]}
   */
  registered(conversations) {
    this.#heads = new Map(conversations.map(({ id, last_seq }) => [id, last_seq]));
    const released = conversations.flatMap((conversation) => {
      const { id, first_seq, last_seq } = conversation;
      const line = this.#lines.get(id) ?? this.#begin(id, this.#firstPosition(conversation));
      line.known = Math.max(line.known, last_seq);
      // What retention has removed from the front will never come.
      return this.#advance(id, line, first_seq - 1);
    });
    this.#registered = true;
    this.#allWereListed = conversations.length < LISTED_CONVERSATIONS;
    return released;
  }

  /**
   * The page has everything up to `seq` from elsewhere. Never moves back. Throws a TypeError.
   *
   * @param {string} id
   * @param {number} seq
   * @returns {Message[]} what may be called back now
   */
  moveTo(id, seq) {
    if (!Number.isSafeInteger(seq) || seq < 0) {
      throw new TypeError(`A position is a whole number from 0, not ${seq}.`);
    }
    const line = this.#lines.get(id) ?? this.#begin(id, seq);
    return this.#advance(id, line, seq);
  }

  /**
   * The server asks to reload this conversation: it goes on behind what the last registration
   * listed and what came since, which the reload will hold, or else with the next message that
   * comes.
   *
   * @param {string} id
   */
  reset(id) {
    const head = this.#heads.get(id);
    this.#lines.delete(id);
    this.#gaps.delete(id);
    if (head !== undefined) {
      this.#begin(id, head);
    }
  }

  /**
   * The gap could not be filled: hands out what was held back and goes on behind it.
   *
   * @param {string} id
   * @returns {Message[]}
   */
  giveUp(id) {
    const line = this.#lines.get(id);
    if (!line) {
      return [];
    }
    const rest = [...line.held].sort(([one], [other]) => one - other);
    line.held.clear();
    this.#advance(id, line, line.known);
    return rest.filter(([, { silent }]) => !silent).map(([, { message }]) => message);
  }

  /**
   * The conversations in which something is missing, with how often that was asked for in vain.
   *
   * @returns {{id: string, asked: number}[]}
   */
  gaps() {
    return [...this.#gaps].map((id) => ({ id, asked: this.#lines.get(id)?.asked ?? 0 }));
  }

  /**
   * Positions, as `register_user` takes them.
   *
   * @param {Iterable<string>} [ids] all of them, if left out
   * @returns {Record<string, number>}
   */
  since(ids = this.#lines.keys()) {
    /** @type {[string, number][]} */
    const positions = [];
    for (const id of ids) {
      const line = this.#lines.get(id);
      if (line) {
        positions.push([id, line.position]);
      }
    }
    return Object.fromEntries(positions);
  }

  /** @param {string} id if it has a gap, the server has answered once more what is missing */
  countAsked(id) {
    const line = this.#gaps.has(id) ? this.#lines.get(id) : undefined;
    if (line) {
      line.asked += 1;
    }
  }

  /** @param {string} id */
  position(id) {
    return this.#lines.get(id)?.position;
  }

  /** @param {Conversation} conversation */
  #firstPosition({ last_seq, unread }) {
    if (!this.#registered) {
      return last_seq;
    }
    return this.#allWereListed ? 0 : Math.max(0, last_seq - unread);
  }

  /**
   * @param {string} id
   * @param {number} position
   * @returns {Line}
   */
  #begin(id, position) {
    const line = { position, known: position, held: new Map(), asked: 0 };
    this.#lines.set(id, line);
    return line;
  }

  /**
   * @param {string} id
   * @param {Line} line
   * @param {number} position
   */
  #advance(id, line, position) {
    if (position > line.position) {
      line.position = position;
      line.known = Math.max(line.known, position);
      line.asked = 0;
      for (const seq of line.held.keys()) {
        if (seq <= position) {
          line.held.delete(seq);
        }
      }
    }
    return this.#release(id, line);
  }

  /**
   * @param {string} id
   * @param {Line} line
   */
  #release(id, line) {
    const free = [];
    let next = line.held.get(line.position + 1);
    while (next) {
      line.position += 1;
      line.asked = 0;
      line.held.delete(line.position);
      if (!next.silent) {
        free.push(next.message);
      }
      next = line.held.get(line.position + 1);
    }
    if (line.position < line.known) {
      this.#gaps.add(id);
    } else {
      this.#gaps.delete(id);
    }
    return free;
  }
}
