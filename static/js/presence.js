/** Shows whether somebody is here: the dot on their avatar and the word beside their name. */

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
 * Shows somebody else's avatar, by the rules of `handlers/views.py`.
 *
 * @param {ParentNode} root
 * @param {{id: string, type: string, name: string}} person
 */
export function showAvatar(root, { id, type, name }) {
  const tone = toneOf(id);
  for (const avatar of root.querySelectorAll(".avatar")) {
    avatar.setAttribute("data-tone", String(tone));
    avatar.setAttribute("data-type", type);
    const initials = avatar.querySelector(".avatar__initials");
    if (initials) {
      initials.textContent = tone === 0 ? "G" : initialsOf(name);
    }
  }
}

const TONES = 6;

/** @param {string} id */
export function isGuest(id) {
  return id.startsWith("guest-");
}

/** @param {string} id */
function toneOf(id) {
  if (isGuest(id)) {
    return 0;
  }
  return ([...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % TONES) + 1;
}

/** @param {string} name */
function initialsOf(name) {
  const words = name.split(/\s+/).filter((word) => word !== "");
  const chosen = words.length > 1 ? [words[0], words.at(-1)] : words;
  return chosen.map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}

/** Guests are told apart by the end of their ids; they have no names. @param {{id: string, name: string}} person */
export function nameOf({ id, name }) {
  return isGuest(id) ? words.guest(id.slice(-4)) : name || id;
}
