/** One line of news under the header: the connection first, then the login. */

import { words } from "./words.js";

/** A short break is nobody's news. */
const PATIENCE_MS = 5_000;

/** @typedef {{words: string, act: () => void}} Action */

export class Banner {
  #element;
  #login;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} element
   * @param {Action | null} login what helps whoever is signed out
   */
  constructor(element, login) {
    this.#element = element;
    this.#login = login;
  }

  /** @param {{state: string, reason?: string}} change */
  connectionChanged({ state, reason }) {
    if (state === "connected" || (state === "closed" && reason === "disconnect")) {
      this.#hide();
    } else if (state === "closed" && reason === "unauthorized") {
      this.#show("problem", words.signedOut, this.#login);
    } else if (state === "closed") {
      this.#show("problem", words.unreachable, { words: words.reload, act: () => location.reload() });
    } else {
      this.#timer ??= setTimeout(() => this.#show("waiting", words.connecting, null), PATIENCE_MS);
    }
  }

  /**
   * Something went wrong on the page itself.
   *
   * @param {string} text
   * @param {Action | null} action
   */
  say(text, action) {
    this.#show("problem", text, action);
  }

  close() {
    this.#hide();
  }

  #hide() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#element.hidden = true;
    this.#element.replaceChildren();
  }

  /**
   * @param {"waiting" | "problem"} kind
   * @param {string} text
   * @param {Action | null} action
   */
  #show(kind, text, action) {
    clearTimeout(this.#timer);
    const line = document.createElement("span");
    line.textContent = text;
    this.#element.replaceChildren(line);
    if (action !== null) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "banner__action";
      button.textContent = action.words;
      button.addEventListener("click", action.act);
      this.#element.append(button);
    }
    this.#element.dataset.kind = kind;
    this.#element.hidden = false;
  }
}
