import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Post } from "../../static/js/post.js";
import { Shelf } from "../../static/js/shelf.js";
import { Tabs } from "../../static/js/tabs.js";
import { OMAR, stored } from "./cast.js";
import { storage } from "./storage.js";

const TOPIC = { subject: null, message_type: "general" };
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A connection that only remembers what it was asked to send. */
function connection() {
  const listeners = new Set();
  return {
    asked: [],
    sendMessage(draft) {
      this.asked.push(draft);
      return new Promise(() => {});
    },
    onSendState(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
    onRegistered: () => () => {},
    tell: (state) => listeners.forEach((callback) => callback(state)),
  };
}

function post({
  store = storage(),
  realtime = connection(),
  open = async () => realtime,
  random = Math.random,
} = {}) {
  const shelf = new Shelf(() => store);
  const tabs = new Tabs(`tab-${Math.random()}`, undefined);
  const made = new Post({ shelf, tabs, owner: "Buyer:maya", open, random });
  const heard = [];
  made.onChanged((parcel, message) =>
    heard.push({ status: parcel.status, trouble: parcel.trouble, message }),
  );
  return { post: made, realtime, shelf, store, heard };
}

test("a message is kept until it is stored, and its stored form is told", async () => {
  const { post: made, realtime, shelf, heard } = post();
  const { unsent } = made.send(OMAR, "Hello", TOPIC);
  await settled();
  assert.deepEqual(realtime.asked, [
    {
      recipient_id: "omar",
      recipient_type: "Seller",
      client_id: unsent.client_id,
      message: "Hello",
      ...TOPIC,
    },
  ]);
  assert.equal(shelf.names("Buyer:maya").length, 1);
  const message = stored(1, { client_id: unsent.client_id, message: "Hello" });
  realtime.tell({ client_id: unsent.client_id, state: "stored", message });
  assert.equal(heard.at(-1).message, message);
  assert.deepEqual(made.parcelsFor(OMAR), []);
  assert.deepEqual(shelf.names(), []);
});

test("what a closed page left is sent again under the same client_id", async () => {
  const store = storage();
  const { unsent } = post({ store }).post.send(OMAR, "Hello", TOPIC);
  const { post: next, realtime } = post({ store });
  await next.resume();
  await settled();
  assert.deepEqual(
    realtime.asked.map(({ client_id }) => client_id),
    [unsent.client_id],
  );
  assert.equal(next.parcelsFor(OMAR).length, 1);
});

test("a definite refusal may be deleted, an unknown outcome only tried again", async () => {
  for (const definite of [true, false]) {
    const { post: made, realtime, shelf, heard } = post();
    const { unsent } = made.send(OMAR, "Hello", TOPIC);
    await settled();
    const error = { code: "forbidden", message: "No.", definite };
    realtime.tell({ client_id: unsent.client_id, state: "refused", error });
    assert.deepEqual(heard.at(-1).status, "failed");
    assert.deepEqual(heard.at(-1).trouble.remove, definite);
    made.remove(unsent.client_id);
    assert.equal(made.parcelsFor(OMAR).length, definite ? 0 : 1);
    assert.equal(shelf.names().length, definite ? 0 : 1);
    made.close();
  }
});

test("trying again keeps the client_id", async () => {
  const { post: made, realtime } = post();
  const { unsent } = made.send(OMAR, "Hello", TOPIC);
  await settled();
  const error = { code: "internal", message: "Broken.", definite: false };
  realtime.tell({ client_id: unsent.client_id, state: "refused", error });
  made.again(unsent.client_id);
  await settled();
  const ids = realtime.asked.map(({ client_id }) => client_id);
  assert.deepEqual(ids, [unsent.client_id, unsent.client_id]);
});

test("without a connection to be had, nothing was tried: it may be deleted", async () => {
  const open = async () => {
    throw Object.assign(new Error("No."), { code: "not_found" });
  };
  const { post: made, heard } = post({ open });
  made.send(OMAR, "Hello", TOPIC);
  await settled();
  assert.equal(heard.at(-1).status, "failed");
  assert.equal(heard.at(-1).trouble.remove, true);
});

test("what no connection is to be had for yet is counted down, and sent in order", async () => {
  const realtime = connection();
  const answers = [
    Object.assign(new Error("Nobody there."), { code: "offline" }),
    Object.assign(new Error("Too many."), { code: "rate_limited", retry_after: 3 }),
  ];
  const open = async () => {
    const error = answers.shift();
    if (error) {
      throw error;
    }
    return realtime;
  };
  mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  try {
    const { post: made, heard } = post({ realtime, open, random: () => 0 });
    made.send(OMAR, "One", TOPIC);
    await settled();
    assert.deepEqual(
      [heard.at(-1).status, heard.at(-1).trouble],
      ["sending", { reason: "Sending again in 1 s", again: true, remove: true }],
    );
    const { unsent } = made.send(OMAR, "Two", TOPIC);
    made.send(OMAR, "Three", TOPIC);
    mock.timers.tick(1_000);
    await settled();
    assert.equal(heard.at(-1).trouble.reason, "Sending again in 3 s");
    made.remove(unsent.client_id);
    mock.timers.tick(3_000);
    await settled();
    assert.deepEqual(
      realtime.asked.map(({ message }) => message),
      ["One", "Three"],
    );
  } finally {
    mock.timers.reset();
  }
});

test("what is deleted or left before there is a connection makes none", async () => {
  for (const leave of ["remove", "close"]) {
    let tries = 0;
    const open = async () => {
      tries += 1;
      throw Object.assign(new Error("Nobody there."), { code: "offline" });
    };
    mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
    try {
      const { post: made } = post({ open });
      const { unsent } = made.send(OMAR, "Hello", TOPIC);
      await settled();
      made[leave](unsent.client_id);
      mock.timers.tick(60_000);
      await settled();
      assert.equal(tries, 1);
    } finally {
      mock.timers.reset();
    }
  }
});

test("what is written while a closed page's is taken over goes behind it", async () => {
  const store = storage();
  post({ store }).post.send(OMAR, "Earlier", TOPIC);
  const { post: next, realtime } = post({ store });
  const done = next.resume();
  next.send(OMAR, "Later", TOPIC);
  await done;
  await settled();
  assert.deepEqual(
    realtime.asked.map(({ message }) => message),
    ["Earlier", "Later"],
  );
});

test("a wait is counted down", async () => {
  const { post: made, realtime, heard } = post();
  const { unsent } = made.send(OMAR, "Hello", TOPIC);
  await settled();
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    realtime.tell({ client_id: unsent.client_id, state: "waiting", retry_in: 2.4 });
    mock.timers.tick(2_000);
    const reasons = heard.flatMap(({ trouble }) => trouble?.reason ?? []);
    assert.deepEqual(reasons, [3, 2, 1].map((left) => `Sending again in ${left} s`));
    realtime.tell({ client_id: unsent.client_id, state: "sending" });
    mock.timers.tick(5_000);
    assert.equal(heard.at(-1).trouble, null);
  } finally {
    mock.timers.reset();
    made.close();
  }
});

test("who turns out to be the same takes nothing from another tab", () => {
  const store = storage();
  const { post: first, shelf } = post({ store });
  first.send(OMAR, "Hello", TOPIC);
  const kept = shelf.get("outbox Buyer:maya Seller:omar");
  post({ store }).post.moveTo("Buyer:maya");
  assert.deepEqual(shelf.get("outbox Buyer:maya Seller:omar"), kept);
});

test("a new owner takes along what is on its way", async () => {
  const { post: made, shelf } = post();
  made.send(OMAR, "Hello", TOPIC);
  made.moveTo("Buyer:guest-1");
  assert.deepEqual(shelf.names(), ["outbox Buyer:guest-1 Seller:omar"]);
});
