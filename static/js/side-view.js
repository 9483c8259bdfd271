/** What the seller sees beside a conversation: who the buyer is, and what their page says. */

import { find, part } from "./parts.js";
import { isGuest, isSealed, keyOf, nameOf } from "./people.js";
import { showAvatar, showPresence } from "./presence.js";
import { languageName, localTime, visitOf } from "./visit.js";
import { words } from "./words.js";

/** The width from which it stands beside the conversation, see `layout.css`. */
const BESIDE = "(width >= 1024px)";
const TICK_MS = 10_000;
const MOST_EARLIER = 4;

/** @typedef {import("./realtime/wire.js").Context} Context */
/** @typedef {import("./realtime/wire.js").ConversationParticipant} ConversationParticipant */
/** @typedef {import("./people.js").Peer} Peer */

export class SideView {
  #element;
  #clock;
  #locales;
  /** @type {Map<string, Context[]>} what buyers' pages said, the newest first; kept nowhere else */
  #contexts = new Map();
  /** @type {Peer | null} */
  #person = null;

  /**
   * @param {HTMLElement} element
   * @param {import("./clock.js").Clock} clock
   * @param {string[]} locales
   */
  constructor(element, clock, locales) {
    this.#element = element;
    this.#clock = clock;
    this.#locales = locales;
    setInterval(() => this.#showPlace(), TICK_MS);
    matchMedia(BESIDE).addEventListener("change", () => this.close());
  }

  /** Closes it where it lies over the conversation. */
  close() {
    if (this.#element.matches(":popover-open")) {
      this.#element.hidePopover();
    }
  }

  /** @param {Peer & {name: string}} person */
  showPerson(person) {
    const { id, type } = person;
    this.#person = person;
    const kind = isGuest(id) ? words.aGuest : words.signedInAtYourShop;
    this.#element.hidden = false;
    showAvatar(this.#element, person);
    find(this.#element, ".seal", HTMLElement).hidden = !isSealed(person);
    this.#part("side-name").textContent = nameOf(person);
    this.#part("side-kind").textContent = type === "Seller" ? words.aSeller : kind;
    this.#showSeen("first-seen", null);
    this.#showSeen("last-seen", null);
    this.#showContexts();
  }

  /**
   * @param {ConversationParticipant} person
   * @param {number} messages
   */
  showFacts(person, messages) {
    this.#person = person;
    showPresence(this.#element, person.status);
    this.#showSeen("first-seen", person.first_seen);
    // What is stored is when they last left; who is here is seen now.
    const isHere = person.status !== "offline";
    this.#showSeen("last-seen", isHere ? new Date().toISOString() : person.last_seen);
    this.showCount(messages);
    this.#showContexts();
  }

  /** @param {number} messages */
  showCount(messages) {
    this.#part("messages").textContent = String(messages);
  }

  /**
   * Somebody's page said something of itself.
   *
   * @param {Peer} person
   * @param {Context} context
   */
  heard(person, context) {
    const key = keyOf(person);
    const address = visitOf(context).address;
    const earlier = (this.#contexts.get(key) ?? []).filter((known) => visitOf(known).address !== address);
    this.#contexts.set(key, [context, ...earlier].slice(0, MOST_EARLIER + 1));
    if (this.#person && keyOf(this.#person) === key) {
      this.#showContexts();
    }
  }

  /** What they look at now, for the header. @param {Peer} person @returns {string} */
  whereIs(person) {
    const [context] = this.#contexts.get(keyOf(person)) ?? [];
    return context && visitOf(context).address !== "" ? visitOf(context).what : "";
  }

  get #now() {
    const [context] = (this.#person && this.#contexts.get(keyOf(this.#person))) ?? [];
    return context;
  }

  #showContexts() {
    const [now, ...earlier] = (this.#person && this.#contexts.get(keyOf(this.#person))) ?? [];
    const visit = now && visitOf(now);
    this.#part("looking").hidden = !visit || visit.address === "";
    if (visit && visit.address !== "") {
      part(this.#element, "looking-page", HTMLAnchorElement).href = visit.address;
      this.#part("looking-what").textContent = visit.what;
      this.#part("looking-price").textContent = visit.price;
      this.#part("looking-address").textContent = visit.host_and_path;
    }
    this.#showPlace();
    const others = earlier.map(visitOf).filter(({ address }) => address !== "");
    this.#part("earlier").hidden = others.length === 0;
    find(this.#part("earlier"), "ol", HTMLOListElement).replaceChildren(
      ...others.map(({ address, what }) => {
        const item = document.createElement("li");
        const link = document.createElement("a");
        link.className = "side__link";
        link.href = address;
        link.target = "_blank";
        link.rel = "nofollow noopener noreferrer";
        const text = document.createElement("bdi");
        text.textContent = what;
        link.append(text);
        item.append(link);
        return item;
      }),
    );
  }

  /** Where they are, as far as their browser says: the clock there goes on. */
  #showPlace() {
    const { language, time_zone } = this.#now ?? {};
    this.#showFact("local-time", localTime(time_zone, this.#locales, Date.now()));
    this.#showFact("language", languageName(language, this.#locales));
  }

  /**
   * @param {"local-time" | "language"} name
   * @param {string} text
   */
  #showFact(name, text) {
    this.#part(name).textContent = text;
    const row = this.#part(name).closest("div");
    if (row) {
      row.hidden = text === "";
    }
  }

  /**
   * @param {"first-seen" | "last-seen"} name
   * @param {string | null} iso
   */
  #showSeen(name, iso) {
    const inWords = iso && (name === "first-seen" ? this.#clock.day(iso) : this.#clock.inList(iso));
    this.#part(name).textContent = inWords || "–";
    this.#part(name).title = iso ? this.#clock.full(iso) : "";
  }

  /** @param {string} name */
  #part(name) {
    return part(this.#element, name, HTMLElement);
  }
}
