/**
 * The page's side of the talk with the widget's frame; `frame-bridge.js` is the other.
 *
 * Only our frame's window is heard, only under the chat's origin, and nothing is sent to any other.
 */

/** Once loaded, the frame answers within this, or it never will. */
const ANSWER_MS = 2_000;

/**
 * @param {string} url
 * @param {Record<string, (data: any) => void>} heard what the frame may say; `ready` comes first
 * @param {() => void} blocked the page's policy does not let the chat in, or the chat not the page
 */
export function makeFrameLink(url, heard, blocked) {
  const { origin } = new URL(url);
  const frame = document.createElement("iframe");
  let isReady = false;

  frame.src = url;
  frame.onload = () => {
    isReady = false;
    post({ shopbell: "hello" });
    setTimeout(() => isReady || blocked(), ANSWER_MS);
  };

  addEventListener("message", ({ source, origin: from, data }) => {
    if (source && source === frame.contentWindow && from === origin) {
      isReady ||= data.shopbell === "ready";
      heard[data.shopbell]?.(data);
    }
  });

  addEventListener("securitypolicyviolation", ({ blockedURI, effectiveDirective }) => {
    if (effectiveDirective === "frame-src" && blockedURI.startsWith(origin)) {
      blocked();
    }
  });

  /** @param {object} message */
  function post(message) {
    // A frame that begins anew, as when a page is swapped, is a page of the shop's own until it has
    // loaded; browsers complain of messages to somebody else there.
    if (frame.contentDocument?.URL !== "about:blank") {
      frame.contentWindow?.postMessage(message, origin);
    }
  }

  return {
    frame,
    /**
     * A frame that is not ready is told nothing: it is told all when it is.
     *
     * @param {string} shopbell the message's type
     * @param {object} [data]
     * @returns whether it was told
     */
    say(shopbell, data) {
      if (isReady) {
        post({ ...data, shopbell });
      }
      return isReady;
    },
  };
}
