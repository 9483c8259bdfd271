import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { entryOf, pendingEntry } from "../../static/js/entry.js";
import { ROWS_AT_MOST, Timeline } from "../../static/js/timeline.js";
import { MAYA, OMAR, message, seeded } from "./cast.js";

const cases = JSON.parse(readFileSync(new URL("../rows.json", import.meta.url), "utf8"));

/** In UTC, as the server groups. */
const dayOf = (iso) => iso.slice(0, 10);
const entry = (seq, rest = {}) => entryOf(message(seq, rest), MAYA);
const page = (first, last, rest = {}) =>
  Array.from({ length: last - first + 1 }, (_, index) => entry(first + index, rest));
const unsent = (client_id, rest = {}) =>
  pendingEntry({
    client_id,
    message: client_id,
    subject: null,
    created_at: "2026-01-02T03:04:05.678Z",
    ...rest,
  });
const own = (seq, client_id, rest = {}) => entry(seq, { from: MAYA, to: OMAR, client_id, ...rest });
const shown = (timeline) =>
  timeline
    .rows(dayOf)
    .filter(({ kind }) => kind === "message")
    .map((row) => row.entry.seq || row.entry.clientId);

function filled(first, last, hasMore = false) {
  const timeline = new Timeline();
  timeline.fill(page(first, last), { hasMore });
  return timeline;
}

for (const { name, messages, rows, read_seq = messages.length } of cases) {
  test(name, () => {
    const timeline = new Timeline();
    const entries = messages.map(({ by, at, status = "sent", kind = "general" }, index) => {
      const people = by === "mine" ? { from: MAYA, to: OMAR } : {};
      return entry(index + 1, { ...people, created_at: at, status, message_type: kind });
    });
    timeline.fill(entries, { hasMore: false });
    timeline.drawNewLine(read_seq);
    const found = timeline
      .rows(dayOf)
      .map((row) =>
        row.kind === "message" ? `${row.group} ${row.showsTime ? "shown" : "hidden"}` : row.kind,
      );
    assert.deepEqual(found, rows);
  });
}

test("an erased message keeps its place, in a row of its own that says nothing any more", () => {
  const timeline = filled(1, 3);
  const before = timeline.rows(dayOf).filter(({ kind }) => kind === "message");
  const erased = { text: "", message_html: "", sender_name: null, erased_at: "2026-02-01T00:00:00.000Z" };
  timeline.fill([entry(1), entry(2, erased), entry(3)], { hasMore: false });
  const after = timeline.rows(dayOf).filter(({ kind }) => kind === "message");
  assert.deepEqual(
    after.map(({ key }, index) => key === before[index].key),
    [true, false, true],
  );
  assert.deepEqual(after.map((row) => row.entry.key), before.map((row) => row.entry.key));
  assert.deepEqual(after.map((row) => row.entry.erased), [false, true, false]);
  assert.deepEqual(after[1].entry.text, "");
});

test("messages stand in the order of seq, however they arrive, and once", () => {
  const random = seeded(7);
  const seqs = [...Array(40).keys()].map((index) => index + 1);
  const arrivals = [...seqs, ...seqs].sort(() => random() - 0.5);
  const timeline = new Timeline();
  timeline.fill([], { hasMore: false });
  arrivals.forEach((seq) => timeline.add(entry(seq)));
  assert.deepEqual(shown(timeline), seqs);
  assert.equal(timeline.gap, null);
});

test("a jump in seq is a gap until what is missing has come", () => {
  const timeline = filled(1, 3);
  timeline.add(entry(6));
  assert.deepEqual(timeline.gap, { after: 3, before: 6 });
  timeline.add(entry(4));
  timeline.add(entry(5));
  assert.equal(timeline.gap, null);
});

test("a pending message becomes the stored one with its client_id, under the same key", () => {
  const timeline = filled(1, 2);
  timeline.pend(unsent("c1"));
  const [before] = timeline.rows(dayOf).slice(-1);
  timeline.add(own(3, "c1"));
  const [after] = timeline.rows(dayOf).slice(-1);
  assert.equal(before.key, after.key);
  assert.deepEqual(shown(timeline), [1, 2, 3]);
});

test("another's message with the same client_id takes nobody's place", () => {
  const timeline = filled(1, 1);
  timeline.pend(unsent("c1"));
  timeline.add(entry(2, { client_id: "c1" }));
  assert.deepEqual(shown(timeline), [1, "c1", 2]);
});

test("a pending message stays where it was written until it is stored", () => {
  const timeline = filled(1, 2);
  timeline.pend(unsent("c1"));
  timeline.add(entry(3));
  assert.deepEqual(shown(timeline), [1, 2, "c1", 3]);
  timeline.add(own(4, "c1"));
  assert.deepEqual(shown(timeline), [1, 2, 3, 4]);
});

test("a message that is stored already is not shown as pending again", () => {
  const timeline = filled(1, 1);
  timeline.add(own(2, "c1"));
  timeline.pend(unsent("c1"));
  assert.deepEqual(shown(timeline), [1, 2]);
});

test("pending messages survive a reload of the page's messages", () => {
  const timeline = filled(1, 2);
  timeline.pend(unsent("c1"));
  timeline.fill(page(5, 6), { hasMore: true });
  assert.deepEqual(shown(timeline), ["c1", 5, 6]);
});

test("only the pending messages that are still on their way are kept", () => {
  const timeline = filled(1, 1);
  timeline.pend(unsent("c1"));
  timeline.pend(unsent("c2"));
  timeline.keepPending(["c2"]);
  assert.deepEqual(shown(timeline), [1, "c2"]);
});

test("a failed message bears its trouble and ends its group", () => {
  const timeline = filled(1, 1);
  timeline.pend(unsent("c1"));
  timeline.pend(unsent("c2"));
  const trouble = { reason: "Not sent", again: true, remove: true };
  timeline.mark("c1", { status: "failed", trouble });
  const [first, second] = timeline.rows(dayOf).slice(-2);
  assert.deepEqual([first.entry.status, first.group, second.group], ["failed", "only", "only"]);
  timeline.mark("c1", { status: "sending", trouble: null });
  assert.equal(timeline.rows(dayOf).at(-1).group, "last");
});

test("a receipt covers all one's own messages up to it, and never goes back", () => {
  const timeline = new Timeline();
  timeline.fill([own(1, "a"), entry(2), own(3, "b"), own(4, "c")], { hasMore: false });
  const states = () =>
    timeline
      .rows(dayOf)
      .filter(({ kind }) => kind === "message")
      .map((row) => row.entry.status);
  timeline.advance("read", 3, "2026-01-02T04:00:00.000Z");
  timeline.advance("delivered", 4, null);
  assert.deepEqual(states(), ["read", "sent", "read", "delivered"]);
  timeline.advance("delivered", 3, null);
  assert.deepEqual(states(), ["read", "sent", "read", "delivered"]);
});

test("older pages are put before, and their end is told", () => {
  const timeline = filled(51, 100, true);
  timeline.prepend(page(1, 50), { hasMore: false });
  assert.deepEqual([timeline.firstSeq, timeline.lastSeq], [1, 100]);
  assert.equal(timeline.hasMoreBefore, false);
});

test("what lies before the first page shown is not drawn into it", () => {
  const timeline = filled(51, 100, true);
  assert.equal(timeline.add(entry(20)), false);
  assert.equal(timeline.firstSeq, 51);
});

test("reading far back cuts off the newest, which are then not shown until they are loaded", () => {
  const timeline = filled(301, 350, true);
  for (let first = 251; first >= 1; first -= 50) {
    timeline.prepend(page(first, first + 49), { hasMore: first > 1 });
  }
  assert.equal(shown(timeline).length, ROWS_AT_MOST);
  assert.equal(timeline.hasMoreAfter, true);
  timeline.pend(unsent("c1"));
  assert.equal(timeline.add(entry(351)), false);
  assert.equal(shown(timeline).at(-1), ROWS_AT_MOST);
  timeline.fill(page(302, 351), { hasMore: true });
  assert.deepEqual(shown(timeline).slice(-2), [351, "c1"]);
});

test("a long watch at the end cuts off the oldest", () => {
  const timeline = filled(1, 50);
  page(51, 400).forEach((added) => timeline.add(added));
  assert.equal(timeline.trimStart(), true);
  assert.equal(timeline.lastSeq - timeline.firstSeq + 1, ROWS_AT_MOST);
  assert.equal(timeline.hasMoreBefore, true);
});

test("a text that waited since yesterday does not bring yesterday back", () => {
  const timeline = filled(1, 1);
  timeline.pend(unsent("c1", { created_at: "2026-01-01T23:00:00.000Z" }));
  timeline.pend(unsent("c2"));
  const keys = timeline.rows(dayOf).map(({ kind, key }) => (kind === "day" ? key : kind));
  assert.deepEqual(keys, ["day 2026-01-02", "message", "message", "message"]);
});

test("what was written earlier stands before, whichever is heard of first", () => {
  const timeline = filled(1, 1);
  timeline.pend(unsent("later", { created_at: "2026-01-02T03:06:00.000Z" }));
  timeline.pend(unsent("earlier", { created_at: "2026-01-02T03:05:00.000Z" }));
  assert.deepEqual(shown(timeline), [1, "earlier", "later"]);
});

test("where the end was cut off, what is written now is shown at once, and the rest let go", () => {
  const timeline = filled(301, 350, true);
  for (let first = 251; first >= 1; first -= 50) {
    timeline.prepend(page(first, first + 49), { hasMore: first > 1 });
  }
  timeline.letGo();
  timeline.pend(unsent("c1"));
  assert.deepEqual(shown(timeline), ["c1"]);
  assert.deepEqual([timeline.hasMoreBefore, timeline.hasMoreAfter], [true, false]);
  timeline.fill(page(302, 351), { hasMore: true });
  assert.deepEqual(shown(timeline).slice(-2), [351, "c1"]);
});

test("the New line is not drawn where reading ended before what is shown", () => {
  const timeline = filled(51, 60, true);
  timeline.drawNewLine(10);
  assert.equal(
    timeline.rows(dayOf).some(({ kind }) => kind === "new"),
    false,
  );
  timeline.drawNewLine(55);
  const kinds = timeline.rows(dayOf).map(({ kind }) => kind);
  assert.equal(kinds.indexOf("new"), 6, "after the day and five that were read");
  timeline.eraseNewLine();
  assert.equal(
    timeline.rows(dayOf).some(({ kind }) => kind === "new"),
    false,
  );
});
