/** What a buyer sees of how soon the seller replies and when they are back; it stays true while one looks. */

import { find, part } from "./parts.js";
import { isSame } from "./people.js";
import { showPresence } from "./presence.js";
import { words } from "./words.js";

/** @typedef {import("./realtime/wire.js").PresenceStatus} PresenceStatus */
/** @typedef {{replies_in: number | null, back_at: string | null}} Facts */

/** The server is asked at most so often, and what is shown is looked at as often. */
const MINUTE_MS = 60_000;

export class Availability {
  #root;
  #seller;
  #api;
  #clock;
  #isConnected;
  /** @type {Facts} */
  #facts;
  /** @type {PresenceStatus} */
  #status;
  #askedAt = -Infinity;
  #isDue = false;
  #minutes;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;

  /**
   * @param {HTMLElement} root
   * @param {import("./people.js").Peer} seller
   * @param {object} parts
   * @param {import("./api.js").Api} parts.api
   * @param {import("./clock.js").Clock} parts.clock
   * @param {() => boolean} parts.isConnected whether a connection tells when the seller comes and goes
   */
  constructor(root, seller, { api, clock, isConnected }) {
    this.#root = root;
    this.#seller = seller;
    this.#api = api;
    this.#clock = clock;
    this.#isConnected = isConnected;
    const { repliesIn = "", backAt = "", status } = part(root, "availability", HTMLElement).dataset;
    this.#facts = { replies_in: repliesIn === "" ? null : Number(repliesIn), back_at: backAt || null };
    this.#status = /** @type {PresenceStatus} */ (status);
    this.#minutes = setInterval(() => this.#look(), MINUTE_MS);
    addEventListener("focus", this.#look);
    document.addEventListener("visibilitychange", this.#look);
    this.#draw();
  }

  /** Follows a connection for as long as it lasts. @param {import("./realtime.js").RealtimeMessages} realtime */
  attach(realtime) {
    realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
      if (isSame(this.#seller, { id: user_id, type: user_type })) {
        this.#statusIs(status);
      }
    });
    realtime.onOnlineUsers(({ users }) => {
      this.#statusIs(users.find((user) => isSame(this.#seller, user))?.status ?? "offline");
    });
  }

  close() {
    clearInterval(this.#minutes);
    clearTimeout(this.#later);
    removeEventListener("focus", this.#look);
    document.removeEventListener("visibilitychange", this.#look);
  }

  get #isOnScreen() {
    return document.visibilityState === "visible" && this.#root.getClientRects().length > 0;
  }

  get #isBackPast() {
    const { back_at } = this.#facts;
    return back_at !== null && Date.parse(back_at) <= Date.now();
  }

  /** Time has passed, or somebody looks again. */
  #look = () => {
    this.#isDue ||= !this.#isConnected() || this.#isBackPast;
    this.#draw();
    this.#askIfDue();
  };

  /** @param {PresenceStatus} status */
  #statusIs(status) {
    if (status !== this.#status) {
      this.#status = status;
      this.#isDue ||= status !== "online"; // while they were here nobody asked when they are back
      this.#draw();
      this.#askIfDue();
    }
  }

  #askIfDue() {
    if (this.#isDue && this.#later === undefined && this.#isOnScreen) {
      const wait = this.#askedAt + MINUTE_MS - Date.now();
      this.#later = setTimeout(() => void this.#ask(), Math.max(0, wait));
    }
  }

  async #ask() {
    const status = this.#status;
    this.#isDue = false;
    this.#askedAt = Date.now();
    this.#later = undefined;
    try {
      const { seller, availability } = await this.#api.get(`/api/sellers/${encodeURIComponent(this.#seller.id)}`);
      this.#facts = availability;
      if (!this.#isConnected() && this.#status === status) {
        this.#status = seller.status;
        showPresence(part(this.#root, "header", HTMLElement), seller.status);
      }
      this.#draw();
    } catch {
      this.#isDue = true; // what is shown was true a minute ago
    }
  }

  #draw() {
    const { replies_in } = this.#facts;
    this.#say("back", this.#backInWords());
    this.#say("replies", replies_in === null ? "" : words.repliesWithin(replies_in));
    for (const element of this.#all("absent")) {
      element.hidden = this.#status !== "offline";
    }
  }

  #backInWords() {
    const { back_at } = this.#facts;
    if (back_at === null || this.#status === "online" || this.#isBackPast) {
      return "";
    }
    const time = this.#clock.time(back_at);
    const days = this.#clock.daysAhead(back_at);
    if (days < 2) {
      return days < 1 ? words.backToday(time) : words.backTomorrow(time);
    }
    return words.backOn(this.#clock.weekday(back_at), time);
  }

  /**
   * @param {"back" | "replies"} name
   * @param {string} text nothing: it is not known
   */
  #say(name, text) {
    for (const element of this.#all(name)) {
      element.hidden = text === "";
      find(element, ".availability__words", HTMLElement).textContent = text;
    }
  }

  /** @param {string} name @returns {NodeListOf<HTMLElement>} */
  #all(name) {
    return this.#root.querySelectorAll(`[data-availability="${name}"]`);
  }
}
