/**
 * One person's dialogue with the server: what comes in goes to the part whose business it is.
 *
 * It joins `connection.js` (the socket), `registration.js` (who we are), `sender.js` (what is said
 * until it is answered) and `arrivals.js` (messages in order); `realtime.js` is its public face.
 */

import { Arrivals } from "./arrivals.js";
import { Connection } from "./connection.js";
import { Listeners } from "./listeners.js";
import { isPassing } from "./outgoing.js";
import { watchPage } from "./page.js";
import { Registration } from "./registration.js";
import { Sender } from "./sender.js";
import { SYSTEM_CLOCK } from "./timers.js";
import { RealtimeError, isMessage, isObject, readError, readFrames } from "./wire.js";

/** @typedef {import("./wire.js").Message} Message */
/** @typedef {import("./wire.js").Frame} Frame */
/** @typedef {import("./connection.js").Change} Change */
/** @typedef {import("./sender.js").SendState} SendState */

/**
 * What can be subscribed to, and what its callbacks are given.
 *
 * @typedef {object} Events
 * @property {Message} message
 * @property {import("./wire.js").UserTyping} typing
 * @property {import("./wire.js").MessageRead} read
 * @property {import("./wire.js").MessageDelivered} delivered
 * @property {import("./wire.js").MessageUpdated} updated
 * @property {import("./wire.js").UserStatusChanged} status
 * @property {import("./wire.js").ContextChanged} context
 * @property {import("./wire.js").OnlineUsers} online
 * @property {import("./wire.js").Reset} reset
 * @property {import("./wire.js").Registered} registered
 * @property {Change} connection
 * @property {SendState} sending
 * @property {unknown} error
 */

/**
 * After so long out of sight, ask for what was missed: a hidden page's socket may be half asleep.
 */
const HIDDEN_MS = 60_000;
/** A server that makes up names without end must not fill the memory. */
const NAMES_REPORTED = 100;

export class Session {
  /** @type {Listeners<Events>} */
  listeners = new Listeners((error, name) => this.#report(error, { aloud: name === "error" }));
  #clock;
  #host;
  #unwatch = () => {};
  /** @type {Set<string>} */
  #reportedNames = new Set();

  /** The server's events. A Map, for a plain object also knows `constructor`.
   * @type {ReadonlyMap<string, (frame: Frame) => void>} */
  #events = new Map(
    Object.entries({
      ack: (frame) => this.#acknowledged(frame),
      error: (frame) => this.#refused(frame),
      beat: () => {},
      new_message: (frame) => this.#arrived(frame),
      reset: (frame) => this.#reset(frame),
      user_typing: (frame) => this.#forward("typing", frame),
      message_read: (frame) => this.#forward("read", frame),
      message_delivered: (frame) => this.#forward("delivered", frame),
      message_updated: (frame) => this.#forward("updated", frame),
      user_status_changed: (frame) => this.#forward("status", frame),
      context_changed: (frame) => this.#forward("context", frame),
      online_users: (frame) => this.#forward("online", frame),
    }),
  );

  /** @param {import("../realtime.js").Options} options */
  constructor(options) {
    const { clock = SYSTEM_CLOCK, random = Math.random, host = globalThis } = options;
    const WebSocket = options.WebSocket ?? globalThis.WebSocket;
    if (typeof WebSocket !== "function") {
      throw new TypeError("There is no WebSocket here; pass one as an option.");
    }
    this.#clock = clock;
    this.#host = host;
    this.registration = new Registration(options);
    this.connection = new Connection(
      {
        url: options.url,
        token: options.token ?? null,
        WebSocket,
        fetch: options.fetch === undefined ? (globalThis.fetch ?? null) : options.fetch,
        clock,
        random,
      },
      {
        opened: () => this.#register(this.arrivals.since()),
        received: (text) => this.#received(text),
        changed: (change) => this.#changed(change),
        failed: (error) => this.#report(error),
      },
    );
    const isConnected = () => this.connection.state === "connected";
    this.sender = new Sender({
      clock,
      random,
      isConnected,
      write: (text) => this.connection.send(text),
      tell: (state) => this.listeners.tell("sending", state),
      report: (error) => this.#report(error),
    });
    this.arrivals = new Arrivals({
      clock,
      isConnected,
      since: options.since ?? {},
      confirmDelivery: options.confirmDelivery ?? true,
      isOwn: (message) => this.registration.isOwn(message),
      message: (message) => this.listeners.tell("message", message),
      reset: (conversation_id) => this.listeners.tell("reset", { conversation_id }),
      ask: (ids) => this.#register(this.arrivals.since(ids)),
      deliver: (id, seq) => void this.delivered(id, seq),
    });
  }

  start() {
    this.#unwatch();
    this.#unwatch = watchPage(this.#host, this.#clock.now, {
      online: () => this.#startIfWaiting(),
      returned: (hiddenMs) => this.#returned(hiddenMs),
    });
    this.connection.start();
  }

  stop() {
    this.arrivals.confirm();
    this.#unwatch();
    this.#unwatch = () => {};
    this.connection.stop("disconnect");
  }

  catchUp() {
    if (this.connection.state === "connected") {
      this.arrivals.ask();
    } else {
      this.#startIfWaiting();
    }
  }

  /**
   * @param {string} conversationId
   * @param {number} seq
   * @returns {Promise<import("./wire.js").Delivered>}
   */
  delivered(conversationId, seq) {
    const data = { conversation_id: conversationId, seq };
    const lane = `delivered:${conversationId}`;
    return this.sender.wish(lane, "mark_as_delivered", data, "receipts");
  }

  /** @param {Change} change */
  #changed(change) {
    if (change.state !== "connected") {
      this.registration.disconnected();
      this.arrivals.disconnected();
      this.sender.disconnected();
    }
    this.listeners.tell("connection", change);
  }

  /** @param {Record<string, number>} since */
  #register(since) {
    const frames = this.registration.frames(since, () => this.sender.nextId());
    frames.forEach((frame) => this.connection.send(frame));
  }

  /** @param {unknown} text */
  #received(text) {
    const { frames, malformed } = readFrames(text);
    if (malformed > 0) {
      this.#report(new RealtimeError({ code: "protocol", message: "A frame made no sense." }));
    }
    for (const frame of frames) {
      if (this.connection.state !== "connecting" && this.connection.state !== "connected") {
        return; // a callback has disconnected; what is left will be asked for next time
      }
      this.#handle(frame);
    }
    this.sender.flush();
  }

  /** @param {Frame} frame */
  #handle(frame) {
    const handle = this.#events.get(frame.event);
    if (!handle) {
      this.#reportName(frame.event);
      return;
    }
    try {
      handle(frame);
    } catch (error) {
      this.#report(error); // one frame that is not as agreed must not stop the others
    }
  }

  /** @param {Frame} frame */
  #acknowledged(frame) {
    const asked = this.registration.take(frame.id);
    if (asked) {
      this.#registered(asked, frame);
      return;
    }
    const entry = this.sender.acknowledged(frame.id);
    if (entry?.kind === "messages") {
      const { message, duplicate } = isObject(frame.data) ? frame.data : {};
      this.#stored(entry, message, { duplicate: duplicate === true });
    } else {
      entry?.resolve(frame.data);
    }
  }

  /**
   * @param {string[]} asked
   * @param {Frame} frame
   */
  #registered(asked, frame) {
    const answer = this.registration.accept(frame.data);
    if (answer === "forbidden") {
      this.connection.stop("forbidden");
    } else if (!answer) {
      this.#malformed(frame);
    } else {
      if (answer.token !== undefined) {
        this.connection.renewToken(answer.token);
      }
      if (this.connection.state === "connecting") {
        this.connection.confirm();
        this.sender.connected(); // unless a callback has disconnected: then it only queues
      }
      this.listeners.tell("registered", answer);
      this.arrivals.registered(asked, answer.conversations);
    }
  }

  /** @param {Frame} frame */
  #refused({ id, data }) {
    const error = readError(data);
    const asked = this.registration.take(id);
    if (asked) {
      this.#registrationRefused(asked, error);
      return;
    }
    const entry = this.sender.refused(id, error);
    if (error.code === "rate_limited" && entry?.kind !== "messages") {
      this.connection.notBefore(error.retry_after ?? 0); // a warning; after some it hangs up
    }
    if (!entry) {
      this.#report(new RealtimeError(error));
    }
  }

  /**
   * @param {string[]} asked
   * @param {import("./wire.js").ErrorData} error
   */
  #registrationRefused(asked, error) {
    const retryAfter = error.retry_after ?? 0;
    const connected = this.connection.state === "connected";
    if (!isPassing(error)) {
      this.#report(new RealtimeError(error));
    }
    if (connected && isPassing(error)) {
      this.arrivals.askLater(retryAfter * 1000);
    } else if (connected) {
      this.arrivals.answered(asked);
    } else if (isPassing(error)) {
      this.connection.reconnect("unavailable", { retryAfter });
    } else {
      this.connection.stop(error.code);
    }
  }

  /** @param {Frame} frame */
  #arrived(frame) {
    const { data } = frame;
    if (!isMessage(data)) {
      this.#malformed(frame);
      return;
    }
    const entry = this.registration.isOwn(data) ? this.sender.found(data) : undefined;
    if (entry) {
      // Stored at an earlier try whose answer was lost, or by another tab: this is the answer.
      this.#stored(entry, data, { duplicate: false });
    } else {
      this.arrivals.arrived(data);
    }
  }

  /**
   * @param {import("./outgoing.js").Entry} entry
   * @param {unknown} message
   * @param {{duplicate: boolean}} how
   */
  #stored(entry, message, how) {
    if (isMessage(message)) {
      this.sender.stored(entry, message);
      this.arrivals.stored(message, how);
    } else {
      this.sender.misunderstood(entry);
    }
  }

  /** @param {Frame} frame */
  #reset(frame) {
    const { data } = frame;
    if (isObject(data) && typeof data.conversation_id === "string") {
      this.arrivals.reset(data.conversation_id);
    } else {
      this.#malformed(frame);
    }
  }

  /**
   * @param {keyof Events} name
   * @param {Frame} frame
   */
  #forward(name, frame) {
    if (isObject(frame.data)) {
      this.listeners.tell(name, /** @type {any} */ (frame.data)); // the server's word for its shape
    } else {
      this.#malformed(frame);
    }
  }

  /** @param {number} hiddenMs */
  #returned(hiddenMs) {
    this.connection.check();
    if (hiddenMs >= HIDDEN_MS) {
      this.catchUp();
    }
  }

  #startIfWaiting() {
    if (this.connection.state === "waiting") {
      this.connection.start();
    }
  }

  /** @param {string} name */
  #reportName(name) {
    if (!this.#reportedNames.has(name) && this.#reportedNames.size < NAMES_REPORTED) {
      this.#reportedNames.add(name);
      const message = `The event ${JSON.stringify(name.slice(0, 50))} is not known here.`;
      this.#report(new RealtimeError({ code: "protocol", message }));
    }
  }

  /** @param {Frame} frame */
  #malformed({ event }) {
    const message = `The data of ${event} made no sense.`;
    this.#report(new RealtimeError({ code: "protocol", message }));
  }

  /**
   * @param {unknown} error
   * @param {{aloud?: boolean}} [how] aloud: to the console, even if somebody listens
   */
  #report(error, { aloud = false } = {}) {
    if (aloud || !this.listeners.tell("error", error)) {
      console.warn("Shopbell:", error);
    }
  }
}
