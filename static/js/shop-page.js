/**
 * The chat on a page of the shop: what the page, the buyer and the frame make of it together.
 *
 * The frame is made at the first use, or when there is nothing else to do and somebody may have got
 * an answer meanwhile.
 */

import { makeFrameLink } from "./frame-link.js";
import { makeLauncher } from "./launcher.js";

/** @typedef {"open" | "close" | "unread" | "message"} EventName */
/** @typedef {(detail: unknown) => void} Callback */

/** How soon the seller sees that the page became another one, as no event tells it everywhere. */
const LOOK_MS = 1_000;

/**
 * Puts the chat on the page.
 *
 * @param {string} origin the chat's
 * @param {string} seller
 * @param {string | null} identity
 * @param {Parameters<typeof makeLauncher>[1]} style
 * @returns `window.Shopbell`
 */
export function joinPage(origin, seller, identity, style) {
  const address = `${encodeURIComponent(seller)}?language=${style.language}`;
  const storageKey = `shopbell ${origin} ${seller}`;
  /** @type {Map<EventName, Set<Callback>>} */
  const listeners = new Map();
  /** What the frame gave to keep. @type {unknown} */
  let guest = null;
  /** Whether the frame has yet to hear that nobody is here any more. */
  let owesLogout = false;
  let isOpen = false;
  let isByUser = false;
  let isBlocked = false;
  /** What had the focus before the opening. @type {HTMLElement | null} */
  let opener = null;
  /** What the page says of itself, as long as it is the same. @type {object} */
  let said = {};
  let page = "";
  let told = "";

  const { frame, say } = makeFrameLink(
    `${origin}/widget/${address}`,
    {
      ready,
      guest: (data) => keep(data.guest),
      forget: () => keep(null),
      close,
      unread: (data) => showUnread(data.count),
      message: () => tell("message"),
    },
    () => {
      isBlocked = true;
      if (isOpen) {
        close();
        openTab();
      }
    },
  );
  const launcher = makeLauncher(frame, style, () => (isOpen ? close() : open(true)));
  setInterval(tellContext, LOOK_MS);
  addEventListener("storage", ({ key }) => key === storageKey && introduce()); // in another tab
  if (identity || readGuest()) {
    loadSoon();
  }

  // --- Seen ---

  /** @param {boolean} byUser only then the focus moves */
  function open(byUser) {
    if (isBlocked) {
      openTab();
    } else if (!isOpen) {
      isOpen = true;
      isByUser = byUser;
      opener = /** @type {HTMLElement | null} */ (document.activeElement);
      load();
      launcher.open(true);
      if (byUser) {
        frame.focus();
      }
      say("shown", { byUser });
      tell("open");
    }
  }

  function close() {
    if (isOpen) {
      const hadFocus = launcher.hasFocus();
      isOpen = false;
      say("hidden");
      launcher.open(false);
      if (hadFocus) {
        launcher.focus();
        opener?.focus();
      }
      tell("close");
    }
  }

  function openTab() {
    window.open(`${origin}/chat/${address}`, "_blank", "noopener");
  }

  /** @param {number} count */
  function showUnread(count) {
    launcher.count(count);
    tell("unread", count);
  }

  /**
   * @param {EventName} name
   * @param {unknown} [detail]
   */
  function tell(name, detail) {
    listeners.get(name)?.forEach((callback) => callback(detail));
  }

  // --- The frame ---

  function load() {
    if (!frame.isConnected) {
      launcher.hold();
    }
  }

  function loadSoon() {
    const idle = () => (window.requestIdleCallback ?? setTimeout)(load);
    if (document.readyState === "complete") {
      idle();
    } else {
      addEventListener("load", idle);
    }
  }

  function ready() {
    launcher.ready();
    owesLogout &&= !say("logout");
    introduce();
    told = "";
    tellContext();
    if (isOpen) {
      say("shown", { byUser: isByUser });
    }
  }

  function introduce() {
    say("session", { guest: readGuest(), identity });
  }

  // --- The guest's token lives with the page. Storage may be forbidden: then as long as the page. ---

  function readGuest() {
    try {
      guest = JSON.parse(localStorage.getItem(storageKey) ?? "null");
    } catch {
      // What is remembered here is all there is.
    }
    return guest;
  }

  /** @param {unknown} value null to forget it */
  function keep(value) {
    guest = value;
    try {
      if (value) {
        localStorage.setItem(storageKey, JSON.stringify(value));
      } else {
        localStorage.removeItem(storageKey);
      }
    } catch {
      // It is remembered here.
    }
  }

  // --- What the page is about ---

  /** A query may hold secrets: by ourselves we do not tell it. */
  function look() {
    const url = location.origin + location.pathname;
    if (url !== page) {
      page = url;
      said = {};
    }
    return { url, title: document.title, ...said };
  }

  function tellContext() {
    const context = look();
    const text = JSON.stringify(context);
    if (text !== told) {
      told = text;
      say("context", context);
    }
  }

  return {
    open: () => open(navigator.userActivation?.isActive),
    close,
    /** @param {string} jwt the shop's word on who this is */
    identify(jwt) {
      identity = jwt;
      say("identify", { identity });
      loadSoon();
    },
    logout() {
      identity = null;
      keep(null);
      showUnread(0);
      owesLogout = !say("logout");
    },
    /** @param {{url?: string, title?: string, product?: object}} seen what the buyer looks at */
    context(seen) {
      look();
      Object.assign(said, seen);
      tellContext();
    },
    /**
     * @param {EventName} name
     * @param {Callback} callback
     * @returns {() => void} the unsubscribe function
     */
    on(name, callback) {
      const callbacks = listeners.get(name) ?? new Set();
      listeners.set(name, callbacks.add(callback));
      return () => callbacks.delete(callback);
    },
  };
}
