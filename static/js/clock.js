/** Times in the reader's own language and zone. No DOM. */

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** For readers who say nothing of theirs, as the server has it. @type {Record<string, string>} */
const REGIONS = { en: "en-GB" };

export class Clock {
  #now;
  #time;
  #day;
  #dayOfYear;
  #weekday;
  #weekdayInFull;
  #date;
  #full;
  #key;
  #relative;
  #minutes;

  /**
   * @param {string[]} locales
   * @param {{timeZone?: string, now?: () => number}} [options]
   */
  constructor(locales, { timeZone, now = Date.now } = {}) {
    /** @param {Intl.DateTimeFormatOptions} options */
    const format = (options) => new Intl.DateTimeFormat(locales, { timeZone, ...options });
    this.#now = now;
    this.#time = format({ timeStyle: "short" }); // as the server writes it
    this.#day = format({ weekday: "long", day: "numeric", month: "long" });
    this.#dayOfYear = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
    this.#weekday = format({ weekday: "short" });
    this.#weekdayInFull = format({ weekday: "long" });
    this.#date = format({ day: "numeric", month: "short" });
    this.#full = format({ dateStyle: "long", timeStyle: "short" });
    this.#relative = new Intl.RelativeTimeFormat(locales, { numeric: "auto" });
    this.#minutes = new Intl.NumberFormat(locales, { style: "unit", unit: "minute" });
    // The days are told apart by their dates in the zone; Swedish writes them as ISO does.
    this.#key = new Intl.DateTimeFormat("sv", { timeZone, dateStyle: "short" });
  }

  /** "10:14" @param {string} iso */
  time(iso) {
    return this.#time.format(new Date(iso));
  }

  /** The same for all moments of one day of the reader's. @param {string} iso */
  dayKey(iso) {
    return this.#key.format(new Date(iso));
  }

  /** "Today", "Yesterday", "Thursday, 5 November", with the year if it is another. @param {string} iso */
  day(iso) {
    const at = new Date(iso);
    const daysAgo = this.#daysAgo(iso);
    if (daysAgo === 0 || daysAgo === 1) {
      return this.#sentence(this.#relative.format(-daysAgo, "day"));
    }
    const sameYear = at.getFullYear() === new Date(this.#now()).getFullYear();
    return (sameYear ? this.#day : this.#dayOfYear).format(at);
  }

  /** In a list: "now", "5 min", the clock, "Yesterday", a weekday, a date. @param {string} iso */
  inList(iso) {
    const at = new Date(iso);
    const minutes = Math.floor((this.#now() - at.getTime()) / MINUTE_MS);
    if (minutes < 60) {
      return minutes < 1 ? this.#relative.format(0, "second") : this.#minutes.format(minutes);
    }
    const daysAgo = this.#daysAgo(iso);
    if (daysAgo === 0) {
      return this.time(iso);
    }
    if (daysAgo === 1) {
      return this.#sentence(this.#relative.format(-1, "day"));
    }
    return (daysAgo < 7 ? this.#weekday : this.#date).format(at);
  }

  /** "3 November 2026 at 10:14" @param {string} iso */
  full(iso) {
    return this.#full.format(new Date(iso));
  }

  /** How many days lie between today and a moment to come: 0 is today. @param {string} iso */
  daysAhead(iso) {
    return 0 - this.#daysAgo(iso);
  }

  /** "Monday" @param {string} iso */
  weekday(iso) {
    return this.#weekdayInFull.format(new Date(iso));
  }

  /** Calendar days, however long or short they were. @param {string} iso */
  #daysAgo(iso) {
    const today = Date.parse(this.#key.format(this.#now()));
    return Math.round((today - Date.parse(this.dayKey(iso))) / DAY_MS);
  }

  /** @param {string} text */
  #sentence(text) {
    const [first = "", ...rest] = text;
    return first.toLocaleUpperCase() + rest.join("");
  }
}

/**
 * The reader's own locale where it speaks the page's language ("en-GB" on a page in "en"), so that
 * times look as at home; else the page's.
 *
 * @param {string} pageLanguage
 * @param {readonly string[]} readerLanguages
 */
export function localesFor(pageLanguage, readerLanguages) {
  const [base] = pageLanguage.split("-");
  const own = readerLanguages.filter((language) => language.split("-")[0] === base);
  return [...own, REGIONS[pageLanguage] ?? pageLanguage];
}
