/**
 * Who the buyer is, and their one connection.
 *
 * Looking stores nothing and asks for nothing: a guest is made at the first message. With a cookie
 * (`/chat`) the server knows its buyer by itself; in the widget's frame the token stays in this
 * object's memory, and no cookie is involved.
 */

import { Api, ApiError } from "./api.js";
import { RealtimeMessages } from "./realtime.js";

/** @typedef {import("./realtime/wire.js").User} User */

/**
 * @typedef {object} Told
 * @property {(realtime: RealtimeMessages, user: User) => void} opened there is a connection
 * @property {(token: string, user: User) => void} [renewed] a guest's token is new
 */

export class BuyerSession {
  #api;
  /** Asks who somebody is: an outdated token of theirs must not be in the way. */
  #door;
  #publicUrl;
  #sellerId;
  #withCookie;
  #told;
  /** @type {User | null} */
  #user = null;
  /** @type {string | null} */
  #token = null;
  /** @type {RealtimeMessages | null} */
  #realtime = null;
  /** @type {Promise<RealtimeMessages> | null} */
  #opening = null;
  /** Counts who came and went: an answer that was meant for another is dropped. */
  #visit = 0;

  /**
   * @param {object} options
   * @param {import("./api.js").Api} options.api
   * @param {string} options.publicUrl
   * @param {string} options.sellerId
   * @param {boolean} options.withCookie
   * @param {Told} told
   */
  constructor({ api, publicUrl, sellerId, withCookie }, told) {
    this.#api = api;
    this.#door = new Api(publicUrl, null);
    this.#publicUrl = publicUrl;
    this.#sellerId = sellerId;
    this.#withCookie = withCookie;
    this.#told = told;
  }

  get user() {
    return this.#user;
  }

  get realtime() {
    return this.#realtime;
  }

  /**
   * Connects somebody who is known. `since` is what the page shows already.
   *
   * @param {User} user
   * @param {string | null} token null: the cookie speaks
   * @param {Record<string, number>} [since]
   * @returns {RealtimeMessages}
   */
  start(user, token, since = {}) {
    this.end();
    this.#user = user;
    this.#token = token;
    this.#api.setToken(token);
    const realtime = new RealtimeMessages({
      url: this.#publicUrl,
      token,
      user,
      sellerId: this.#sellerId,
      since,
    });
    realtime.onRegistered(({ token: renewed }) => {
      if (renewed !== undefined && !this.#withCookie) {
        this.#token = renewed;
        this.#api.setToken(renewed);
        this.#told.renewed?.(renewed, user);
      }
    });
    this.#realtime = realtime;
    this.#told.opened(realtime, user);
    realtime.connect();
    return realtime;
  }

  /**
   * The connection, if need be as a new guest.
   *
   * @returns {Promise<RealtimeMessages>} Rejected with an `ApiError`.
   */
  async open() {
    if (this.#realtime) {
      return this.#realtime;
    }
    this.#opening ??= this.#asGuest();
    return this.#opening;
  }

  /**
   * The shop says who this is. A guest's conversation comes along: that of who is here, or of the
   * one whose token the page kept.
   *
   * @param {string} identity
   * @param {string | null} [kept]
   * @returns {Promise<{user: User, token: string}>} Rejected with an `ApiError`.
   */
  async identify(identity, kept = null) {
    const guest_token = this.#user === null ? kept : this.#user.verified ? null : this.#token;
    const guest = guest_token === null ? {} : { guest_token };
    return this.#post("/api/session/identify", { identity, ...guest });
  }

  /** A renewed token of the same person. @param {string} token */
  renew(token) {
    this.#token = token;
    this.#api.setToken(token);
    this.#realtime?.setToken(token);
  }

  /** Nobody is here any more. */
  end() {
    this.#realtime?.disconnect();
    this.#realtime = null;
    this.#opening = null;
    this.#visit += 1;
    this.#user = null;
    this.#token = null;
    this.#api.setToken(null);
  }

  async #asGuest() {
    const visit = this.#visit;
    let made;
    try {
      made = await this.#post("/api/session/guest", { seller_id: this.#sellerId });
    } finally {
      if (visit === this.#visit) {
        this.#opening = null;
      }
    }
    if (visit !== this.#visit) {
      throw new ApiError({ code: "withdrawn", message: "Somebody else is here." });
    }
    const { token, user } = made;
    const realtime = this.start(user, this.#withCookie ? null : token);
    if (!this.#withCookie) {
      this.#told.renewed?.(token, user);
    }
    return realtime;
  }

  /**
   * @param {string} path
   * @param {unknown} body
   * @returns {Promise<{user: User, token: string}>}
   */
  #post(path, body) {
    return this.#door.post(path, body, { cookies: this.#withCookie ? "same-origin" : "omit" });
  }
}

/**
 * Whom an identity speaks of. Only the server can tell whether that is true.
 *
 * @param {string} identity
 * @returns {unknown} null if it is no JWT
 */
export function subjectOf(identity) {
  const [, claims = ""] = identity.split(".");
  try {
    return JSON.parse(atob(claims.replaceAll("-", "+").replaceAll("_", "/"))).sub;
  } catch {
    return null;
  }
}
