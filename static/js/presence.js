/** Shows whether somebody is here: the dot on their avatar and the word beside their name. */

import { initialsOf, toneOf } from "./people.js";
import { words } from "./words.js";

/** @typedef {import("./realtime/wire.js").PresenceStatus} PresenceStatus */

/**
 * @param {ParentNode} root
 * @param {PresenceStatus} status
 */
export function showPresence(root, status) {
  for (const element of root.querySelectorAll("[data-presence]")) {
    element.setAttribute("data-presence", status);
  }
  for (const element of root.querySelectorAll(".presence__word, .conversation__presence")) {
    element.textContent = words[status];
  }
}

/**
 * Shows somebody else's avatar.
 *
 * @param {ParentNode} root
 * @param {{id: string, type: string, name: string}} person
 */
export function showAvatar(root, { id, type, name }) {
  for (const avatar of root.querySelectorAll(".avatar")) {
    avatar.setAttribute("data-tone", String(toneOf(id)));
    avatar.setAttribute("data-type", type);
    avatar.querySelector(".avatar__logo")?.remove();
    const initials = avatar.querySelector(".avatar__initials");
    if (initials) {
      initials.textContent = initialsOf({ id, name });
    }
  }
}
