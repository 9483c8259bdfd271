/** One message as a conversation shows it: stored, or on its way. No DOM. */

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {"sending" | "failed" | "sent" | "delivered" | "read"} Status */

/**
 * Why a message of one's own is not on its way as it should be, and what can be done.
 *
 * @typedef {object} Trouble
 * @property {string} reason
 * @property {boolean} again whether one may try again
 * @property {boolean} remove whether one may delete it: never where it may be stored already
 */

/**
 * A message with a place. Pending ones have no `seq`: they stand `after` the one that was last when
 * they were written. `html` is null for what is not stored, and for rows that the server rendered.
 *
 * @typedef {object} Entry
 * @property {string} key
 * @property {number} seq
 * @property {number} after
 * @property {"mine" | "theirs" | "system"} sender
 * @property {string} id
 * @property {string} clientId
 * @property {string} name
 * @property {string} at
 * @property {string | null} readAt
 * @property {Status} status
 * @property {string} text empty where it was erased
 * @property {string | null} html
 * @property {string | null} subject
 * @property {boolean} erased what was said in it is gone
 * @property {Trouble | null} trouble
 */

/**
 * @param {Message} message
 * @param {Pick<User, "id" | "type"> | null} me
 * @returns {Entry}
 */
export function entryOf(message, me) {
  const mine = message.sender_id === me?.id && message.sender_type === me.type;
  const sender = message.message_type === "system" ? "system" : mine ? "mine" : "theirs";
  return {
    key: keyOf(sender, message.client_id || message.id),
    seq: message.seq,
    after: 0,
    sender,
    id: message.id,
    clientId: message.client_id,
    name: message.sender_name ?? "",
    at: message.created_at,
    readAt: message.read_at,
    status: message.status,
    text: message.message,
    html: message.message_html,
    subject: message.subject,
    erased: message.erased_at !== undefined,
    trouble: null,
  };
}

/**
 * A row for a text that was just written.
 *
 * @param {{client_id: string, message: string, subject: string | null, created_at: string}} unsent
 * @returns {Entry}
 */
export function pendingEntry({ client_id, message, subject, created_at }) {
  return {
    key: keyOf("mine", client_id),
    seq: 0,
    after: 0,
    sender: "mine",
    id: "",
    clientId: client_id,
    name: "",
    at: created_at,
    readAt: null,
    status: "sending",
    text: message,
    html: null,
    subject,
    erased: false,
    trouble: null,
  };
}

/**
 * A `client_id` is its sender's own: two people may have chosen the same.
 *
 * @param {Entry["sender"]} sender
 * @param {string} clientId
 */
export function keyOf(sender, clientId) {
  return `${sender} ${clientId}`;
}
