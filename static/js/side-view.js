/** What the seller sees beside a conversation: who the buyer is, and what their page says. */

import { find, part } from "./parts.js";
import { isGuest, isSealed, nameOf } from "./people.js";
import { showAvatar, showPresence } from "./presence.js";
import { words } from "./words.js";

/** @typedef {import("./realtime/wire.js").Context} Context */
/** @typedef {import("./realtime/wire.js").ConversationParticipant} ConversationParticipant */

export class SideView {
  #element;
  #clock;

  /**
   * @param {HTMLElement} element
   * @param {import("./clock.js").Clock} clock
   */
  constructor(element, clock) {
    this.#element = element;
    this.#clock = clock;
  }

  /** @param {import("./people.js").Peer & {name: string}} person */
  showPerson(person) {
    const { id, type } = person;
    const kind = isGuest(id) ? words.aGuest : words.signedInAtYourShop;
    this.#element.hidden = false;
    showAvatar(this.#element, person);
    find(this.#element, ".seal", HTMLElement).hidden = !isSealed(person);
    this.#part("side-name").textContent = nameOf(person);
    this.#part("side-kind").textContent = type === "Seller" ? words.aSeller : kind;
    this.#showSeen("first-seen", null);
    this.#showSeen("last-seen", null);
  }

  /**
   * @param {ConversationParticipant} person
   * @param {number} messages
   */
  showFacts(person, messages) {
    showPresence(this.#element, person.status);
    this.#showSeen("first-seen", person.first_seen);
    this.#showSeen("last-seen", person.last_seen);
    this.showCount(messages);
  }

  /** @param {number} messages */
  showCount(messages) {
    this.#part("messages").textContent = String(messages);
  }

  /**
   * What an unsigned page says is shown as its word; only its address is looked at.
   *
   * @param {Context | undefined} context
   */
  showContext(context) {
    const { url = "", title = "", product } = context ?? {};
    const address = product?.url ?? url;
    this.#part("looking").hidden = !/^https?:\/\//i.test(address);
    if (!this.#part("looking").hidden) {
      part(this.#element, "looking-page", HTMLAnchorElement).href = address;
      this.#part("looking-what").textContent = product?.name ?? title;
      this.#part("looking-price").textContent = String(product?.price ?? "");
      this.#part("looking-address").textContent = address.replace(/^https?:\/\//i, "");
    }
  }

  /**
   * @param {"first-seen" | "last-seen"} name
   * @param {string | null} iso
   */
  #showSeen(name, iso) {
    const inWords = iso && (name === "first-seen" ? this.#clock.day(iso) : this.#clock.inList(iso));
    this.#part(name).textContent = inWords || "–";
  }

  /** @param {string} name */
  #part(name) {
    return part(this.#element, name, HTMLElement);
  }
}
