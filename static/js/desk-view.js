/** What a desk shows beside its list and its conversation: panes, header, menu, the way to be found. */

import { find, part } from "./parts.js";
import { isSealed } from "./people.js";
import { showAvatar, showPresence } from "./presence.js";
import { words } from "./words.js";

export class DeskView {
  #panes = part(document, "panes", HTMLElement);
  /** Where the conversation stands. */
  open = part(document, "open", HTMLElement);

  /** Whether the server rendered a conversation. */
  get isOpen() {
    return this.#panes.dataset.open === "true";
  }

  /** The address of the tab's icon with a dot. */
  get dottedIcon() {
    return this.#panes.dataset.dottedIcon ?? "";
  }

  /** The conversation, or what stands in its place. @param {boolean} isOpen */
  showOpen(isOpen) {
    this.#panes.dataset.open = String(isOpen);
    this.open.hidden = !isOpen;
    document.querySelector('[data-part="closed"]')?.toggleAttribute("hidden", isOpen);
    document.querySelector('[data-part="side"]')?.toggleAttribute("hidden", !isOpen);
  }

  /**
   * @param {import("./people.js").Peer & {name: string}} peer
   * @param {import("./realtime/wire.js").PresenceStatus} status
   */
  showPeer(peer, status) {
    const header = part(document, "header", HTMLElement);
    part(header, "name", HTMLElement).textContent = peer.name;
    showAvatar(header, peer);
    showPresence(header, status);
    find(header, ".seal", HTMLElement).hidden = !isSealed(peer);
    part(this.open, "timeline", HTMLElement).ariaLabel = words.conversationWith(peer.name);
    find(this.open, "textarea", HTMLTextAreaElement).ariaLabel = words.messageTo(peer.name);
  }

  /** The page they are on. @param {string} where empty if it is not known */
  showWhere(where) {
    const element = document.querySelector('[data-part="where"]');
    if (element instanceof HTMLElement) {
      element.hidden = where === "";
      element.textContent = words.onPage(where);
    }
  }

  /** Whether there is anything to choose from yet. @param {boolean} isUsed */
  showUse(isUsed) {
    for (const element of document.querySelectorAll("[data-if]")) {
      element.toggleAttribute("hidden", (element.getAttribute("data-if") === "empty") === isUsed);
    }
  }

  /** @param {boolean} isOn */
  showSound(isOn) {
    for (const button of document.querySelectorAll('[data-action="sound"]')) {
      button.setAttribute("aria-pressed", String(isOn));
    }
  }

  /** Whether this desk is connected; while it tries, what was known stands. @param {string} state */
  showConnection(state) {
    if (state === "connecting") {
      return;
    }
    const isHere = state === "connected";
    for (const element of document.querySelectorAll('[data-part="connection"]')) {
      const presence = isHere ? "online" : "offline";
      element.setAttribute("data-presence", presence);
      element.querySelector(".avatar")?.setAttribute("data-presence", presence);
      const word = element.querySelector(".presence__word");
      if (word) {
        word.textContent = isHere ? words.online : words.notConnected;
      }
    }
  }
}
