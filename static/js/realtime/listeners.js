/** Who wants to be told what. */

/** @template {object} Events from the name of an event to what its callbacks are given */
export class Listeners {
  /** @type {Map<keyof Events, Set<{callback: (data: any) => void}>>} */
  #subscriptions = new Map();
  #failed;

  /** @param {(error: unknown, name: keyof Events) => void} failed told of a callback that threw */
  constructor(failed) {
    this.#failed = failed;
  }

  /**
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {(data: Events[Name]) => void} callback
   * @returns {() => void} unsubscribes; a second call does nothing
   */
  add(name, callback) {
    if (typeof callback !== "function") {
      throw new TypeError("A callback must be a function.");
    }
    // Wrapped, so that the same function subscribed twice is two subscriptions.
    const subscription = { callback };
    const subscriptions = this.#subscriptions.get(name) ?? new Set();
    this.#subscriptions.set(name, subscriptions.add(subscription));
    return () => void subscriptions.delete(subscription);
  }

  /**
   * Calls each callback; one that throws keeps neither the others nor the caller from going on.
   *
   * @template {keyof Events} Name
   * @param {Name} name
   * @param {Events[Name]} data
   * @returns {boolean} whether anybody listened
   */
  tell(name, data) {
    const subscriptions = this.#subscriptions.get(name) ?? new Set();
    const atFirst = [...subscriptions];
    for (const subscription of atFirst) {
      if (!subscriptions.has(subscription)) {
        continue; // unsubscribed by one of the callbacks before it
      }
      try {
        subscription.callback(data);
      } catch (error) {
        this.#failed(error, name);
      }
    }
    return atFirst.length > 0;
  }
}
