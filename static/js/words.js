/** Every sentence that a script says. Whole sentences only, so that they can be translated. */

/** @type {Record<string, string>} */
const REFUSALS = {
  rate_limited: "That was too fast. It is sent again in a moment.",
  too_large: "A message has at most 4,000 characters.",
  invalid: "It cannot be sent as it is.",
  forbidden: "You cannot write here.",
  not_found: "Nobody is here under this name any more.",
  conflict: "It differs from what was sent before.",
  unauthorized: "You’re signed out here.",
  unavailable: "The shop’s chat does not answer. It is sent again in a moment.",
};

export const words = {
  you: "You",
  sending: "Sending",
  sent: "Sent",
  delivered: "Delivered",
  /** @param {string} time */
  read: (time) => `Read ${time}`,
  readEarlier: "Read",
  /** @param {number} count */
  newMessages: (count) => `New messages (${count})`,
  newestMessages: "Newest messages",
  /** @param {number} count @param {string} name */
  arrived: (count, name) => (count === 1 ? `A new message from ${name}` : `${count} new messages`),
  /** @param {string[]} names */
  typing: (names) => {
    if (names.length > 3) {
      return "Several people are typing";
    }
    const list = new Intl.ListFormat("en").format(names);
    return names.length === 1 ? `${list} is typing` : `${list} are typing`;
  },
  online: "Online",
  away: "Away",
  offline: "Offline",
  notConnected: "Not connected",
  connecting: "Connecting… What you write is sent as soon as we’re back.",
  signedOut: "You’re signed out here. Nothing you wrote is lost.",
  logIn: "Log in",
  startAgain: "Start again",
  unreachable: "The chat cannot be reached from this page.",
  reload: "Reload",
  notSent: "Not sent",
  unanswered: "No answer yet",
  /** @param {number} seconds */
  sendingAgain: (seconds) =>
    seconds > 90 ? `Sending again in ${Math.ceil(seconds / 60)} min` : `Sending again in ${seconds} s`,
  /** @param {string} code @param {string} fallback */
  refused: (code, fallback) => `Not sent. ${REFUSALS[code] ?? fallback}`,
  notLoaded: "The messages could not be loaded.",
  tryAgain: "Try again",
  /** @param {string} count @param {string} limit */
  characters: (count, limit) => `${count} of ${limit}`,
  /** @param {string} limit */
  tooLong: (limit) => `A message has at most ${limit} characters.`,
  draft: "Draft:",
  /** @param {string} letters */
  guest: (letters) => `Guest ${letters}`,
  aSeller: "A seller",
  signedInAtYourShop: "Signed in at your shop",
  aGuest: "A guest",
  /** @param {string} name */
  conversationWith: (name) => `Conversation with ${name}`,
  /** @param {string} name */
  messageTo: (name) => `Message to ${name}`,
};
