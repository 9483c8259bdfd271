/** Who is who: names, keys, and what an avatar shows of them. `handlers/rows.py` has the same rules. */

import { words } from "./words.js";

/** @typedef {{id: string, type: "Buyer" | "Seller"}} Peer */

const GUEST_LETTERS = 4;
const TONES = 6;

/** `Buyer:b1` @param {Peer} peer */
export function keyOf({ type, id }) {
  return `${type}:${id}`;
}

/**
 * @param {string} key
 * @returns {Peer}
 */
export function peerOf(key) {
  const [type, ...id] = key.split(":");
  return { type: type === "Seller" ? "Seller" : "Buyer", id: id.join(":") };
}

/**
 * @param {Peer} one
 * @param {Peer} other
 */
export function isSame(one, other) {
  return one.id === other.id && one.type === other.type;
}

/** @param {string} id */
export function isGuest(id) {
  return id.startsWith("guest-");
}

/** Only buyers whom the shop vouched for bear the seal. @param {Peer} peer */
export function isSealed({ id, type }) {
  return type === "Buyer" && !isGuest(id);
}

/** Guests are told apart by the end of their ids; they have no names. @param {{id: string, name: string}} person */
export function nameOf({ id, name }) {
  return isGuest(id) ? words.guest(id.slice(-GUEST_LETTERS)) : name || id;
}

/** 0 for guests, else one of the colour pairs, for ever the same for one id. @param {string} id */
export function toneOf(id) {
  if (isGuest(id)) {
    return 0;
  }
  return ([...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % TONES) + 1;
}

/** @param {{id: string, name: string}} person */
export function initialsOf({ id, name }) {
  const [first = "", ...others] = nameOf({ id, name })
    .split(/\s+/)
    .filter((part) => part !== "");
  const chosen = isGuest(id) ? [first] : [first, ...others.slice(-1)];
  return chosen
    .map((part) => [...part][0] ?? "")
    .join("")
    .toUpperCase();
}
