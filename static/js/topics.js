/** What a conversation was about: the subjects of the messages that are loaded, each a way there. */

import { find } from "./parts.js";

const MOST = 6;

export class Topics {
  #section;
  #list;
  #rows;

  /**
   * @param {HTMLElement} section hidden while there are none
   * @param {HTMLElement} rows the conversation's messages
   */
  constructor(section, rows) {
    this.#section = section;
    this.#list = find(section, "ol", HTMLOListElement);
    this.#rows = rows;
    new MutationObserver(() => this.#show()).observe(rows, { childList: true });
    this.#show();
  }

  /** The newest first, each once, with its first message. */
  #show() {
    /** @type {Map<string, Element>} */
    const found = new Map();
    for (const topic of this.#rows.querySelectorAll(".message__topic")) {
      const name = topic.textContent?.trim() ?? "";
      if (name !== "" && !found.has(name)) {
        found.set(name, topic);
      }
    }
    this.#section.hidden = found.size === 0;
    const newest = [...found].reverse().slice(0, MOST);
    this.#list.replaceChildren(...newest.map(([name, topic]) => this.#item(name, topic)));
  }

  /**
   * @param {string} name
   * @param {Element} topic
   */
  #item(name, topic) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "side__link";
    const text = document.createElement("bdi");
    text.textContent = name;
    button.append(text);
    button.addEventListener("click", () => topic.scrollIntoView({ block: "center" }));
    item.append(button);
    return item;
  }
}
