/** A list whose rows may change places, but not while a hand rests on it. */

export class HeldList {
  #element;

  /** @param {HTMLOListElement} element */
  constructor(element) {
    this.#element = element;
  }

  /**
   * Shows these rows in this order. While the pointer or the focus is in the list nothing moves and
   * nothing goes: only what is new is put at its end.
   *
   * @param {HTMLElement[]} items
   * @param {{anyway?: boolean}} [how] `anyway`: somebody asked for other rows
   */
  show(items, { anyway = false } = {}) {
    if (!anyway && this.#isHeld) {
      this.#element.append(...items.filter((item) => !item.isConnected));
      return;
    }
    const wanted = new Set(items);
    for (const item of [...this.#element.children]) {
      if (item instanceof HTMLElement && !wanted.has(item)) {
        item.remove();
      }
    }
    let next = this.#element.firstElementChild;
    for (const item of items) {
      if (item === next) {
        next = next.nextElementSibling;
      } else {
        this.#element.insertBefore(item, next);
      }
    }
  }

  /** A finger does not rest: after a tap the browser only pretends that it does. */
  get #isHeld() {
    const isUnderPointer = matchMedia("(hover: hover)").matches && this.#element.matches(":hover");
    return isUnderPointer || this.#element.contains(document.activeElement);
  }
}
