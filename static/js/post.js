/**
 * The way out for everything that is written on this page: kept until it is known to be stored.
 *
 * Joins the outbox, which survives a reload, with the connection, which sends. One for a page, so
 * that a message goes on while another conversation is on the screen. No DOM.
 */

import { Outbox } from "./outbox.js";
import { isSame, keyOf, peerOf } from "./people.js";
import { Backoff } from "./realtime/backoff.js";
import { newClientId } from "./realtime/wire.js";
import { words } from "./words.js";

const SECOND_MS = 1000;
/** Why there is no connection to be had now, though there may be one later. */
const PASSING = new Set(["offline", "unavailable", "rate_limited"]);

/** @typedef {import("./outbox.js").Unsent} Unsent */
/** @typedef {import("./realtime.js").RealtimeMessages} RealtimeMessages */
/** @typedef {import("./realtime.js").SendState} SendState */
/** @typedef {import("./realtime.js").Message} Message */
/** @typedef {import("./entry.js").Trouble} Trouble */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {{subject: string | null, message_type: "general" | "product"}} Topic */

/**
 * A message on its way, and how it is getting on.
 *
 * @typedef {object} Parcel
 * @property {Unsent} unsent
 * @property {Peer} peer
 * @property {"sending" | "failed"} status
 * @property {Trouble | null} trouble
 */

/** @typedef {(parcel: Parcel, message: Message | null) => void} Listener */

export class Post {
  #shelf;
  #tabs;
  #open;
  /** @type {string} whose messages these are */
  #owner;
  /** @type {Map<string, Parcel>} by `client_id`, oldest first */
  #parcels = new Map();
  /** @type {Map<string, ReturnType<typeof setInterval>>} */
  #countdowns = new Map();
  /** Done when what closed tabs left behind is in line before what is written now. */
  #resumed = Promise.resolve();
  /** @type {Promise<RealtimeMessages> | null} */
  #opening = null;
  #backoff;
  /** Ends a wait for the next try to open. */
  #wake = () => {};
  /** @type {Set<Listener>} */
  #changed = new Set();
  /** @type {RealtimeMessages | null} */
  #realtime = null;
  #unsubscribe = () => {};

  /**
   * @param {object} options
   * @param {import("./shelf.js").Shelf} options.shelf
   * @param {import("./tabs.js").Tabs} options.tabs
   * @param {string} options.owner `Buyer:b1`
   * @param {() => Promise<RealtimeMessages>} options.open gives the connection, if need be by making
   *   a guest first
   * @param {() => number} [options.random]
   */
  constructor({ shelf, tabs, owner, open, random = Math.random }) {
    this.#shelf = shelf;
    this.#tabs = tabs;
    this.#owner = owner;
    this.#open = open;
    this.#backoff = new Backoff(random);
  }

  get owner() {
    return this.#owner;
  }

  /**
   * Says when a parcel changed or was deleted, and when it was stored: then with the message that
   * it became. What is stored or deleted is no longer kept here.
   *
   * @param {Listener} callback
   * @returns {() => void} the unsubscribe function
   */
  onChanged(callback) {
    this.#changed.add(callback);
    return () => this.#changed.delete(callback);
  }

  /** @param {Peer} peer @returns {Parcel[]} what is on its way to them, oldest first */
  parcelsFor(peer) {
    return [...this.#parcels.values()]
      .filter((parcel) => isSame(parcel.peer, peer))
      .sort((one, other) => Date.parse(one.unsent.created_at) - Date.parse(other.unsent.created_at));
  }

  /** Sends what closed tabs left behind, before all that is written from now on. */
  resume() {
    const done = this.#takeOver();
    this.#resumed = done.catch(() => {}); // whoever asked hears of it
    return done;
  }

  async #takeOver() {
    const owner = this.#owner;
    for (const name of this.#shelf.names(owner)) {
      const [kind, , key = ""] = name.split(" ");
      if (kind === "outbox") {
        const left = await this.#tabs.alone(name, (openTabs) => this.#outbox(key).takeOver(openTabs));
        if (owner === this.#owner) {
          left.forEach((unsent) => this.#dispatch(unsent, peerOf(key)));
        }
      }
    }
  }

  /**
   * @param {Peer} peer
   * @param {string} message
   * @param {Topic} topic
   * @returns {Parcel}
   */
  send(peer, message, topic) {
    const created_at = new Date().toISOString();
    const unsent = { client_id: newClientId(), message, created_at, ...topic, tab: this.#tabs.name };
    this.#outbox(keyOf(peer)).add(unsent);
    return this.#dispatch(unsent, peer, this.#resumed);
  }

  /** @param {string} clientId */
  again(clientId) {
    const parcel = this.#parcels.get(clientId);
    if (parcel?.status === "sending" && this.#opening !== null) {
      this.#wake(); // it waits for the connection, as others do
    } else if (parcel) {
      this.#change(parcel, "sending", null);
      void this.#handOver(parcel);
    }
  }

  /**
   * Deletes a message that is certainly not stored. One that may be stored stays.
   *
   * @param {string} clientId
   */
  remove(clientId) {
    const parcel = this.#parcels.get(clientId);
    if (parcel?.trouble?.remove) {
      this.#finish(parcel, null);
    }
  }

  /** Follows what this connection says of its messages. @param {RealtimeMessages} realtime */
  attach(realtime) {
    this.#unsubscribe();
    this.#realtime = realtime;
    const endings = [
      realtime.onSendState((state) => this.#heard(state)),
      realtime.onRegistered(() => void this.resume()), // a tab may have closed meanwhile
    ];
    this.#unsubscribe = () => endings.forEach((end) => end());
  }

  /** Another owner: a guest who was just made, or whom a guest turned out to be. @param {string} owner */
  moveTo(owner) {
    if (owner === this.#owner) {
      return;
    }
    for (const name of this.#shelf.names(this.#owner)) {
      const [kind, , key = ""] = name.split(" ");
      if (kind === "outbox") {
        this.#outbox(key).moveTo(owner, key);
      }
    }
    this.#owner = owner;
  }

  /** Lets go of everything on this page; what is not stored stays in the outbox. */
  close() {
    this.#unsubscribe();
    this.#countdowns.forEach((timer) => clearInterval(timer));
    this.#countdowns.clear();
    this.#parcels.clear();
    this.#wake();
  }

  /**
   * @param {Unsent} unsent
   * @param {Peer} peer
   * @param {Promise<void>} [turn] what it waits for
   * @returns {Parcel}
   */
  #dispatch(unsent, peer, turn) {
    const known = this.#parcels.get(unsent.client_id);
    if (known) {
      return known;
    }
    /** @type {Parcel} */
    const parcel = { unsent, peer, status: "sending", trouble: null };
    this.#parcels.set(unsent.client_id, parcel);
    this.#tell(parcel);
    void this.#handOver(parcel, turn);
    return parcel;
  }

  /**
   * @param {Parcel} parcel
   * @param {Promise<void>} [turn]
   */
  async #handOver(parcel, turn) {
    await turn;
    let realtime;
    try {
      this.#opening ??= this.#openAtLast().finally(() => {
        this.#opening = null;
      });
      realtime = await this.#opening;
    } catch (error) {
      if (this.#isHere(parcel)) {
        const { code = "" } = /** @type {{code?: string}} */ (error);
        const reason = words.refused(code);
        // Nothing was tried yet, so nothing can be stored.
        this.#change(parcel, "failed", { reason, again: true, remove: true });
      }
      return;
    }
    if (!this.#isHere(parcel)) {
      return; // deleted meanwhile, or left to the next page
    }
    if (realtime !== this.#realtime) {
      this.attach(realtime);
    }
    const { client_id, message, subject, message_type } = parcel.unsent;
    const { id, type } = parcel.peer;
    realtime
      .sendMessage({ recipient_id: id, recipient_type: type, client_id, message, subject, message_type })
      .catch(() => {}); // onSendState has told it
  }

  /** The connection, as soon as there is one to be had: nothing is refused for being early. */
  async #openAtLast() {
    for (;;) {
      try {
        return await this.#open();
      } catch (error) {
        const { code = "", retry_after } = /** @type {{code?: string, retry_after?: number}} */ (error);
        if (PASSING.has(code)) {
          await this.#pause(Math.ceil(retry_after ?? this.#backoff.next()));
        }
        if (!PASSING.has(code) || this.#parcels.size === 0) {
          throw error;
        }
      }
    }
  }

  /** Everybody waits, and may give up: nothing was tried. @param {number} seconds */
  async #pause(seconds) {
    const waiting = [...this.#parcels.values()].filter(({ status }) => status === "sending");
    waiting.forEach((parcel) => this.#countDown(parcel, seconds, { again: true, remove: true }));
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    await new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      timer = setTimeout(resolve, seconds * SECOND_MS);
    });
    clearTimeout(timer);
    for (const parcel of waiting) {
      this.#endCountdown(parcel.unsent.client_id);
      if (this.#isHere(parcel)) {
        this.#change(parcel, "sending", null);
      }
    }
  }

  /** @param {Parcel} parcel */
  #isHere({ unsent }) {
    return this.#parcels.has(unsent.client_id);
  }

  /** @param {SendState} state */
  #heard({ client_id, state, message, error, retry_in = 0 }) {
    const parcel = this.#parcels.get(client_id);
    if (!parcel) {
      return;
    }
    this.#endCountdown(client_id);
    if (state === "stored" || error?.code === "withdrawn") {
      this.#finish(parcel, message ?? null);
    } else if (state === "refused") {
      const reason = words.refused(error?.code ?? "");
      const remove = error?.definite ?? false;
      this.#change(parcel, "failed", { reason, again: true, remove });
    } else if (state === "waiting") {
      this.#countDown(parcel, Math.ceil(retry_in), { again: false, remove: false });
    } else if (state === "unanswered") {
      this.#change(parcel, "sending", { reason: words.unanswered, again: true, remove: false });
    } else {
      this.#change(parcel, "sending", null);
    }
  }

  /**
   * @param {Parcel} parcel
   * @param {number} seconds
   * @param {{again: boolean, remove: boolean}} can what can be done about it
   */
  #countDown(parcel, seconds, can) {
    let left = Math.max(1, seconds);
    const say = () => {
      this.#change(parcel, "sending", { reason: words.sendingAgain(left), ...can });
      left = Math.max(1, left - 1);
    };
    this.#endCountdown(parcel.unsent.client_id);
    say();
    this.#countdowns.set(parcel.unsent.client_id, setInterval(say, SECOND_MS));
  }

  /** @param {string} clientId */
  #endCountdown(clientId) {
    clearInterval(this.#countdowns.get(clientId));
    this.#countdowns.delete(clientId);
  }

  /**
   * @param {Parcel} parcel
   * @param {Parcel["status"]} status
   * @param {Trouble | null} trouble
   */
  #change(parcel, status, trouble) {
    parcel.status = status;
    parcel.trouble = trouble;
    this.#tell(parcel);
  }

  /**
   * @param {Parcel} parcel
   * @param {Message | null} message
   */
  #finish(parcel, message) {
    const { client_id } = parcel.unsent;
    this.#endCountdown(client_id);
    this.#parcels.delete(client_id);
    this.#outbox(keyOf(parcel.peer)).remove(client_id);
    this.#tell(parcel, message);
  }

  /**
   * @param {Parcel} parcel
   * @param {Message | null} [message]
   */
  #tell(parcel, message = null) {
    for (const callback of [...this.#changed]) {
      callback(parcel, message);
    }
  }

  /** @param {string} peer */
  #outbox(peer) {
    return new Outbox(this.#shelf, { owner: this.#owner, peer, tab: this.#tabs.name });
  }
}
