/** The button that leads to the newest message, and how many came below since one looks elsewhere. */

import { part } from "./parts.js";
import { words } from "./words.js";

export class JumpButton {
  #button;
  #text;
  #arrived = 0;
  #listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {() => void} jump
   */
  constructor(root, jump) {
    this.#button = part(root, "jump", HTMLButtonElement);
    this.#text = part(root, "jump-text", HTMLElement);
    this.#button.addEventListener("click", jump, { signal: this.#listeners.signal });
  }

  /** One more came below. */
  count() {
    this.#arrived += 1;
  }

  /** @param {boolean} isCutOff the newest are not in the list at all */
  show(isCutOff) {
    this.#button.hidden = this.#arrived === 0 && !isCutOff;
    this.#text.textContent = this.#arrived > 0 ? words.newMessages(this.#arrived) : words.newestMessages;
  }

  /** The end is on the screen. */
  hide() {
    this.#arrived = 0;
    this.show(false);
  }

  close() {
    this.#listeners.abort();
  }
}
