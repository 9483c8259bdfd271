/** The seller's desk: the list, the open conversation, and the one connection that feeds both. */

import { link } from "./address.js";
import { Bell } from "./bell.js";
import { localesFor } from "./clock.js";
import { ConversationList } from "./conversation-list.js";
import { ConversationPane } from "./conversation-pane.js";
import { DeskView } from "./desk-view.js";
import { offerCopy } from "./copy-button.js";
import { ListFilter } from "./list-filter.js";
import { openPage, otherSide, whoIsHere } from "./page.js";
import { part } from "./parts.js";
import { isSame, keyOf } from "./people.js";
import { Post } from "./post.js";
import { RealtimeMessages } from "./realtime.js";
import { SideView } from "./side-view.js";
import { Topics } from "./topics.js";
import { UnreadSigns } from "./unread-signs.js";
import { words } from "./words.js";

/** @typedef {import("./conversation-pane.js").Other} Other */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {import("./conversation-list.js").Chosen} Chosen */
/** @typedef {import("./list-filter.js").Chosen} Filter */

/**
 * @typedef {object} Told
 * @property {(id: string) => void} [opened] which conversation; "" for none
 * @property {(filter: Filter) => void} [filtered]
 */

export class Desk {
  #page = openPage();
  #me;
  #view = new DeskView();
  #signs = new UnreadSigns(this.#view.dottedIcon);
  /** @type {SideView | null} where the page has one */
  #side = null;
  #bell;
  #filter;
  #list;
  #post;
  #realtime;
  #told;
  #wantedId = "";
  /** @type {ConversationPane | null} */
  #pane = null;
  /** @type {import("./realtime.js").Change | null} the last news of the connection */
  #change = null;

  /** @param {Told} [told] */
  constructor(told = {}) {
    const me = whoIsHere();
    if (!me) {
      throw new Error("Nobody is logged in on this page.");
    }
    this.#me = me;
    this.#told = told;
    const { api, clock, drafts, publicUrl, shelf, tabs } = this.#page;
    const side = document.querySelector('[data-part="side"]');
    if (side instanceof HTMLElement) {
      const locales = localesFor(document.documentElement.lang, navigator.languages);
      this.#side = new SideView(side, clock, locales);
      new Topics(part(side, "topics", HTMLElement), part(this.#view.open, "rows", HTMLElement));
    }
    const shown = this.#view.isOpen ? otherSide() : null;
    const lastSeq = Number(part(document, "timeline", HTMLElement).dataset.lastSeq);
    const since = shown ? { [shown.conversationId]: lastSeq } : {};
    this.#realtime = new RealtimeMessages({ url: publicUrl, user: me, since });
    this.#post = new Post({ shelf, tabs, owner: keyOf(me), open: async () => this.#realtime });
    this.#post.attach(this.#realtime);
    this.#signs.set(Number(part(document, "unread", HTMLElement).dataset.count));
    const root = part(document, "list", HTMLElement);
    this.#filter = new ListFilter(root, (filter) => {
      void this.#list.filter(filter);
      told.filtered?.(filter);
    });
    this.#list = new ConversationList(
      root,
      { me, api, clock, drafts, filter: this.#filter.chosen },
      { open: (chosen) => this.show(chosen), unread: (more) => this.#signs.add(more) },
    );
    this.#bell = new Bell(shelf, tabs, (isOn) => this.#view.showSound(isOn));
    this.#listenToPage();
    this.#listenToServer();
    if (shown) {
      this.#wantedId = shown.conversationId;
      this.#side?.showPerson(shown);
      this.#pane = this.#paneFor(shown);
      this.#pane.adopt();
      this.#pane.attach(this.#realtime);
    }
    this.#realtime.connect();
    void this.#post.resume();
  }

  get shelf() {
    return this.#page.shelf;
  }

  // --- Opening and leaving ---

  /**
   * Opens a conversation of the list, to write in it or, by default where there is no keyboard to
   * rise over it, to read.
   *
   * @param {Chosen} chosen
   * @param {{toWrite?: boolean}} [how]
   */
  show({ id, peer }, { toWrite = matchMedia("(pointer: fine)").matches } = {}) {
    if (this.#pane?.conversationId !== id) {
      this.#pane?.close();
      this.#view.showOpen(true);
      this.#wantedId = id;
      this.#showPeer(peer);
      this.#pane = this.#paneFor({ ...peer, conversationId: id });
      this.#pane.attach(this.#realtime, this.#change);
      void this.#pane.load();
      this.#list.markOpen(id);
      this.#told.opened?.(id);
    }
    this.#side?.close();
    if (toWrite) {
      this.#pane?.focus();
    } else {
      part(document, "thread", HTMLElement).focus();
    }
  }

  /** Opens the conversation with this id, whether or not it was listed. @param {string} id */
  async showById(id) {
    const known = this.#list.row(id);
    if (known) {
      this.show(known);
      return;
    }
    this.#wantedId = id;
    const joined = await this.#realtime.joinRoom(id).catch(() => null);
    if (this.#wantedId !== id) {
      return; // somebody went on meanwhile
    }
    if (joined === null) {
      location.reload(); // the server says what is wrong
      return;
    }
    this.#list.take([joined.conversation]);
    const row = this.#list.row(id);
    if (row) {
      this.show(row);
    }
  }

  /** Opens the next conversation of the list, or the one before; the keys stay on the list. @param {1 | -1} places */
  step(places) {
    const row = this.#list.beside(places);
    if (row) {
      this.show(row, { toWrite: false });
      this.#list.focus(row.id); // where the list is beside it
    }
  }

  /** @returns {boolean} false if no conversation is open */
  reply() {
    this.#pane?.focus();
    return this.#pane !== null;
  }

  /** One step back: from the conversation to its row, and then to no conversation. */
  back() {
    const isInside = part(document, "thread", HTMLElement).contains(document.activeElement);
    const row = this.#list.row(this.#pane?.conversationId ?? "");
    if (isInside && row?.item.checkVisibility()) {
      this.#list.focus(row.id);
    } else if (this.#pane) {
      this.leave();
    }
  }

  /** Back to the list. */
  leave() {
    const left = this.#pane?.conversationId ?? "";
    this.#wantedId = "";
    this.#pane?.close();
    this.#pane = null;
    this.#side?.close();
    this.#view.showOpen(false);
    this.#list.markOpen("");
    this.#list.focus(left);
    this.#told.opened?.("");
  }

  /** Shows what an address asks for. @param {Filter} filter */
  filter(filter) {
    const { unread, name } = this.#filter.chosen;
    if (filter.unread !== unread || filter.name !== name) {
      this.#filter.set(filter);
      void this.#list.filter(filter);
    }
  }

  /** @param {Other} other */
  #paneFor(other) {
    const { api, clock, drafts } = this.#page;
    return new ConversationPane(this.#view.open, other, {
      api,
      clock,
      drafts,
      post: this.#post,
      me: () => this.#me,
      onRead: (id, seq) => this.#read(id, seq),
      onConversation: (conversation) => this.#showFacts(conversation),
      login: {
        words: words.logIn,
        act: () => location.assign(link(`/login?next=${encodeURIComponent(link(location.pathname))}`)),
      },
    });
  }

  // --- What happens ---

  #listenToPage() {
    part(document, "back", HTMLAnchorElement).addEventListener("click", (event) => {
      event.preventDefault();
      this.leave();
    });
    for (const button of document.querySelectorAll('[data-action="sound"]')) {
      button.addEventListener("click", () => this.#bell.toggle());
    }
    for (const box of document.querySelectorAll('[data-part="embed"]')) {
      offerCopy(/** @type {HTMLElement} */ (box));
    }
    // What is not sent, and what was begun, is nobody else's business after a logout.
    document.querySelector('[data-part="logout"]')?.addEventListener("submit", () => {
      this.#pane?.close();
      this.#realtime.disconnect();
      this.#page.shelf.forget(keyOf(this.#me));
    });
  }

  #listenToServer() {
    const realtime = this.#realtime;
    const list = this.#list;
    realtime.onNewMessage((message) => this.#arrived(message));
    realtime.onSendState(({ message }) => {
      if (message) {
        this.#arrived(message);
      }
    });
    realtime.onRegistered(({ conversations, unread }) => {
      list.take(conversations);
      this.#signs.set(unread);
      this.#showUse();
    });
    realtime.onMessageRead(({ conversation_id, seq, user_id, user_type }) => {
      if (isSame(this.#me, { id: user_id, type: user_type })) {
        this.#read(conversation_id, seq);
      }
    });
    realtime.onMessageUpdated(({ conversation_id, seq, changes }) => {
      if (changes.status) {
        list.advance(conversation_id, seq, changes.status);
      }
    });
    realtime.onReset(({ conversation_id }) => void this.#reset(conversation_id));
    realtime.onTyping((data) => list.heardTyping(data));
    realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
      list.showPresence({ id: user_id, type: user_type }, status);
    });
    realtime.onOnlineUsers(({ users }) => list.showOnline(users));
    realtime.onContextChanged(({ user_id, user_type, context }) => {
      const buyer = { id: user_id, type: user_type };
      this.#side?.heard(buyer, context);
      if (this.#pane && isSame(this.#pane.peer, buyer)) {
        this.#view.showWhere(this.#side?.whereIs(buyer) ?? "");
      }
    });
    realtime.onConnectionChanged((change) => {
      this.#change = change;
      this.#view.showConnection(change.state);
    });
  }

  /** @param {Message} message */
  #arrived(message) {
    this.#list.arrived(message);
    this.#showUse();
    const isOpen = message.conversation_id === this.#pane?.conversationId;
    if (isOpen) {
      this.#side?.showCount(message.seq);
    }
    if (!isSame(this.#me, { id: message.sender_id, type: message.sender_type })) {
      const isSeen = isOpen && document.visibilityState === "visible";
      void this.#bell.arrived(message.id, isSeen);
    }
  }

  /**
   * We have read up to here, in this tab or elsewhere.
   *
   * @param {string} id
   * @param {number} seq
   */
  #read(id, seq) {
    if (!this.#list.read(id, seq)) {
      void this.#recount();
    }
  }

  /** A conversation is not what it was: what it says, whom it is with, what is unread. @param {string} id */
  async #reset(id) {
    await Promise.all([this.#list.reset(id), this.#recount()]);
    const row = this.#list.row(id);
    if (row?.isOpen) {
      this.#showPeer(row.peer);
    }
  }

  async #recount() {
    const answer = await this.#page.api.get("/api/messages/unread/count").catch(() => null);
    if (answer !== null) {
      this.#signs.set(answer.count);
    }
  }

  /** What is known of the other side, where the page has room for it. @param {Conversation} conversation */
  #showFacts({ participants, last_seq }) {
    const peer = participants.find((participant) => !isSame(participant, this.#me));
    if (peer) {
      this.#side?.showFacts(peer, last_seq);
      this.#view.showWhere(this.#side?.whereIs(peer) ?? "");
    }
  }

  /** @param {Peer & {name: string}} peer */
  #showPeer(peer) {
    this.#view.showPeer(peer, this.#list.statusOf(peer));
    this.#view.showWhere(this.#side?.whereIs(peer) ?? "");
    this.#side?.showPerson(peer);
  }

  /** Once somebody has rung, the way to be found gives way. */
  #showUse() {
    const { unread, name } = this.#filter.chosen;
    this.#view.showUse(!this.#list.isEmpty || unread || name !== "");
  }
}
