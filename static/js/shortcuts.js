/** Single keys for the panel, the dialog that lists them, and their switch. */

import { find, part } from "./parts.js";

const KIND = "shortcuts";

/**
 * @typedef {object} Acts
 * @property {() => void} next
 * @property {() => void} previous
 * @property {() => boolean} reply false if there is nothing to reply to
 * @property {() => void} back
 */

export class Shortcuts {
  #shelf;
  #acts;
  #dialog = part(document, "shortcuts", HTMLDialogElement);
  #switch = find(this.#dialog, "input", HTMLInputElement);

  /**
   * @param {import("./shelf.js").Shelf} shelf
   * @param {Acts} acts
   */
  constructor(shelf, acts) {
    this.#shelf = shelf;
    this.#acts = acts;
    this.#switch.checked = this.#isOn;
    this.#switch.addEventListener("change", () => shelf.set(KIND, this.#switch.checked));
    for (const button of document.querySelectorAll('[data-action="shortcuts"]')) {
      button.addEventListener("click", () => this.#show());
    }
    this.#dialog.addEventListener("click", ({ target }) => {
      if (target === this.#dialog) {
        this.#dialog.close(); // beside it
      }
    });
    document.addEventListener("keydown", (event) => this.#pressed(event));
  }

  get #isOn() {
    return this.#shelf.get(KIND) !== false;
  }

  #show() {
    this.#switch.checked = this.#isOn; // another tab may have turned it
    this.#dialog.showModal();
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const { key, ctrlKey, metaKey, altKey, isComposing, target, defaultPrevented } = event;
    const hasModifier = ctrlKey || metaKey || altKey;
    if (defaultPrevented || isComposing || hasModifier || document.querySelector("dialog[open], :popover-open")) {
      return;
    }
    if (key === "Escape") {
      this.#acts.back();
    } else if (this.#isOn && !isField(target) && this.#act(key, target)) {
      event.preventDefault();
    }
  }

  /**
   * @param {string} key
   * @param {EventTarget | null} target
   * @returns {boolean} whether it means something
   */
  #act(key, target) {
    switch (key) {
      case "j":
      case "J":
        this.#acts.next();
        return true;
      case "k":
      case "K":
        this.#acts.previous();
        return true;
      case "r":
      case "R":
        return this.#acts.reply();
      case "Enter":
        // On a button or a link, which a row is, it is theirs.
        return !(target instanceof Element && target.closest("a, button, summary")) && this.#acts.reply();
      case "?":
        this.#show();
        return true;
      default:
        return false;
    }
  }
}

/** Where letters are letters. @param {EventTarget | null} target */
function isField(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
}
