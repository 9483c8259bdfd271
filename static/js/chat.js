/** `/chat/SELLER_ID`: a buyer's full page. */

import { Availability } from "./availability.js";
import { BuyerSession } from "./buyer-session.js";
import { ConversationPane } from "./conversation-pane.js";
import { openPage, otherSide, whoIsHere } from "./page.js";
import { part } from "./parts.js";
import { keyOf, nameOf } from "./people.js";
import { Post } from "./post.js";
import { showAvatar } from "./presence.js";
import { words } from "./words.js";

const { api, clock, drafts, publicUrl, shelf, tabs } = openPage();
const seller = otherSide();
const visitor = whoIsHere();

const session = new BuyerSession(
  { api, publicUrl, sellerId: seller.id, withCookie: true },
  {
    opened: (realtime, user) => {
      drafts.moveTo(post.owner, keyOf(user));
      post.moveTo(keyOf(user));
      post.attach(realtime);
      pane.attach(realtime);
      availability.attach(realtime);
      showVisitor(user);
    },
  },
);
const post = new Post({
  shelf,
  tabs,
  owner: visitor ? keyOf(visitor) : "new",
  open: () => session.open(),
});
const pane = new ConversationPane(document.body, seller, {
  api,
  clock,
  drafts,
  post,
  me: () => session.user ?? visitor,
  login: { words: words.reload, act: () => location.reload() },
});
const availability = new Availability(document.body, seller, {
  api,
  clock,
  isConnected: () => session.realtime !== null,
});

pane.adopt();
if (visitor) {
  const since = seller.conversationId ? { [seller.conversationId]: pane.lastSeq } : {};
  session.start(visitor, null, since);
}
void post.resume();

/** @param {import("./realtime/wire.js").User} user */
function showVisitor(user) {
  const element = part(document, "visitor", HTMLElement);
  element.hidden = false;
  part(element, "visitor-name", HTMLElement).textContent = nameOf(user);
  showAvatar(element, user);
}
