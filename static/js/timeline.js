/**
 * One conversation as it is shown: what is stored, in the order of `seq`, and what is on its way.
 *
 * Pure: no DOM, no clock, no network. `handlers/rows.py` groups by the same rules for a page that
 * has no script yet.
 */

/** One sender's messages within this time stand together. */
const GROUP_MS = 5 * 60 * 1000;
/** More rows than this, and the far end is cut off */
export const ROWS_AT_MOST = 300;
/** as soon as there are so many more. */
const SLACK = 20;

/** @typedef {import("./entry.js").Entry} Entry */
/** @typedef {import("./entry.js").Status} Status */
/** @typedef {import("./entry.js").Trouble} Trouble */
/** @typedef {"only" | "first" | "middle" | "last"} Group */

/**
 * @typedef {{kind: "message", key: string, entry: Entry, group: Group, showsTime: boolean}} MessageRow
 * @typedef {{kind: "day", key: string, at: string}} DayRow
 * @typedef {{kind: "new", key: string}} NewRow
 * @typedef {MessageRow | DayRow | NewRow} Row
 */

/** @type {readonly Status[]} */
const PROGRESS = ["failed", "sending", "sent", "delivered", "read"];

export class Timeline {
  /** @type {Entry[]} by `seq`, without gaps once `gap` is null */
  #stored = [];
  /** @type {Entry[]} in the order in which they were written */
  #pending = [];
  /** Whether there is more before the first and after the last stored entry. */
  #moreBefore = false;
  #moreAfter = false;
  /** @type {number | null} the "New" line stands before it */
  #newFrom = null;

  get isEmpty() {
    return this.#stored.length === 0 && this.#pending.length === 0;
  }

  get firstSeq() {
    return this.#stored[0]?.seq ?? 0;
  }

  get lastSeq() {
    return this.#stored.at(-1)?.seq ?? 0;
  }

  get hasMoreBefore() {
    return this.#moreBefore;
  }

  /** The end was cut off: what arrives is not shown before the end is loaded again. */
  get hasMoreAfter() {
    return this.#moreAfter;
  }

  /** The first hole: messages between these two are not here. @returns {{after: number, before: number} | null} */
  get gap() {
    for (let index = 1; index < this.#stored.length; index += 1) {
      const after = this.#stored[index - 1]?.seq ?? 0;
      const before = this.#stored[index]?.seq ?? 0;
      if (before > after + 1) {
        return { after, before };
      }
    }
    return null;
  }

  /**
   * Shows these, the newest page, in place of what was stored before. What is on its way stays.
   *
   * @param {Entry[]} entries
   * @param {{hasMore: boolean}} page
   */
  fill(entries, { hasMore }) {
    this.#stored = [];
    this.#moreBefore = hasMore;
    this.#moreAfter = false;
    for (const entry of entries) {
      this.add(entry);
    }
  }

  /**
   * Takes an older page in, before all others.
   *
   * @param {Entry[]} entries
   * @param {{hasMore: boolean}} page
   */
  prepend(entries, { hasMore }) {
    for (const entry of entries) {
      this.#insert(entry);
    }
    this.#moreBefore = hasMore;
    if (this.#stored.length > ROWS_AT_MOST + SLACK) {
      this.#stored.length = ROWS_AT_MOST;
      this.#moreAfter = true;
    }
  }

  /**
   * Takes one stored message in. It takes the place of the pending one with the same `client_id`.
   *
   * @param {Entry} entry
   * @returns {boolean} false if it was here already, or belongs where nothing is shown now
   */
  add(entry) {
    const pending = this.#pending.findIndex(({ key }) => key === entry.key);
    if (pending >= 0) {
      this.#pending.splice(pending, 1);
      // What was written later stays behind it, wherever it stands now.
      for (const later of this.#pending.slice(pending)) {
        later.after = Math.max(later.after, entry.seq);
      }
    }
    if (this.#moreAfter && entry.seq > this.lastSeq) {
      return false;
    }
    if (this.#moreBefore && entry.seq < this.firstSeq) {
      return false;
    }
    return this.#insert(entry);
  }

  /**
   * Nothing stored is shown until the newest page is loaded: what is written next stands at the
   * end, and the end is not here.
   */
  letGo() {
    this.#stored = [];
    this.#moreBefore = true;
    this.#moreAfter = false;
  }

  /** The far end is cut off when the reader is at the newest. @returns {boolean} whether it was */
  trimStart() {
    if (this.#stored.length <= ROWS_AT_MOST + SLACK) {
      return false;
    }
    this.#stored.splice(0, this.#stored.length - ROWS_AT_MOST);
    this.#moreBefore = true;
    return true;
  }

  /**
   * Shows a message that was just written.
   *
   * @param {Entry} entry
   */
  pend(entry) {
    const known = this.#stored.some(({ key }) => key === entry.key) || this.#find(entry.clientId);
    if (!known) {
      const isEndHere = !this.#moreAfter && (this.#stored.length > 0 || !this.#moreBefore);
      const after = isEndHere ? this.lastSeq : Infinity;
      this.#pending.push({ ...entry, seq: 0, after });
    }
  }

  /**
   * How a pending message is getting on.
   *
   * @param {string} clientId
   * @param {{status: "sending" | "failed", trouble: Trouble | null}} state
   */
  mark(clientId, { status, trouble }) {
    const entry = this.#find(clientId);
    if (entry) {
      entry.status = status;
      entry.trouble = trouble;
    }
  }

  /**
   * Forgets all pending messages but these.
   *
   * @param {string[]} clientIds
   */
  keepPending(clientIds) {
    this.#pending = this.#pending.filter(({ clientId }) => clientIds.includes(clientId));
  }

  /**
   * One's own messages up to `seq` are delivered, or read. Never back.
   *
   * @param {"delivered" | "read"} status
   * @param {number} seq
   * @param {string | null} at
   */
  advance(status, seq, at) {
    for (const entry of this.#stored) {
      if (entry.seq > seq) {
        break;
      }
      if (entry.sender === "mine" && isFurther(status, entry.status)) {
        entry.status = status;
        entry.readAt = status === "read" ? at : entry.readAt;
      } else if (entry.status === "read" && status === "read") {
        entry.readAt ??= at;
      }
    }
  }

  /** Draws the "New" line before the first message of the other side after `readSeq`. @param {number} readSeq */
  drawNewLine(readSeq) {
    const first = this.#stored.find(({ seq, sender }) => seq > readSeq && sender !== "mine");
    const isKnown = first !== undefined && (first.seq > this.firstSeq || !this.#moreBefore);
    this.#newFrom = isKnown ? first.seq : null;
  }

  eraseNewLine() {
    this.#newFrom = null;
  }

  /**
   * All that is shown, from the oldest to the newest.
   *
   * @param {(iso: string) => string} dayOf names the day of a moment, in the reader's zone, so that
   *   later days have greater names
   * @returns {Row[]}
   */
  rows(dayOf) {
    const entries = this.#inOrder();
    /** @param {number} index */
    const together = (index) =>
      this.#together(entries[index - 1], entries[index], dayOf);
    /** @type {Row[]} */
    const rows = [];
    let day = "";
    entries.forEach((entry, index) => {
      const today = dayOf(entry.at);
      if (today > day) {
        day = today; // what waited since yesterday does not bring yesterday back
        rows.push({ kind: "day", key: `day ${today}`, at: entry.at });
      }
      if (entry.seq !== 0 && entry.seq === this.#newFrom) {
        rows.push({ kind: "new", key: "new" });
      }
      const joinsNext = together(index + 1);
      const next = entries[index + 1];
      const differs = entry.sender === "mine" && next?.status !== entry.status;
      rows.push({
        kind: "message",
        key: rowKeyOf(entry),
        entry,
        group: groupOf(together(index), joinsNext),
        showsTime: !joinsNext || differs,
      });
    });
    return rows;
  }

  /** Stored and pending ones, each pending one where it was written. */
  #inOrder() {
    if (this.#pending.length === 0) {
      return this.#stored;
    }
    /** @type {Entry[]} */
    const entries = [];
    const pending = [...this.#pending].sort(
      (one, other) => one.after - other.after || Date.parse(one.at) - Date.parse(other.at),
    );
    for (const entry of this.#stored) {
      while (pending[0] && pending[0].after < entry.seq) {
        entries.push(/** @type {Entry} */ (pending.shift()));
      }
      entries.push(entry);
    }
    return this.#moreAfter ? entries : [...entries, ...pending];
  }

  /**
   * @param {Entry | undefined} one
   * @param {Entry | undefined} next
   * @param {(iso: string) => string} dayOf
   */
  #together(one, next, dayOf) {
    return (
      one !== undefined &&
      next !== undefined &&
      one.sender === next.sender &&
      one.sender !== "system" &&
      Date.parse(next.at) - Date.parse(one.at) <= GROUP_MS &&
      dayOf(one.at) === dayOf(next.at) &&
      (next.seq === 0 || next.seq !== this.#newFrom) &&
      one.trouble === null // what can be done about it stands between them
    );
  }

  /** @param {Entry} entry */
  #insert(entry) {
    let index = this.#stored.length;
    while (index > 0 && (this.#stored[index - 1]?.seq ?? 0) > entry.seq) {
      index -= 1;
    }
    const before = this.#stored[index - 1];
    if (before?.seq === entry.seq) {
      return false;
    }
    this.#stored.splice(index, 0, entry);
    return true;
  }

  /** @param {string} clientId */
  #find(clientId) {
    return this.#pending.find((entry) => entry.clientId === clientId);
  }
}

/**
 * The name of a message's row. One that was erased gets another row: nothing that the old one
 * showed, wherever that was, may stay.
 *
 * @param {Entry} entry
 */
export function rowKeyOf({ key, erased }) {
  return erased ? `${key} erased` : key;
}

/**
 * @param {Status} status
 * @param {Status} than
 */
function isFurther(status, than) {
  return PROGRESS.indexOf(status) > PROGRESS.indexOf(than);
}

/**
 * @param {boolean} joinsBefore
 * @param {boolean} joinsNext
 * @returns {Group}
 */
function groupOf(joinsBefore, joinsNext) {
  if (joinsBefore) {
    return joinsNext ? "middle" : "last";
  }
  return joinsNext ? "first" : "only";
}
