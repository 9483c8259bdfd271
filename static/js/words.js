/**
 * Every sentence that a script says, in the page's language. Whole sentences only, so that they can be
 * translated.
 */

import { gettext, listOf, ngettext } from "./gettext.js";

const MESSAGE_CHARACTERS = 4_000;

/** @type {Record<string, string>} */
const REFUSALS = {
  rate_limited: gettext("Not sent. That was too fast. It is sent again in a moment."),
  too_large: gettext("Not sent. A message has at most %(limit)s characters.", {
    limit: MESSAGE_CHARACTERS,
  }),
  invalid: gettext("Not sent. It cannot be sent as it is."),
  forbidden: gettext("Not sent. You cannot write here."),
  not_found: gettext("Not sent. Nobody is here under this name any more."),
  conflict: gettext("Not sent. It differs from what was sent before."),
  unauthorized: gettext("Not sent. You’re signed out here."),
  unavailable: gettext("Not sent. The shop’s chat does not answer. It is sent again in a moment."),
};

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export const words = {
  you: gettext("You"),
  sending: gettext("Sending"),
  sent: gettext("Sent"),
  delivered: gettext("Delivered"),
  /** @param {string} time */
  read: (time) => gettext("Read %(time)s", { time }),
  /** @param {number} count */
  unread: (count) => ngettext("%(num)s unread", "%(num)s unread", count),
  readEarlier: gettext("Read"),
  /** @param {number} count */
  newMessages: (count) => gettext("New messages (%(count)s)", { count }),
  newestMessages: gettext("Newest messages"),
  /** @param {number} count @param {string} name */
  arrived: (count, name) =>
    count === 1
      ? gettext("A new message from %(name)s", { name })
      : ngettext("%(num)s new message", "%(num)s new messages", count),
  /** @param {string[]} names */
  typing: (names) =>
    names.length > 3
      ? gettext("Several people are typing")
      : ngettext("%(names)s is typing", "%(names)s are typing", names.length, { names: listOf(names) }),
  online: gettext("Online"),
  away: gettext("Away"),
  offline: gettext("Offline"),
  /** @param {number} seconds */
  repliesWithin: (seconds) => {
    if (seconds <= 5 * MINUTE) {
      return gettext("Usually replies within a few minutes");
    }
    if (seconds < HOUR) {
      const minutes = Math.floor(seconds / MINUTE);
      return ngettext("Usually replies within %(num)d minute", "Usually replies within %(num)d minutes", minutes);
    }
    if (seconds === HOUR) {
      return gettext("Usually replies within an hour");
    }
    if (seconds <= 6 * HOUR) {
      return gettext("Usually replies within a few hours");
    }
    if (seconds <= DAY) {
      return gettext("Usually replies within a day");
    }
    return ngettext("Usually replies within %(num)d day", "Usually replies within %(num)d days", Math.floor(seconds / DAY));
  },
  /** @param {string} time */
  backToday: (time) => gettext("Usually back today at %(time)s", { time }),
  /** @param {string} time */
  backTomorrow: (time) => gettext("Usually back tomorrow at %(time)s", { time }),
  /** @param {string} day @param {string} time */
  backOn: (day, time) => gettext("Usually back on %(day)s at %(time)s", { day, time }),
  notConnected: gettext("Not connected"),
  connecting: gettext("Connecting… What you write is sent as soon as we’re back."),
  signedOut: gettext("You’re signed out here. Nothing you wrote is lost."),
  logIn: gettext("Log in"),
  startAgain: gettext("Start again"),
  unreachable: gettext("The chat cannot be reached from this page."),
  reload: gettext("Reload"),
  notSent: gettext("Not sent"),
  unanswered: gettext("No answer yet"),
  /** @param {number} seconds */
  sendingAgain: (seconds) =>
    seconds > 90
      ? gettext("Sending again in %(minutes)s min", { minutes: Math.ceil(seconds / 60) })
      : gettext("Sending again in %(seconds)s s", { seconds }),
  /** @param {string} code */
  refused: (code) => REFUSALS[code] ?? gettext("Not sent. Something went wrong on the shop’s side."),
  notLoaded: gettext("The messages could not be loaded."),
  tryAgain: gettext("Try again"),
  /** @param {number} count @param {number} limit */
  characters: (count, limit) => gettext("%(count)s of %(limit)s", { count, limit }),
  /** @param {number} limit */
  tooLong: (limit) => gettext("A message has at most %(limit)s characters.", { limit }),
  draft: gettext("Draft:"),
  removed: gettext("This message was removed"),
  /** @param {string} letters */
  guest: (letters) => gettext("Guest %(letters)s", { letters }),
  aSeller: gettext("A seller"),
  signedInAtYourShop: gettext("Signed in at your shop"),
  aGuest: gettext("A guest"),
  /** @param {string} name */
  conversationWith: (name) => gettext("Conversation with %(name)s", { name }),
  /** @param {string} light @param {string} dark */
  mended: (light, dark) =>
    gettext("Shown as %(light)s in light and %(dark)s in dark, so that words on it can be read.", {
      light,
      dark,
    }),
  readable: gettext("Text on this colour is easy to read."),
  noPicture: gettext("This is not a picture. A logo is a PNG, JPEG or WebP file."),
  /** @param {string} name */
  messageTo: (name) => gettext("Message to %(name)s", { name }),
  /** @param {string} name */
  nobodyCalled: (name) => gettext("No one called “%(name)s”", { name }),
  /** @param {string} page */
  onPage: (page) => gettext("on %(page)s", { page }),
  copied: gettext("Copied"),
  notCopied: gettext("It is selected. Copy it with your keyboard."),
};
