/**
 * The scrolling list of a conversation: draws the timeline's rows, keeps what one looks at where it
 * is, and knows what has been seen.
 *
 * The list hangs from its end (see timeline.css): `scrollTop` is 0 at the newest message and
 * negative above it.
 */

import { MessageView } from "./message-view.js";
import { clone, part } from "./parts.js";

/** Whoever is as near to the end as this follows the conversation. */
const NEAR_END_PX = 100;

/** @typedef {import("./timeline.js").Row} Row */
/** @typedef {import("./entry.js").Entry} Entry */

/**
 * @typedef {object} Acts what the reader did
 * @property {() => void} older wants older messages
 * @property {() => void} looked sees other messages than before
 * @property {(clientId: string) => void} again
 * @property {(clientId: string) => void} remove
 */

export class TimelineView {
  #scroller;
  #list;
  #older;
  #empty;
  #day;
  #newLine;
  #clock;
  #acts;
  #messages;
  /** @type {Map<string, HTMLElement>} */
  #elements = new Map();
  /** @type {Map<Element, Entry>} the other side's messages on the screen */
  #onScreen = new Map();
  /** @type {Map<Element, Entry>} those that are watched */
  #watched = new Map();
  #seen;
  #top;
  #olderArmed = false;
  #listeners = new AbortController();

  /**
   * @param {HTMLElement} root
   * @param {import("./clock.js").Clock} clock
   * @param {Acts} acts
   */
  constructor(root, clock, acts) {
    this.#scroller = part(root, "timeline", HTMLElement);
    this.#list = part(root, "rows", HTMLOListElement);
    this.#older = part(root, "older", HTMLAnchorElement);
    this.#empty = part(root, "empty", HTMLElement);
    this.#day = part(root, "day", HTMLTemplateElement);
    this.#newLine = part(root, "new-line", HTMLTemplateElement);
    this.#clock = clock;
    this.#acts = acts;
    this.#messages = new MessageView(root, clock);
    this.#seen = new IntersectionObserver((changes) => this.#passed(changes), { root: this.#scroller });
    this.#top = new IntersectionObserver((changes) => this.#reachedTop(changes), { root: this.#scroller });
    this.#top.observe(this.#older);
    this.#listen();
  }

  /** Within reach of the newest message. */
  get isNearEnd() {
    return -this.#scroller.scrollTop < NEAR_END_PX;
  }

  /** The newest message of the other side that is on the screen. @returns {Entry | null} */
  get newestOnScreen() {
    const entries = [...this.#onScreen.values()];
    return entries.reduce(
      (newest, entry) => (newest === null || entry.seq > newest.seq ? entry : newest),
      /** @type {Entry | null} */ (null),
    );
  }

  /** Takes over the rows that the server rendered. @returns {Entry[]} */
  adopt() {
    /** @type {Entry[]} */
    const entries = [];
    for (const element of [...this.#list.children]) {
      if (element instanceof HTMLElement && element.classList.contains("message")) {
        const entry = this.#messages.read(element);
        this.#elements.set(entry.key, element);
        entries.push(entry);
      } else {
        element.remove(); // days and the "New" line are drawn again, in the reader's zone
      }
    }
    return entries;
  }

  /** Forgets all rows: another conversation comes. */
  clear() {
    this.#list.replaceChildren();
    this.#elements.clear();
    this.#unwatchAll();
  }

  /**
   * Draws these rows. What one looks at does not move, unless `follow` is asked for and one is near
   * the end.
   *
   * @param {Row[]} rows
   * @param {{hasMore: boolean, follow?: boolean, animate?: boolean}} how
   */
  draw(rows, { hasMore, follow = false, animate = false }) {
    this.#keepingStill(follow, () => {
      this.#older.hidden = !hasMore;
      this.#empty.hidden = rows.length > 0;
      this.#place(rows, animate);
    });
  }

  goToEnd() {
    this.#scroller.scrollTop = 0;
  }

  /** @param {boolean} isBusy */
  showLoading(isBusy) {
    this.#scroller.setAttribute("aria-busy", String(isBusy));
    this.#older.setAttribute("aria-disabled", String(isBusy));
  }

  close() {
    this.#listeners.abort();
    this.#seen.disconnect();
    this.#top.disconnect();
  }

  #listen() {
    const { signal } = this.#listeners;
    this.#older.addEventListener(
      "click",
      (event) => {
        event.preventDefault();
        this.#acts.older();
      },
      { signal },
    );
    this.#list.addEventListener("click", (event) => this.#clicked(event), { signal });
    this.#scroller.addEventListener(
      "scroll",
      () => {
        if (this.isNearEnd) {
          this.#acts.looked();
        }
      },
      { signal, passive: true },
    );
  }

  /** @param {Event} event */
  #clicked(event) {
    const button = event.target instanceof Element ? event.target.closest("[data-action]") : null;
    const row = button?.closest(".message");
    if (button instanceof HTMLElement && row instanceof HTMLElement) {
      const clientId = row.dataset.clientId ?? "";
      const act = button.dataset.action === "again" ? this.#acts.again : this.#acts.remove;
      act(clientId);
    }
  }

  /**
   * @param {Row[]} rows
   * @param {boolean} animate
   */
  #place(rows, animate) {
    const wanted = new Set(rows.map(({ key }) => key));
    for (const [key, element] of this.#elements) {
      if (!wanted.has(key)) {
        element.remove();
        this.#elements.delete(key);
        this.#unwatch(element);
      }
    }
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      const element = this.#elementFor(row, animate);
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(element, next);
      }
    }
  }

  /**
   * @param {Row} row
   * @param {boolean} animate
   */
  #elementFor(row, animate) {
    let element = this.#elements.get(row.key);
    if (!element) {
      element = this.#make(row);
      element.classList.toggle("message--new", animate && row.kind === "message");
      this.#elements.set(row.key, element);
    } else if (row.kind === "message") {
      this.#messages.update(element, row);
    }
    if (row.kind === "day") {
      element.textContent = this.#clock.day(row.at); // "Today" does not stay today
    }
    if (row.kind === "message" && row.entry.sender !== "mine" && !this.#watched.has(element)) {
      this.#watched.set(element, row.entry);
      this.#seen.observe(element);
    }
    return element;
  }

  /** @param {Row} row */
  #make(row) {
    if (row.kind === "message") {
      return this.#messages.make(row);
    }
    return clone(row.kind === "day" ? this.#day : this.#newLine);
  }

  /**
   * The browsers' own anchoring does not work at the very edge, and not in all of them.
   *
   * @param {boolean} follow
   * @param {() => void} change
   */
  #keepingStill(follow, change) {
    const atEnd = this.#scroller.scrollTop > -1;
    if (atEnd || (follow && this.isNearEnd)) {
      change();
      this.goToEnd();
      return;
    }
    const anchor = this.#firstOnScreen();
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (anchor?.isConnected) {
      this.#scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    }
  }

  /** A message: the name of its day stands wherever the day begins now. */
  #firstOnScreen() {
    const top = this.#scroller.getBoundingClientRect().top;
    const messages = [...this.#list.querySelectorAll(".message")];
    return messages.find((row) => row.getBoundingClientRect().bottom > top);
  }

  /** @param {IntersectionObserverEntry[]} changes */
  #passed(changes) {
    for (const { target, isIntersecting } of changes) {
      const entry = this.#watched.get(target);
      if (isIntersecting && entry) {
        this.#onScreen.set(target, entry);
      } else {
        this.#onScreen.delete(target);
      }
    }
    this.#acts.looked();
  }

  /**
   * Older messages are loaded when the top comes into view, but only after it has been out of view:
   * else a short page would load without end.
   *
   * @param {IntersectionObserverEntry[]} changes
   */
  #reachedTop(changes) {
    const isIntersecting = changes.at(-1)?.isIntersecting ?? false;
    if (!isIntersecting) {
      this.#olderArmed = true;
    } else if (this.#olderArmed && !this.#older.hidden) {
      this.#olderArmed = false;
      this.#acts.older();
    }
  }

  /** @param {Element} element */
  #unwatch(element) {
    this.#seen.unobserve(element);
    this.#watched.delete(element);
    this.#onScreen.delete(element);
  }

  #unwatchAll() {
    for (const element of [...this.#watched.keys()]) {
      this.#unwatch(element);
    }
  }
}
