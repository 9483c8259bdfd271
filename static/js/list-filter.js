/** Which conversations the list shows: all or the unread ones, and only those of a name. */

import { find, part } from "./parts.js";

/** Between two letters of a name nobody wants an answer. */
const PAUSE_MS = 150;

/** @typedef {{unread: boolean, name: string}} Chosen */

export class ListFilter {
  #form;
  #field;
  #changed;
  /** @type {NodeListOf<HTMLAnchorElement>} */
  #parts;
  #unread;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {HTMLElement} root
   * @param {(chosen: Chosen) => void} changed
   */
  constructor(root, changed) {
    this.#form = part(root, "filter", HTMLFormElement);
    this.#field = find(this.#form, "input[type=search]", HTMLInputElement);
    this.#parts = root.querySelectorAll("a[data-filter]");
    this.#unread = root.querySelector('[data-filter="unread"][aria-current]') !== null;
    this.#changed = changed;
    this.#field.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#tell(), PAUSE_MS);
    });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#tell();
    });
    for (const link of this.#parts) {
      link.addEventListener("click", (event) => this.#clicked(event, link));
    }
    part(root, "clear-filter", HTMLAnchorElement).addEventListener("click", (event) => {
      event.preventDefault();
      this.set({ unread: this.#unread, name: "" });
      this.#tell();
      this.#field.focus();
    });
  }

  /** @returns {Chosen} */
  get chosen() {
    return { unread: this.#unread, name: this.#field.value.trim() };
  }

  /** As an address has it. @param {Chosen} chosen */
  set({ unread, name }) {
    this.#field.value = name;
    this.#show(unread);
  }

  /**
   * @param {MouseEvent} event
   * @param {HTMLAnchorElement} link
   */
  #clicked(event, link) {
    if (event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      this.#show(link.dataset.filter === "unread");
      this.#tell();
    }
  }

  /** @param {boolean} unread */
  #show(unread) {
    this.#unread = unread;
    for (const link of this.#parts) {
      if ((link.dataset.filter === "unread") === unread) {
        link.setAttribute("aria-current", "true");
      } else {
        link.removeAttribute("aria-current");
      }
    }
  }

  #tell() {
    clearTimeout(this.#timer);
    this.#changed(this.chosen);
  }
}

/** What an address asks for. @param {string} search @returns {Chosen} */
export function filterIn(search) {
  const asked = new URLSearchParams(search);
  return { unread: asked.get("filter") === "unread", name: asked.get("name")?.trim() ?? "" };
}

/**
 * The query of an address that asks for this, with what else it asked for.
 *
 * @param {Chosen} chosen
 * @param {string} search
 */
export function searchFor({ unread, name }, search) {
  const asked = new URLSearchParams(search);
  asked.delete("before");
  asked.delete("filter");
  asked.delete("name");
  if (unread) {
    asked.set("filter", "unread");
  }
  if (name !== "") {
    asked.set("name", name);
  }
  return asked.size > 0 ? `?${asked}` : "";
}
