/**
 * Sentences in the page's language. The page brings those that differ from English; a text without
 * a translation, and every text where there is no page, is said as it is written.
 */

import { localesFor } from "./clock.js";

/** @typedef {Record<string, string | number>} Values */
/** @typedef {Record<string, string | Record<string, string>>} Catalogue */

// Letters that are read from right to left. What has some is set apart where it stands among others
// that are not, and on a page in Arabic every name is, as nobody knows what it begins with.
const RIGHT_TO_LEFT = /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
const ISOLATE = "\u2068";
const END = "\u2069";

export class Translator {
  #catalogue;
  #isolated;
  #plural;
  #number;
  #list;

  /**
   * @param {Catalogue} catalogue a text for a text, or for one that counts a text for each category
   * @param {string} language
   * @param {readonly string[]} readerLanguages
   */
  constructor(catalogue, language, readerLanguages = []) {
    this.#catalogue = new Map(Object.entries(catalogue));
    this.#isolated = language === "ar" ? /./su : RIGHT_TO_LEFT;
    this.#plural = new Intl.PluralRules(language);
    this.#number = new Intl.NumberFormat(localesFor(language, readerLanguages));
    this.#list = new Intl.ListFormat(language);
  }

  /** @param {string} text @param {Values} values */
  gettext(text, values) {
    const found = this.#catalogue.get(text);
    return this.#filled(typeof found === "string" ? found : text, values);
  }

  /** @param {string} one @param {string} many @param {number} num @param {Values} values */
  ngettext(one, many, num, values) {
    const found = this.#catalogue.get(one);
    const forms = typeof found === "object" ? found : { one, other: many };
    const form = forms[this.#plural.select(num)] ?? forms.other ?? many;
    return this.#filled(form, { num, ...values });
  }

  /** @param {string[]} names */
  listOf(names) {
    return this.#list.format(names.map((name) => this.#apart(name)));
  }

  /** @param {string} text @param {Values} values */
  #filled(text, values) {
    return text.replace(/%(?:%|\((\w+)\)[sd])/g, (sign, name) => {
      const value = name === undefined ? "%" : (values[name] ?? sign);
      return typeof value === "number" ? this.#number.format(value) : this.#apart(value);
    });
  }

  /** A text that turns no other round. @param {string} text */
  #apart(text) {
    return this.#isolated.test(text) ? ISOLATE + text + END : text;
  }
}

/** @type {Translator | undefined} */
let translator;

/** Made at the first word, when the document is there. */
function ofPage() {
  if (translator === undefined) {
    const isPage = typeof document !== "undefined";
    const block = isPage ? document.querySelector('script[data-part="catalogue"]') : null;
    const language = isPage ? document.documentElement.lang : "en";
    const readers = isPage ? navigator.languages : [];
    translator = new Translator(JSON.parse(block?.textContent ?? "{}"), language, readers);
  }
  return translator;
}

/**
 * A sentence; `%(name)s` in it is taken from the values.
 *
 * @param {string} text
 * @param {Values} [values]
 */
export function gettext(text, values = {}) {
  return ofPage().gettext(text, values);
}

/**
 * A sentence that counts; `%(num)s` in it is how many.
 *
 * @param {string} one
 * @param {string} many
 * @param {number} num
 * @param {Values} [values]
 */
export function ngettext(one, many, num, values = {}) {
  return ofPage().ngettext(one, many, num, values);
}

/**
 * Names as a sentence lists them.
 *
 * @param {string[]} names
 */
export function listOf(names) {
  return ofPage().listOf(names);
}
