/** The stored messages of a conversation, page by page, over HTTP. No DOM. */

/** A page of the conversation. */
const PAGE = 50;

/** @typedef {import("./realtime/wire.js").Message} Message */
/** @typedef {import("./realtime/wire.js").Conversation} Conversation */
/** @typedef {{conversation: Conversation | null, messages: Message[], has_more: boolean}} Page */

/**
 * @typedef {object} Told
 * @property {(isBusy: boolean) => void} busy
 * @property {(again: (() => void) | null) => void} missed what tries again to load what did not
 *   come; null once it has come
 */

/**
 * Pages are asked for one after the other and taken in that order: what a page is put beside does
 * not change while it is on its way.
 */
export class History {
  #api;
  #path;
  #told;
  #underWay = 0;
  /** @type {Promise<void>} */
  #last = Promise.resolve();
  /** @type {(() => void) | null} */
  #again = null;
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

  /**
   * @param {(page: Page) => void} take
   * @param {() => void} asking called when its turn comes: what arrives from then on may not be on it
   */
  newest(take, asking) {
    return this.#queue(() => {
      asking();
      return "";
    }, take);
  }

  /**
   * The page before the oldest message; dropped while another is under way, for a list that rests
   * at its top asks again and again.
   *
   * @param {() => number} seq as it is when its turn comes
   * @param {(page: Page) => void} take
   */
  async before(seq, take) {
    if (this.#underWay === 0) {
      await this.#queue(() => `&before=${seq()}`, take);
    }
  }

  /**
   * @param {() => number} seq as it is when its turn comes
   * @param {(page: Page) => void} take
   */
  after(seq, take) {
    return this.#queue(() => `&after=${seq()}`, take);
  }

  /** There is a connection again: what did not come is asked for once more. */
  resume() {
    this.#again?.();
  }

  /** What arrives now is nobody's any more. */
  close() {
    this.#isClosed = true;
  }

  /**
   * @param {() => string} range
   * @param {(page: Page) => void} take
   */
  #queue(range, take) {
    this.#underWay += 1;
    const done = this.#last.then(() => this.#load(range, take));
    this.#last = done.catch(() => {}); // whoever asked hears of it
    return done;
  }

  /**
   * @param {() => string} range
   * @param {(page: Page) => void} take
   */
  async #load(range, take) {
    if (this.#isClosed) {
      return;
    }
    this.#told.busy(true);
    /** @type {Page | null} */
    const page = await this.#api.get(this.#path + range()).catch(() => null);
    this.#underWay -= 1;
    if (this.#isClosed) {
      return;
    }
    this.#told.busy(this.#underWay > 0);
    this.#again = page ? null : () => void this.#queue(range, take);
    this.#told.missed(this.#again);
    if (page) {
      take(page);
    }
  }
}
