/** Where one writes: grows with the text, keeps the draft, tells that one is typing. */

import { CHARACTERS, lengthOf } from "./message-length.js";
import { find, part } from "./parts.js";
import { TypingSignal } from "./typing.js";
import { words } from "./words.js";

/** From here on the count is shown. */
const COUNT_FROM = 3600;
/** UX 14: a draft is kept within 500 ms of the last key. */
const DRAFT_MS = 300;

/**
 * @typedef {object} Acts
 * @property {(text: string) => void} send
 * @property {(text: string) => void} keepDraft
 * @property {(isTyping: boolean) => void} typing
 */

export class Composer {
  #form;
  #text;
  #count;
  #problem;
  #acts;
  #typing;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #draftTimer;
  #listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {Acts} acts
   */
  constructor(root, acts) {
    this.#form = part(root, "composer", HTMLFormElement);
    this.#text = find(this.#form, "textarea", HTMLTextAreaElement);
    this.#count = part(this.#form, "count", HTMLElement);
    this.#problem = part(this.#form, "problem", HTMLElement);
    this.#acts = acts;
    this.#typing = new TypingSignal(acts.typing);
    this.#form.noValidate = true;
    this.#text.removeAttribute("maxlength"); // what is too long is counted, not cut
    this.#listen();
    this.#changed();
  }

  /** Shows a draft, or nothing. @param {string} text */
  set text(text) {
    this.#text.value = text;
    this.#changed();
  }

  get text() {
    return this.#text.value;
  }

  focus() {
    this.#text.focus();
  }

  close() {
    this.#keepDraft();
    this.#typing.stop();
    this.text = "";
    this.#listeners.abort();
  }

  #listen() {
    const { signal } = this.#listeners;
    this.#form.addEventListener(
      "submit",
      (event) => {
        event.preventDefault();
        this.#send();
      },
      { signal },
    );
    this.#text.addEventListener("input", () => this.#typed(), { signal });
    this.#text.addEventListener("keydown", (event) => this.#pressed(event), { signal });
    this.#text.addEventListener("blur", () => this.#left(), { signal });
    addEventListener("pagehide", () => this.#left(), { signal });
    // The button does not take the focus: on a phone the keyboard would go down.
    find(this.#form, "button", HTMLButtonElement).addEventListener(
      "pointerdown",
      (event) => {
        if (document.activeElement === this.#text) {
          event.preventDefault();
        }
      },
      { signal },
    );
  }

  #typed() {
    this.#changed();
    if (this.#text.value.trim() === "") {
      this.#typing.stop();
    } else {
      this.#typing.typed();
    }
    clearTimeout(this.#draftTimer);
    this.#draftTimer = setTimeout(() => this.#keepDraft(), DRAFT_MS);
  }

  /** @param {KeyboardEvent} event */
  #pressed(event) {
    const isPlain = !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey;
    // Safari ends a composition before this event and only tells it by the code 229.
    const isComposing = event.isComposing || event.keyCode === 229;
    if (event.key === "Enter" && isPlain && !isComposing && matchMedia("(pointer: fine)").matches) {
      event.preventDefault();
      this.#send();
    }
  }

  #left() {
    this.#typing.stop();
    this.#keepDraft();
  }

  #send() {
    const text = this.#text.value;
    const length = lengthOf(text);
    if (length === 0 || length > CHARACTERS) {
      this.#refuse(length);
      return;
    }
    this.text = "";
    this.#typing.sent();
    clearTimeout(this.#draftTimer);
    this.#acts.keepDraft("");
    this.#acts.send(text.trim());
  }

  /** Nothing is lost: the text stays, with the reason. @param {number} length */
  #refuse(length) {
    this.#text.focus();
    if (length > 0) {
      this.#problem.textContent = words.tooLong(CHARACTERS);
      this.#problem.hidden = false;
    }
  }

  #keepDraft() {
    clearTimeout(this.#draftTimer);
    this.#acts.keepDraft(this.#text.value);
  }

  #changed() {
    const text = this.#text.value;
    this.#form.dataset.empty = String(text.trim() === "");
    const length = text.length < COUNT_FROM ? 0 : lengthOf(text);
    this.#count.hidden = length < COUNT_FROM;
    this.#count.textContent = words.characters(length, CHARACTERS);
    this.#count.dataset.over = String(length > CHARACTERS);
    this.#text.setAttribute("aria-invalid", String(length > CHARACTERS));
    this.#problem.hidden ||= length <= CHARACTERS;
    if (!CSS.supports("field-sizing", "content")) {
      this.#text.style.blockSize = "auto";
      this.#text.style.blockSize = `${this.#text.scrollHeight}px`;
    }
  }
}

