/** Maya buys, Omar sells, Lena is a stranger; and what they and the server say, with defaults. */

export const MAYA = { id: "maya", type: "Buyer", name: "Maya", verified: false };
export const OMAR = { id: "omar", type: "Seller", name: "Omar", verified: true };
export const LENA = { id: "lena", type: "Buyer", name: "Lena", verified: false };

export const TALK = "a".repeat(24);
export const OTHER_TALK = "b".repeat(24);

/** A stored message, from Omar to Maya unless said otherwise. */
export function message(
  seq,
  { from = OMAR, to = MAYA, talk = TALK, text = `number ${seq}`, ...rest } = {},
) {
  return {
    id: `${seq}`.padStart(24, "0"),
    conversation_id: talk,
    seq,
    client_id: `client-${from.id}-${seq}`,
    sender_id: from.id,
    sender_type: from.type,
    sender_name: from.name,
    recipient_id: to.id,
    recipient_type: to.type,
    subject: null,
    message: text,
    message_html: text,
    message_type: "general",
    status: "sent",
    created_at: "2026-01-02T03:04:05.678Z",
    delivered_at: null,
    read_at: null,
    ...rest,
  };
}

/** Maya's own message as the server stores it. */
export function stored(seq, { client_id, message: text }) {
  return message(seq, { from: MAYA, to: OMAR, text, client_id });
}

export function conversation({
  id = TALK,
  last_seq = 0,
  first_seq = 1,
  unread = 0,
  delivered_seq = last_seq,
} = {}) {
  const moments = { status: "online", first_seen: null, last_seen: null };
  return {
    id,
    participants: [
      { ...MAYA, ...moments, delivered_seq, read_seq: last_seq - unread },
      { ...OMAR, ...moments, delivered_seq: last_seq, read_seq: last_seq },
    ],
    first_seq,
    last_seq,
    last_message: last_seq > 0 ? message(last_seq, { talk: id }) : null,
    unread,
    updated_at: "2026-01-02T03:04:05.678Z",
  };
}

/** The answer to `register_user`. */
export function registered({ user = MAYA, conversations = [], epoch = "epoch-1", ...rest } = {}) {
  const limits = {
    message_characters: 4000,
    subject_characters: 200,
    frame_bytes: 65536,
    messages_burst: 10,
    messages_per_second: 1,
  };
  const server_time = "2026-01-02T03:04:05.678Z";
  return { user, server_time, epoch, unread: 0, conversations, limits, ...rest };
}

/** What Maya writes to Omar. */
export function draft(text, rest = {}) {
  return { recipient_id: OMAR.id, recipient_type: OMAR.type, message: text, ...rest };
}

/** Numbers that look random and are the same in each run (mulberry32). */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
