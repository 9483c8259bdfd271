/**
 * `/widget.js`: puts the bell on a shop's page, and at the first use a frame with the chat.
 *
 * The two talk by postMessage, always with exact origins; `frame-bridge.js` is the other side.
 */
(() => {
  const script = document.currentScript;
  if (!(script instanceof HTMLScriptElement) || "Shopbell" in window) {
    return;
  }
  const { origin } = new URL(script.src);
  const { seller = "", identity } = script.dataset;
  const frameUrl = `${origin}/widget/${encodeURIComponent(seller)}`;
  const storageKey = `shopbell ${origin} ${seller}`;

  /** @typedef {"open" | "close" | "unread" | "message"} EventName */
  /** @type {Map<string, Set<(detail: unknown) => void>>} */
  const listeners = new Map();
  /** @type {HTMLIFrameElement | null} */
  let frame = null;
  let isReady = false;
  let isOpen = false;
  let isBlocked = false;
  let unread = 0;
  let openedByUser = false;
  /** @type {string | null} */
  let currentIdentity = identity ?? null;
  /** What the page said of itself. A query may hold secrets, so by ourselves we do not say it. */
  let context = { url: location.origin + location.pathname };

  const styles = `
    :host { all: initial; position: fixed; z-index: 2147483000; color-scheme: light dark; }
    [hidden] { display: none !important; }
    button, iframe { position: fixed; inset-block-end: 20px; inset-inline-end: 20px; }
    button {
      box-sizing: border-box; inline-size: 60px; block-size: 60px; padding: 0; cursor: pointer;
      border: 2px solid #fff; border-radius: 50%; background: #0e6470; color: #fff;
      box-shadow: 0 8px 20px rgb(12 26 28 / 24%); transition: transform 120ms;
    }
    button:hover { transform: translateY(-1px); }
    button:focus-visible { outline: 2px solid #0e6470; outline-offset: 3px; }
    svg { display: block; inline-size: 32px; block-size: 32px; margin: auto; }
    b {
      position: absolute; inset-block-start: -8px; inset-inline-end: -8px; box-sizing: border-box;
      min-inline-size: 24px; padding-inline: 6px; border: 2px solid #fff; border-radius: 12px;
      background: #f3b440; color: #2a1b00; font: 700 12px/20px system-ui, sans-serif;
    }
    iframe {
      inline-size: min(400px, 100vw - 40px); block-size: min(640px, 100vh - 40px); border: 0;
      border-radius: 20px; background: transparent; color-scheme: normal;
      box-shadow: 0 0 0 1px rgb(12 26 28 / 10%), 0 28px 64px rgb(12 26 28 / 32%);
      animation: rise 180ms cubic-bezier(.2, .8, .2, 1);
    }
    @keyframes rise { from { opacity: 0; transform: translateY(12px); } }
    @media (width <= 668px) {
      iframe { inset: 0; inline-size: 100%; block-size: 100%; border-radius: 0; box-shadow: none; }
    }
    @media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
    @media (prefers-color-scheme: dark) { button { background: #1e6e7a; } }
    @media print { :host { display: none; } }`;

  class Launcher extends HTMLElement {
    button = document.createElement("button");
    badge = document.createElement("b");
    panel = document.createElement("div");

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(styles);
      root.adoptedStyleSheets = [sheet]; // passes a page's Content-Security-Policy; <style> does not
      this.button.type = "button";
      this.button.append(bell(), this.badge);
      this.badge.ariaHidden = "true";
      this.button.addEventListener("click", () => open(true));
      this.panel.role = "dialog";
      this.panel.ariaLabel = "Chat";
      this.panel.hidden = true;
      root.append(this.button, this.panel);
    }
  }

  /** @type {Launcher} */
  let launcher;

  function bell() {
    const space = "http://www.w3.org/2000/svg";
    const svg = document.createElementNS(space, "svg");
    svg.setAttribute("viewBox", "0 0 32 32");
    svg.ariaHidden = "true";
    const path = document.createElementNS(space, "path");
    path.setAttribute("fill", "currentColor");
    path.setAttribute("fill-rule", "evenodd");
    path.setAttribute("d", "M16 4.5c-5 0-8.4 3.6-8.4 8.9v4.1c0 1.3-.5 2.5-1.4 3.5l-1 1.1c-.9 1-.2 2.6 1.1 2.6h19.4c1.3 0 2-1.6 1.1-2.6l-1-1.1c-.9-1-1.4-2.2-1.4-3.5v-4.1c0-5.3-3.4-8.9-8.4-8.9ZM11.6 13.9a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4Zm4.4 0a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4Zm4.4 0a1.7 1.7 0 1 1 0 3.4 1.7 1.7 0 0 1 0-3.4ZM12.9 26.8h6.2c-.5 1.3-1.7 2.2-3.1 2.2s-2.6-.9-3.1-2.2Z");
    svg.append(path);
    return svg;
  }

  // --- The frame ---

  function makeFrame() {
    if (frame?.isConnected) {
      return;
    }
    isReady = false;
    frame = document.createElement("iframe");
    frame.title = "Chat with the shop";
    frame.src = frameUrl;
    frame.addEventListener("load", () => post({ shopbell: "hello" }));
    launcher.panel.replaceChildren(frame);
  }

  /** @param {Record<string, unknown>} message */
  function post(message) {
    frame?.contentWindow?.postMessage(message, origin);
  }

  /** Not yet ready, it is told all when it is. @param {Record<string, unknown>} message */
  function say(message) {
    if (isReady) {
      post(message);
    }
  }

  /** @type {Map<unknown, (data: Record<string, unknown>) => void>} what the frame may say */
  const types = new Map(
    /** @type {[string, (data: Record<string, unknown>) => void][]} */ ([
      [
        "ready",
        () => {
          isReady = true;
          post({ shopbell: "session", guest: readGuest(), identity: currentIdentity });
          post({ title: document.title, ...context, shopbell: "context" });
          if (isOpen) {
            post({ shopbell: "shown", byUser: openedByUser });
          }
        },
      ],
      ["guest", ({ guest }) => keep(guest)],
      ["forget", () => keep(null)],
      ["close", () => close()],
      ["unread", ({ count }) => showUnread(count)],
      ["message", () => tell("message", null)],
    ]),
  );

  addEventListener("message", ({ source, origin: from, data }) => {
    if (frame && source === frame.contentWindow && from === origin && typeof data === "object" && data) {
      types.get(data.shopbell)?.(data);
    }
  });

  // The page's policy may not allow our frame: the chat then opens in a tab of its own.
  addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
    if (/^(frame|child)-src$/.test(effectiveDirective) && blockedURI.startsWith(origin)) {
      isBlocked = true;
      if (isOpen) {
        close();
        openTab();
      }
    }
  });

  function openTab() {
    window.open(`${origin}/chat/${encodeURIComponent(seller)}`, "_blank", "noopener");
  }

  // --- Storage: in a page's own, and only what the frame asked for ---

  function readGuest() {
    try {
      return JSON.parse(localStorage.getItem(storageKey) ?? "null");
    } catch {
      return null;
    }
  }

  /** @param {unknown} guest */
  function keep(guest) {
    try {
      if (guest === null) {
        localStorage.removeItem(storageKey);
      } else {
        localStorage.setItem(storageKey, JSON.stringify(guest));
      }
    } catch {
      // Without storage this visit's conversation ends with it.
    }
  }

  // --- What is seen ---

  /** @param {boolean} byUser */
  function open(byUser) {
    if (isBlocked) {
      openTab();
      return;
    }
    if (isOpen) {
      return;
    }
    isOpen = true;
    openedByUser = byUser;
    makeFrame();
    draw();
    if (byUser) {
      frame?.focus();
    }
    say({ shopbell: "shown", byUser });
    tell("open", null);
  }

  function close() {
    if (!isOpen) {
      return;
    }
    isOpen = false;
    const hadFocus = document.activeElement === launcher;
    say({ shopbell: "hidden" });
    draw();
    if (hadFocus) {
      launcher.button.focus();
    }
    tell("close", null);
  }

  /** @param {unknown} count */
  function showUnread(count) {
    if (typeof count === "number" && count >= 0 && count !== unread) {
      unread = count;
      draw();
      tell("unread", count);
    }
  }

  function draw() {
    const { button, badge, panel } = launcher;
    panel.hidden = !isOpen;
    panel.ariaModal = String(matchMedia("(width <= 668px)").matches);
    button.hidden = isOpen;
    button.ariaExpanded = String(isOpen);
    button.ariaLabel = unread > 0 ? `Open the chat, ${unread} unread` : "Open the chat";
    badge.hidden = unread === 0;
    badge.textContent = unread > 99 ? "99+" : String(unread);
  }

  // --- window.Shopbell ---

  /**
   * @param {EventName} name
   * @param {unknown} detail
   */
  function tell(name, detail) {
    for (const callback of [...(listeners.get(name) ?? [])]) {
      callback(detail);
    }
  }

  const api = {
    open: () => whenDrawn(() => open(false)),
    close: () => whenDrawn(close),
    /** @param {string} jwt the shop's word on who this is */
    identify(jwt) {
      currentIdentity = jwt;
      say({ shopbell: "identify", identity: jwt });
    },
    logout() {
      currentIdentity = null;
      keep(null);
      say({ shopbell: "logout" });
    },
    /** @param {{url?: string, title?: string, product?: object}} seen what the buyer looks at */
    context(seen) {
      context = { ...context, ...seen };
      say({ title: document.title, ...context, shopbell: "context" });
    },
    /**
     * @param {EventName} name
     * @param {(detail: unknown) => void} callback
     * @returns {() => void} the unsubscribe function
     */
    on(name, callback) {
      const callbacks = listeners.get(name) ?? new Set();
      listeners.set(name, callbacks.add(callback));
      return () => callbacks.delete(callback);
    },
  };
  Object.defineProperty(window, "Shopbell", { value: Object.freeze(api) });

  // --- The beginning ---

  /** @type {(() => void)[]} called before there was a body */
  const early = [];

  /** @param {() => void} task */
  function whenDrawn(task) {
    if (launcher?.isConnected) {
      task();
    } else {
      early.push(task);
    }
  }

  function place() {
    if (document.body && !launcher?.isConnected) {
      document.body.append((launcher ??= new Launcher()));
      draw();
      early.splice(0).forEach((task) => task());
    }
  }

  if (!customElements.get("shopbell-launcher")) {
    customElements.define("shopbell-launcher", Launcher);
  }
  place();
  // Waits for the body, and comes back when a page's framework swaps it.
  new MutationObserver(place).observe(document.documentElement, { childList: true });
  // Whoever wrote before may have got an answer meanwhile.
  if (readGuest() !== null || currentIdentity !== null) {
    (window.requestIdleCallback ?? setTimeout)(() => whenDrawn(makeFrame));
  }
})();
