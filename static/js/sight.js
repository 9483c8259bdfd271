/** Tells when a page goes out of sight and comes back. A short look elsewhere is nobody's news. */

/** UX 18: flips under 5 s change nothing. */
const PATIENCE_MS = 5_000;

export class Sight {
  #document;
  #told;
  #isGone = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #listeners = new AbortController();

  /**
   * @param {Pick<Document, "visibilityState" | "addEventListener">} document
   * @param {{gone: () => void, back: () => void}} told
   */
  constructor(document, told) {
    this.#document = document;
    this.#told = told;
    const { signal } = this.#listeners;
    document.addEventListener("visibilitychange", () => this.#flipped(), { signal });
  }

  close() {
    clearTimeout(this.#timer);
    this.#listeners.abort();
  }

  #flipped() {
    clearTimeout(this.#timer);
    if (this.#document.visibilityState === "hidden") {
      this.#timer = setTimeout(() => this.#leave(), PATIENCE_MS);
    } else if (this.#isGone) {
      this.#isGone = false;
      this.#told.back();
    }
  }

  #leave() {
    this.#isGone = true;
    this.#told.gone();
  }
}
