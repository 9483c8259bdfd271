/**
 * The wire as the client sees it: the types of what is said, the reading of frames, and the error.
 *
 * No I/O and no state. The types repeat what the reference under `/docs` says; the order of
 * messages is decided in `sequence.js`, what to do with a refusal in `outgoing.js`.
 */

/** @typedef {"Buyer" | "Seller"} ParticipantType */
/** @typedef {"online" | "away" | "offline"} PresenceStatus */

/**
 * @typedef {object} User
 * @property {string} id
 * @property {ParticipantType} type
 * @property {string} name
 * @property {boolean} verified
 */

/**
 * A stored message. `message` is plain text, `message_html` is safe HTML of it.
 *
 * @typedef {object} Message
 * @property {string} id
 * @property {string} conversation_id
 * @property {number} seq
 * @property {string} client_id
 * @property {string} sender_id
 * @property {ParticipantType} sender_type
 * @property {string | null} sender_name
 * @property {string} recipient_id
 * @property {ParticipantType} recipient_type
 * @property {string | null} subject
 * @property {string} message
 * @property {string} message_html
 * @property {"general" | "product" | "order" | "support" | "system"} message_type
 * @property {"sent" | "delivered" | "read"} status
 * @property {string} created_at
 * @property {string | null} delivered_at
 * @property {string | null} read_at
 * @property {string} [erased_at]
 */

/**
 * @typedef {User & {
 *   delivered_seq: number, read_seq: number, status: PresenceStatus,
 *   first_seen: string | null, last_seen: string | null,
 * }} ConversationParticipant
 */

/**
 * @typedef {object} Conversation
 * @property {string} id
 * @property {ConversationParticipant[]} participants
 * @property {number} first_seq
 * @property {number} last_seq
 * @property {Message | null} last_message
 * @property {number} unread
 * @property {string} updated_at
 */

/**
 * What `sendMessage` takes. Without a `client_id` one is made.
 *
 * @typedef {object} Draft
 * @property {string} recipient_id
 * @property {ParticipantType} recipient_type
 * @property {string} message
 * @property {string | null} [subject]
 * @property {"general" | "product" | "order" | "support"} [message_type]
 * @property {string} [client_id]
 * @property {string} [sender_id]
 * @property {ParticipantType} [sender_type]
 */

/**
 * The server's answer to `register_user`. `token` is a guest's, renewed.
 *
 * @typedef {object} Registered
 * @property {User} user
 * @property {string} server_time
 * @property {string} epoch
 * @property {number} unread
 * @property {Conversation[]} conversations
 * @property {{message_characters: number, subject_characters: number, frame_bytes: number,
 *   messages_burst: number, messages_per_second: number}} limits
 * @property {string} [token]
 */

/** @typedef {{recipient_id: string, recipient_type: ParticipantType, is_typing: boolean}} Typing */

/**
 * @typedef {object} UserTyping
 * @property {string | null} conversation_id
 * @property {string} sender_id
 * @property {ParticipantType} sender_type
 * @property {string} sender_name
 * @property {boolean} is_typing
 * @property {number} expires_in
 */

/**
 * Up to and including `seq`.
 *
 * @typedef {object} Receipt
 * @property {string} conversation_id
 * @property {string} message_id
 * @property {number} seq
 * @property {string} user_id
 * @property {ParticipantType} user_type
 */
/** @typedef {Receipt & {delivered_at: string}} MessageDelivered */
/** @typedef {Receipt & {read_at: string}} MessageRead */

/**
 * @typedef {object} MessageUpdated
 * @property {string} conversation_id
 * @property {string} message_id
 * @property {number} seq
 * @property {{status?: "delivered" | "read"}} changes
 */

/**
 * @typedef {object} UserStatusChanged
 * @property {string} user_id
 * @property {ParticipantType} user_type
 * @property {PresenceStatus} status
 * @property {string | null} last_seen
 */

/** @typedef {Omit<User, "verified"> & {status: PresenceStatus}} OnlineUser */
/** @typedef {{users: OnlineUser[]}} OnlineUsers */

/**
 * What a buyer is looking at.
 *
 * @typedef {object} Context
 * @property {string} url
 * @property {string} title
 * @property {string} [language]
 * @property {string} [time_zone]
 * @property {{name: string, url: string, price?: string | number, image?: string}} [product]
 */
/** @typedef {{user_id: string, user_type: ParticipantType, context: Context}} ContextChanged */

/** @typedef {{conversation_id: string}} Reset */
/** @typedef {{conversation_id: string, read_seq: number, unread: number}} Read */
/** @typedef {{conversation_id: string, delivered_seq: number}} Delivered */
/** @typedef {{room: string, conversation: Conversation}} Joined */

/** @typedef {{code: string, message: string, field?: string, retry_after?: number}} ErrorData */
/** @typedef {{event: string, id?: unknown, data: unknown}} Frame */

/** Why the server, or this client on its behalf, did not do what it was asked. */
export class RealtimeError extends Error {
  /**
   * @param {ErrorData} data
   * @param {{definite?: boolean}} [outcome]
   */
  constructor({ code, message, field, retry_after }, { definite = true } = {}) {
    super(message);
    this.name = "RealtimeError";
    /** One of the contract's codes, or `withdrawn` or `protocol`, which are this client's own. */
    this.code = code;
    /** The name of the field at fault, where there is one. */
    this.field = field;
    /** In seconds. */
    this.retry_after = retry_after;
    /** False if the outcome is unknown: the message may be stored, so offer no "delete". */
    this.definite = definite;
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The frames in one piece of text: an object or an array of objects. What is neither is left out
 * and counted, for one bad frame must not take its neighbours along.
 *
 * @param {unknown} text
 * @returns {{frames: Frame[], malformed: number}}
 */
export function readFrames(text) {
  let content;
  try {
    content = typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    content = undefined;
  }
  /** @type {unknown[]} */
  const candidates = Array.isArray(content) ? content : [content];
  const frames = candidates.filter(isFrame);
  return { frames, malformed: candidates.length - frames.length };
}

/**
 * @param {unknown} value
 * @returns {value is Frame}
 */
function isFrame(value) {
  return isObject(value) && typeof value.event === "string";
}

/**
 * Whether this can take a place in a conversation: what `sequence.js` relies on.
 *
 * @param {unknown} value
 * @returns {value is Message}
 */
export function isMessage(value) {
  return (
    isObject(value) &&
    typeof value.conversation_id === "string" &&
    Number.isSafeInteger(value.seq) &&
    Number(value.seq) >= 1
  );
}

/**
 * @param {unknown} value
 * @returns {value is Registered}
 */
export function isRegistered(value) {
  return isObject(value) && isObject(value.user) && Array.isArray(value.conversations);
}

/**
 * The server's refusal, whatever an older or newer server may have left out of it.
 *
 * @param {unknown} value
 * @returns {ErrorData}
 */
export function readError(value) {
  const data = isObject(value) ? value : {};
  const seconds = Number(data.retry_after);
  return {
    code: typeof data.code === "string" ? data.code : "internal",
    message: typeof data.message === "string" ? data.message : "The server refused without a word.",
    ...(typeof data.field === "string" && { field: data.field }),
    ...(typeof data.retry_after === "number" && seconds >= 0 && { retry_after: seconds }),
  };
}

/**
 * `https://chat.example` → `wss://chat.example/ws`. Throws a TypeError if it is no URL.
 *
 * @param {string} url
 * @returns {string}
 */
export function socketUrl(url) {
  const address = new URL("/ws", url);
  address.protocol = address.protocol.replace(/^http/, "ws");
  return address.href;
}

/**
 * A new `client_id`. `randomUUID` is missing where a page is served over plain http.
 *
 * @returns {string}
 */
export function newClientId() {
  if (typeof crypto.randomUUID === "function") {
    return crypto.randomUUID();
  }
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
