/** Says to screen readers that something arrived: one short text, at most every 2 s. */

import { words } from "./words.js";

const EVERY_MS = 2_000;

export class Announcer {
  #element;
  #count = 0;
  #name = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {HTMLElement} element with `role="status"` */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} name of who wrote */
  arrived(name) {
    this.#count += 1;
    this.#name = name;
    this.#timer ??= setTimeout(() => this.#say());
  }

  close() {
    clearTimeout(this.#timer);
    this.#element.textContent = "";
  }

  #say() {
    this.#element.textContent = words.arrived(this.#count, this.#name);
    this.#count = 0;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#count > 0) {
        this.#say();
      } else {
        this.#element.textContent = "";
      }
    }, EVERY_MS);
  }
}
