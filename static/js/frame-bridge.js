/**
 * The widget frame's side of the talk with the shop's page.
 *
 * Only the frame's own parent is heard, only under an origin that the server allowed, and it alone
 * is answered, under exactly that origin. Every message has a type and a fixed schema; unknown types
 * and fields are dropped. `static/js/loader.js` is the other side.
 */

/** @typedef {import("./realtime/wire.js").User} User */
/** @typedef {{token: string, user: User}} Guest what the shop's page keeps for us */
/** @typedef {import("./realtime/wire.js").Context} Context */

/**
 * @typedef {object} Told what the shop's page said
 * @property {(session: {guest: Guest | null, identity: string | null}) => void} session
 * @property {(identity: string) => void} identify
 * @property {() => void} logout
 * @property {(context: Context) => void} context
 * @property {(byUser: boolean) => void} shown
 * @property {() => void} hidden
 */

const TEXT_LENGTH = 8192;
/** CONTRACT: what the server takes; more would cost the whole context. */
const PRICE_LENGTH = 40;
const ADDRESS_LENGTH = 2048;

export class FrameBridge {
  #parent;
  #allowed;
  #told;
  /** @type {string | null} known from the first message on */
  #origin = null;

  /** @type {ReadonlyMap<string, (data: Record<string, unknown>) => void>} */
  #types = new Map(
    /** @type {[string, (data: Record<string, unknown>) => void][]} */ ([
      ["hello", () => this.say("ready")],
      [
        "session",
        ({ guest, identity }) =>
          this.#told.session({ guest: readGuest(guest), identity: readText(identity) }),
      ],
      [
        "identify",
        ({ identity }) => {
          const text = readText(identity);
          if (text !== null) {
            this.#told.identify(text);
          }
        },
      ],
      ["logout", () => this.#told.logout()],
      [
        "context",
        (data) => {
          const context = readContext(data);
          if (context !== null) {
            this.#told.context(context);
          }
        },
      ],
      ["shown", ({ byUser }) => this.#told.shown(byUser === true)],
      ["hidden", () => this.#told.hidden()],
    ]),
  );

  /**
   * @param {Window} parent
   * @param {readonly string[]} allowed origins
   * @param {Told} told
   */
  constructor(parent, allowed, told) {
    this.#parent = parent;
    this.#allowed = new Set(allowed);
    this.#told = told;
    addEventListener("message", (event) => this.#heard(event));
  }

  /**
   * @param {"ready" | "guest" | "forget" | "close" | "unread" | "message"} type
   * @param {Record<string, unknown>} [data]
   */
  say(type, data = {}) {
    if (this.#origin !== null) {
      this.#parent.postMessage({ ...data, shopbell: type }, this.#origin);
    }
  }

  /** @param {MessageEvent} event */
  #heard({ source, origin, data }) {
    if (source !== this.#parent || !this.#allowed.has(origin) || !isRecord(data)) {
      return;
    }
    const act = typeof data.shopbell === "string" ? this.#types.get(data.shopbell) : undefined;
    if (act) {
      this.#origin = origin;
      act(data);
    }
  }
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function readText(value) {
  return typeof value === "string" && value !== "" && value.length <= TEXT_LENGTH ? value : null;
}

/**
 * @param {unknown} value
 * @returns {Guest | null}
 */
function readGuest(value) {
  if (!isRecord(value) || !isRecord(value.user)) {
    return null;
  }
  const token = readText(value.token);
  const id = readText(value.user.id);
  const name = typeof value.user.name === "string" ? value.user.name : "";
  return token !== null && id !== null ? { token, user: { id, type: "Buyer", name, verified: false } } : null;
}

/**
 * @param {Record<string, unknown>} value
 * @returns {Context | null}
 */
function readContext({ url, title, product }) {
  const address = readAddress(url);
  if (address === null) {
    return null;
  }
  return { url: address, title: readText(title) ?? address, ...readProduct(product, address) };
}

/**
 * @param {unknown} value
 * @param {string} page
 * @returns {Pick<Context, "product">}
 */
function readProduct(value, page) {
  const { name, url, price, image } = isRecord(value) ? value : {};
  const title = readText(name);
  const address = readAddress(url, page);
  if (title === null || address === null) {
    return {};
  }
  const cost = readPrice(price);
  const picture = readAddress(image, page);
  return {
    product: { name: title, url: address, ...(cost !== null && { price: cost }), ...(picture && { image: picture }) },
  };
}

/** @param {unknown} value */
function readPrice(value) {
  return typeof value === "number" && Number.isFinite(value)
    ? value
    : (readText(value)?.slice(0, PRICE_LENGTH) ?? null);
}

/**
 * What the server takes for an address; a page may give one that is relative to itself.
 *
 * @param {unknown} value
 * @param {string} [page]
 */
function readAddress(value, page) {
  const text = readText(value);
  if (text === null || !URL.canParse(text, page)) {
    return null;
  }
  const { protocol, username, password, href } = new URL(text, page);
  const isWeb = /^https?:$/.test(protocol) && username + password === "";
  return isWeb && href.length <= ADDRESS_LENGTH ? href : null;
}
