/** `/widget/SELLER_ID`: the chat in its frame on a shop's page. No cookie is used. */

import { BuyerSession } from "./buyer-session.js";
import { ConversationPane } from "./conversation-pane.js";
import { FrameBridge } from "./frame-bridge.js";
import { openPage, otherSide } from "./page.js";
import { part } from "./parts.js";
import { isSame, keyOf } from "./people.js";
import { Post } from "./post.js";
import { words } from "./words.js";

/** @typedef {import("./realtime/wire.js").User} User */

const SUBJECT_CHARACTERS = 200;

const { api, clock, drafts, publicUrl, shelf, tabs } = openPage();
const seller = otherSide();

/** What the shop's page says that one looks at. @type {import("./frame-bridge.js").Context | null} */
let context = null;
let saidProduct = "";
let unread = 0;

const session = new BuyerSession(
  { api, publicUrl, sellerId: seller.id, withCookie: false },
  {
    opened: (realtime, user) => {
      drafts.moveTo(post.owner, keyOf(user));
      post.moveTo(keyOf(user));
      post.attach(realtime);
      pane.attach(realtime);
      tellContext();
      realtime.onRegistered((registered) => showUnread(registered.unread));
      realtime.onNewMessage((message) => {
        if (!isSame(user, { id: message.sender_id, type: message.sender_type })) {
          showUnread(unread + 1);
          bridge.say("message"); // that one came; what it says is not the shop page's business
        }
      });
      realtime.onMessageRead(({ user_id, user_type }) => {
        if (isSame(user, { id: user_id, type: user_type })) {
          showUnread(0);
        }
      });
    },
    renewed: (token, user) => bridge.say("guest", { guest: { token, user } }),
  },
);

let post = newPost("new");
let pane = newPane();
pane.empty();

const bridge = new FrameBridge(window.parent, (document.body.dataset.parentOrigins ?? "").split(" "), {
  session: ({ guest, identity }) => {
    if (identity !== null) {
      void identify(identity, guest);
    } else if (guest !== null) {
      enter(guest.user, guest.token);
    }
  },
  identify: (identity) => void identify(identity, null),
  logout: () => leave(),
  context: (seen) => {
    context = seen;
    tellContext();
  },
  shown: (byUser) => {
    if (byUser) {
      pane.focus();
    }
  },
  hidden: () => {
    if (document.activeElement instanceof HTMLElement) {
      document.activeElement.blur(); // what arrives now has not been read
    }
  },
});

if (window.parent !== window) {
  const close = part(document, "close", HTMLButtonElement);
  close.hidden = false;
  close.addEventListener("click", () => bridge.say("close"));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !event.isComposing) {
      bridge.say("close");
    }
  });
}

/** @param {string} owner */
function newPost(owner) {
  return new Post({ shelf, tabs, owner, open: () => session.open() });
}

function newPane() {
  return new ConversationPane(document.body, seller, {
    api,
    clock,
    drafts,
    post,
    me: () => session.user,
    topic,
    onRead: () => showUnread(0),
    login: { words: words.startAgain, act: () => leave() },
  });
}

/** For the seller, who sees it as the page's own word. */
function tellContext() {
  if (context !== null && session.realtime !== null) {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    session.realtime
      .updateContext({ ...context, language: navigator.language, time_zone })
      .catch(() => {}); // onError has told it
  }
}

/** The product that one looks at is the topic of the next message, once. @returns {import("./post.js").Topic} */
function topic() {
  const product = context?.product?.name.slice(0, SUBJECT_CHARACTERS) ?? "";
  if (product === "" || product === saidProduct) {
    return { subject: null, message_type: "general" };
  }
  saidProduct = product;
  return { subject: product, message_type: "product" };
}

/**
 * Somebody is known: shows what they wrote before.
 *
 * @param {User} user
 * @param {string} token
 */
function enter(user, token) {
  pane.close();
  post.close();
  post = newPost(session.user ? keyOf(session.user) : "new");
  pane = newPane();
  session.start(user, token);
  void pane.load();
  void post.resume();
}

/**
 * The shop says who this is. Its token lives in this frame only; the guest's is no longer needed.
 *
 * @param {string} identity
 * @param {import("./frame-bridge.js").Guest | null} guest
 */
async function identify(identity, guest) {
  if (guest !== null && session.user === null) {
    enter(guest.user, guest.token);
  }
  const before = session.user;
  let known;
  try {
    known = await session.identify(identity);
  } catch {
    return; // an identity that does not hold changes nothing: one goes on as before
  }
  const { user, token } = known;
  if (before && isSame(before, user)) {
    session.renew(token);
    return;
  }
  if (before?.verified) {
    leave();
  }
  enter(user, token);
  bridge.say("forget");
}

/** Nobody is here: of what was shown and kept nothing stays. */
function leave() {
  const owner = session.user ? keyOf(session.user) : "new";
  pane.close();
  post.close();
  session.end();
  shelf.forget(owner);
  shelf.forget("new");
  saidProduct = "";
  post = newPost("new");
  pane = newPane();
  pane.empty();
  showUnread(0);
  bridge.say("forget");
}

/** @param {number} count */
function showUnread(count) {
  unread = count;
  bridge.say("unread", { count });
}
