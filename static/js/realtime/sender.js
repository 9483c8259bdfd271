/**
 * Says things to the server until they are answered, and tells those who asked how it went.
 *
 * What goes when is decided in `outgoing.js`; here are the promises, the clock and the frames.
 */

import { Outgoing } from "./outgoing.js";
import { Timers } from "./timers.js";
import { RealtimeError, newClientId } from "./wire.js";

/** @typedef {import("./wire.js").Message} Message */
/** @typedef {import("./wire.js").Draft} Draft */
/** @typedef {import("./wire.js").ErrorData} ErrorData */
/** @typedef {import("./outgoing.js").Entry} Entry */

/**
 * How a message of one's own is getting on. `queued`: waits for the connection or for an earlier
 * one; `unanswered`: under way for 10 s, and still kept; `waiting`: refused for now, `error` says
 * why, tried again in `retry_in` seconds; `refused`: for good.
 *
 * @typedef {object} SendState
 * @property {string} client_id
 * @property {"queued" | "sending" | "unanswered" | "waiting" | "stored" | "refused"} state
 * @property {Message} [message]
 * @property {RealtimeError} [error]
 * @property {number} [retry_in]
 */

/**
 * @typedef {object} Surroundings
 * @property {import("./timers.js").Clock} clock
 * @property {() => number} random
 * @property {() => boolean} isConnected
 * @property {(text: string) => void} write
 * @property {(state: SendState) => void} tell
 * @property {(error: RealtimeError) => void} report
 */

/** CONTRACT: a larger frame costs the connection, and would do so again at each try. */
const FRAME_BYTES = 64 * 1024;
/** The server takes one a second and drops the rest. */
const TYPING_MS = 1_000;

export class Sender {
  #outgoing;
  #surroundings;
  /** @type {Timers<"wake">} */
  #timers;
  /** @type {Map<string, {event: string, data: Record<string, unknown>}>} by lane: what a socket is
   * told once and the next one has to be told again, such as rooms */
  #standing = new Map();
  /** @type {Map<string, number>} */
  #typedAt = new Map();

  /** @param {Surroundings} surroundings */
  constructor(surroundings) {
    this.#surroundings = surroundings;
    this.#outgoing = new Outgoing(surroundings.random);
    this.#timers = new Timers(surroundings.clock);
  }

  /** A frame's id that nothing else has, for something that is sent at once and not from here. */
  nextId() {
    this.#outgoing.spend(this.#surroundings.clock.now());
    return this.#outgoing.nextId();
  }

  /**
   * @param {Draft} draft
   * @returns {Promise<Message>}
   */
  send(draft) {
    /** @type {Record<string, unknown> & {client_id: string}} */
    const data = { ...draft, client_id: draft.client_id ?? newClientId() };
    const pending = this.#outgoing.message(data.client_id);
    if (pending) {
      return this.#sendAgain(pending, data);
    }
    const lane = `message:${data.recipient_type}:${data.recipient_id}`;
    const entry = this.#say("messages", lane, "send_message", data);
    if (entry.sentAt === null && this.#outgoing.message(data.client_id)) {
      this.#tell(entry, "queued");
    }
    return entry.answer;
  }

  /**
   * @param {string} clientId
   * @returns {boolean}
   */
  withdraw(clientId) {
    const entry = this.#outgoing.message(clientId);
    if (!entry || entry.tried) {
      return false;
    }
    this.#outgoing.remove(entry);
    entry.reject(
      new RealtimeError({ code: "withdrawn", message: "Taken back before it was sent." }),
    );
    return true;
  }

  /** @param {import("./wire.js").Typing} data */
  typing(data) {
    const { clock, isConnected, write } = this.#surroundings;
    const now = clock.now();
    const recipient = `${data.recipient_type}:${data.recipient_id}`;
    const tooSoon = data.is_typing && now - (this.#typedAt.get(recipient) ?? -Infinity) < TYPING_MS;
    if (!isConnected() || tooSoon) {
      return;
    }
    if (data.is_typing) {
      this.#typedAt.set(recipient, now);
    } else {
      this.#typedAt.delete(recipient);
    }
    write(JSON.stringify({ event: "typing", data }));
  }

  /**
   * Says something of which only the latest counts: of one lane, what was not sent yet is replaced.
   *
   * @param {string} lane
   * @param {string} event
   * @param {Record<string, unknown>} data
   * @param {"events" | "receipts"} [kind]
   * @returns {Promise<any>}
   */
  wish(lane, event, data, kind = "events") {
    const unsent = this.#outgoing.unsentIn(lane);
    if (unsent?.event !== event) {
      return this.#say(kind, lane, event, data).answer;
    }
    const seq = Math.max(Number(unsent.data.seq), Number(data.seq));
    unsent.data = Number.isNaN(seq) ? data : { ...data, seq }; // watermarks only grow
    return unsent.answer;
  }

  /**
   * The same, and says it again on each new connection.
   *
   * @param {string} lane
   * @param {string} event
   * @param {Record<string, unknown>} data
   * @returns {Promise<any>}
   */
  stand(lane, event, data) {
    this.#standing.set(lane, { event, data });
    return this.wish(lane, event, data);
  }

  /** @param {string} lane what is not to be said again */
  unstand(lane) {
    this.#standing.delete(lane);
  }

  /** There is a connection: says all that has waited for it. */
  connected() {
    for (const [lane, { event, data }] of this.#standing) {
      if (!this.#outgoing.has(lane)) {
        void this.wish(lane, event, data);
      }
    }
    this.flush();
  }

  /** There is none any more: what was under way waits for the next. */
  disconnected() {
    this.#timers.clear();
    this.#outgoing.connectionLost().forEach((entry) => this.#tell(entry, "queued"));
  }

  /**
   * The server has done it.
   *
   * @param {unknown} id
   * @returns {Entry | undefined} undefined if it was answered before
   */
  acknowledged(id) {
    return typeof id === "number" ? this.#outgoing.acknowledged(id) : undefined;
  }

  /**
   * The message under way with this `client_id` turned out to be stored.
   *
   * @param {Message} message
   * @returns {Entry | undefined}
   */
  found({ client_id }) {
    const entry = this.#outgoing.message(client_id);
    return entry && this.#outgoing.acknowledged(entry.id);
  }

  /**
   * @param {Entry} entry
   * @param {Message} message
   */
  stored(entry, message) {
    entry.resolve(message);
    this.#tell(entry, "stored", { message });
  }

  /**
   * The server's answer makes no sense, so nobody knows whether the message is stored.
   *
   * @param {Entry} entry
   */
  misunderstood(entry) {
    const message = "The answer to a message made no sense.";
    this.#giveUp(entry, new RealtimeError({ code: "protocol", message }, { definite: false }));
  }

  /**
   * The server has not done it, for now or for good.
   *
   * @param {unknown} id
   * @param {ErrorData} error
   * @returns {Entry | undefined} undefined if it was answered before
   */
  refused(id, error) {
    const now = this.#surroundings.clock.now();
    const refusal = typeof id === "number" ? this.#outgoing.refused(id, error, now) : undefined;
    if (refusal?.wait === null) {
      this.#giveUp(
        refusal.entry,
        new RealtimeError(error, { definite: error.code !== "internal" }),
      );
    } else if (refusal) {
      const retry_in = refusal.wait / 1000;
      const reason = new RealtimeError(error, { definite: false });
      this.#tell(refusal.entry, "waiting", { error: reason, retry_in });
    }
    return refusal?.entry;
  }

  /** Sends all that may go now, and comes back when the clock allows more. */
  flush() {
    const { clock, isConnected, write } = this.#surroundings;
    if (!isConnected()) {
      return;
    }
    const now = clock.now();
    for (const entry of this.#outgoing.due(now)) {
      if (isConnected()) {
        write(frameOf(entry));
        this.#tell(entry, "sending"); // whose listeners may disconnect
      }
    }
    for (const entry of this.#outgoing.unanswered(now)) {
      this.#tell(entry, "unanswered");
    }
    const wakeAt = this.#outgoing.wakeAt();
    if (isConnected() && wakeAt < Infinity) {
      this.#timers.set("wake", wakeAt - now, () => this.flush());
    }
  }

  /**
   * @param {import("./outgoing.js").Kind} kind
   * @param {string} lane
   * @param {string} event
   * @param {Record<string, unknown>} data
   * @returns {Entry}
   */
  #say(kind, lane, event, data) {
    const entry = this.#outgoing.add({ kind, lane, event, data });
    entry.answer.catch(() => {}); // it is reported as well, so nobody has to await it
    if (new TextEncoder().encode(frameOf(entry)).length > FRAME_BYTES) {
      this.#outgoing.remove(entry);
      const message = `A frame may have ${FRAME_BYTES} bytes.`;
      this.#giveUp(entry, new RealtimeError({ code: "too_large", message }));
    } else {
      this.flush();
    }
    return entry;
  }

  /**
   * @param {Entry} entry
   * @param {Record<string, unknown>} data
   * @returns {Promise<Message>}
   */
  #sendAgain(entry, data) {
    const same = ["recipient_id", "recipient_type", "message"].every(
      (field) => data[field] === entry.data[field],
    );
    if (!same) {
      const message = "This client_id belongs to another message, which is still pending.";
      return Promise.reject(new RealtimeError({ code: "conflict", message, field: "client_id" }));
    }
    this.#outgoing.again(entry);
    this.flush();
    return entry.answer;
  }

  /**
   * @param {Entry} entry
   * @param {RealtimeError} error
   */
  #giveUp(entry, error) {
    if (this.#standing.get(entry.lane)?.event === entry.event) {
      this.#standing.delete(entry.lane); // it would be refused on each connection anew
    }
    entry.reject(error);
    this.#tell(entry, "refused", { error });
    this.#surroundings.report(error);
  }

  /**
   * @param {Entry} entry
   * @param {SendState["state"]} state
   * @param {Partial<SendState>} [detail]
   */
  #tell({ kind, data }, state, detail = {}) {
    if (kind === "messages") {
      this.#surroundings.tell({ client_id: String(data.client_id), state, ...detail });
    }
  }
}

/** @param {Entry} entry */
function frameOf({ event, id, data }) {
  return JSON.stringify({ event, id, data });
}
