/**
 * One conversation's share of the connection: sorts out what concerns it, and speaks for it. No DOM.
 */

import { isSame } from "./people.js";

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {import("./realtime/wire.js").PresenceStatus} PresenceStatus */
/** @typedef {import("./realtime.js").RealtimeMessages} RealtimeMessages */
/** @typedef {import("./people.js").Peer} Peer */

/**
 * @typedef {object} Told
 * @property {(message: Message) => void} message
 * @property {(typing: import("./realtime/wire.js").UserTyping) => void} typing the other side
 * @property {(seq: number, at: string) => void} read by the other side
 * @property {(seq: number) => void} readHere by this side, in another tab
 * @property {(status: "delivered" | "read", seq: number) => void} advanced
 * @property {(status: PresenceStatus) => void} presence the other side's
 * @property {(conversations: Conversation[]) => void} registered so also after each reconnect
 * @property {() => void} reset all has to be loaded anew
 * @property {(change: import("./realtime.js").Change) => void} connection
 */

export class ConversationLine {
  #thread;
  #told;
  /** @type {RealtimeMessages | null} */
  #realtime = null;
  /** @type {(() => void)[]} */
  #subscriptions = [];

  /**
   * @param {import("./thread.js").Thread} thread
   * @param {Told} told
   */
  constructor(thread, told) {
    this.#thread = thread;
    this.#told = told;
  }

  /** @param {RealtimeMessages} realtime */
  follow(realtime) {
    this.#unsubscribe();
    this.#realtime = realtime;
    this.#subscriptions = [
      realtime.onNewMessage((message) => {
        if (this.#thread.holds(message)) {
          this.#told.message(message);
        }
      }),
      realtime.onTyping((typing) => {
        if (isSame(this.#thread.peer, { id: typing.sender_id, type: typing.sender_type })) {
          this.#told.typing(typing);
        }
      }),
      realtime.onMessageRead(({ conversation_id, seq, read_at, user_id, user_type }) => {
        if (!this.#isHere(conversation_id)) {
          return;
        }
        if (isSame(this.#thread.peer, { id: user_id, type: user_type })) {
          this.#told.read(seq, read_at);
        } else {
          this.#told.readHere(seq);
        }
      }),
      realtime.onMessageDelivered(({ conversation_id, seq }) => {
        if (this.#isHere(conversation_id)) {
          this.#told.advanced("delivered", seq);
        }
      }),
      realtime.onMessageUpdated(({ conversation_id, seq, changes }) => {
        if (this.#isHere(conversation_id) && changes.status) {
          this.#told.advanced(changes.status, seq);
        }
      }),
      realtime.onUserStatusChanged(({ user_id, user_type, status }) => {
        if (isSame(this.#thread.peer, { id: user_id, type: user_type })) {
          this.#told.presence(status);
        }
      }),
      realtime.onOnlineUsers(({ users }) => {
        const peer = users.find((user) => isSame(this.#thread.peer, user));
        this.#told.presence(peer?.status ?? "offline");
      }),
      realtime.onReset(({ conversation_id }) => {
        if (this.#isHere(conversation_id)) {
          this.#told.reset();
        }
      }),
      realtime.onRegistered(({ conversations }) => this.#told.registered(conversations)),
      realtime.onConnectionChanged((change) => this.#told.connection(change)),
    ];
    this.join();
  }

  /** This conversation is on the screen. */
  join() {
    if (this.#realtime && this.#thread.id !== "") {
      this.#realtime.joinRoom(this.#thread.id).catch(() => {}); // onError has told it
    }
  }

  /** It is not, any more. */
  leave() {
    if (this.#realtime && this.#thread.id !== "") {
      this.#realtime.leaveRoom(this.#thread.id).catch(() => {}); // onError has told it
    }
  }

  /** @param {boolean} isTyping */
  tellTyping(isTyping) {
    const { id, type } = this.#thread.peer;
    this.#realtime?.typing({ recipient_id: id, recipient_type: type, is_typing: isTyping });
  }

  /** All up to `seq` was read here. @param {number} seq */
  tellRead(seq) {
    const conversation_id = this.#thread.id;
    this.#realtime?.markAsRead({ conversation_id, seq }).catch(() => {}); // onError has told it
  }

  /** All up to `seq` was loaded over HTTP. @param {number} seq */
  has(seq) {
    this.#realtime?.setPosition(this.#thread.id, seq);
  }

  close() {
    this.leave();
    this.#unsubscribe();
  }

  /** @param {string} conversationId */
  #isHere(conversationId) {
    return conversationId === this.#thread.id;
  }

  #unsubscribe() {
    for (const unsubscribe of this.#subscriptions) {
      unsubscribe();
    }
    this.#subscriptions = [];
  }
}
