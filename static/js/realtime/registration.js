/**
 * Saying who we are and how far we got: `register_user`, at first and again to catch up.
 *
 * Keeps to one identity: what waits here to be sent must never be sent in another person's name.
 */

import { isRegistered } from "./wire.js";

/** @typedef {import("./wire.js").Registered} Registered */
/** @typedef {{id: string, type: import("./wire.js").ParticipantType}} Identity */

/** So that a registration stays well within a frame of 64 KiB; for more there are several. */
const POSITIONS_IN_A_FRAME = 1_000;

export class Registration {
  #sellerId;
  #epoch;
  /** @type {Identity | null} */
  #identity;
  /** @type {import("./wire.js").User | null} */
  #user = null;
  /** @type {Map<unknown, string[]>} by the frame's id, the conversations asked for */
  #pending = new Map();

  /** @param {{user?: Identity, sellerId?: string, epoch?: string}} options */
  constructor({ user, sellerId, epoch }) {
    this.#identity = user ?? null;
    this.#sellerId = sellerId;
    this.#epoch = epoch;
  }

  get user() {
    return this.#user;
  }

  get epoch() {
    return this.#epoch;
  }

  /** @param {{sender_id: string, sender_type: string}} message */
  isOwn({ sender_id, sender_type }) {
    return this.#user !== null && sender_id === this.#user.id && sender_type === this.#user.type;
  }

  /**
   * The frames that register, and ask for what was missed since these positions.
   *
   * @param {Record<string, number>} since
   * @param {() => number} nextId
   * @returns {string[]}
   */
  frames(since, nextId) {
    const positions = Object.entries(since);
    const frames = [];
    do {
      const some = positions.splice(0, POSITIONS_IN_A_FRAME);
      const id = nextId();
      this.#pending.set(
        id,
        some.map(([conversationId]) => conversationId),
      );
      const data = {
        ...(this.#identity && { user_id: this.#identity.id, user_type: this.#identity.type }),
        ...(this.#sellerId !== undefined && { seller_id: this.#sellerId }),
        ...(this.#epoch !== undefined && { epoch: this.#epoch }),
        since: Object.fromEntries(some),
      };
      frames.push(JSON.stringify({ event: "register_user", id, data }));
    } while (positions.length > 0);
    return frames;
  }

  /**
   * Whether an answer with this id is ours; if so, the question is closed.
   *
   * @param {unknown} id
   * @returns {string[] | undefined} the conversations that were asked for
   */
  take(id) {
    const asked = this.#pending.get(id);
    this.#pending.delete(id);
    return asked;
  }

  /**
   * Learns from the server's answer who we are.
   *
   * @param {unknown} answer
   * @returns {Registered | "forbidden" | undefined} forbidden: somebody else than before;
   *   undefined: it makes no sense
   */
  accept(answer) {
    if (!isRegistered(answer)) {
      return undefined;
    }
    const { user, epoch } = answer;
    if (this.#identity && (this.#identity.id !== user.id || this.#identity.type !== user.type)) {
      return "forbidden";
    }
    this.#identity = user;
    this.#user = user;
    this.#epoch = epoch;
    return answer;
  }

  /** Questions to a socket that is gone stay without answer. */
  disconnected() {
    this.#pending.clear();
  }
}
