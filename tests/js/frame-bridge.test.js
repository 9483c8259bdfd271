import assert from "node:assert/strict";
import { test } from "node:test";

import { FrameBridge } from "../../static/js/frame-bridge.js";

const SHOP = "https://shop.example";
const GUEST = {
  token: "a.b.c",
  user: { id: "guest-1", type: "Buyer", name: "Guest", verified: false },
};

/** A frame whose parent is the shop's page, and what each side was told. */
function bridge() {
  let hear = () => {};
  globalThis.addEventListener = (type, listener) => {
    assert.equal(type, "message");
    hear = listener;
  };
  const said = [];
  const parent = { postMessage: (message, origin) => said.push({ message, origin }) };
  const heard = [];
  const told = new Proxy({}, { get: (_, name) => (data) => heard.push([name, data]) });
  const made = new FrameBridge(parent, ["https://chat.example", SHOP], told);
  delete globalThis.addEventListener;
  const tell = (data, { source = parent, origin = SHOP } = {}) => hear({ source, origin, data });
  return { made, said, heard, tell };
}

test("the parent is answered under exactly its origin, and nobody before it spoke", () => {
  const { made, said, tell } = bridge();
  made.say("unread", { count: 3 });
  assert.deepEqual(said, []);
  tell({ shopbell: "hello" });
  made.say("unread", { count: 3 });
  assert.deepEqual(said, [
    { message: { shopbell: "ready" }, origin: SHOP },
    { message: { shopbell: "unread", count: 3 }, origin: SHOP },
  ]);
});

for (const [name, from] of [
  ["another window", { source: {} }],
  ["another origin", { origin: "https://evil.example" }],
  ["a look-alike", { origin: `${SHOP}.evil.example` }],
  ["no origin", { origin: "null" }],
]) {
  test(`${name} is not heard, and not answered`, () => {
    const { said, heard, tell } = bridge();
    tell({ shopbell: "hello" }, from);
    tell({ shopbell: "identify", identity: "jwt" }, from);
    assert.deepEqual([said, heard], [[], []]);
  });
}

for (const data of [
  null,
  "hello",
  [],
  { shopbell: "constructor" },
  { shopbell: "unknown" },
  { shopbell: 1 },
  { shopbell: "identify" },
  { shopbell: "identify", identity: { toString: "jwt" } },
  { shopbell: "identify", identity: "x".repeat(9000) },
  { shopbell: "context", url: 1 },
]) {
  test(`${JSON.stringify(data).slice(0, 60)} has no effect`, () => {
    const { heard, tell } = bridge();
    tell(data);
    assert.deepEqual(heard, []);
  });
}

test("a session is taken field by field; what is not as it should be is none", () => {
  const { heard, tell } = bridge();
  tell({ shopbell: "session", guest: { ...GUEST, extra: 1 }, identity: null, extra: 2 });
  tell({ shopbell: "session", guest: { token: "a.b.c" }, identity: "jwt" });
  tell({ shopbell: "session", guest: { token: 1, user: { id: "guest-1" } } });
  assert.deepEqual(heard, [
    ["session", { guest: GUEST, identity: null }],
    ["session", { guest: null, identity: "jwt" }],
    ["session", { guest: null, identity: null }],
  ]);
});

test("a page cannot make its guest a seller, nor verified", () => {
  const { heard, tell } = bridge();
  tell({ shopbell: "session", guest: { token: "t", user: { id: "omar", type: "Seller", verified: true } } });
  assert.deepEqual(heard[0][1].guest.user, { id: "omar", type: "Buyer", name: "", verified: false });
});

test("what the page says of itself is cut to the known fields", () => {
  const { heard, tell } = bridge();
  const product = { name: "Mug", url: "https://shop.example/mug", price: "€28", stock: 4 };
  tell({ shopbell: "context", url: "https://shop.example/mug", title: "Mug", product, secret: 1 });
  tell({ shopbell: "context", url: "https://shop.example/", product: { name: "Mug" } });
  assert.deepEqual(heard, [
    [
      "context",
      {
        url: "https://shop.example/mug",
        title: "Mug",
        product: { name: "Mug", url: "https://shop.example/mug", price: "€28" },
      },
    ],
    ["context", { url: "https://shop.example/", title: "https://shop.example/" }],
  ]);
});

for (const [price, told] of [
  ["€ 28.00", "€ 28.00"],
  [28.5, 28.5],
  [0, 0],
  ["x".repeat(50), "x".repeat(40)],
  [NaN, undefined],
  [{ amount: 28 }, undefined],
]) {
  test(`a price of ${JSON.stringify(price).slice(0, 20)} is told as ${told}`, () => {
    const { heard, tell } = bridge();
    const product = { name: "Mug", url: "https://shop.example/mug", price };
    tell({ shopbell: "context", url: "https://shop.example/mug", product });
    assert.equal(heard[0][1].product.price, told);
  });
}

test("a page's addresses are of the web, and may be written as it writes its links", () => {
  const { heard, tell } = bridge();
  const url = "https://shop.example/mugs/";
  tell({ shopbell: "context", url, product: { name: "Mug", url: "lichen", image: "/lichen.jpg" } });
  tell({ shopbell: "context", url, product: { name: "Mug", url: "javascript:alert(1)" } });
  tell({ shopbell: "context", url, product: { name: "Mug", url, image: "data:,x" } });
  tell({ shopbell: "context", url: "file:///etc/passwd" });
  tell({ shopbell: "context", url: "https://user:secret@shop.example/" });
  assert.deepEqual(
    heard.map(([, context]) => context.product),
    [
      {
        name: "Mug",
        url: "https://shop.example/mugs/lichen",
        image: "https://shop.example/lichen.jpg",
      },
      undefined,
      { name: "Mug", url },
    ],
  );
});
