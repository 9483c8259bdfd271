/** `/widget/SELLER_ID`: the chat in its frame on a shop's page. No cookie is used. */

import { Availability } from "./availability.js";
import { BuyerSession, subjectOf } from "./buyer-session.js";
import { ConversationPane } from "./conversation-pane.js";
import { FrameBridge } from "./frame-bridge.js";
import { openPage, otherSide } from "./page.js";
import { part } from "./parts.js";
import { isSame, keyOf } from "./people.js";
import { Post } from "./post.js";
import { Backoff } from "./realtime/backoff.js";
import { UnreadCount } from "./unread-count.js";
import { words } from "./words.js";

/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./frame-bridge.js").Guest} Guest */

const SUBJECT_CHARACTERS = 200;
/** After these the server is asked again who somebody is. */
const PASSING = new Set(["offline", "unavailable", "rate_limited"]);

const { api, clock, drafts, publicUrl, shelf, tabs } = openPage();
const seller = otherSide();

/** What the shop's page says that one looks at. @type {import("./frame-bridge.js").Context | null} */
let context = null;
let saidProduct = "";
const unread = new UnreadCount();
let shownUnread = 0;
/** What the shop says of who is here, asked about or answered. @type {string | null} */
let vouched = null;
/** Done when it is known whose the next message is. */
let recognised = Promise.resolve();

const session = new BuyerSession(
  { api, publicUrl, sellerId: seller.id, withCookie: false },
  {
    opened: (realtime, user) => {
      drafts.moveTo(post.owner, keyOf(user));
      post.moveTo(keyOf(user));
      post.attach(realtime);
      pane.attach(realtime);
      availability.attach(realtime);
      tellContext();
      realtime.onRegistered(({ conversations }) => {
        const ours = conversations.find(({ participants }) => participants.some((one) => isSame(one, seller)));
        if (ours) {
          unread.known(ours);
        }
        showUnread();
      });
      realtime.onNewMessage(({ sender_id, sender_type, seq }) => {
        const sender = { id: sender_id, type: sender_type };
        if (isSame(seller, sender)) {
          unread.arrived(seq);
          showUnread();
          bridge.say("message"); // that one came; what it says is not the shop page's business
        } else if (isSame(user, sender)) {
          noteRead(pane.conversationId, seq);
        }
      });
      realtime.onMessageRead(({ conversation_id, user_id, user_type, seq }) => {
        if (isSame(user, { id: user_id, type: user_type })) {
          noteRead(conversation_id, seq);
        }
      });
      realtime.onSendState(({ message }) => {
        if (message) {
          noteRead(message.conversation_id, message.seq);
        }
      });
    },
    renewed: (token, user) => bridge.say("guest", { guest: { token, user } }),
  },
);

let post = newPost("new");
let pane = newPane();
pane.empty();

const availability = new Availability(document.body, seller, {
  api,
  clock,
  isConnected: () => session.realtime !== null,
});

const bridge = new FrameBridge(window.parent, (document.body.dataset.parentOrigins ?? "").split(" "), {
  session: ({ guest, identity }) => {
    if (identity !== null) {
      identify(identity, guest);
    } else if (session.user === null && guest !== null) {
      enter(guest.user, guest.token);
    } else if (session.user === null) {
      void post.resume(); // the page was left before there was a guest
    }
  },
  identify: (identity) => identify(identity, null),
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
    if (event.key === "Escape" && !event.isComposing && !event.defaultPrevented) {
      bridge.say("close");
    }
  });
}

/** @param {string} owner */
function newPost(owner) {
  return new Post({ shelf, tabs, owner, open: connection });
}

/** The connection of whoever is here, once that is known. */
async function connection() {
  let last;
  while (last !== recognised) {
    last = recognised;
    await last;
  }
  return session.open();
}

function newPane() {
  return new ConversationPane(document.body, seller, {
    api,
    clock,
    drafts,
    post,
    me: () => session.user,
    topic,
    onRead: noteRead,
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
 * The shop says who this is. Of another person nothing may be seen while the server is asked.
 *
 * @param {string} identity
 * @param {Guest | null} guest whom the page remembers
 */
function identify(identity, guest) {
  if (identity === vouched) {
    return;
  }
  if (session.user?.verified && session.user.id !== subjectOf(identity)) {
    leave();
  }
  vouched = identity;
  recognised = recognise(identity, guest);
}

/**
 * Their token lives in this frame only; the guest's is no longer needed. An identity that does not
 * hold changes nothing.
 *
 * @param {string} identity
 * @param {Guest | null} guest
 */
async function recognise(identity, guest) {
  const known = await ask(identity, guest);
  if (vouched !== identity) {
    return; // the page has said something else meanwhile
  }
  if (known !== null) {
    const { user, token } = known;
    if (session.user && isSame(session.user, user)) {
      session.renew(token);
    } else {
      enter(user, token);
    }
    bridge.say("forget");
  } else {
    vouched = null;
    if (session.user === null && guest !== null) {
      enter(guest.user, guest.token);
    }
  }
}

/**
 * @param {string} identity
 * @param {Guest | null} guest
 */
async function ask(identity, guest) {
  const backoff = new Backoff(Math.random);
  while (vouched === identity) {
    try {
      return await session.identify(identity, guest?.token);
    } catch (error) {
      const { code = "", retry_after } = /** @type {{code?: string, retry_after?: number}} */ (error);
      if (!PASSING.has(code)) {
        break;
      }
      const seconds = retry_after ?? backoff.next();
      await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    }
  }
  return null;
}

/** Nobody is here: of what was shown and kept nothing stays. */
function leave() {
  const owners = session.user ? [keyOf(session.user), "new"] : buyers();
  vouched = null;
  pane.close();
  post.close();
  session.end();
  owners.forEach((owner) => shelf.forget(owner));
  saidProduct = "";
  post = newPost("new");
  pane = newPane();
  pane.empty();
  unread.clear();
  showUnread();
  bridge.say("forget");
}

/** Who left something here, where it is not known who was here last. */
function buyers() {
  const owners = shelf.names().map((name) => name.split(" ")[1] ?? "");
  return owners.filter((owner) => owner === "new" || owner.startsWith("Buyer:"));
}

/**
 * @param {string} conversationId
 * @param {number} seq
 */
function noteRead(conversationId, seq) {
  if (conversationId === pane.conversationId) {
    unread.read(seq);
    showUnread();
  }
}

function showUnread() {
  if (unread.count !== shownUnread) {
    shownUnread = unread.count;
    bridge.say("unread", { count: shownUnread });
  }
}
