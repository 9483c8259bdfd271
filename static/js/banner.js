/** One line of news under the header: the connection first, then what could not be loaded. */

import { find, part } from "./parts.js";
import { words } from "./words.js";

/** A short break is nobody's news. */
const PATIENCE_MS = 5_000;

/** @typedef {{words: string, act: () => void}} Action */
/** @typedef {{kind: "waiting" | "problem", words: string, action: Action | null}} News */

export class Banner {
  #element;
  #text;
  #button;
  #login;
  /** @type {News | null} */
  #connection = null;
  /** @type {News | null} */
  #loading = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {Action | null} login what helps whoever is signed out
   */
  constructor(root, login) {
    this.#element = part(root, "banner", HTMLElement);
    this.#text = find(this.#element, ".banner__words", HTMLElement);
    this.#button = find(this.#element, "button", HTMLButtonElement);
    this.#login = login;
    this.#button.addEventListener("click", () => this.#shown?.action?.act(), {
      signal: this.#listeners.signal,
    });
  }

  /** @param {{state: string, reason?: string}} change */
  connectionChanged({ state, reason }) {
    if (state === "connected" || (state === "closed" && reason === "disconnect")) {
      this.#tell(null);
    } else if (state === "closed" && reason === "unauthorized") {
      this.#tell({ kind: "problem", words: words.signedOut, action: this.#login });
    } else if (state === "closed") {
      const action = { words: words.reload, act: () => location.reload() };
      this.#tell({ kind: "problem", words: words.unreachable, action });
    } else {
      this.#timer ??= setTimeout(
        () => this.#tell({ kind: "waiting", words: words.connecting, action: null }),
        PATIENCE_MS,
      );
    }
  }

  /** @param {(() => void) | null} again tries once more; null when all came */
  loadingFailed(again) {
    const action = again && { words: words.tryAgain, act: again };
    this.#loading = action && { kind: "problem", words: words.notLoaded, action };
    this.#show();
  }

  close() {
    this.#listeners.abort();
    this.#loading = null;
    this.#tell(null);
  }

  get #shown() {
    return this.#connection ?? this.#loading;
  }

  /** @param {News | null} news of the connection */
  #tell(news) {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#connection = news;
    this.#show();
  }

  #show() {
    const news = this.#shown;
    this.#element.hidden = news === null;
    this.#element.dataset.kind = news?.kind ?? "";
    this.#text.textContent = news?.words ?? "";
    this.#button.textContent = news?.action?.words ?? "";
    this.#button.hidden = !news?.action;
    const icon = news?.kind === "waiting" ? "signal" : "alert";
    find(this.#element, ".icon use", SVGUseElement).setAttribute("href", `#icon-${icon}`);
  }
}
