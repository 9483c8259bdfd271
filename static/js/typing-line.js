/** Shows who is writing, below the last message. It is seen and found there, never read out. */

import { find, part } from "./parts.js";
import { words } from "./words.js";

export class TypingLine {
  #element;
  #who;

  /** @param {HTMLElement} root */
  constructor(root) {
    this.#element = part(root, "typing", HTMLElement);
    this.#who = find(this.#element, ".typing__who", HTMLElement);
  }

  /** @param {string[]} names */
  show(names) {
    this.#element.hidden = names.length === 0;
    this.#who.textContent = names.length === 0 ? "" : words.typing(names);
  }
}
