/**
 * `/widget.js`: puts the bell on a page of a shop, and `window.Shopbell` into its scripts' reach.
 *
 * The server joins it with what it imports and writes the looks and the words in, see
 * `handlers/launcher.py`. It finds the chat by its own address.
 */

import { joinPage } from "./shop-page.js";

/**
 * What the server writes in: of the sellers' looks, those that differ from the usual one.
 *
 * @typedef {object} Filled
 * @property {string} styles
 * @property {Record<number, {styles?: string, corner?: string, language?: string}>} looks by the
 *   numbers of the sellers, see `handlers/launcher.py`
 * @property {Record<string, import("./launcher.js").Words>} words by language
 */
const { styles, looks, words } = /** @type {Filled} */ (/** @type {any} */ ("filled in by the server"));

const script = /** @type {HTMLScriptElement} */ (
  document.currentScript ?? document.querySelector("script[data-seller]")
);
const { seller = "", identity, corner, language } = script.dataset;
const page = /** @type {any} */ (window);
/** Calls made before this was here, or what an earlier run of this left. */
const early = page.Shopbell ?? [];

if (Array.isArray(early)) {
  const number = [...seller].reduce((hash, c) => Math.imul(hash ^ c.charCodeAt(0), 16777619), 2166136261) >>> 0;
  const look = looks[number] ?? {};
  const wanted = [language, look.language, document.documentElement.lang, ...navigator.languages, "en"];
  const spoken = wanted.map((tag = "") => tag.split("-")[0]).find((code) => words[code]) ?? "";
  const shopbell = joinPage(new URL(script.src).origin, seller, identity ?? null, {
    language: spoken,
    corner: corner ?? look.corner ?? "",
    styles: styles + (look.styles ?? ""),
    words: words[spoken],
  });
  /** @param {...[keyof typeof shopbell, ...any[]]} calls */
  const push = (...calls) => {
    for (const [name, ...values] of calls) {
      /** @type {any} */ (shopbell)[name](...values);
    }
  };
  page.Shopbell = Object.freeze({ ...shopbell, push });
  push(...early);
} else if (identity) {
  early.identify(identity); // a framework ran the tag again, on a page of somebody who logged in
}
