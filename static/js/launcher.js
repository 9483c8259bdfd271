/**
 * What is seen of the chat on a page of the shop: the bell, and the place where the frame opens.
 *
 * Both stand in a shadow root outside the body: no style of the page reaches them, they take no room
 * in its layout, and they stay where they are when a framework puts another body into the page.
 */

/**
 * @typedef {object} Words in one language
 * @property {string} title
 * @property {string} open
 * @property {Record<string, string>} unread with `%(num)s`, by CLDR's plural categories,
 *   of which those that say the same as `other` are left out
 */

const BELL =
  "M16 4c-5 0-8 4-8 9v4c0 2-1 3-2 4-2 2-1 4 1 4h18c2 0 3-2 1-4-1-1-2-2-2-4v-4c0-5-3-9-8-9Zm-4 10a1 1 0 0 1 0 3 1 1 0 0 1 0-3Zm4 0a1 1 0 0 1 0 3 1 1 0 0 1 0-3Zm4 0a1 1 0 0 1 0 3 1 1 0 0 1 0-3Zm-7 13h6c-1 3-5 3-6 0Z";

/**
 * @param {HTMLIFrameElement} frame stays out of the page until the first opening
 * @param {{styles: string, words: Words, language: string, corner: string}} look
 * @param {() => void} clicked
 */
export function makeLauncher(frame, { styles, words, language, corner }, clicked) {
  const phone = matchMedia("(width <= 668px)"); // LOOK.md, section 2: here the open widget is the screen
  const host = document.createElement("shopbell-launcher");
  const button = document.createElement("button");
  const badge = document.createElement("b");
  const panel = document.createElement("section");
  let isOpen = false;
  /** Whether the frame has a way to close it. */
  let isReady = false;
  let unread = 0;

  host.lang = language;
  button.className = panel.className = corner;
  button.append(bell(), badge);
  button.onclick = clicked;
  badge.ariaHidden = "true";
  panel.role = "dialog";
  panel.ariaLabel = frame.title = words.title;
  const root = host.attachShadow({ mode: "open" });
  root.adoptedStyleSheets.push(sheetOf(styles)); // passes a page's Content-Security-Policy; <style> does not
  root.append(panel, button); // the bell above a frame that is still to come
  document.adoptedStyleSheets.push(sheetOf("html:has(shopbell-launcher[modal]){overflow:hidden!important}"));
  phone.onchange = draw;
  /** @type {VisualViewport} */ (visualViewport).addEventListener("resize", fit);
  // Waits for the body, and comes back when all of the page was swapped.
  new MutationObserver(draw).observe(document.documentElement, { childList: true });
  draw();

  function draw() {
    const { body, documentElement } = document;
    if (!body) {
      return;
    }
    if (!host.isConnected) {
      documentElement.append(host);
    }
    const isModal = isOpen && phone.matches;
    host.toggleAttribute("modal", isModal);
    host.dir = getComputedStyle(body).direction; // the corner is the page's
    button.hidden = isOpen && isReady;
    button.ariaExpanded = String(isOpen);
    const name = words.unread[new Intl.PluralRules(language).select(unread)] ?? words.unread.other;
    button.ariaLabel = isOpen ? words.title : unread ? name.replace("%(num)s", String(unread)) : words.open;
    badge.hidden = !unread;
    badge.textContent = unread > 99 ? "99+" : String(unread);
    panel.hidden = !isOpen;
    panel.ariaModal = String(isModal);
    body.inert = isModal;
    fit();
  }

  /** A phone's keyboard leaves less than the screen: what one writes stays in sight. */
  function fit() {
    const { height, scale } = /** @type {VisualViewport} */ (visualViewport);
    panel.style.blockSize = phone.matches ? `${height * scale}px` : "";
  }

  return {
    /** Whether the focus is in the bell or in the frame. */
    hasFocus: () => document.activeElement === host,
    focus: () => button.focus(),
    /** Puts the frame into its place, where it begins to load. */
    hold: () => panel.append(frame),
    /** The frame shows itself: an open one takes the bell's place. */
    ready() {
      isReady = true;
      draw();
    },
    /** @param {boolean} value */
    open(value) {
      isOpen = value;
      draw();
    },
    /** @param {number} count */
    count(count) {
      unread = count;
      draw();
    },
  };
}

/** @param {string} styles */
function sheetOf(styles) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  return sheet;
}

function bell() {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  svg.setAttribute("viewBox", "0 0 32 32");
  path.setAttribute("fill", "currentColor");
  path.setAttribute("d", BELL);
  svg.append(path);
  return svg;
}
