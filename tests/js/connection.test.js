import assert from "node:assert/strict";
import { test } from "node:test";

import { Connection } from "../../static/js/realtime/connection.js";
import { ManualClock } from "./manual-clock.js";

/** A WebSocket that does what the test tells it; the real ones are in realtime.test.js. */
class FakeSocket extends EventTarget {
  static all = [];
  readyState = WebSocket.CONNECTING;
  sent = [];
  closedWith = [];

  constructor(url, protocols) {
    super();
    Object.assign(this, { url, protocols });
    FakeSocket.all.push(this);
  }

  send(text) {
    this.sent.push(text);
  }

  close(code) {
    this.closedWith.push(code);
  }

  open() {
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  say(data) {
    this.dispatchEvent(Object.assign(new Event("message"), { data }));
  }

  fail() {
    this.dispatchEvent(new Event("error"));
  }

  end(code) {
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }
}

/** A connection with everything around it in the test's hands. */
function set({ token = null, fetch = null, random = () => 0, WebSocket = FakeSocket } = {}) {
  FakeSocket.all = [];
  const clock = new ManualClock();
  const changes = [];
  const texts = [];
  const failures = [];
  const connection = new Connection(
    { url: "https://chat.example", token, WebSocket, fetch, clock, random },
    {
      opened: () => {},
      received: (text) => texts.push(text),
      changed: (change) => changes.push(change),
      failed: (error) => failures.push(error),
    },
  );
  const last = () => FakeSocket.all.at(-1);
  const connect = () => {
    connection.start();
    last().open();
    connection.confirm();
  };
  return { connection, clock, changes, texts, failures, last, connect };
}

const statesOf = (changes) => changes.map(({ state, reason }) => `${state}: ${reason}`);

test("on a socket that is closing nothing is sent, for its end is told later", () => {
  const { connection, connect, last } = set();
  connect();
  connection.send("one");
  last().readyState = WebSocket.CLOSING;
  connection.send("two");
  assert.deepEqual(last().sent, ["one"]);
});

test("the token travels in the subprotocols only; without one there is none", () => {
  const one = set({ token: "a.b.c" });
  one.connection.start();
  assert.equal(one.last().url, "wss://chat.example/ws");
  assert.deepEqual(one.last().protocols, ["shopbell.v1", "bearer.a.b.c"]);
  const other = set();
  other.connection.start();
  assert.deepEqual(other.last().protocols, ["shopbell.v1"]);
});

test("it counts as connected only when the registration was taken", () => {
  const { connection, changes, last } = set();
  connection.start();
  last().open();
  assert.equal(connection.state, "connecting");
  connection.confirm();
  assert.deepEqual(statesOf(changes), ["connecting: connect", "connected: registered"]);
});

test("starting twice opens one socket", () => {
  const { connection } = set();
  connection.start();
  connection.start();
  assert.equal(FakeSocket.all.length, 1);
});

test("each close code has its reason, and all but 4401 are come back from", () => {
  const reasons = {
    1000: "lost",
    1006: "lost",
    1009: "too_large",
    1012: "restarting",
    1013: "too_slow",
    4408: "not_registered",
    4429: "flooding",
    4999: "lost",
  };
  for (const [code, reason] of Object.entries(reasons)) {
    const { connect, connection, clock, changes, last } = set();
    connect();
    last().end(Number(code));
    assert.deepEqual(changes.at(-1), {
      state: "waiting",
      reason,
      code: Number(code),
      retry_in: 0.5,
    });
    clock.advance(500);
    assert.equal(connection.state, "connecting");
    assert.equal(FakeSocket.all.length, 2);
  }
});

test("4401 stops it until there is another token, or somebody connects again", () => {
  const { connect, connection, clock, changes, last } = set({ token: "old" });
  connect();
  last().end(4401);
  assert.deepEqual(changes.at(-1), {
    state: "closed",
    reason: "unauthorized",
    code: 4401,
    retry_in: null,
  });
  clock.advance(3_600_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.equal(clock.pending, 0);
  connection.setToken("new");
  assert.deepEqual(last().protocols, ["shopbell.v1", "bearer.new"]);
  last().open();
  last().end(4401);
  connection.start();
  assert.equal(FakeSocket.all.length, 3);
});

test("another token does not wake what was stopped on purpose", () => {
  const { connect, connection, last } = set({ token: "old" });
  connect();
  last().end(4401);
  connection.stop("disconnect");
  connection.setToken("new");
  assert.equal(connection.state, "closed");
});

test("a renewed token is used next time, but never where the cookie speaks", () => {
  for (const [token, protocols] of [
    ["old", ["shopbell.v1", "bearer.new"]],
    [null, ["shopbell.v1"]],
  ]) {
    const { connect, connection, clock, last } = set({ token });
    connect();
    connection.renewToken("new");
    last().end(1012);
    clock.advance(2_000);
    assert.deepEqual(last().protocols, protocols);
  }
});

test("P11: 45 s of silence end a connection, and any word puts that off", () => {
  const { connect, clock, changes, last } = set();
  connect();
  clock.advance(44_999);
  last().say("beat");
  clock.advance(44_999);
  assert.equal(changes.at(-1).state, "connected");
  clock.advance(1);
  assert.deepEqual(statesOf(changes).slice(-1), ["waiting: silence"]);
  assert.deepEqual(last().closedWith, [1000]);
});

test("what a socket says after it was given up is not heard", () => {
  const { connect, clock, changes, texts, last } = set();
  connect();
  clock.advance(45_000);
  const count = changes.length;
  last().say("late");
  last().end(1006);
  assert.deepEqual([texts, changes.length], [[], count]);
});

test("a registration that is not taken within 20 s ends the try, whatever else is said", () => {
  const { connection, clock, changes, last } = set();
  connection.start();
  last().open();
  clock.advance(19_000);
  last().say("beat");
  clock.advance(1_000);
  assert.deepEqual(statesOf(changes).slice(-1), ["waiting: silence"]);
});

test("waits grow while connections do not last, and are short again after one that did", () => {
  const { connect, connection, clock, changes, last } = set({ random: () => 1 - 1e-9 });
  const lostAfter = (milliseconds) => {
    clock.advance(milliseconds);
    last().end(1006);
    const { retry_in } = changes.at(-1);
    clock.advance(retry_in * 1000);
    last().open();
    connection.confirm();
    return Math.round(retry_in);
  };
  connect();
  assert.deepEqual([9_000, 9_000, 9_000, 10_000, 0].map(lostAfter), [2, 4, 8, 2, 4]);
});

test("a server that asked for patience gets it, also from who connects by hand", () => {
  const { connect, connection, clock, last } = set();
  connect();
  connection.notBefore(40);
  last().end(4429);
  clock.advance(20_000);
  connection.start();
  assert.equal(FakeSocket.all.length, 1);
  clock.advance(20_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("while waiting, starting tries at once", () => {
  const { connect, connection, clock, last } = set();
  connect();
  last().end(1012);
  connection.start();
  assert.equal(FakeSocket.all.length, 2);
  clock.advance(10_000);
  assert.equal(FakeSocket.all.length, 2);
});

test("stopping leaves no timer and no socket, in whatever state", () => {
  const ways = [
    ({ connection }) => connection.start(),
    ({ connect }) => connect(),
    ({ connect, last }) => {
      connect();
      last().end(1006);
    },
  ];
  for (const way of ways) {
    const all = set();
    way(all);
    all.connection.stop("disconnect");
    all.clock.advance(3_600_000);
    assert.equal(all.clock.pending, 0);
    assert.equal(FakeSocket.all.length, 1);
    assert.deepEqual(all.changes.at(-1).state, "closed");
    const count = all.changes.length;
    all.connection.stop("disconnect");
    assert.equal(all.changes.length, count);
  }
});

test("a WebSocket that cannot be made at all is not tried again", () => {
  const { connection, changes, failures, clock } = set({
    WebSocket: class {
      constructor() {
        throw new SyntaxError("no such protocol");
      }
    },
  });
  connection.start();
  assert.deepEqual(statesOf(changes), ["connecting: connect", "closed: impossible"]);
  assert.equal(failures[0].message, "no such protocol");
  assert.equal(clock.pending, 0);
});

test("a callback may disconnect at any change", () => {
  for (const at of ["connecting", "connected", "waiting"]) {
    FakeSocket.all = [];
    const clock = new ManualClock();
    const surroundings = { url: "https://chat.example", token: null, fetch: null, random: () => 0 };
    const connection = new Connection(
      { ...surroundings, WebSocket: FakeSocket, clock },
      {
        opened: () => connection.confirm(),
        received: () => {},
        changed: ({ state }) => state === at && connection.stop("disconnect"),
        failed: assert.fail,
      },
    );
    connection.start();
    FakeSocket.all.at(-1)?.open();
    FakeSocket.all.at(-1)?.end(1006);
    assert.deepEqual([connection.state, clock.pending], ["closed", 0], at);
  }
});

test("a refusal counts once, told by an error, by a close or by both", () => {
  for (const way of [
    (socket) => socket.fail(),
    (socket) => socket.end(1006),
    (socket) => [socket.fail(), socket.end(1006)],
  ]) {
    const { connection, changes, last } = set();
    connection.start();
    way(last());
    assert.deepEqual(statesOf(changes), ["connecting: connect", "waiting: refused"]);
  }
});

test("an error of an open socket waits for the close, which has the code", () => {
  const { connect, changes, last } = set();
  connect();
  last().fail();
  last().end(1012);
  assert.deepEqual(statesOf(changes).slice(-1), ["waiting: restarting"]);
});

/** Refuses the upgrade until nothing happens any more, at most `times`. */
async function refuse({ clock, last, connection }, times) {
  connection.start();
  for (let count = 0; count < times && connection.state !== "closed"; count += 1) {
    last().end(1006);
    await new Promise((resolve) => setImmediate(resolve)); // fetch's answer is read in between
    clock.advance(1_000);
  }
}

const answering = (status, headers = {}) => {
  const asked = [];
  const fetch = async (url, options) => {
    asked.push({ url, ...options });
    return new Response("{}", { status, headers });
  };
  return { asked, fetch };
};

test("a refused upgrade is tried again with growing waits", async () => {
  const all = set();
  await refuse(all, 5);
  assert.equal(FakeSocket.all.length, 6);
  assert.ok(all.changes.every(({ state, reason }) => state !== "waiting" || reason === "refused"));
});

test("after the second refusal HTTP is asked, and a 401 stops it", async () => {
  const { asked, fetch } = answering(401);
  const all = set({ token: "a.b.c", fetch });
  await refuse(all, 9);
  assert.equal(FakeSocket.all.length, 2);
  assert.deepEqual(statesOf(all.changes).slice(-1), ["closed: unauthorized"]);
  assert.equal(all.clock.pending, 0);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].url, "https://chat.example/api/messages/unread/count");
  assert.deepEqual(asked[0].headers, { Authorization: "Bearer a.b.c" });
});

test("where the cookie speaks, HTTP is asked with the cookie", async () => {
  const { asked, fetch } = answering(401);
  await refuse(set({ fetch }), 9);
  assert.deepEqual([asked[0].headers, asked[0].credentials], [undefined, "same-origin"]);
});

test("a stop in between is a new beginning, without a question after one refusal", async () => {
  const { asked, fetch } = answering(401);
  const all = set({ fetch });
  await refuse(all, 1);
  all.connection.stop("disconnect");
  await refuse(all, 1);
  assert.deepEqual(asked, []);
});

test("an answer that comes when it no longer matters is not listened to", async () => {
  let answer;
  const fetch = () => new Promise((resolve) => (answer = resolve));
  const all = set({ fetch });
  await refuse(all, 2);
  all.last().open();
  all.connection.confirm();
  answer(new Response("{}", { status: 401 }));
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(all.connection.state, "connected");
});

test("any other answer, or none, and it goes on", async () => {
  for (const { fetch } of [answering(200), answering(403), answering(503)]) {
    await refuse(set({ fetch }), 4);
    assert.equal(FakeSocket.all.length, 5);
  }
  await refuse(set({ fetch: () => Promise.reject(new TypeError("fetch failed")) }), 4);
  assert.equal(FakeSocket.all.length, 5);
});

test("a Retry-After is honoured", async () => {
  const { fetch } = answering(429, { "Retry-After": "100" });
  const all = set({ fetch });
  await refuse(all, 2);
  const count = FakeSocket.all.length;
  all.clock.advance(98_000);
  assert.equal(FakeSocket.all.length, count);
  all.clock.advance(1_000);
  assert.equal(FakeSocket.all.length, count + 1);
});
