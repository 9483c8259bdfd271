/** What every page with a conversation begins with. */

import { Api } from "./api.js";
import { Clock, localesFor } from "./clock.js";
import { Drafts } from "./drafts.js";
import { watchKeyboard } from "./keyboard.js";
import { part } from "./parts.js";
import { newClientId } from "./realtime/wire.js";
import { Shelf } from "./shelf.js";
import { Tabs } from "./tabs.js";

/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./conversation-pane.js").Other} Other */

/** The parts that do not depend on who is here. */
export function openPage() {
  watchKeyboard(window);
  const { lang, dataset } = document.documentElement;
  const publicUrl = dataset.publicUrl ?? location.origin;
  const shelf = new Shelf(() => localStorage);
  return {
    publicUrl,
    shelf,
    api: new Api(publicUrl, null),
    clock: new Clock(localesFor(lang, navigator.languages)),
    drafts: new Drafts(shelf),
    tabs: new Tabs(newClientId(), navigator.locks),
  };
}

/** Who is logged in, as the server wrote it into the page. @returns {User | null} */
export function whoIsHere() {
  const { meId, meType, meName = "" } = document.body.dataset;
  if (meId === undefined) {
    return null;
  }
  const type = meType === "Seller" ? "Seller" : "Buyer";
  return { id: meId, type, name: meName, verified: !meId.startsWith("guest-") };
}

/** Whom the page's conversation is with. @returns {Other} */
export function otherSide() {
  const { peerId = "", peerType, peerName = "", conversationId = "" } = part(document, "timeline", HTMLElement).dataset;
  return { id: peerId, type: peerType === "Seller" ? "Seller" : "Buyer", name: peerName, conversationId };
}
