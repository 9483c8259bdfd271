/** One row of a conversation, made from the template that the server also renders with. */

import { isEmojiAlone } from "./emoji.js";
import { keyOf } from "./entry.js";
import { clone, find, part } from "./parts.js";
import { words } from "./words.js";

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {import("./timeline.js").MessageRow} MessageRow */
/** @typedef {import("./entry.js").Trouble} Trouble */

export class MessageView {
  #blank;
  #trouble;
  #clock;
  /** @type {WeakMap<Element, string>} what a row shows now, so that only changes are drawn */
  #drawn = new WeakMap();

  /**
   * @param {HTMLElement} root holds the templates
   * @param {import("./clock.js").Clock} clock
   */
  constructor(root, clock) {
    this.#blank = part(root, "blank", HTMLTemplateElement);
    this.#trouble = part(root, "trouble", HTMLTemplateElement);
    this.#clock = clock;
  }

  /**
   * @param {MessageRow} row
   * @returns {HTMLElement}
   */
  make(row) {
    const element = clone(this.#blank);
    element.dataset.sender = row.entry.sender;
    text(element, ".message__who", row.entry.sender === "mine" ? words.you : row.entry.name);
    this.#showTopic(element, row.entry.subject);
    if (row.entry.sender !== "mine") {
      delete element.dataset.status;
      element.querySelector(".message__meta .tick")?.remove();
      element.querySelector(".message__state")?.remove();
    }
    const { erased } = row.entry;
    text(element, ".message__html", erased ? words.removed : row.entry.text);
    if (erased) {
      element.dataset.erased = "true";
    }
    if (isEmojiAlone(row.entry.text)) {
      element.dataset.emoji = "alone";
    }
    this.update(element, row);
    return element;
  }

  /**
   * Draws what changed: the place in its group, the state, the text's links once it is stored.
   *
   * @param {HTMLElement} element
   * @param {MessageRow} row
   * @returns {boolean} whether anything did
   */
  update(element, { entry, group, showsTime }) {
    const time = this.#clock.time(entry.at);
    const { status, trouble, readAt } = entry;
    const looks = JSON.stringify([group, showsTime, status, trouble, readAt, entry.seq, time]);
    if (this.#drawn.get(element) === looks) {
      return false;
    }
    const wasStored = element.dataset.seq !== "0" && element.dataset.seq !== "";
    this.#drawn.set(element, looks);
    element.dataset.group = group;
    element.dataset.time = showsTime ? "shown" : "hidden";
    element.dataset.id = entry.id;
    element.dataset.seq = String(entry.seq);
    element.dataset.clientId = entry.clientId;
    if (entry.html !== null && !entry.erased && !wasStored) {
      showMessageHtml(find(element, ".message__html", HTMLElement), entry.html);
    }
    this.#showTime(element, entry.at, time);
    if (entry.sender === "mine") {
      this.#showState(element, entry);
      this.#showTrouble(element, trouble);
    }
    return true;
  }

  /**
   * What the timeline needs to know of a row that the server rendered.
   *
   * @param {HTMLElement} element
   * @returns {Entry}
   */
  read(element) {
    const { sender, id = "", seq, clientId = "", status, readAt } = element.dataset;
    const whose = sender === "mine" || sender === "system" ? sender : "theirs";
    return {
      key: keyOf(whose, clientId || id),
      seq: Number(seq),
      after: 0,
      sender: whose,
      id,
      clientId,
      name: element.querySelector(".message__who")?.textContent ?? "",
      at: find(element, "time", HTMLTimeElement).dateTime,
      readAt: readAt || null,
      status: status === "delivered" || status === "read" ? status : "sent",
      text: element.querySelector(".message__html")?.textContent ?? "",
      html: null,
      subject: null,
      erased: element.dataset.erased === "true",
      trouble: null,
    };
  }

  /**
   * @param {HTMLElement} element
   * @param {string | null} subject
   */
  #showTopic(element, subject) {
    const topic = find(element, ".message__topic", HTMLElement);
    if (subject) {
      topic.textContent = subject;
    } else {
      topic.remove();
    }
  }

  /**
   * @param {HTMLElement} element
   * @param {string} iso
   * @param {string} time
   */
  #showTime(element, iso, time) {
    const shown = find(element, "time", HTMLTimeElement);
    shown.dateTime = iso;
    shown.title = this.#clock.full(iso);
    shown.textContent = time;
    text(element, ".message__room", `\u00a0\u00a0${time.replaceAll(/\s/g, "\u00a0")}`);
  }

  /**
   * @param {HTMLElement} element
   * @param {Entry} entry
   */
  #showState(element, { status, readAt }) {
    const before = element.dataset.status;
    const tick = find(element, ".message__meta .tick:not(.tick--leaving)", SVGElement);
    if (before !== status && before !== "failed" && status !== "failed" && element.isConnected) {
      fadeOut(tick);
    }
    element.dataset.status = status;
    const name = status === "failed" ? "sending" : status;
    find(tick, "use", SVGUseElement).setAttribute("href", `#tick-${name}`);
    const read = readAt === null ? words.readEarlier : words.read(this.#clock.time(readAt));
    const states = {
      sending: words.sending,
      sent: words.sent,
      delivered: words.delivered,
      read,
      failed: words.notSent,
    };
    text(element, ".message__state", states[status]);
  }

  /**
   * @param {HTMLElement} element
   * @param {Trouble | null} trouble
   */
  #showTrouble(element, trouble) {
    let shown = element.querySelector(".trouble");
    if (trouble === null) {
      shown?.remove();
      return;
    }
    if (shown === null) {
      shown = clone(this.#trouble);
      element.append(shown);
    }
    const failed = element.dataset.status === "failed";
    // Only a failure is worth interrupting for; a countdown would be read out every second.
    shown.toggleAttribute("role", failed);
    if (failed) {
      shown.setAttribute("role", "alert");
    }
    text(shown, ".trouble__words", trouble.reason);
    const icon = failed ? "alert" : "clock";
    find(shown, ".icon use", SVGUseElement).setAttribute("href", `#icon-${icon}`);
    find(shown, '[data-action="again"]', HTMLButtonElement).hidden = !trouble.again;
    find(shown, '[data-action="delete"]', HTMLButtonElement).hidden = !trouble.remove;
  }
}

/**
 * The one place where HTML comes in: the server's `message_html`, which is made safe there.
 *
 * @param {HTMLElement} element
 * @param {string} html
 */
function showMessageHtml(element, html) {
  element.innerHTML = html;
}

/**
 * Leaves a picture of a tick behind that fades while its next state appears.
 *
 * @param {SVGElement} tick
 */
function fadeOut(tick) {
  const leaving = /** @type {SVGElement} */ (tick.cloneNode(true));
  leaving.style.inlineSize = getComputedStyle(tick).inlineSize;
  leaving.classList.add("tick--leaving");
  tick.before(leaving);
  const [fading] = leaving.getAnimations();
  if (fading) {
    void fading.finished.catch(() => {}).then(() => leaving.remove());
  } else {
    leaving.remove(); // it is not on the screen, or nothing may move
  }
}

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @param {string} content
 */
function text(root, selector, content) {
  const element = find(root, selector, HTMLElement);
  if (element.textContent !== content) {
    element.textContent = content;
  }
}
