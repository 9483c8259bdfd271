/**
 * What is to be said to the server and has no answer yet.
 *
 * Entries stand in lanes, one lane for each recipient, room or watermark. Of a lane only the first
 * is under way, so that a refusal for now ("too fast", "database away") can never let a later
 * message overtake an earlier one. Messages and other events have a pace of their own, as on the
 * server; of the others, receipts that nobody waits for leave room to what a person does.
 *
 * Pure: times go in, entries to be sent come out. Sending and settling promises is `sender.js`'s.
 */

import { Backoff } from "./backoff.js";
import { Budget } from "./budget.js";

/** @typedef {import("./wire.js").ErrorData} ErrorData */
/** @typedef {"messages" | "events" | "receipts"} Kind */

/**
 * @typedef {object} Entry
 * @property {number} id the frame's, the same at each try
 * @property {Kind} kind
 * @property {string} lane
 * @property {string} event
 * @property {Record<string, unknown>} data
 * @property {number | null} sentAt while it is under way
 * @property {boolean} tried whether it was ever sent: then it may be stored
 * @property {boolean} reported whether it was told to be unanswered
 * @property {number} faults
 * @property {Promise<any>} answer
 * @property {(data: any) => void} resolve
 * @property {(error: unknown) => void} reject
 */

/**
 * @typedef {object} Pace
 * @property {number} pausedUntil
 * @property {boolean} probing after a refusal one at a time, until nothing is left
 * @property {Backoff} backoff
 */

/** After so long without an answer people are told. UX: 10 s. */
export const ANSWER_MS = 10_000;

/** A server that stumbles over the same frame this often will go on doing so. */
const FAULTS_AT_MOST = 3;

/** What must be left of the budget for one more; messages are not in it. */
const NEEDED = Object.freeze({ messages: -Infinity, events: 1, receipts: 30 });

/** Even if the server says "now". */
const PAUSE_AT_LEAST_MS = 50;

/** Codes that say nothing against the frame itself, so it is sent again. */
const PASSING = new Set(["rate_limited", "unavailable", "not_registered", "internal"]);

/** @param {ErrorData} error */
export function isPassing({ code }) {
  return PASSING.has(code);
}

export class Outgoing {
  /** @type {Map<string, Entry[]>} */
  #lanes = new Map();
  /** @type {Map<number, Entry>} */
  #entries = new Map();
  /** @type {Record<Kind, Pace>} */
  #paces;
  #budget = new Budget();
  #lastId = 0;

  /** @param {() => number} random */
  constructor(random) {
    const pace = () => ({ pausedUntil: -Infinity, probing: false, backoff: new Backoff(random) });
    const events = pace();
    this.#paces = { messages: pace(), events, receipts: events };
  }

  /** A frame's id that was not given before. */
  nextId() {
    this.#lastId += 1;
    return this.#lastId;
  }

  /**
   * Puts something at the end of its lane.
   *
   * @param {{kind: Kind, lane: string, event: string, data: Record<string, unknown>}} what
   * @returns {Entry}
   */
  add({ kind, lane, event, data }) {
    /** @type {(data: any) => void} */
    let resolve = () => {};
    /** @type {(error: unknown) => void} */
    let reject = () => {};
    const answer = new Promise((yes, no) => {
      resolve = yes;
      reject = no;
    });
    const id = this.nextId();
    const state = { sentAt: null, tried: false, reported: false, faults: 0 };
    const entry = { id, kind, lane, event, data, ...state, answer, resolve, reject };
    const queue = this.#lanes.get(lane) ?? [];
    this.#lanes.set(lane, queue);
    queue.push(entry);
    this.#entries.set(id, entry);
    return entry;
  }

  /**
   * The last entry of a lane, if it has not been sent yet: it may still be changed.
   *
   * @param {string} lane
   * @returns {Entry | undefined}
   */
  unsentIn(lane) {
    const last = this.#lanes.get(lane)?.at(-1);
    return last?.tried ? undefined : last;
  }

  /** @param {string} lane */
  has(lane) {
    return this.#lanes.has(lane);
  }

  /**
   * @param {string} clientId
   * @returns {Entry | undefined}
   */
  message(clientId) {
    for (const entry of this.#entries.values()) {
      if (entry.kind === "messages" && entry.data.client_id === clientId) {
        return entry;
      }
    }
    return undefined;
  }

  /**
   * What is to be sent now, and counts as under way from now on.
   *
   * @param {number} now in milliseconds, as everywhere here
   * @returns {Entry[]}
   */
  due(now) {
    /** @type {Entry[]} */
    const due = [];
    for (const entry of this.#heads()) {
      if (this.#isDue(entry, now)) {
        entry.sentAt = now;
        entry.tried = true;
        due.push(entry);
        if (entry.kind !== "messages") {
          this.#budget.take(now);
        }
      }
    }
    return due;
  }

  /** @param {number} now something went that is not in here, and counts all the same */
  spend(now) {
    this.#budget.take(now);
  }

  /**
   * The server has done it.
   *
   * @param {number} id
   * @returns {Entry | undefined} undefined if it was answered before
   */
  acknowledged(id) {
    const entry = this.#entries.get(id);
    if (entry) {
      this.remove(entry);
      this.#paces[entry.kind].backoff.reset();
    }
    return entry;
  }

  /**
   * The server has not done it: for now, and then it is tried again after `wait` milliseconds, or
   * for good, and then it is out.
   *
   * @param {number} id
   * @param {ErrorData} error
   * @param {number} now
   * @returns {{entry: Entry, wait: number | null} | undefined} undefined if it was answered before
   */
  refused(id, error, now) {
    const entry = this.#entries.get(id);
    if (!entry) {
      return undefined;
    }
    entry.faults += error.code === "internal" ? 1 : 0;
    if (!isPassing(error) || entry.faults >= FAULTS_AT_MOST) {
      this.remove(entry);
      return { entry, wait: null };
    }
    entry.sentAt = null;
    return { entry, wait: this.#pause(entry.kind, error, now) };
  }

  /**
   * Puts an entry back, to be sent at the next occasion; somebody asked to try again.
   *
   * @param {Entry} entry
   */
  again(entry) {
    entry.sentAt = null;
    entry.reported = false;
  }

  /**
   * All that was under way has to be sent again on the next connection.
   *
   * @returns {Entry[]} what that was
   */
  connectionLost() {
    const lost = this.#heads().filter(({ sentAt }) => sentAt !== null);
    lost.forEach((entry) => this.again(entry));
    return lost;
  }

  /** @param {Entry} entry */
  remove(entry) {
    this.#entries.delete(entry.id);
    const rest = (this.#lanes.get(entry.lane) ?? []).filter((other) => other !== entry);
    if (rest.length > 0) {
      this.#lanes.set(entry.lane, rest);
    } else {
      this.#lanes.delete(entry.lane);
    }
    const pace = this.#paces[entry.kind];
    pace.probing &&= [...this.#entries.values()].some(({ kind }) => this.#paces[kind] === pace);
  }

  /**
   * What has been under way for too long; each is told once.
   *
   * @param {number} now
   * @returns {Entry[]}
   */
  unanswered(now) {
    const late = this.#heads().filter((entry) => now >= this.#lateAt(entry));
    for (const entry of late) {
      entry.reported = true;
    }
    return late;
  }

  /**
   * When `due` or `unanswered` will have something new; Infinity if nothing is waiting for the
   * clock.
   *
   * @returns {number}
   */
  wakeAt() {
    const times = this.#heads().map((entry) => {
      if (entry.sentAt !== null) {
        return this.#lateAt(entry);
      }
      const pace = this.#paces[entry.kind];
      const affordableAt = this.#budget.hasAt(NEEDED[entry.kind]);
      return this.#isProbed(pace) ? Infinity : Math.max(pace.pausedUntil, affordableAt);
    });
    return Math.min(Infinity, ...times);
  }

  /**
   * @param {Entry} entry
   * @param {number} now
   */
  #isDue({ kind, sentAt }, now) {
    const pace = this.#paces[kind];
    const affordable = this.#budget.left(now) >= NEEDED[kind];
    return sentAt === null && now >= pace.pausedUntil && affordable && !this.#isProbed(pace);
  }

  /**
   * Whether one is on its way to see if there is a way.
   *
   * @param {Pace} pace
   */
  #isProbed(pace) {
    const isUnderWay = (/** @type {Entry} */ { kind, sentAt }) =>
      this.#paces[kind] === pace && sentAt !== null;
    return pace.probing && this.#heads().some(isUnderWay);
  }

  #heads() {
    return [...this.#lanes.values()].flatMap((queue) => queue.slice(0, 1));
  }

  /** @param {Entry} entry */
  #lateAt({ sentAt, reported }) {
    return sentAt === null || reported ? Infinity : sentAt + ANSWER_MS;
  }

  /**
   * @param {Kind} kind
   * @param {ErrorData} error
   * @param {number} now
   */
  #pause(kind, { retry_after }, now) {
    const pace = this.#paces[kind];
    if (!pace.probing || now >= pace.pausedUntil) {
      // Many may have been under way when the trouble began: they are one failure, not many.
      const wait = retry_after ?? pace.backoff.next();
      pace.pausedUntil = now + Math.max(PAUSE_AT_LEAST_MS, wait * 1000);
    }
    pace.probing = true;
    return Math.max(0, pace.pausedUntil - now);
  }
}
