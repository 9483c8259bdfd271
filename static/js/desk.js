/** The seller's desk: the list, the open conversation, and the one connection that feeds both. */

import { link } from "./address.js";
import { ConversationList } from "./conversation-list.js";
import { ConversationPane } from "./conversation-pane.js";
import { shownCount } from "./conversation-row.js";
import { openPage, otherSide, whoIsHere } from "./page.js";
import { find, part } from "./parts.js";
import { isSame, isSealed, keyOf } from "./people.js";
import { Post } from "./post.js";
import { showAvatar, showPresence } from "./presence.js";
import { RealtimeMessages } from "./realtime.js";
import { SideView } from "./side-view.js";
import { words } from "./words.js";

/** @typedef {import("./conversation-pane.js").Other} Other */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {import("./conversation-list.js").Chosen} Chosen */

export class Desk {
  #page = openPage();
  #me;
  #panes = part(document, "panes", HTMLElement);
  #open = part(document, "open", HTMLElement);
  /** @type {SideView | null} where the page has one */
  #side = null;
  /** @type {Map<string, import("./realtime/wire.js").Context>} what buyers' pages said, kept nowhere else */
  #contexts = new Map();
  #list;
  #post;
  #realtime;
  #title = document.title.replace(/^\(\d+\+?\) /, "");
  #opened;
  /** @type {ConversationPane | null} */
  #pane = null;
  /** @type {import("./realtime.js").Change | null} the last news of the connection */
  #change = null;

  /** @param {{opened: (id: string) => void}} told which conversation was opened; "" for none */
  constructor({ opened }) {
    const me = whoIsHere();
    if (!me) {
      throw new Error("Nobody is logged in on this page.");
    }
    this.#me = me;
    this.#opened = opened;
    const { api, clock, drafts, publicUrl, shelf, tabs } = this.#page;
    const side = document.querySelector('[data-part="side"]');
    this.#side = side instanceof HTMLElement ? new SideView(side, clock) : null;
    const shown = this.#panes.dataset.open === "true" ? otherSide() : null;
    const lastSeq = Number(part(document, "timeline", HTMLElement).dataset.lastSeq);
    const since = shown ? { [shown.conversationId]: lastSeq } : {};
    this.#realtime = new RealtimeMessages({ url: publicUrl, user: me, since });
    this.#post = new Post({ shelf, tabs, owner: keyOf(me), open: async () => this.#realtime });
    this.#post.attach(this.#realtime);
    const unread = Number(part(document, "unread", HTMLElement).dataset.count);
    this.#list = new ConversationList(
      part(document, "list", HTMLElement),
      { me, api, clock, drafts, unread },
      { open: (chosen) => this.show(chosen), unread: (count) => this.#showUnread(count) },
    );
    this.#list.attach(this.#realtime);
    this.#listen();
    if (shown) {
      this.#pane = this.#paneFor(shown);
      this.#pane.adopt();
      this.#pane.attach(this.#realtime);
    }
    this.#realtime.connect();
    void this.#post.resume();
  }

  /** Opens a conversation of the list. @param {Chosen} chosen */
  show({ id, peer }) {
    this.#pane?.close();
    this.#open.hidden = false;
    document.querySelector('[data-part="closed"]')?.setAttribute("hidden", "");
    this.#panes.dataset.open = "true";
    this.#showPeer(peer);
    this.#pane = this.#paneFor({ ...peer, conversationId: id });
    this.#pane.attach(this.#realtime, this.#change);
    void this.#pane.load();
    this.#list.markOpen(id);
    this.#opened(id);
    if (matchMedia("(pointer: fine)").matches) {
      this.#pane.focus();
    } else {
      part(document, "thread", HTMLElement).focus(); // no keyboard rises before it is wanted
    }
  }

  /** Opens the conversation with this id, if the list knows it. @param {string} id */
  showById(id) {
    const chosen = this.#list.row(id);
    if (chosen) {
      this.show(chosen);
    }
    return chosen !== undefined;
  }

  /** Back to the list. */
  leave() {
    const left = this.#pane?.conversationId ?? "";
    this.#pane?.close();
    this.#pane = null;
    this.#open.hidden = true;
    document.querySelector('[data-part="closed"]')?.removeAttribute("hidden");
    this.#panes.dataset.open = "false";
    this.#list.markOpen("");
    this.#list.focus(left);
    this.#opened("");
  }

  /** @param {Other} other */
  #paneFor(other) {
    const { api, clock, drafts } = this.#page;
    return new ConversationPane(this.#open, other, {
      api,
      clock,
      drafts,
      post: this.#post,
      me: () => this.#me,
      onRead: (id, seq) => this.#list.read(id, seq),
      onConversation: (conversation) => this.#showFacts(conversation),
      login: {
        words: words.logIn,
        act: () => location.assign(link(`/login?next=${encodeURIComponent(link(location.pathname))}`)),
      },
    });
  }

  #listen() {
    part(document, "back", HTMLAnchorElement).addEventListener("click", (event) => {
      event.preventDefault();
      this.leave();
    });
    /** @param {Message | undefined} message */
    const passed = (message) => {
      if (message && message.conversation_id === this.#pane?.conversationId) {
        this.#side?.showCount(message.seq);
      }
    };
    this.#realtime.onNewMessage(passed);
    this.#realtime.onSendState(({ message }) => passed(message));
    this.#realtime.onContextChanged(({ user_id, user_type, context }) => {
      const buyer = { id: user_id, type: user_type };
      this.#contexts.set(keyOf(buyer), context);
      if (this.#pane && isSame(this.#pane.peer, buyer)) {
        this.#side?.showContext(context);
      }
    });
    const connection = document.querySelector('[data-part="connection"]');
    this.#realtime.onConnectionChanged((change) => {
      this.#change = change;
      if (connection) {
        const isHere = change.state === "connected";
        connection.setAttribute("data-presence", isHere ? "online" : "offline");
        find(connection, ".presence__word", HTMLElement).textContent = isHere ? words.online : words.notConnected;
      }
    });
    // What is not sent, and what was begun, is nobody else's business after a logout.
    document.querySelector('[data-part="logout"]')?.addEventListener("submit", () => {
      this.#pane?.close();
      this.#realtime.disconnect();
      this.#page.shelf.forget(keyOf(this.#me));
    });
  }

  /** @param {number} count */
  #showUnread(count) {
    const badge = part(document, "unread", HTMLElement);
    badge.hidden = count === 0;
    badge.textContent = shownCount(count);
    document.title = count > 0 ? `(${shownCount(count)}) ${this.#title}` : this.#title;
  }

  /** What is known of the other side, where the page has room for it. @param {Conversation} conversation */
  #showFacts({ participants, last_seq }) {
    const peer = participants.find((participant) => !isSame(participant, this.#me));
    if (peer) {
      this.#side?.showFacts(peer, last_seq);
    }
  }

  /** @param {Peer & {name: string}} peer */
  #showPeer(peer) {
    const header = part(document, "header", HTMLElement);
    part(header, "name", HTMLElement).textContent = peer.name;
    showAvatar(header, peer);
    showPresence(header, this.#list.statusOf(peer));
    find(header, ".seal", HTMLElement).hidden = !isSealed(peer);
    this.#side?.showPerson(peer);
    this.#side?.showContext(this.#contexts.get(keyOf(peer)));
    part(this.#open, "timeline", HTMLElement).ariaLabel = words.conversationWith(peer.name);
    find(this.#open, "textarea", HTMLTextAreaElement).ariaLabel = words.messageTo(peer.name);
  }
}
