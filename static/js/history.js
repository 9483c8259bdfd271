/** The stored messages of a conversation, page by page, over HTTP. No DOM. */

/** A page of the conversation. */
const PAGE = 50;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {{conversation: Conversation | null, messages: Message[], has_more: boolean}} Page */

/**
 * @typedef {object} Told
 * @property {(isBusy: boolean) => void} busy
 * @property {(retry: () => void) => void} failed with what tries the same again
 */

export class History {
  #api;
  #path;
  #told;
  #isBusy = false;
  #isClosed = false;

  /**
   * @param {import("./api.js").Api} api
   * @param {import("./people.js").Peer} peer
   * @param {Told} told
   */
  constructor(api, { id, type }, told) {
    this.#api = api;
    this.#path = `/api/messages/conversation/${encodeURIComponent(id)}/${type}?limit=${PAGE}`;
    this.#told = told;
  }

  /** @param {(page: Page) => void} take */
  newest(take) {
    return this.#load("", take);
  }

  /**
   * @param {number} seq
   * @param {(page: Page) => void} take
   */
  before(seq, take) {
    return this.#load(`&before=${seq}`, take);
  }

  /**
   * @param {number} seq
   * @param {(page: Page) => void} take
   */
  after(seq, take) {
    return this.#load(`&after=${seq}`, take);
  }

  /** What arrives now is nobody's any more. */
  close() {
    this.#isClosed = true;
  }

  /**
   * One request at a time: while one is under way, others are dropped.
   *
   * @param {string} range
   * @param {(page: Page) => void} take
   */
  async #load(range, take) {
    if (this.#isBusy) {
      return;
    }
    this.#busy(true);
    /** @type {Page | null} */
    const page = await this.#api.get(this.#path + range).catch(() => null);
    this.#busy(false);
    if (this.#isClosed) {
      return;
    }
    if (page === null) {
      this.#told.failed(() => void this.#load(range, take));
    } else {
      take(page);
    }
  }

  /** @param {boolean} isBusy */
  #busy(isBusy) {
    this.#isBusy = isBusy;
    if (!this.#isClosed) {
      this.#told.busy(isBusy);
    }
  }
}
