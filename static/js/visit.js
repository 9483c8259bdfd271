/**
 * What a buyer's page says of itself and of its reader, in words. It is not signed: only addresses
 * that a browser may follow are taken over, and what makes no sense is left out. No DOM.
 */

/** @typedef {import("./realtime/wire.js").Context} Context */

/**
 * @typedef {object} Visit
 * @property {string} address of the product, else of the page; empty if it is none
 * @property {string} host_and_path the address as one reads it
 * @property {string} what
 * @property {string} price
 */

/** @param {Context} context @returns {Visit} */
export function visitOf({ url, title, product }) {
  const wanted = product?.url ?? url;
  const address = /^https?:\/\//i.test(wanted) ? wanted : "";
  const host_and_path = address.replace(/^https?:\/\//i, "").replace(/\/$/, "");
  return { address, host_and_path, what: product?.name || title || host_and_path, price: String(product?.price ?? "") };
}

/**
 * "English", "Brazilian Portuguese"; empty for what is no language.
 *
 * @param {string | undefined} code
 * @param {string[]} locales
 */
export function languageName(code, locales) {
  try {
    return code ? (new Intl.DisplayNames(locales, { type: "language", fallback: "none" }).of(code) ?? "") : "";
  } catch {
    return "";
  }
}

/**
 * "10:24", "Sun 23:10" where it is another day; empty for what is no time zone.
 *
 * @param {string | undefined} timeZone
 * @param {string[]} locales
 * @param {number} now
 */
export function localTime(timeZone, locales, now) {
  if (!timeZone) {
    return "";
  }
  try {
    const day = new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short" });
    const isToday = day.format(now) === new Intl.DateTimeFormat("sv", { dateStyle: "short" }).format(now);
    /** @type {Intl.DateTimeFormatOptions} */
    const shown = isToday
      ? { timeStyle: "short" }
      : { weekday: "short", hour: "numeric", minute: "2-digit" };
    return new Intl.DateTimeFormat(locales, { timeZone, ...shown }).format(now);
  } catch {
    return "";
  }
}
