/**
 * One open conversation: joins what is stored, what is on its way and what arrives with the list,
 * the composer and the header that show it.
 */

import { Announcer } from "./announcer.js";
import { Banner } from "./banner.js";
import { Composer } from "./composer.js";
import { ConversationLine } from "./conversation-line.js";
import { History } from "./history.js";
import { JumpButton } from "./jump-button.js";
import { part } from "./parts.js";
import { isSame, keyOf } from "./people.js";
import { showPresence } from "./presence.js";
import { ReadMarker } from "./read-marker.js";
import { Sight } from "./sight.js";
import { Thread } from "./thread.js";
import { TimelineView } from "./timeline-view.js";
import { TypingLine } from "./typing-line.js";
import { Typists } from "./typing.js";

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {import("./people.js").Peer} Peer */
/** @typedef {import("./post.js").Topic} Topic */

/**
 * @typedef {object} Parts
 * @property {import("./api.js").Api} api
 * @property {import("./clock.js").Clock} clock
 * @property {import("./drafts.js").Drafts} drafts
 * @property {import("./post.js").Post} post
 * @property {() => User | null} me
 * @property {() => Topic} [topic] what the next message is about
 * @property {(conversationId: string, readSeq: number) => void} [onRead]
 * @property {(conversation: Conversation) => void} [onConversation] what the server says of it
 * @property {import("./banner.js").Action | null} [login]
 */

/** @typedef {Peer & {name: string, conversationId: string}} Other */

export class ConversationPane {
  #root;
  #parts;
  #thread;
  #line;
  #view;
  #jump;
  #composer;
  #banner;
  #announcer;
  #typists;
  #history;
  #marker;
  #sight;
  #unsubscribePost;

  /**
   * @param {HTMLElement} root
   * @param {Other} other
   * @param {Parts} parts
   */
  constructor(root, other, parts) {
    const { api, clock, drafts, post } = parts;
    this.#root = root;
    this.#parts = parts;
    this.#thread = new Thread(other, parts);
    this.#line = new ConversationLine(this.#thread, {
      message: (message) => this.#arrived(message),
      typing: (typing) => this.#typists.heard(typing),
      read: (seq, at) => this.#advance("read", seq, at),
      readHere: (seq) => this.#marker.passed(seq),
      advanced: (status, seq) => this.#advance(status, seq, null),
      presence: (status) => this.#showPresence(status),
      registered: (conversations) => this.#registered(conversations),
      reset: () => void this.#reload({ newLine: false }),
      connection: (change) => this.#banner.connectionChanged(change),
    });
    this.#view = new TimelineView(root, clock, {
      older: () => this.#loadOlder(),
      looked: () => this.#looked(),
      again: (clientId) => post.again(clientId),
      remove: (clientId) => post.remove(clientId),
    });
    this.#jump = new JumpButton(root, () => void this.#jumpToEnd());
    this.#composer = new Composer(root, {
      send: (text) => this.#send(text),
      keepDraft: (text) => drafts.keep(this.#owner, keyOf(this.peer), text),
      typing: (isTyping) => this.#line.tellTyping(isTyping),
    });
    this.#banner = new Banner(root, parts.login ?? null);
    this.#announcer = new Announcer(part(root, "news", HTMLElement));
    const typing = new TypingLine(root);
    this.#typists = new Typists((names) => this.#view.keepStill(() => typing.show(names)));
    this.#history = new History(api, other, {
      busy: (isBusy) => this.#view.showLoading(isBusy),
      missed: (again) => this.#banner.loadingFailed(again),
    });
    this.#marker = new ReadMarker(
      () => this.#view.newestOnScreen?.seq ?? 0,
      (seq) => this.#tellRead(seq),
    );
    this.#sight = new Sight(document, {
      gone: () => this.#line.leave(),
      back: () => this.#line.join(),
    });
    this.#unsubscribePost = post.onChanged((parcel, message) => {
      if (isSame(parcel.peer, this.peer)) {
        this.#posted(message);
      }
    });
  }

  get conversationId() {
    return this.#thread.id;
  }

  get peer() {
    return this.#thread.peer;
  }

  get #timeline() {
    return this.#thread.timeline;
  }

  /** The last message that is shown, for a connection that asks what it missed. */
  get lastSeq() {
    return this.#timeline.lastSeq;
  }

  /** Goes on from what the server rendered. */
  adopt() {
    const { hasMore, readSeq, lastSeq } = part(this.#root, "timeline", HTMLElement).dataset;
    this.#timeline.fill(this.#view.adopt(), { hasMore: hasMore === "true" });
    this.#marker.passed(Number(readSeq));
    this.#timeline.drawNewLine(this.#marker.readSeq);
    this.#begin();
    if (this.lastSeq < Number(lastSeq)) {
      void this.#reload({ newLine: true }); // it was a page of older ones
    }
  }

  /** Starts empty, and loads what there is. */
  load() {
    this.empty();
    return this.#reload({ newLine: true });
  }

  /** Starts empty: nothing was written yet. */
  empty() {
    this.#view.clear();
    this.#begin();
  }

  /**
   * Follows a connection; `change` is what was last heard of it.
   *
   * @param {import("./realtime.js").RealtimeMessages} realtime
   * @param {import("./realtime.js").Change | null} [change]
   */
  attach(realtime, change = null) {
    if (change !== null) {
      this.#banner.connectionChanged(change);
    }
    this.#line.follow(realtime);
  }

  focus() {
    this.#composer.focus();
  }

  close() {
    this.#composer.close(); // which tells that typing is over
    this.#line.close();
    this.#view.close();
    this.#jump.close();
    this.#typists.close();
    this.#announcer.close();
    this.#banner.close();
    this.#history.close();
    this.#marker.close();
    this.#sight.close();
    this.#unsubscribePost();
  }

  /** Whose drafts these are: also before there is a session. */
  get #owner() {
    const me = this.#parts.me();
    return me ? keyOf(me) : "new";
  }

  #begin() {
    const draft = this.#parts.drafts.text(this.#owner, keyOf(this.peer));
    this.#composer.text = this.#composer.text || draft;
    this.#thread.takePending();
    this.#draw({ follow: true });
    this.#jump.hide();
  }

  // --- Out ---

  /** @param {string} text */
  #send(text) {
    this.#timeline.eraseNewLine();
    if (this.#timeline.hasMoreAfter) {
      this.#timeline.letGo(); // what is written is seen at once
      void this.#reload({ newLine: false });
    }
    const topic = this.#parts.topic?.() ?? { subject: null, message_type: "general" };
    this.#parts.post.send(this.peer, text, topic);
    this.#goToEnd();
  }

  /** A message on its way is getting on, or is stored. @param {Message | null} message */
  #posted(message) {
    if (message) {
      this.#take(message); // it takes the place of its pending row
    }
    this.#thread.takePending();
    this.#draw({ follow: false, animate: true });
  }

  #looked() {
    if (this.#view.isNearEnd && !this.#timeline.hasMoreAfter) {
      this.#jump.hide();
    }
    this.#marker.looked();
  }

  /** @param {number} seq */
  #tellRead(seq) {
    this.#line.tellRead(seq);
    this.#parts.onRead?.(this.conversationId, seq);
  }

  // --- In ---

  /** @param {Message} message */
  #arrived(message) {
    const wasNearEnd = this.#view.isNearEnd && !this.#timeline.hasMoreAfter;
    const entry = this.#take(message);
    if (entry.sender === "theirs") {
      this.#typists.stopped(keyOf(this.peer));
      this.#announcer.arrived(entry.name || this.peer.name);
      if (!wasNearEnd) {
        this.#jump.count();
      }
      if (!document.hasFocus()) {
        this.#timeline.drawNewLine(this.#marker.readSeq);
      }
    }
    if (wasNearEnd) {
      this.#timeline.trimStart();
    }
    this.#draw({ follow: true, animate: true });
    this.#jump.show(this.#timeline.hasMoreAfter);
    this.#fillGap();
  }

  /** @param {Message} message */
  #take(message) {
    const wasKnown = this.conversationId !== "";
    const entry = this.#thread.take(message);
    if (!wasKnown) {
      this.#line.join();
    }
    return entry;
  }

  /**
   * @param {"delivered" | "read"} status
   * @param {number} seq
   * @param {string | null} at
   */
  #advance(status, seq, at) {
    this.#timeline.advance(status, seq, at);
    this.#draw({ follow: false });
  }

  /** What moved while we were away. @param {Conversation[]} conversations */
  #registered(conversations) {
    const here = conversations.find(({ participants }) =>
      participants.some((participant) => isSame(participant, this.peer)),
    );
    if (here && this.conversationId === "") {
      void this.#reload({ newLine: true });
    } else if (here) {
      this.#sync(here);
      this.#draw({ follow: false });
    } else if (this.conversationId !== "") {
      void this.#history.after(() => this.lastSeq, (page) => this.#caughtUp(page)); // it is an old one
    }
    this.#history.resume();
  }

  /** @param {import("./history.js").Page} page what is known of the conversation now */
  #caughtUp({ conversation }) {
    if (conversation) {
      this.#sync(conversation);
      this.#draw({ follow: false });
    }
  }

  /** The server's word on the whole conversation. @param {Conversation} conversation */
  #sync(conversation) {
    const { presence, readSeq } = this.#thread.takeReceipts(conversation);
    this.#showPresence(presence);
    this.#marker.passed(readSeq);
    this.#parts.onConversation?.(conversation);
  }

  // --- Pages of the history ---

  /** Loads the newest page in place of what is shown. @param {{newLine: boolean}} how */
  #reload({ newLine }) {
    /** @param {import("./history.js").Page} page */
    const take = (page) => {
      const wasKnown = this.conversationId !== "";
      this.#thread.takeNewest(page);
      if (page.conversation) {
        this.#sync(page.conversation);
        this.#line.has(this.lastSeq);
      }
      if (!wasKnown) {
        this.#line.join();
      }
      if (newLine) {
        this.#timeline.drawNewLine(this.#marker.readSeq);
      }
      this.#draw({ follow: true });
      this.#jump.show(false);
      this.#fillGap();
    };
    return this.#history.newest(take, () => this.#thread.awaitNewest());
  }

  #loadOlder() {
    if (this.lastSeq === 0) {
      void this.#reload({ newLine: false }); // the newest did not come yet
    } else if (this.#timeline.hasMoreBefore) {
      void this.#history.before(() => this.#timeline.firstSeq, (page) => {
        this.#thread.takeOlder(page);
        this.#draw({ follow: false });
        this.#jump.show(this.#timeline.hasMoreAfter);
      });
    }
  }

  #fillGap() {
    const { gap } = this.#timeline;
    if (gap) {
      void this.#history.after(() => gap.after, ({ messages }) => {
        messages.forEach((message) => this.#thread.take(message));
        this.#draw({ follow: false });
        if (messages.length > 0) {
          this.#fillGap(); // it was more than a page
        }
      });
    }
  }

  async #jumpToEnd() {
    if (this.#timeline.hasMoreAfter) {
      await this.#reload({ newLine: false });
    }
    this.#goToEnd();
  }

  #goToEnd() {
    this.#view.goToEnd();
    this.#looked();
  }

  // --- On the screen ---

  /** @param {{follow: boolean, animate?: boolean}} how */
  #draw(how) {
    const rows = this.#timeline.rows((iso) => this.#parts.clock.dayKey(iso));
    this.#view.draw(rows, { hasMore: this.#timeline.hasMoreBefore, ...how });
  }

  /** @param {import("./realtime/wire.js").PresenceStatus} status */
  #showPresence(status) {
    showPresence(part(this.#root, "header", HTMLElement), status);
  }
}
