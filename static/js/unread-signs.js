/** How much is unread: one number, and all places that say it: title, tab's icon, app's icon, list. */

import { shownCount } from "./conversation-row.js";
import { part } from "./parts.js";

export class UnreadSigns {
  #badge = part(document, "unread", HTMLElement);
  #icon = document.querySelector('link[rel="icon"]');
  #plainIcon = this.#icon?.getAttribute("href") ?? "";
  #dottedIcon;
  #count = 0;
  #title = document.title.replace(/^\(\d+\+?\) /, "");

  /** @param {string} dottedIcon the address of the tab's icon with a dot */
  constructor(dottedIcon) {
    this.#dottedIcon = dottedIcon;
  }

  /** So many in all, says the server. @param {number} count */
  set(count) {
    this.#count = count;
    this.#show();
  }

  /** @param {number} more or fewer, if negative */
  add(more) {
    if (more !== 0) {
      this.set(Math.max(0, this.#count + more));
    }
  }

  #show() {
    const count = this.#count;
    const isUnread = count > 0;
    this.#badge.hidden = !isUnread;
    this.#badge.textContent = shownCount(count);
    document.title = isUnread ? `(${shownCount(count)}) ${this.#title}` : this.#title;
    this.#icon?.setAttribute("href", isUnread ? this.#dottedIcon : this.#plainIcon);
    if ("setAppBadge" in navigator) {
      navigator.setAppBadge(count).catch(() => {}); // only an installed panel has a badge
    }
  }
}
