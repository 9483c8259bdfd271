import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";

import { RealtimeError, RealtimeMessages } from "../../static/js/realtime.js";
import {
  LENA,
  MAYA,
  OMAR,
  OTHER_TALK,
  TALK,
  conversation,
  draft,
  message,
  registered,
  stored,
} from "./cast.js";
import { ManualClock } from "./manual-clock.js";
import { SocketServer } from "./socket-server.js";

const seqs = (messages) => messages.map(({ seq }) => seq);

/** Things told to a callback, and a way to wait until there are enough of them. */
class Heard {
  all = [];
  #enough = () => {};
  #count = Infinity;

  take = (thing) => {
    this.all.push(thing);
    if (this.all.length >= this.#count) {
      this.#enough();
    }
  };

  /** All, once there are at least so many. The test's own limit ends a wait in vain. */
  async first(count) {
    if (this.all.length < count) {
      await new Promise((resolve) => {
        this.#count = count;
        this.#enough = resolve;
      });
    }
    return this.all;
  }
}

/** Maya's client, the server she talks to, and a clock that does not go by itself. */
class Shop {
  clock = new ManualClock();
  messages = new Heard();
  resets = new Heard();
  changes = new Heard();
  sending = new Heard();
  errors = new Heard();
  #marks = new Heard();

  static async open(t, options = {}) {
    const shop = new Shop();
    shop.server = await SocketServer.start();
    shop.client = new RealtimeMessages({
      url: shop.server.url,
      token: "a.b.c",
      clock: shop.clock,
      random: () => 0,
      fetch: null,
      ...options,
    });
    shop.client.onNewMessage(shop.messages.take);
    shop.client.onReset(shop.resets.take);
    shop.client.onConnectionChanged(shop.changes.take);
    shop.client.onSendState(shop.sending.take);
    shop.client.onError(shop.errors.take);
    shop.client.onTyping(shop.#marks.take);
    t.after(() => {
      shop.client.disconnect();
      return shop.server.stop();
    });
    return shop;
  }

  /** Connects, or comes back, and registers; answers with what the client said of itself. */
  async register(answer = {}) {
    this.client.connect();
    this.socket = await this.server.accept();
    const frame = await this.socket.receive("register_user");
    this.socket.ack(frame.id, registered(answer));
    await this.settled();
    return frame.data;
  }

  /** Until the client has taken in all that was sent to it. */
  async settled() {
    const count = this.#marks.all.length + 1;
    this.socket.send({ event: "user_typing", data: { mark: count } });
    await this.#marks.first(count);
  }

  /** Fails if the client has said anything before this. */
  async silence() {
    await this.settled();
    this.clock.advance(1_000);
    this.client.typing({ recipient_id: "omar", recipient_type: "Seller", is_typing: true });
    await this.socket.receive("typing");
  }

  say(...events) {
    events.forEach((data) => this.socket.send({ event: "new_message", data }));
  }

  /** The connection breaks, and the client has noticed. */
  async cut() {
    const count = this.changes.all.length + 1;
    this.socket.cut();
    await this.changes.first(count);
  }
}

const claim = (name, body) => test(name, { timeout: 20_000 }, body);

claim(
  "it registers right after opening, with the token in the subprotocol and nowhere else",
  async (t) => {
    const shop = await Shop.open(t, { sellerId: "omar", since: { [TALK]: 3 }, epoch: "epoch-1" });
    const data = await shop.register();
    assert.deepEqual(data, { seller_id: "omar", epoch: "epoch-1", since: { [TALK]: 3 } });
    assert.deepEqual(shop.socket.protocols, ["shopbell.v1", "bearer.a.b.c"]);
    assert.equal(shop.socket.url, "/ws");
    assert.equal(shop.client.state, "connected");
    assert.deepEqual(shop.client.user, MAYA);
    assert.deepEqual(
      shop.changes.all.map(({ state }) => state),
      ["connecting", "connected"],
    );
  },
);

claim(
  "messages are called back once each and in order, whatever the order on the wire",
  async (t) => {
    const shop = await Shop.open(t, { since: { [TALK]: 0 } });
    await shop.register();
    shop.say(message(2), message(1), message(1), message(4), message(2));
    shop.say(message(3), message(1, { talk: OTHER_TALK }));
    assert.deepEqual(seqs(await shop.messages.first(5)), [1, 2, 3, 4, 1]);
    await shop.settled();
    assert.equal(shop.messages.all.length, 5);
  },
);

claim("several events in one frame are several events", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.socket.send([1, 2, 3].map((seq) => ({ event: "new_message", data: message(seq) })));
  assert.deepEqual(seqs(await shop.messages.first(3)), [1, 2, 3]);
});

claim("a long frame is read", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.say(message(1, { text: "ü".repeat(4_000) }));
  assert.equal((await shop.messages.first(1))[0].message.length, 4_000);
});

claim(
  "P7: a gap is asked for on the open socket, and nothing behind it is shown before",
  async (t) => {
    const shop = await Shop.open(t, { since: { [TALK]: 1 }, confirmDelivery: false });
    await shop.register({ conversations: [conversation({ last_seq: 1 })] });
    shop.say(message(4), message(2));
    await shop.settled();
    assert.deepEqual(seqs(shop.messages.all), [2]);
    shop.clock.advance(250);
    const { id, data } = await shop.socket.receive("register_user");
    assert.deepEqual(data.since, { [TALK]: 2 });
    assert.deepEqual([data.user_id, data.user_type, data.epoch], ["maya", "Buyer", "epoch-1"]);
    shop.socket.ack(id, registered({ conversations: [conversation({ last_seq: 4 })] }));
    shop.say(message(3), message(4));
    assert.deepEqual(seqs(await shop.messages.first(3)), [2, 3, 4]);
  },
);

claim("a neighbour that overtook by a moment is not asked for", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 0 }, confirmDelivery: false });
  await shop.register();
  shop.say(message(2));
  await shop.settled();
  shop.clock.advance(200);
  shop.say(message(1));
  await shop.messages.first(2);
  shop.clock.advance(10_000);
  await shop.silence();
});

claim(
  "P6: a gap that is never filled ends in a reset, and what was held back is shown",
  async (t) => {
    const shop = await Shop.open(t, { since: { [TALK]: 1 }, confirmDelivery: false });
    await shop.register();
    shop.say(message(5));
    await shop.settled();
    for (const wait of [250, 5_000, 5_000]) {
      shop.clock.advance(wait);
      const { id } = await shop.socket.receive("register_user");
      shop.socket.ack(id, registered());
      await shop.settled();
      assert.deepEqual(shop.messages.all, []);
    }
    shop.clock.advance(5_000);
    assert.deepEqual(shop.resets.all, [{ conversation_id: TALK }]);
    assert.deepEqual(seqs(shop.messages.all), [5]);
    shop.clock.advance(20_000);
    await shop.silence();
  },
);

claim("a question without an answer is asked again", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 1 }, confirmDelivery: false });
  await shop.register();
  shop.say(message(3));
  await shop.settled();
  for (const wait of [250, 5_000, 5_000]) {
    shop.clock.advance(wait);
    assert.deepEqual((await shop.socket.receive("register_user")).data.since, { [TALK]: 1 });
  }
});

claim("P6: if the server does not take the question, the page is told to reload", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 1 }, confirmDelivery: false });
  await shop.register();
  shop.say(message(3));
  await shop.settled();
  for (const wait of [250, 5_000, 5_000]) {
    shop.clock.advance(wait);
    const { id } = await shop.socket.receive("register_user");
    shop.socket.refuse(id, { code: "bad_request" });
    await shop.settled();
  }
  shop.clock.advance(5_000);
  assert.deepEqual(shop.resets.all, [{ conversation_id: TALK }]);
  assert.equal(shop.client.state, "connected");
});

claim("an answer to a registration on an earlier socket is none", async (t) => {
  const shop = await Shop.open(t);
  shop.client.connect();
  shop.socket = await shop.server.accept();
  const { id } = await shop.socket.receive("register_user");
  await shop.cut();
  shop.clock.advance(500);
  shop.socket = await shop.server.accept();
  await shop.socket.receive("register_user");
  shop.socket.ack(id, registered());
  await shop.settled();
  assert.equal(shop.client.state, "connecting");
});

claim(
  "P5: after a break it asks since its positions, and misses and doubles nothing",
  async (t) => {
    const shop = await Shop.open(t, { confirmDelivery: false });
    await shop.register({ conversations: [conversation({ last_seq: 7 })] });
    shop.say(message(8));
    await shop.messages.first(1);
    await shop.cut();
    shop.clock.advance(500);
    const data = await shop.register({
      conversations: [
        conversation({ last_seq: 10 }),
        conversation({ id: OTHER_TALK, last_seq: 1 }),
      ],
    });
    assert.deepEqual(data.since, { [TALK]: 8 });
    shop.say(message(8), message(9), message(10), message(11));
    assert.deepEqual(seqs(await shop.messages.first(4)), [8, 9, 10, 11]);
    shop.clock.advance(250);
    const more = await shop.socket.receive("register_user");
    assert.deepEqual(more.data.since, { [OTHER_TALK]: 0 });
    shop.socket.ack(more.id, registered());
    shop.say(message(1, { talk: OTHER_TALK }));
    assert.equal((await shop.messages.first(5))[4].conversation_id, OTHER_TALK);
  },
);

claim("a reset is told, and the conversation goes on behind what was listed", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 5_000 }, epoch: "epoch-0" });
  await shop.register({ conversations: [conversation({ last_seq: 40 })] });
  shop.socket.send({ event: "reset", data: { conversation_id: TALK } });
  shop.say(message(41));
  assert.deepEqual(seqs(await shop.messages.first(1)), [41]);
  assert.deepEqual(shop.resets.all, [{ conversation_id: TALK }]);
  assert.equal(shop.client.epoch, "epoch-1");
  assert.deepEqual(shop.client.since, { [TALK]: 41 });
});

claim("P6: for what is not kept any more nobody asks for ever", async (t) => {
  // An old conversation, beyond the hundred that are listed: only the server knows its front.
  const shop = await Shop.open(t, { since: { [TALK]: 3 }, confirmDelivery: false });
  await shop.register();
  shop.socket.send({ event: "reset", data: { conversation_id: TALK } });
  shop.say(message(31));
  assert.deepEqual(seqs(await shop.messages.first(1)), [31]);
  assert.deepEqual(shop.resets.all, [{ conversation_id: TALK }]);
  shop.clock.advance(20_000);
  await shop.silence();
});

claim("what the page loaded over HTTP is not called back", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 1 } });
  await shop.register();
  shop.say(message(5));
  await shop.settled();
  shop.client.setPosition(TALK, 4);
  shop.say(message(3), message(4));
  await shop.settled();
  assert.deepEqual(seqs(shop.messages.all), [5]);
});

claim("a message is sent, and its promise brings the stored one", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello", { subject: "Cups" }));
  const { id, data } = await shop.socket.receive("send_message");
  assert.match(data.client_id, /^[0-9a-f-]{36}$/);
  const { client_id, ...rest } = data;
  assert.deepEqual(rest, draft("Hello", { subject: "Cups" }));
  shop.socket.ack(id, { message: stored(1, data), duplicate: false });
  assert.equal((await promise).client_id, client_id);
  assert.deepEqual(
    shop.sending.all.map(({ state }) => state),
    ["sending", "stored"],
  );
  assert.deepEqual(shop.messages.all, []);
  assert.deepEqual(shop.client.since, { [TALK]: 1 });
});

claim("an own message takes its place among the others", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 1 } });
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  const { id, data } = await shop.socket.receive("send_message");
  shop.say(message(2), message(4));
  await shop.settled();
  assert.deepEqual(seqs(shop.messages.all), [2]);
  shop.socket.ack(id, { message: stored(3, data), duplicate: false });
  await promise;
  assert.deepEqual(seqs(await shop.messages.first(2)), [2, 4]);
});

claim("an own message from another device is called back, and not confirmed", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.say(stored(1, { client_id: "elsewhere", message: "from my phone" }));
  assert.equal((await shop.messages.first(1))[0].message, "from my phone");
  shop.clock.advance(1_000);
  await shop.silence();
});

claim("P3: what was cut off before its answer is sent again with the same client_id", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  const first = await shop.socket.receive("send_message");
  await shop.cut();
  shop.clock.advance(500);
  await shop.register();
  const second = await shop.socket.receive("send_message");
  assert.deepEqual(second.data, first.data);
  shop.socket.ack(second.id, { message: stored(1, second.data), duplicate: true });
  assert.equal((await promise).seq, 1);
  assert.deepEqual(
    shop.sending.all.map(({ state }) => state),
    ["sending", "queued", "sending", "stored"],
  );
});

claim(
  "P3: if the catching up brings it first, that is the answer, and the next one goes",
  async (t) => {
    const shop = await Shop.open(t, { since: { [TALK]: 0 } });
    await shop.register();
    const promises = ["one", "two"].map((text) => shop.client.sendMessage(draft(text)));
    const first = await shop.socket.receive("send_message");
    await shop.cut();
    shop.clock.advance(500);
    await shop.register({ conversations: [conversation({ last_seq: 1 })] });
    const again = await shop.socket.receive("send_message");
    shop.say(stored(1, first.data));
    assert.equal((await promises[0]).seq, 1);
    shop.socket.ack(again.id, { message: stored(1, first.data), duplicate: true });
    const { id, data } = await shop.socket.receive("send_message");
    assert.equal(data.message, "two");
    shop.socket.ack(id, { message: stored(2, data), duplicate: false });
    await promises[1];
    assert.deepEqual(shop.messages.all, []);
    assert.deepEqual(shop.client.since, { [TALK]: 2 });
  },
);

claim("a repeat of long ago is no place to begin a conversation at", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  const { id, data } = await shop.socket.receive("send_message");
  shop.socket.ack(id, { message: stored(3, data), duplicate: true });
  assert.equal((await promise).seq, 3);
  shop.say(message(41));
  assert.deepEqual(seqs(await shop.messages.first(1)), [41]);
});

claim("what was written without a connection goes in the order written", async (t) => {
  const shop = await Shop.open(t);
  const promises = ["one", "two", "three"].map((text) => shop.client.sendMessage(draft(text)));
  assert.deepEqual(
    shop.sending.all.map(({ state }) => state),
    ["queued", "queued", "queued"],
  );
  await shop.register();
  for (const [at, text] of ["one", "two", "three"].entries()) {
    const { id, data } = await shop.socket.receive("send_message");
    assert.equal(data.message, text);
    shop.socket.ack(id, { message: stored(at + 1, data), duplicate: false });
  }
  assert.deepEqual(seqs(await Promise.all(promises)), [1, 2, 3]);
});

claim("a refusal for good rejects with the server's reason, and the next one goes", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const refused = shop.client.sendMessage(draft(""));
  void shop.client.sendMessage(draft("Hello"));
  const { id } = await shop.socket.receive("send_message");
  shop.socket.refuse(id, { code: "invalid", message: "Say something.", field: "message" });
  await assert.rejects(refused, (error) => {
    assert.ok(error instanceof RealtimeError);
    const { code, message: text, field, definite } = error;
    assert.deepEqual([code, text, field, definite], ["invalid", "Say something.", "message", true]);
    return true;
  });
  assert.equal((await shop.socket.receive("send_message")).data.message, "Hello");
  assert.deepEqual(
    shop.errors.all.map(({ code }) => code),
    ["invalid"],
  );
});

claim("rate_limited waits as long as it is told, and sends again by itself", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello", { client_id: "mine" }));
  const first = await shop.socket.receive("send_message");
  shop.socket.refuse(first.id, { code: "rate_limited", retry_after: 3 });
  await shop.settled();
  const { client_id, state, retry_in, error } = shop.sending.all.at(-1);
  assert.deepEqual(
    [client_id, state, retry_in, error.code],
    ["mine", "waiting", 3, "rate_limited"],
  );
  shop.clock.advance(1_000);
  await shop.silence();
  shop.clock.advance(1_000);
  const second = await shop.socket.receive("send_message");
  assert.deepEqual(second.data, first.data);
  shop.socket.ack(second.id, { message: stored(1, second.data), duplicate: false });
  await promise;
});

claim("unavailable is tried again with growing waits, until it works", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  for (let count = 0; count < 4; count += 1) {
    const { id } = await shop.socket.receive("send_message");
    shop.socket.refuse(id, { code: "unavailable" });
    await shop.settled();
    shop.clock.advance(500);
  }
  const { id, data } = await shop.socket.receive("send_message");
  shop.socket.ack(id, { message: stored(1, data), duplicate: false });
  await promise;
});

claim("internal is given up after three tries, and says that nobody knows", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  for (let count = 0; count < 3; count += 1) {
    const { id } = await shop.socket.receive("send_message");
    shop.socket.refuse(id, { code: "internal" });
    await shop.settled();
    shop.clock.advance(500);
  }
  await assert.rejects(promise, { code: "internal", definite: false });
});

claim("no answer within 10 s is told; trying again is the same message", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello", { client_id: "mine" }));
  const first = await shop.socket.receive("send_message");
  shop.clock.advance(10_000);
  assert.deepEqual(shop.sending.all.at(-1), { client_id: "mine", state: "unanswered" });
  assert.equal(shop.client.sendMessage(draft("Hello", { client_id: "mine" })), promise);
  const second = await shop.socket.receive("send_message");
  assert.deepEqual(second, first);
  shop.socket.ack(first.id, { message: stored(1, first.data), duplicate: false });
  shop.socket.ack(second.id, { message: stored(1, first.data), duplicate: true });
  assert.equal((await promise).seq, 1);
  await shop.settled();
  assert.deepEqual(shop.errors.all, []);
});

claim("a pending client_id is no other message's", async (t) => {
  const shop = await Shop.open(t);
  void shop.client.sendMessage(draft("Hello", { client_id: "mine" }));
  await assert.rejects(shop.client.sendMessage(draft("Bye", { client_id: "mine" })), {
    code: "conflict",
  });
});

claim("a message is taken back only before it was sent", async (t) => {
  const shop = await Shop.open(t);
  const promise = shop.client.sendMessage(draft("one", { client_id: "first" }));
  assert.equal(shop.client.withdraw("first"), true);
  assert.equal(shop.client.withdraw("first"), false);
  await assert.rejects(promise, { code: "withdrawn" });
  void shop.client.sendMessage(draft("two", { client_id: "second" }));
  await shop.register();
  assert.equal((await shop.socket.receive("send_message")).data.message, "two");
  assert.equal(shop.client.withdraw("second"), false);
});

claim("a frame that would cost the connection is refused here", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  await assert.rejects(shop.client.sendMessage(draft("ü".repeat(40_000))), { code: "too_large" });
  await shop.silence();
});

claim("an answer that makes no sense rejects, and says that nobody knows", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const promise = shop.client.sendMessage(draft("Hello"));
  const { id } = await shop.socket.receive("send_message");
  shop.socket.ack(id, "fine");
  await assert.rejects(promise, { code: "protocol", definite: false });
});

claim("delivery is confirmed once for a burst, at its end, per conversation", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.say(message(1), message(2), message(1, { talk: OTHER_TALK }), message(3), message(5));
  await shop.settled();
  shop.clock.advance(150);
  const confirmed = [
    await shop.socket.receive("mark_as_delivered"),
    await shop.socket.receive("mark_as_delivered"),
  ];
  assert.deepEqual(
    confirmed.map(({ data }) => data),
    [
      { conversation_id: TALK, seq: 3 },
      { conversation_id: OTHER_TALK, seq: 1 },
    ],
  );
});

claim("what was delivered just before a break is confirmed after it", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.say(message(1));
  await shop.messages.first(1);
  await shop.cut();
  shop.clock.advance(500);
  await shop.register();
  assert.equal((await shop.socket.receive("mark_as_delivered")).data.seq, 1);
});

claim("what the page was rendered with is confirmed, if nobody has done so", async (t) => {
  const ownLast = "c".repeat(24);
  const shop = await Shop.open(t, { since: { [TALK]: 4, [OTHER_TALK]: 2, [ownLast]: 3 } });
  const last_message = message(3, { talk: ownLast, from: MAYA, to: OMAR });
  await shop.register({
    conversations: [
      conversation({ last_seq: 4, delivered_seq: 2 }),
      conversation({ id: OTHER_TALK, last_seq: 2, delivered_seq: 2 }),
      { ...conversation({ id: ownLast, last_seq: 3, delivered_seq: 2 }), last_message },
    ],
  });
  shop.clock.advance(150);
  const { data } = await shop.socket.receive("mark_as_delivered");
  assert.deepEqual(data, { conversation_id: TALK, seq: 4 });
  await shop.silence();
});

claim("confirming can be switched off", async (t) => {
  const shop = await Shop.open(t, { confirmDelivery: false });
  await shop.register();
  shop.say(message(1));
  await shop.messages.first(1);
  await shop.silence();
});

claim("what was delivered is confirmed before a goodbye", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.say(message(1));
  await shop.messages.first(1);
  shop.client.disconnect();
  assert.equal((await shop.socket.receive("mark_as_delivered")).data.seq, 1);
  assert.equal(await shop.socket.closed(), 1000);
});

claim(
  "reading is said by id or by place, waits for a connection, and only the furthest counts",
  async (t) => {
    const shop = await Shop.open(t);
    const far = shop.client.markAsRead({ conversation_id: TALK, seq: 9 });
    void shop.client.markAsRead({ conversation_id: TALK, seq: 4 });
    void shop.client.markAsRead("c".repeat(24));
    await shop.register();
    const place = await shop.socket.receive("mark_as_read");
    assert.deepEqual(place.data, { conversation_id: TALK, seq: 9 });
    const byId = await shop.socket.receive("mark_as_read");
    assert.deepEqual(byId.data, { message_id: "c".repeat(24) });
    const answer = { conversation_id: TALK, read_seq: 9, unread: 0 };
    shop.socket.ack(place.id, answer);
    assert.deepEqual(await far, answer);
  },
);

claim("a refused reading rejects, and nobody has to care", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  void shop.client.markAsRead("c".repeat(24));
  const { id } = await shop.socket.receive("mark_as_read");
  shop.socket.refuse(id, { code: "forbidden" });
  assert.equal((await shop.errors.first(1))[0].code, "forbidden");
});

claim(
  "rooms, status and context hold over reconnects, until they are left or refused",
  async (t) => {
    const shop = await Shop.open(t);
    await shop.register();
    const page = { url: "https://shop.example/cup", title: "Cup" };
    void shop.client.joinRoom(TALK);
    void shop.client.joinRoom(OTHER_TALK);
    void shop.client.updateStatus("away");
    void shop.client.updateContext(page);
    const joined = await shop.socket.receive("join_room");
    shop.socket.ack(joined.id, { room: TALK });
    shop.socket.refuse((await shop.socket.receive("join_room")).id, { code: "forbidden" });
    shop.socket.ack((await shop.socket.receive("update_status")).id, { status: "away" });
    assert.deepEqual((await shop.socket.receive("update_context")).data, page);
    await shop.settled();
    await shop.cut();
    shop.clock.advance(500);
    await shop.register();
    // The context, unanswered, was still to be said, and so it comes before what is said again.
    const context = await shop.socket.receive("update_context");
    assert.deepEqual(context.data, page);
    shop.socket.ack(context.id, {});
    assert.deepEqual((await shop.socket.receive("join_room")).data, { room: TALK });
    assert.deepEqual((await shop.socket.receive("update_status")).data, { status: "away" });
    await shop.silence();
  },
);

claim("a room that was left is not joined again", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const joining = shop.client.joinRoom(TALK);
  shop.socket.ack((await shop.socket.receive("join_room")).id, { room: TALK });
  await joining;
  const leaving = shop.client.leaveRoom(TALK);
  shop.socket.ack((await shop.socket.receive("leave_room")).id, { room: TALK });
  assert.deepEqual(await leaving, { room: TALK });
  await shop.cut();
  shop.clock.advance(500);
  await shop.register();
  await shop.silence();
});

claim(
  "typing goes at most once a second for each recipient, its end always, and never later",
  async (t) => {
    const shop = await Shop.open(t);
    const typing = (is_typing, recipient_id = "omar") =>
      shop.client.typing({ recipient_id, recipient_type: "Seller", is_typing });
    typing(true);
    await shop.register();
    [true, true, false, false].forEach((is) => typing(is));
    typing(true, "eva");
    typing(true, "eva");
    shop.clock.advance(1_000);
    typing(true, "eva");
    const sent = [];
    for (let count = 0; count < 5; count += 1) {
      const { data, id } = await shop.socket.receive("typing");
      assert.equal(id, undefined);
      sent.push([data.recipient_id, data.is_typing]);
    }
    assert.deepEqual(sent, [
      ["omar", true],
      ["omar", false],
      ["omar", false],
      ["eva", true],
      ["eva", true],
    ]);
  },
);

claim("the other events reach their callbacks, until these are unsubscribed", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const events = {
    message_read: "onMessageRead",
    message_delivered: "onMessageDelivered",
    message_updated: "onMessageUpdated",
    user_status_changed: "onUserStatusChanged",
    context_changed: "onContextChanged",
    online_users: "onOnlineUsers",
  };
  const heard = [];
  const removals = Object.entries(events).map(([event, subscribe]) =>
    shop.client[subscribe]((data) => heard.push([event, data])),
  );
  const sendAll = () =>
    Object.keys(events).forEach((event) => shop.socket.send({ event, data: { of: event } }));
  sendAll();
  await shop.settled();
  assert.deepEqual(
    heard,
    Object.keys(events).map((event) => [event, { of: event }]),
  );
  removals.forEach((remove) => remove());
  sendAll();
  await shop.settled();
  assert.equal(heard.length, 6);
});

claim(
  "an unknown event is reported once, whatever its name, and nonsense is passed over",
  async (t) => {
    const shop = await Shop.open(t);
    await shop.register();
    for (const event of ["constructor", "__proto__", "toString", "party", "party"]) {
      shop.socket.sendText(JSON.stringify({ event, data: {} }));
    }
    await shop.settled();
    assert.equal(shop.errors.all.length, 4);
    for (const text of ["{", "7", "null", '[null, {"event": "new_message", "data": null}]']) {
      shop.socket.sendText(text);
    }
    shop.socket.send({ event: "message_read", data: "read" });
    shop.socket.send({ event: "reset", data: {} });
    shop.socket.send({ event: "ack", id: 999, data: {} });
    shop.socket.send({ event: "ack", data: null });
    shop.say(message(1));
    await shop.messages.first(1);
    assert.ok(shop.errors.all.every(({ code }) => code === "protocol"));
    assert.equal(shop.client.state, "connected");
  },
);

claim("a thousand unknown names are not all remembered", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const frames = Array.from({ length: 1_000 }, (_, n) => ({ event: `party-${n}` }));
  shop.socket.send(frames);
  await shop.settled();
  assert.equal(shop.errors.all.length, 100);
});

claim("without anybody to hear of errors, the console does", async (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const client = new RealtimeMessages({ url: "http://127.0.0.1:9", WebSocket: class {} });
  await assert.rejects(client.sendMessage(draft("ü".repeat(40_000))), { code: "too_large" });
  assert.equal(warn.mock.callCount(), 1);
});

claim("a callback that throws stops neither the others nor the messages", async (t) => {
  const shop = await Shop.open(t);
  shop.client.onNewMessage(() => {
    throw new Error("mine");
  });
  await shop.register();
  shop.say(message(1), message(2));
  await shop.messages.first(2);
  await shop.settled();
  assert.deepEqual(
    shop.errors.all.map(({ message: text }) => text),
    ["mine", "mine"],
  );
});

claim("a callback may disconnect; what it did not see is asked for next time", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  const remove = shop.client.onNewMessage(() => shop.client.disconnect());
  shop.socket.send([1, 2, 3].map((seq) => ({ event: "new_message", data: message(seq) })));
  await shop.messages.first(1);
  assert.equal(await shop.socket.closed(), 1000);
  assert.deepEqual([seqs(shop.messages.all), shop.clock.pending], [[1], 0]);
  remove();
  assert.deepEqual((await shop.register()).since, { [TALK]: 1 });
});

claim("a callback that disconnects leaves no timer, whatever else it is told", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 0 } });
  await shop.register();
  shop.client.onNewMessage(() => shop.client.disconnect());
  shop.socket.send([2, 3, 5, 1].map((seq) => ({ event: "new_message", data: message(seq) })));
  assert.deepEqual(seqs(await shop.messages.first(3)), [1, 2, 3]);
  assert.equal(await shop.socket.closed(), 1000);
  assert.equal(shop.clock.pending, 0);
});

claim("a callback may disconnect while messages go out; the rest stays queued", async (t) => {
  const shop = await Shop.open(t);
  void shop.client.sendMessage(draft("one", { client_id: "first" }));
  void shop.client.sendMessage(draft("two", { client_id: "second", recipient_id: "eva" }));
  const remove = shop.client.onSendState(() => shop.client.disconnect());
  shop.client.connect();
  const socket = await shop.server.accept();
  const { id } = await socket.receive("register_user");
  socket.ack(id, registered());
  assert.equal((await socket.receive("send_message")).data.message, "one");
  assert.equal(await socket.closed(), 1000);
  assert.equal(shop.clock.pending, 0);
  assert.ok(
    !shop.sending.all.some((state) => state.client_id === "second" && state.state === "sending"),
  );
  remove();
});

claim("a server that warned of flooding is not knocked at before its time", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  void shop.client.markAsRead({ conversation_id: TALK, seq: 1 });
  const { id } = await shop.socket.receive("mark_as_read");
  shop.socket.refuse(id, { code: "rate_limited", retry_after: 30 });
  shop.socket.close(4429);
  await shop.changes.first(3);
  assert.deepEqual([shop.changes.all[2].reason, shop.changes.all[2].retry_in], ["flooding", 30]);
});

claim("a restart is come back from, a revoked token is not", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  shop.socket.close(1012);
  await shop.changes.first(3);
  assert.deepEqual(shop.changes.all[2], {
    state: "waiting",
    reason: "restarting",
    code: 1012,
    retry_in: 0.5,
  });
  shop.clock.advance(500);
  await shop.register();
  shop.socket.close(4401);
  await shop.changes.first(6);
  assert.equal(shop.changes.all[5].reason, "unauthorized");
  shop.clock.advance(3_600_000);
  assert.equal(shop.client.state, "closed");
  shop.client.setToken("d.e.f");
  const socket = await shop.server.accept();
  assert.deepEqual(socket.protocols, ["shopbell.v1", "bearer.d.e.f"]);
});

claim("a refused upgrade ends in asking over HTTP, where 401 means stop", async (t) => {
  const shop = await Shop.open(t, { fetch: globalThis.fetch });
  shop.server.refusal = 401;
  shop.server.httpStatus = 401;
  shop.client.connect();
  await shop.changes.first(2);
  assert.equal(shop.changes.all[1].reason, "refused");
  shop.clock.advance(500);
  await shop.changes.first(5);
  assert.deepEqual(
    shop.changes.all.map(({ state }) => state),
    ["connecting", "waiting", "connecting", "waiting", "closed"],
  );
  assert.equal(shop.changes.all[4].reason, "unauthorized");
  assert.equal(shop.server.refused, 2);
});

claim("P11: 45 s of silence end in a new connection, which catches up", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 3 } });
  await shop.register();
  shop.clock.advance(44_000);
  shop.socket.send({ event: "beat", data: {} });
  await shop.settled();
  shop.clock.advance(44_999);
  assert.equal(shop.client.state, "connected");
  shop.clock.advance(1);
  assert.equal(shop.changes.all.at(-1).reason, "silence");
  shop.clock.advance(500);
  assert.deepEqual((await shop.register()).since, { [TALK]: 3 });
});

claim("a registration refused for now comes back as late as it is told", async (t) => {
  const shop = await Shop.open(t);
  shop.client.connect();
  const socket = await shop.server.accept();
  const { id } = await socket.receive("register_user");
  socket.refuse(id, { code: "unavailable", retry_after: 7 });
  await shop.changes.first(2);
  assert.deepEqual([shop.changes.all[1].reason, shop.changes.all[1].retry_in], ["unavailable", 7]);
  assert.equal(await socket.closed(), 1000);
  shop.clock.advance(7_000);
  await shop.register();
});

claim("a registration refused for good stops it", async (t) => {
  const shop = await Shop.open(t, { user: MAYA });
  shop.client.connect();
  const socket = await shop.server.accept();
  const { id, data } = await socket.receive("register_user");
  assert.equal(data.user_id, "maya");
  socket.refuse(id, { code: "forbidden" });
  await shop.changes.first(2);
  assert.deepEqual([shop.client.state, shop.changes.all[1].reason], ["closed", "forbidden"]);
});

claim("S13: what waits is never sent in another person's name", async (t) => {
  const shop = await Shop.open(t);
  await shop.register();
  void shop.client.sendMessage(draft("a secret"));
  await shop.socket.receive("send_message");
  await shop.cut();
  shop.clock.advance(500);
  const socket = await shop.server.accept();
  const { id, data } = await socket.receive("register_user");
  assert.equal(data.user_id, "maya");
  socket.ack(id, registered({ user: LENA }));
  assert.equal(await socket.closed(), 1000);
  assert.equal(shop.changes.all.at(-1).reason, "forbidden");
  assert.deepEqual(shop.client.user, MAYA);
});

claim("a refused catching up is tried again, and does not cost the connection", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 1 } });
  await shop.register();
  shop.client.catchUp();
  const { id } = await shop.socket.receive("register_user");
  shop.socket.refuse(id, { code: "rate_limited", retry_after: 8 });
  await shop.settled();
  shop.clock.advance(7_999);
  await shop.settled();
  shop.clock.advance(1);
  assert.deepEqual((await shop.socket.receive("register_user")).data.since, { [TALK]: 1 });
  assert.equal(shop.client.state, "connected");
});

claim("a page back after a minute asks for what it missed; after less it does not", async (t) => {
  const host = Object.assign(new EventTarget(), {
    document: Object.assign(new EventTarget(), { visibilityState: "visible" }),
  });
  const show = (visibilityState) => {
    host.document.visibilityState = visibilityState;
    host.document.dispatchEvent(new Event("visibilitychange"));
  };
  const shop = await Shop.open(t, { host, since: { [TALK]: 1 } });
  await shop.register();
  const hideFor = async (seconds) => {
    show("hidden");
    for (let second = 0; second < seconds; second += 20) {
      shop.clock.advance(20_000);
      await shop.settled();
    }
    show("visible");
  };
  await hideFor(40);
  await shop.silence();
  await hideFor(60);
  assert.deepEqual((await shop.socket.receive("register_user")).data.since, { [TALK]: 1 });
  show("hidden");
  shop.clock.sleep(50_000);
  show("visible");
  assert.equal(shop.changes.all.at(-1).reason, "silence");
  host.dispatchEvent(new Event("online"));
  await shop.server.accept();
});

claim("a renewed guest's token is told, and used for the next socket", async (t) => {
  const shop = await Shop.open(t);
  const answers = new Heard();
  shop.client.onRegistered(answers.take);
  await shop.register({ token: "n.e.w" });
  assert.equal(answers.all[0].token, "n.e.w");
  await shop.cut();
  shop.clock.advance(500);
  await shop.register();
  assert.deepEqual(shop.socket.protocols, ["shopbell.v1", "bearer.n.e.w"]);
});

claim("without a token only the protocol is offered", async (t) => {
  const shop = await Shop.open(t, { token: undefined });
  await shop.register();
  assert.deepEqual(shop.socket.protocols, ["shopbell.v1"]);
});

claim("after disconnecting no timer is left, whatever was going on", async (t) => {
  const shop = await Shop.open(t, { since: { [TALK]: 0 } });
  await shop.register();
  void shop.client.sendMessage(draft("Hello"));
  void shop.client.markAsRead({ conversation_id: TALK, seq: 1 });
  shop.say(message(1), message(3));
  await shop.messages.first(1);
  assert.ok(shop.clock.pending >= 3);
  shop.client.disconnect();
  assert.equal(shop.clock.pending, 0);
  void shop.client.sendMessage(draft("Later"));
  shop.client.typing({ recipient_id: "omar", recipient_type: "Seller", is_typing: true });
  shop.client.catchUp();
  assert.equal(shop.clock.pending, 0);
});

claim("an impossible address or position, or no WebSocket at all, is told at once", () => {
  assert.throws(() => new RealtimeMessages({ url: "chat" }), TypeError);
  const since = { [TALK]: Number.NaN };
  assert.throws(() => new RealtimeMessages({ url: "http://127.0.0.1", since }), TypeError);
  assert.throws(
    () => new RealtimeMessages({ url: "http://127.0.0.1", WebSocket: "none" }),
    /no WebSocket/,
  );
});

claim("a process that has disconnected ends by itself", async (t) => {
  const server = await SocketServer.start();
  t.after(() => server.stop());
  const script = `
    import { RealtimeMessages } from ${JSON.stringify(
      new URL("../../static/js/realtime.js", import.meta.url).href,
    )};
    const client = new RealtimeMessages({ url: ${JSON.stringify(server.url)} });
    client.onConnectionChanged(({ state }) => state === "connected" && client.disconnect());
    client.connect();
  `;
  const child = spawn(
    process.execPath,
    ["--experimental-websocket", "--input-type=module", "--eval", script],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  t.after(() => child.kill());
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const socket = await server.accept();
  const { id } = await socket.receive("register_user");
  socket.ack(id, registered({ user: OMAR }));
  assert.equal(await ended, 0);
});
