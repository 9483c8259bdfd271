/**
 * Tabs without a browser: real `realtime.js` over real sockets, driven by JSON lines on standard
 * input; what each tab is told goes out as JSON lines. Ending the process kills its tabs.
 */

import { createInterface } from "node:readline";

import { RealtimeMessages } from "../../static/js/realtime.js";
import { SYSTEM_CLOCK } from "../../static/js/realtime/timers.js";
import { seeded } from "../js/cast.js";

/** Waits for the next try are a tenth as long as in life, so that a test need not wait for them. */
const HURRIED = {
  ...SYSTEM_CLOCK,
  setTimeout: (callback, milliseconds) =>
    setTimeout(callback, milliseconds < 20_000 ? milliseconds / 10 : milliseconds),
};

/** @type {Map<string, RealtimeMessages>} */
const tabs = new Map();

function say(tab, told, data) {
  process.stdout.write(`${JSON.stringify({ tab, told, ...data })}\n`);
}

const commands = {
  open: ({ tab, seed, hurried, ...options }) => {
    const realtime = new RealtimeMessages({
      ...options,
      clock: hurried ? HURRIED : SYSTEM_CLOCK,
      random: seeded(seed),
      host: {},
    });
    tabs.set(tab, realtime);
    realtime.onRegistered(({ conversations }) =>
      say(tab, "registered", { ends: conversations.map(({ id, last_seq }) => [id, last_seq]) }),
    );
    realtime.onNewMessage((message) => say(tab, "message", { message }));
    realtime.onReset(({ conversation_id }) => say(tab, "reset", { conversation_id }));
    realtime.onMessageRead((data) => say(tab, "receipt", { kind: "read", data }));
    realtime.onMessageDelivered((data) => say(tab, "receipt", { kind: "delivered", data }));
    realtime.onConnectionChanged((change) => say(tab, "connection", change));
    realtime.onError((error) => say(tab, "error", { error: String(error) }));
    realtime.connect();
  },
  send: ({ tab, draft }) => {
    tabs
      .get(tab)
      .sendMessage(draft)
      .then(
        (message) => say(tab, "stored", { message }),
        (error) => say(tab, "refused", { client_id: draft.client_id, code: error.code }),
      );
  },
  read: ({ tab, ...place }) => void tabs.get(tab).markAsRead(place),
  close: ({ tab }) => tabs.get(tab).disconnect(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...how } = JSON.parse(line);
  commands[name](how);
}
tabs.forEach((tab) => tab.disconnect());
