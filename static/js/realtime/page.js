/**
 * What a browser's page can say about the network and about being looked at. In Node it says
 * nothing.
 */

/**
 * @typedef {object} Host
 * @property {(type: string, listener: () => void) => void} [addEventListener]
 * @property {(type: string, listener: () => void) => void} [removeEventListener]
 * @property {{
 *   visibilityState: string,
 *   addEventListener: (type: string, listener: () => void) => void,
 *   removeEventListener: (type: string, listener: () => void) => void,
 * }} [document]
 */

/**
 * @param {Host} host the window, as a rule
 * @param {() => number} now
 * @param {{online: () => void, returned: (hiddenMs: number) => void}} callbacks
 * @returns {() => void} stops watching
 */
export function watchPage(host, now, { online, returned }) {
  const { document } = host;
  let hiddenAt = document?.visibilityState === "hidden" ? now() : null;
  const flipped = () => {
    if (document?.visibilityState === "hidden") {
      hiddenAt ??= now();
    } else if (hiddenAt !== null) {
      const hiddenMs = now() - hiddenAt;
      hiddenAt = null;
      returned(hiddenMs);
    }
  };
  host.addEventListener?.("online", online);
  document?.addEventListener("visibilitychange", flipped);
  return () => {
    host.removeEventListener?.("online", online);
    document?.removeEventListener("visibilitychange", flipped);
  };
}
