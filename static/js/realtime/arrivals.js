/**
 * What comes in of messages: called back in order, asked for where missing, confirmed as delivered.
 *
 * The order itself is `sequence.js`; here are the clock and the questions.
 */

import { Sequence } from "./sequence.js";
import { Timers } from "./timers.js";

/** @typedef {import("./wire.js").Message} Message */
/** @typedef {import("./wire.js").Conversation} Conversation */

/**
 * @typedef {object} Surroundings
 * @property {import("./timers.js").Clock} clock
 * @property {() => boolean} isConnected
 * @property {Record<string, number>} since
 * @property {boolean} confirmDelivery
 * @property {(who: {sender_id: string, sender_type: string}) => boolean} isOwn
 * @property {(message: Message) => void} message
 * @property {(conversationId: string) => void} reset
 * @property {(conversationIds: string[]) => void} ask for what was missed since their positions
 * @property {(conversationId: string, seq: number) => void} deliver
 */

/** Receipts of a burst go out as one. */
const CONFIRM_MS = 150;
/** A message overtaken by its neighbour arrives within this; only then it counts as missing. */
const OVERTAKING_MS = 250;
/** What was asked for has this long to come before it is asked for again, */
const MISSING_MS = 5_000;
/** this often; then the page is told to load the conversation afresh. */
const ASKED_AT_MOST = 3;

export class Arrivals {
  #surroundings;
  #sequence;
  /** @type {Timers<"missing" | "confirm">} */
  #timers;
  /** @type {Map<string, number>} delivered, and not confirmed yet */
  #unconfirmed = new Map();

  /** @param {Surroundings} surroundings Throws a TypeError for an impossible `since`. */
  constructor(surroundings) {
    this.#surroundings = surroundings;
    this.#sequence = new Sequence(surroundings.since);
    this.#timers = new Timers(surroundings.clock);
  }

  /**
   * @param {string[]} [ids] all, if left out
   * @returns {Record<string, number>}
   */
  since(ids) {
    return this.#sequence.since(ids);
  }

  /** @param {Message} message */
  arrived(message) {
    this.#callBack(this.#sequence.place(message));
    this.#watch(OVERTAKING_MS);
  }

  /**
   * One's own message, which its sender was told of: it takes its place, and may set others free.
   *
   * @param {Message} message
   * @param {{duplicate: boolean}} how
   */
  stored(message, { duplicate }) {
    // A repeat may be of long ago: no place to begin a conversation at.
    if (!duplicate || this.#sequence.position(message.conversation_id) !== undefined) {
      this.#callBack(this.#sequence.place(message, { silent: true }));
      this.#watch(OVERTAKING_MS);
    }
  }

  /**
   * The server has listed the conversations, and sends next what was missed in the ones asked for.
   *
   * @param {string[]} asked
   * @param {Conversation[]} conversations
   */
  registered(asked, conversations) {
    this.#confirmShown(conversations);
    const released = this.#sequence.registered(conversations);
    this.answered(asked);
    this.#callBack(released);
    this.#watchDelivered();
    // In these nothing is missing yet, it is on its way. Others have turned up only now.
    const all = this.#sequence.gaps().every(({ asked: times }) => times > 0);
    this.#watchAnew(all ? MISSING_MS : OVERTAKING_MS);
  }

  /** Asks for all that was missed so far. */
  ask() {
    this.#surroundings.ask(Object.keys(this.since()));
  }

  /** @param {number} milliseconds after which to ask again: the server refused for now */
  askLater(milliseconds) {
    this.#timers.set("missing", Math.max(MISSING_MS, milliseconds), () => this.ask());
  }

  /** @param {string[]} ids asked for, and answered: what does not come now may never come */
  answered(ids) {
    ids.forEach((id) => this.#sequence.countAsked(id));
  }

  /** @param {string} id */
  reset(id) {
    this.#sequence.reset(id);
    this.#surroundings.reset(id);
  }

  /**
   * @param {string} id
   * @param {number} seq
   */
  moveTo(id, seq) {
    this.#callBack(this.#sequence.moveTo(id, seq));
  }

  /** There is no connection any more. The next registration will ask for what is missing. */
  disconnected() {
    this.confirm();
    this.#timers.clear();
  }

  /** Confirms now what was delivered and not confirmed yet. */
  confirm() {
    const unconfirmed = [...this.#unconfirmed];
    this.#unconfirmed.clear();
    unconfirmed.forEach(([id, seq]) => this.#surroundings.deliver(id, seq));
  }

  /** @param {Message[]} messages */
  #callBack(messages) {
    for (const message of messages) {
      if (!this.#surroundings.isOwn(message)) {
        this.#delivered(message.conversation_id, message.seq);
      }
      this.#surroundings.message(message);
    }
  }

  /**
   * What the page shows from elsewhere, and no device has confirmed yet.
   *
   * @param {Conversation[]} conversations
   */
  #confirmShown(conversations) {
    const { isOwn } = this.#surroundings;
    for (const { id, participants, last_seq, last_message } of conversations) {
      const me = participants.find((one) => isOwn({ sender_id: one.id, sender_type: one.type }));
      const shown = (this.#sequence.position(id) ?? -1) >= last_seq;
      // Before a message of one's own nothing is left to confirm: sending reads all before.
      if (me && shown && me.delivered_seq < last_seq && last_message && !isOwn(last_message)) {
        this.#delivered(id, last_seq);
      }
    }
  }

  /**
   * @param {string} id
   * @param {number} seq
   */
  #delivered(id, seq) {
    if (!this.#surroundings.confirmDelivery) {
      return;
    }
    this.#unconfirmed.set(id, Math.max(seq, this.#unconfirmed.get(id) ?? 0));
    this.#watchDelivered();
  }

  #watchDelivered() {
    const waiting = this.#unconfirmed.size > 0 && !this.#timers.has("confirm");
    if (waiting && this.#surroundings.isConnected()) {
      this.#timers.set("confirm", CONFIRM_MS, () => this.confirm());
    }
  }

  /** @param {number} milliseconds until the gaps, if there are any, are looked at */
  #watch(milliseconds) {
    if (!this.#timers.has("missing")) {
      this.#watchAnew(milliseconds);
    }
  }

  /** @param {number} milliseconds */
  #watchAnew(milliseconds) {
    if (this.#surroundings.isConnected() && this.#sequence.gaps().length > 0) {
      this.#timers.set("missing", milliseconds, () => this.#askForMissing());
    }
  }

  #askForMissing() {
    const { reset, ask } = this.#surroundings;
    const gaps = this.#sequence.gaps();
    const asked = gaps.filter(({ asked: times }) => times < ASKED_AT_MOST).map(({ id }) => id);
    const hopeless = gaps.filter(({ asked: times }) => times >= ASKED_AT_MOST);
    if (asked.length > 0) {
      ask(asked);
      this.#watch(MISSING_MS);
    }
    for (const { id } of hopeless) {
      const rest = this.#sequence.giveUp(id);
      reset(id);
      this.#callBack(rest);
    }
  }
}
