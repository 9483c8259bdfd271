/**
 * One WebSocket at a time, kept up: opening, noticing silence, coming back, knowing when not to.
 *
 * It carries text and knows nothing of what the text says; `session.js` tells it when the server
 * has taken the registration (`confirm`), for only then a connection counts as one.
 */

import { Backoff } from "./backoff.js";
import { Timers } from "./timers.js";
import { socketUrl } from "./wire.js";

/** @typedef {"closed" | "connecting" | "connected" | "waiting"} State */

/**
 * `reason` says why this state was entered, `code` is the socket's close code, if it was one, and
 * `retry_in` the seconds until the next try, while waiting.
 *
 * @typedef {{state: State, reason: string, code: number | null, retry_in: number | null}} Change
 */

/**
 * The part of a WebSocket that is needed.
 *
 * @typedef {object} Socket
 * @property {number} readyState
 * @property {(text: string) => void} send
 * @property {(code?: number, reason?: string) => void} close
 * @property {(type: any, listener: (event: any) => void) => void} addEventListener
 */
/** @typedef {new (url: string, protocols: string[]) => Socket} SocketClass */

/**
 * @typedef {object} Surroundings
 * @property {string} url
 * @property {string | null} token
 * @property {SocketClass} WebSocket
 * @property {typeof globalThis.fetch | null} fetch
 * @property {import("./timers.js").Clock} clock
 * @property {() => number} random
 */

/**
 * @typedef {object} Callbacks
 * @property {() => void} opened
 * @property {(text: unknown) => void} received
 * @property {(change: Change) => void} changed
 * @property {(error: unknown) => void} failed
 */

/** CONTRACT: the server beats every 25 s. Two beats late is dead. */
const SILENCE_MS = 45_000;
/** From opening to a taken registration. The server itself gives up after 10 s. */
const HANDSHAKE_MS = 20_000;
/** A connection that held this long ends the growth of the waits. */
const STABLE_MS = 10_000;
/** One refused upgrade may be a restart. From the second on HTTP is asked why. */
const REFUSALS_BEFORE_ASKING = 2;

const OPEN = 1; // WebSocket.OPEN
const UNAUTHORIZED = 4401;

/** @type {ReadonlyMap<number, string>} */
const REASONS = new Map([
  [1009, "too_large"],
  [1012, "restarting"],
  [1013, "too_slow"],
  [UNAUTHORIZED, "unauthorized"],
  [4408, "not_registered"],
  [4429, "flooding"],
]);

export class Connection {
  #url;
  #token;
  #WebSocket;
  #fetch;
  #clock;
  #callbacks;
  #backoff;
  /** @type {State} */
  #state = "closed";
  /** @type {string} why the present state was entered */
  #reason = "disconnect";
  /** @type {Socket | null} */
  #socket = null;
  /** @type {Timers<"next">} silence while there is a socket, the next try while there is none */
  #timers;
  /** @type {AbortController | null} */
  #question = null;
  #refusals = 0;
  #heardAt = 0;
  #connectedAt = 0;
  #notBefore = -Infinity;

  /**
   * @param {Surroundings} surroundings
   * @param {Callbacks} callbacks
   */
  constructor({ url, token, WebSocket, fetch, clock, random }, callbacks) {
    this.#url = socketUrl(url);
    this.#token = token;
    this.#WebSocket = WebSocket;
    this.#fetch = fetch && { url: new URL("/api/messages/unread/count", url).href, call: fetch };
    this.#clock = clock;
    this.#timers = new Timers(clock);
    this.#callbacks = callbacks;
    this.#backoff = new Backoff(random);
  }

  get state() {
    return this.#state;
  }

  /** Connects, or, while waiting, tries at once unless the server asked for patience. */
  start() {
    const patient = this.#state === "waiting" && this.#clock.now() < this.#notBefore;
    if ((this.#state === "closed" || this.#state === "waiting") && !patient) {
      this.#open();
    }
  }

  /**
   * Ends it until `start` is called.
   *
   * @param {string} reason
   * @param {number | null} [code]
   */
  stop(reason, code = null) {
    if (this.#state === "closed") {
      this.#reason = reason;
      return;
    }
    this.#drop();
    this.#refusals = 0;
    this.#change("closed", reason, { code });
  }

  /**
   * Gives this socket up and comes back after a wait.
   *
   * @param {string} reason
   * @param {{code?: number | null, retryAfter?: number}} [why]
   */
  reconnect(reason, { code = null, retryAfter = 0 } = {}) {
    const now = this.#clock.now();
    this.#drop();
    if (this.#state === "connected" && now - this.#connectedAt >= STABLE_MS) {
      this.#backoff.reset();
    }
    this.notBefore(retryAfter);
    const wait = this.#backoff.next(Math.max(0, this.#notBefore - now) / 1000);
    this.#timers.set("next", wait * 1000, () => this.#retry());
    this.#change("waiting", reason, { code, retry_in: wait });
  }

  /** The registration was taken: from now on this is a connection. */
  confirm() {
    this.#refusals = 0;
    this.#connectedAt = this.#clock.now();
    this.#heardAt = this.#connectedAt;
    this.#watch(SILENCE_MS);
    this.#change("connected", "registered");
  }

  /** @param {string} text lost on a socket that is closing already, as with any that breaks */
  send(text) {
    if (this.#socket?.readyState === OPEN) {
      this.#socket.send(text); // on any other, browsers complain in their console
    }
  }

  /** Looks at once whether the server has been silent for too long, as after a computer's sleep. */
  check() {
    if (this.#state === "connected") {
      this.#watch(SILENCE_MS);
    }
  }

  /** @param {number} seconds no new socket before they are over: the server asked for it */
  notBefore(seconds) {
    this.#notBefore = Math.max(this.#notBefore, this.#clock.now() + seconds * 1000);
  }

  /** @param {string} token in place of the present one, if it is by a token that we are known */
  renewToken(token) {
    this.#token &&= token;
  }

  /** @param {string} token for the next socket; starts again if the last one was refused */
  setToken(token) {
    this.#token = token;
    if (this.#state === "closed" && this.#reason === "unauthorized") {
      this.start();
    }
  }

  #retry() {
    const left = this.#notBefore - this.#clock.now();
    if (left > 0) {
      this.#timers.set("next", left, () => this.#retry());
    } else {
      this.#open();
    }
  }

  #open() {
    this.#drop();
    this.#change("connecting", "connect");
    if (this.#state !== "connecting" || this.#socket) {
      return; // a callback thought otherwise
    }
    const bearer = this.#token === null ? [] : [`bearer.${this.#token}`];
    /** @type {Socket} */
    let socket;
    try {
      socket = new this.#WebSocket(this.#url, ["shopbell.v1", ...bearer]);
    } catch (error) {
      // A token that fits no header, or an http socket from an https page: time will not mend it.
      this.#callbacks.failed(error);
      this.stop("impossible");
      return;
    }
    this.#listen(socket);
    this.#socket = socket;
    this.#heardAt = this.#clock.now();
    this.#watch(HANDSHAKE_MS);
  }

  /** @param {Socket} socket */
  #listen(socket) {
    let opened = false;
    // A socket that was given up goes on talking for a while; nobody listens any more.
    /** @param {(event: any) => void} listener */
    const whileCurrent = (listener) => (/** @type {any} */ event) => {
      if (this.#socket === socket) {
        listener(event);
      }
    };
    socket.addEventListener(
      "open",
      whileCurrent(() => {
        opened = true;
        this.#callbacks.opened();
      }),
    );
    socket.addEventListener(
      "message",
      whileCurrent(({ data }) => {
        this.#heardAt = this.#state === "connected" ? this.#clock.now() : this.#heardAt;
        this.#callbacks.received(data);
      }),
    );
    socket.addEventListener(
      "close",
      whileCurrent(({ code }) => (opened ? this.#lost(code) : this.#refused())),
    );
    // Of a refused upgrade Node's WebSocket says no more than this; an open one says "close" too.
    socket.addEventListener(
      "error",
      whileCurrent(() => opened || this.#refused()),
    );
  }

  /** @param {number} code */
  #lost(code) {
    const reason = REASONS.get(code) ?? "lost";
    if (code === UNAUTHORIZED) {
      this.stop(reason, code);
    } else {
      this.reconnect(reason, { code });
    }
  }

  #refused() {
    this.#refusals += 1;
    this.reconnect("refused");
    if (this.#refusals >= REFUSALS_BEFORE_ASKING && this.#state === "waiting") {
      void this.#ask();
    }
  }

  /** A browser does not say with what status an upgrade was refused; a plain request tells. */
  async #ask() {
    if (!this.#fetch) {
      return;
    }
    const { url, call } = this.#fetch; // called without `this`, as browsers demand of fetch
    const question = new AbortController();
    this.#question = question;
    const { signal } = question;
    const headers = this.#token === null ? undefined : { Authorization: `Bearer ${this.#token}` };
    const credentials = headers ? "omit" : "same-origin";
    try {
      const response = await call(url, { headers, credentials, cache: "no-store", signal });
      await response.body?.cancel();
      if (signal.aborted) {
        return;
      }
      if (response.status === 401) {
        this.stop("unauthorized");
      } else if (response.status === 429) {
        this.notBefore(Number(response.headers.get("Retry-After")) || 0);
      }
    } catch {
      // Nobody there, or aborted: the next try will show.
    }
  }

  /** @param {number} limit reconnects if nothing was heard for so long, and looks again later */
  #watch(limit) {
    const left = this.#heardAt + limit - this.#clock.now();
    if (left <= 0) {
      this.reconnect("silence");
    } else {
      this.#timers.set("next", left, () => this.#watch(limit));
    }
  }

  /** Leaves nothing behind: no socket, no timer, no question. */
  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#timers.clear();
    this.#question?.abort();
    this.#question = null;
    socket?.close(1000);
  }

  /**
   * @param {State} state
   * @param {string} reason
   * @param {{code?: number | null, retry_in?: number | null}} [detail]
   */
  #change(state, reason, { code = null, retry_in = null } = {}) {
    this.#state = state;
    this.#reason = reason;
    this.#callbacks.changed({ state, reason, code, retry_in });
  }
}
