/**
 * The client of Shopbell's WebSocket, for browsers and Node: connects, stays connected, loses
 * nothing.
 *
 * No DOM and no dependencies; the one module to import. What it is made of lies beside it, in
 * `realtime/`, and is joined in `session.js`. The protocol is described under `/docs` of any
 * running server.
 *
 *     const realtime = new RealtimeMessages({ url: "https://chat.example", token });
 *     realtime.onNewMessage((message) => console.log(message.sender_name, message.message));
 *     realtime.connect();
 *     const stored = await realtime.sendMessage({
 *       recipient_id: "s1", recipient_type: "Seller", message: "Is it dishwasher-safe?",
 *     });
 */

import { Session } from "./realtime/session.js";
import { RealtimeError } from "./realtime/wire.js";

export { RealtimeError };

/** @typedef {import("./realtime/session.js").Events} Events */
/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/connection.js").Change} Change */
/** @typedef {import("./realtime/sender.js").SendState} SendState */

/**
 * `url` is the server's public address (`https://chat.example`); without a `token` the cookie
 * speaks.
 *
 * `user` is whom this is for: registered as anybody else it stops. `sellerId`: on whose page a
 * buyer is. `since` is what the page shows already, `{conversation_id: seq}`: give it for each
 * conversation that the page was rendered with, so that nothing falls between rendering and
 * connecting; `epoch` belongs to it. `confirmDelivery` is on by default. `fetch` is used to ask why
 * an upgrade was refused, which a browser's socket does not say; null: never. The rest is for Node
 * and for tests.
 *
 * @typedef {object} Options
 * @property {string} url
 * @property {string | null} [token]
 * @property {import("./realtime/registration.js").Identity} [user]
 * @property {string} [sellerId]
 * @property {Record<string, number>} [since]
 * @property {string} [epoch]
 * @property {boolean} [confirmDelivery]
 * @property {import("./realtime/connection.js").SocketClass} [WebSocket]
 * @property {typeof globalThis.fetch | null} [fetch]
 * @property {import("./realtime/timers.js").Clock} [clock]
 * @property {() => number} [random]
 * @property {import("./realtime/page.js").Host} [host]
 */

/** One person's connection to the chat. */
export class RealtimeMessages {
  #session;

  /** @param {Options} options Throws a TypeError for an impossible `url` or `since`. */
  constructor(options) {
    this.#session = new Session(options);
  }

  /** `closed`, `connecting`, `connected` (which is: registered) or `waiting` for the next try. */
  get state() {
    return this.#session.connection.state;
  }

  /** Who the server says we are; null before the first registration. */
  get user() {
    return this.#session.registration.user;
  }

  /** The server's; positions mean nothing under another. */
  get epoch() {
    return this.#session.registration.epoch;
  }

  /** How far each conversation was called back: what another object would take as `since`. */
  get since() {
    return this.#session.arrivals.since();
  }

  /** Connects, and stays connected until `disconnect`. While waiting, tries at once. */
  connect() {
    this.#session.start();
  }

  /**
   * Closes the socket and leaves no timer. What was not acknowledged waits for the next `connect`.
   */
  disconnect() {
    this.#session.stop();
  }

  /**
   * A renewed token of the same person, for the next socket; connects again if the last token was
   * refused. Another person needs another `RealtimeMessages`.
   *
   * @param {string} token
   */
  setToken(token) {
    this.#session.connection.setToken(token);
  }

  /**
   * Sends a message, now or as soon as there is a connection, until it is stored.
   *
   * Messages to one recipient keep their order. The promise lasts over reconnects, and is rejected
   * with a `RealtimeError` only when the server refuses for good; `onError` hears of it as well, so
   * it may be ignored. Called again with a `client_id` still pending, it tries again now.
   *
   * @param {import("./realtime/wire.js").Draft} draft
   * @returns {Promise<Message>}
   */
  sendMessage(draft) {
    return this.#session.sender.send(draft);
  }

  /**
   * Takes back a message that was never sent; its promise is rejected as `withdrawn`.
   *
   * @param {string} clientId
   * @returns {boolean} false if it is too late, or not known
   */
  withdraw(clientId) {
    return this.#session.sender.withdraw(clientId);
  }

  /**
   * Tells a recipient that one is writing, at most once a second. Without a connection it is
   * dropped.
   *
   * @param {import("./realtime/wire.js").Typing} typing
   */
  typing(typing) {
    this.#session.sender.typing(typing);
  }

  /**
   * Says that a message was read, and with it all before it.
   *
   * @param {string | {conversation_id: string, seq: number}} message its id, or its place
   * @returns {Promise<import("./realtime/wire.js").Read>}
   */
  markAsRead(message) {
    return typeof message === "string"
      ? this.#session.sender.wish(`read-message:${message}`, "mark_as_read", {
          message_id: message,
        })
      : this.#session.sender.wish(`read:${message.conversation_id}`, "mark_as_read", {
          ...message,
        });
  }

  /**
   * Says that this device has all up to `seq`. For what came over the socket it happens by itself.
   *
   * @param {string} conversationId
   * @param {number} seq
   * @returns {Promise<import("./realtime/wire.js").Delivered>}
   */
  markAsDelivered(conversationId, seq) {
    return this.#session.delivered(conversationId, seq);
  }

  /**
   * This conversation is on the screen now; holds over reconnects.
   *
   * @param {string} room the conversation's id
   * @returns {Promise<import("./realtime/wire.js").Joined>}
   */
  joinRoom(room) {
    return this.#session.sender.stand(`room:${room}`, "join_room", { room });
  }

  /**
   * @param {string} room
   * @returns {Promise<{room: string}>}
   */
  leaveRoom(room) {
    this.#session.sender.unstand(`room:${room}`);
    return this.#session.sender.wish(`room:${room}`, "leave_room", { room });
  }

  /**
   * How present one wants to be; holds over reconnects.
   *
   * @param {import("./realtime/wire.js").PresenceStatus} status
   * @returns {Promise<{status: import("./realtime/wire.js").PresenceStatus}>}
   */
  updateStatus(status) {
    return this.#session.sender.stand("status", "update_status", { status });
  }

  /**
   * What a buyer is looking at; holds over reconnects.
   *
   * @param {import("./realtime/wire.js").Context} context
   * @returns {Promise<{}>}
   */
  updateContext(context) {
    return this.#session.sender.stand("context", "update_context", { ...context });
  }

  /**
   * All up to `seq` was loaded over HTTP, and need not be called back.
   *
   * @param {string} conversationId
   * @param {number} seq
   */
  setPosition(conversationId, seq) {
    this.#session.arrivals.moveTo(conversationId, seq);
  }

  /**
   * Asks for everything missed so far. Wherever something may have been missed it happens by
   * itself.
   */
  catchUp() {
    this.#session.catchUp();
  }

  /**
   * Each message once, in the order of its conversation: other people's, and one's own from
   * elsewhere. A message sent by this object is told by its promise instead.
   *
   * @param {(message: Message) => void} callback
   */
  onNewMessage(callback) {
    return this.#session.listeners.add("message", callback);
  }

  /** @param {(data: Events["typing"]) => void} callback */
  onTyping(callback) {
    return this.#session.listeners.add("typing", callback);
  }

  /** @param {(data: Events["read"]) => void} callback */
  onMessageRead(callback) {
    return this.#session.listeners.add("read", callback);
  }

  /** @param {(data: Events["delivered"]) => void} callback */
  onMessageDelivered(callback) {
    return this.#session.listeners.add("delivered", callback);
  }

  /** @param {(data: Events["updated"]) => void} callback */
  onMessageUpdated(callback) {
    return this.#session.listeners.add("updated", callback);
  }

  /** @param {(data: Events["status"]) => void} callback */
  onUserStatusChanged(callback) {
    return this.#session.listeners.add("status", callback);
  }

  /** @param {(data: Events["context"]) => void} callback */
  onContextChanged(callback) {
    return this.#session.listeners.add("context", callback);
  }

  /** @param {(data: Events["online"]) => void} callback */
  onOnlineUsers(callback) {
    return this.#session.listeners.add("online", callback);
  }

  /**
   * Load this conversation afresh over HTTP: too much was missed, or the server was restored.
   *
   * @param {(data: Events["reset"]) => void} callback
   */
  onReset(callback) {
    return this.#session.listeners.add("reset", callback);
  }

  /**
   * After each registration, so also after each catching up. A `token` in it is in use already, and
   * should be kept in place of the old one.
   *
   * @param {(data: Events["registered"]) => void} callback
   */
  onRegistered(callback) {
    return this.#session.listeners.add("registered", callback);
  }

  /** @param {(change: Change) => void} callback */
  onConnectionChanged(callback) {
    return this.#session.listeners.add("connection", callback);
  }

  /** @param {(state: SendState) => void} callback */
  onSendState(callback) {
    return this.#session.listeners.add("sending", callback);
  }

  /**
   * What was refused, could not be understood, or was thrown by a callback. If nobody listens, the
   * console is told.
   *
   * @param {(error: unknown) => void} callback
   */
  onError(callback) {
    return this.#session.listeners.add("error", callback);
  }
}
