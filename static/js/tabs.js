/**
 * Which tabs are open, so that exactly one sends what a closed one left behind.
 *
 * A tab holds a lock of its own name as long as it lives; the browser lets go of it even after a
 * crash. Where there are no locks (plain http, some frames), every tab takes everything: the
 * server stores a `client_id` once, however often it is sent.
 */

const TAB = "shopbell-tab ";

export class Tabs {
  #locks;
  name;

  /**
   * @param {string} name this tab's, unlike all others
   * @param {LockManager | undefined} locks
   */
  constructor(name, locks) {
    this.name = name;
    this.#locks = locks;
    this.#locks?.request(TAB + name, () => new Promise(() => {})).catch(() => {});
  }

  /**
   * Runs `task` while no other tab runs one of the same name, with the names of the open tabs.
   *
   * @template T
   * @param {string} name
   * @param {(openTabs: Set<string>) => T} task
   * @returns {Promise<T>}
   */
  async alone(name, task) {
    const locks = this.#locks;
    if (!locks) {
      return task(new Set());
    }
    try {
      return await locks.request(`shopbell ${name}`, async () => {
        const { held = [] } = await locks.query();
        const names = held.map((lock) => lock.name ?? "").filter((held) => held.startsWith(TAB));
        return task(new Set(names.map((held) => held.slice(TAB.length))));
      });
    } catch (error) {
      if (error instanceof DOMException) {
        return task(new Set());
      }
      throw error;
    }
  }
}
