/**
 * The scrolling list of a conversation: draws the timeline's rows, keeps what one looks at where it
 * is, and knows what has been seen.
 *
 * The list hangs from its end (see timeline.css): `scrollTop` is 0 at the newest message and
 * negative above it. So what changes above the screen moves nothing, however late it comes: older
 * messages, a picture, a font. What changes on it or below is done in one go, and the place kept by
 * hand; nothing is awaited in between.
 */

import { fitBubbles } from "./bubble-fit.js";
import { MessageView } from "./message-view.js";
import { clone, part } from "./parts.js";
import { rowKeyOf } from "./timeline.js";

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
  #size;
  #width = 0;
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
    this.#size = new ResizeObserver(() => this.#resized());
    this.#size.observe(this.#scroller);
    this.#listen();
  }

  /** Within reach of the newest message. */
  get isNearEnd() {
    return -this.#scroller.scrollTop <= NEAR_END_PX;
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
        this.#elements.set(rowKeyOf(entry), element);
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
   * the end, or nothing of it is left.
   *
   * @param {Row[]} rows
   * @param {{hasMore: boolean, follow?: boolean, animate?: boolean}} how
   */
  draw(rows, { hasMore, follow = false, animate = false }) {
    const wanted = new Set(rows.map(({ key }) => key));
    const change = () => {
      this.#older.hidden = !hasMore;
      this.#empty.hidden = rows.length > 0;
      fitBubbles(this.#place(rows, wanted, animate));
    };
    const hadFocus = this.#list.contains(document.activeElement);
    if (follow && this.isNearEnd) {
      change();
      this.goToEnd();
    } else {
      const left = [...this.#elements].filter(([key]) => wanted.has(key));
      this.keepStill(change, new Set(left.map(([, element]) => element)));
    }
    if (hadFocus && !this.#list.contains(document.activeElement)) {
      this.#scroller.focus({ preventScroll: true }); // what had it is gone: one goes on from here
    }
  }

  /**
   * Changes something in the list, or below it, without moving what one looks at.
   *
   * The browsers' own anchoring does not work at the very edge, and not in all of them.
   *
   * @param {() => void} change
   * @param {Set<Element>} [staying] the rows that will still be there; all, if left out
   */
  keepStill(change, staying) {
    const isAtEnd = this.#scroller.scrollTop > -1;
    const anchor = isAtEnd ? undefined : this.#firstOnScreen(staying);
    const before = anchor?.getBoundingClientRect().top ?? 0;
    change();
    if (anchor) {
      this.#scroller.scrollTop += anchor.getBoundingClientRect().top - before;
    } else {
      this.goToEnd();
    }
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
    this.#size.disconnect();
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
   * @param {Set<string>} wanted their keys
   * @param {boolean} animate
   * @returns {HTMLElement[]} what is new or has changed
   */
  #place(rows, wanted, animate) {
    /** @type {HTMLElement[]} */
    const changed = [];
    for (const [key, element] of this.#elements) {
      if (!wanted.has(key)) {
        this.#elements.delete(key);
        element.remove();
        this.#unwatch(element);
      }
    }
    let next = this.#list.firstElementChild;
    for (const row of rows) {
      const element = this.#elementFor(row, animate, changed);
      if (element === next) {
        next = next.nextElementSibling;
      } else {
        this.#list.insertBefore(element, next);
      }
    }
    return changed;
  }

  /**
   * @param {Row} row
   * @param {boolean} animate
   * @param {HTMLElement[]} changed
   */
  #elementFor(row, animate, changed) {
    let element = this.#elements.get(row.key);
    if (!element) {
      element = this.#make(row);
      if (animate && row.kind === "message") {
        rise(element);
      }
      this.#elements.set(row.key, element);
      changed.push(element);
    } else if (row.kind === "message" && this.#messages.update(element, row)) {
      changed.push(element);
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
   * A message: the name of its day stands wherever the day begins now.
   *
   * @param {Set<Element>} [staying]
   */
  #firstOnScreen(staying) {
    const top = this.#scroller.getBoundingClientRect().top;
    return [...this.#list.querySelectorAll(".message")].find(
      (row) => (staying?.has(row) ?? true) && row.getBoundingClientRect().bottom > top,
    );
  }

  /** The lines break elsewhere. */
  #resized() {
    const width = this.#scroller.clientWidth;
    if (width > 0 && width !== this.#width) {
      this.#width = width;
      this.keepStill(() => fitBubbles([...this.#elements.values()]));
    }
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
   * else a short page would load without end. Both may be told at once.
   *
   * @param {IntersectionObserverEntry[]} changes
   */
  #reachedTop(changes) {
    if (changes.some(({ isIntersecting }) => !isIntersecting)) {
      this.#olderArmed = !this.#older.hidden;
    }
    if (changes.at(-1)?.isIntersecting && this.#olderArmed && !this.#older.hidden) {
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

/** Once: a row that is moved later does not rise again. @param {HTMLElement} row */
function rise(row) {
  row.classList.add("message--new");
  row.addEventListener("animationend", () => row.classList.remove("message--new"), { once: true });
}
