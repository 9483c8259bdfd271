/**
 * One page of Maya's without a browser, for test_core.py: the client's core on a clock, a storage
 * and a socket that do nothing by themselves. A command comes as a JSON line on standard input, and
 * what came of it goes out as one.
 */

import { createInterface } from "node:readline";

import { Outbox } from "../../static/js/outbox.js";
import { RealtimeMessages } from "../../static/js/realtime.js";
import { Shelf } from "../../static/js/shelf.js";
import { MAYA, draft, seeded } from "../js/cast.js";
import { ManualClock } from "../js/manual-clock.js";
import { storage } from "../js/storage.js";

let kept = storage();
/** @type {object[]} what happened since the last command */
let told = [];
/** @type {Page} */
let page;

class Page {
  clock = new ManualClock();
  socket = null;

  constructor({ since, epoch }) {
    const tell = (what) => page === this && told.push(what);
    const open = (socket) => {
      this.socket = socket;
      tell({ told: "dialled" });
    };
    class Socket {
      #listeners = {};
      readyState = 0;

      constructor() {
        open(this);
      }

      addEventListener = (type, listener) => (this.#listeners[type] = listener);
      send = (text) => tell({ told: "frame", text });

      close = () => {
        this.readyState = 3;
        tell({ told: "hung up" });
      };

      happen = (type, event = {}) => {
        this.readyState = { open: 1, close: 3 }[type] ?? this.readyState;
        this.#listeners[type](event);
      };
    }
    this.outbox = new Outbox(new Shelf(() => kept), {
      owner: "Buyer:maya",
      peer: "Seller:omar",
      tab: "tab",
    });
    this.realtime = new RealtimeMessages({
      url: "http://shop.test",
      token: "token",
      user: { id: MAYA.id, type: MAYA.type },
      since,
      epoch: epoch ?? undefined,
      WebSocket: Socket,
      fetch: null,
      clock: this.clock,
      random: seeded(7),
      host: {},
    });
    this.realtime.onNewMessage((message) => tell({ told: "message", message }));
    this.realtime.onReset((data) => tell({ told: "reset", data }));
    this.realtime.onError((error) => tell({ told: "error", error: String(error) }));
    this.tell = tell;
  }

  begin() {
    this.realtime.connect();
    this.outbox.takeOver(new Set(["tab"])).forEach((unsent) => this.send(unsent));
  }

  send({ client_id, message }) {
    const sending = this.realtime.sendMessage(draft(message, { client_id }));
    sending.then(
      (stored) => {
        if (page === this) {
          this.outbox.remove(client_id);
          this.tell({ told: "stored", message: stored, client_id });
        }
      },
      (error) => this.tell({ told: "refused", client_id, code: error.code }),
    );
  }
}

const commands = {
  /** Another browser, in which nothing is kept. */
  forget: () => (kept = storage()),
  /** The page is loaded, or loaded again: what was in memory is gone. */
  load: (how) => {
    page = new Page(how);
    page.begin();
  },
  type: (unsent) => {
    page.outbox.add({ subject: null, message_type: "general", created_at: "", ...unsent });
    page.send(unsent);
  },
  open: () => page.socket.happen("open"),
  hear: ({ text }) => page.socket.happen("message", { data: text }),
  lose: () => page.socket.happen("close", { code: 1006 }),
  advance: ({ ms }) => page.clock.advance(ms),
  catchUp: () => page.realtime.catchUp(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const { do: name, ...how } = JSON.parse(line);
  told = [];
  commands[name](how);
  await new Promise((done) => setImmediate(done)); // promises that were kept are told by now
  const unsent = page ? page.outbox.entries.map(({ client_id }) => client_id) : [];
  const { state, since } = page?.realtime ?? {};
  process.stdout.write(`${JSON.stringify({ told, unsent, state, since })}\n`);
}
