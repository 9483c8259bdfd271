import assert from "node:assert/strict";
import { test } from "node:test";

import { Sequence } from "../../static/js/realtime/sequence.js";
import { OTHER_TALK, TALK, conversation, message, seeded } from "./cast.js";

const seqs = (messages) => messages.map(({ seq }) => seq);
const place = (sequence, ...numbers) =>
  numbers.flatMap((seq) => seqs(sequence.place(message(seq))));
const gapsOf = (sequence) => sequence.gaps().map(({ id }) => id);

function* permutations(things) {
  if (things.length === 0) {
    yield [];
  }
  for (const [at, thing] of things.entries()) {
    for (const rest of permutations(things.toSpliced(at, 1))) {
      yield [thing, ...rest];
    }
  }
}

test("in whatever order six messages arrive, each is given out once and in order", () => {
  for (const order of permutations([1, 2, 3, 4, 5, 6])) {
    const sequence = new Sequence({ [TALK]: 0 });
    assert.deepEqual(place(sequence, ...order), [1, 2, 3, 4, 5, 6], `${order}`);
    assert.deepEqual(gapsOf(sequence), []);
  }
});

test("whatever is doubled, each is given out once", () => {
  for (const order of permutations([1, 1, 2, 2, 3, 3])) {
    const sequence = new Sequence({ [TALK]: 0 });
    assert.deepEqual(place(sequence, ...order), [1, 2, 3], `${order}`);
    assert.deepEqual(sequence.giveUp(TALK), [], "nothing is kept of the doubles");
  }
});

test("whatever is one's own, the others are given out in order and it is not", () => {
  for (const order of permutations([1, 2, 3, 4, 5])) {
    for (let own = 1; own <= 5; own += 1) {
      const sequence = new Sequence({ [TALK]: 0 });
      const given = order.flatMap((seq) =>
        seqs(sequence.place(message(seq), { silent: seq === own })),
      );
      assert.deepEqual(
        given,
        [1, 2, 3, 4, 5].filter((seq) => seq !== own),
      );
      assert.deepEqual(sequence.since(), { [TALK]: 5 });
    }
  }
});

test("a message held back, and then acknowledged as one's own, is not given out", () => {
  const sequence = new Sequence({ [TALK]: 0 });
  assert.deepEqual(place(sequence, 2), []);
  assert.deepEqual(sequence.place(message(2), { silent: true }), []);
  assert.deepEqual(place(sequence, 1, 3), [1, 3]);
});

test("a jump holds back what follows until the gap is filled", () => {
  const sequence = new Sequence({ [TALK]: 3 });
  assert.deepEqual(place(sequence, 4, 6, 7), [4]);
  assert.deepEqual(gapsOf(sequence), [TALK]);
  assert.deepEqual(sequence.since(), { [TALK]: 4 });
  assert.deepEqual(place(sequence, 5), [5, 6, 7]);
  assert.deepEqual(gapsOf(sequence), []);
});

test("a gap in one conversation holds back no other", () => {
  const sequence = new Sequence({ [TALK]: 0, [OTHER_TALK]: 0 });
  place(sequence, 2);
  assert.deepEqual(seqs(sequence.place(message(1, { talk: OTHER_TALK }))), [1]);
});

test("a conversation never heard of begins where it is first seen", () => {
  const sequence = new Sequence();
  assert.deepEqual(place(sequence, 17, 18, 16), [17, 18]);
  assert.deepEqual(sequence.since(), { [TALK]: 18 });
});

test("at first the unknown conversations start at their end, and the known stay", () => {
  const sequence = new Sequence({ [TALK]: 5 });
  sequence.registered([
    conversation({ last_seq: 7 }),
    conversation({ id: OTHER_TALK, last_seq: 40, unread: 3 }),
  ]);
  assert.deepEqual(sequence.since(), { [TALK]: 5, [OTHER_TALK]: 40 });
  assert.deepEqual(gapsOf(sequence), [TALK]);
  assert.deepEqual(place(sequence, 6, 7), [6, 7]);
  assert.deepEqual(gapsOf(sequence), []);
});

test("a conversation that came into being while away is missing from its beginning", () => {
  const sequence = new Sequence();
  sequence.registered([conversation({ last_seq: 2 })]);
  sequence.registered([
    conversation({ last_seq: 2 }),
    conversation({ id: OTHER_TALK, last_seq: 3 }),
  ]);
  assert.deepEqual(sequence.since(), { [TALK]: 2, [OTHER_TALK]: 0 });
  assert.deepEqual(gapsOf(sequence), [OTHER_TALK]);
});

test("where not all were listed before, one that turns up is missing from the first unread", () => {
  const hundred = Array.from({ length: 100 }, (_, n) =>
    conversation({ id: `talk-${n}`, last_seq: 1 }),
  );
  const sequence = new Sequence();
  sequence.registered(hundred);
  sequence.registered([...hundred.slice(1), conversation({ last_seq: 50, unread: 4 })]);
  assert.equal(sequence.position(TALK), 46);
  assert.deepEqual(gapsOf(sequence), [TALK]);
});

test("what retention removed is not waited for", () => {
  const sequence = new Sequence({ [TALK]: 3 });
  place(sequence, 12);
  assert.deepEqual(
    seqs(sequence.registered([conversation({ first_seq: 12, last_seq: 12 })])),
    [12],
  );
  assert.deepEqual(gapsOf(sequence), []);
});

test("of a conversation of which nothing is left, nothing is waited for", () => {
  const sequence = new Sequence({ [TALK]: 3 });
  sequence.registered([conversation({ first_seq: 13, last_seq: 12 })]);
  assert.deepEqual(gapsOf(sequence), []);
  assert.deepEqual(place(sequence, 13), [13]);
});

test("a position moves forward only, and frees what is behind it", () => {
  const sequence = new Sequence({ [TALK]: 3 });
  place(sequence, 5, 8);
  assert.deepEqual(seqs(sequence.moveTo(TALK, 2)), []);
  assert.deepEqual(seqs(sequence.moveTo(TALK, 7)), [8]);
  assert.deepEqual(sequence.since(), { [TALK]: 8 });
});

test("a position that is no whole number is refused", () => {
  for (const wrong of [Number.NaN, -1, 1.5, "3", null, undefined, Infinity]) {
    assert.throws(() => new Sequence({ [TALK]: wrong }), TypeError);
  }
});

test("after a reset it goes on behind what the registration listed", () => {
  const sequence = new Sequence({ [TALK]: 900 });
  sequence.registered([conversation({ last_seq: 40 })]);
  sequence.reset(TALK);
  assert.deepEqual(sequence.since(), { [TALK]: 40 });
  assert.deepEqual(place(sequence, 40, 41), [41]);
});

test("after a reset in the middle it goes on behind what came, and calls nothing back again", () => {
  const sequence = new Sequence({ [TALK]: 40 });
  sequence.registered([conversation({ last_seq: 40 })]);
  place(sequence, 41, 42);
  sequence.reset(TALK);
  assert.deepEqual(sequence.since(), { [TALK]: 42 });
  assert.deepEqual(place(sequence, 41, 42, 43), [43]);
  assert.deepEqual(gapsOf(sequence), []);
});

test("after a reset of a conversation that was not listed it goes on with the next message", () => {
  const sequence = new Sequence({ [TALK]: 900 });
  place(sequence, 903);
  sequence.reset(TALK);
  assert.deepEqual(gapsOf(sequence), []);
  assert.deepEqual(place(sequence, 12), [12]);
});

test("a hopeless gap is given up: what was held is given out, one's own is not", () => {
  const sequence = new Sequence({ [TALK]: 1 });
  place(sequence, 6, 3);
  sequence.place(message(4), { silent: true });
  assert.deepEqual(seqs(sequence.giveUp(TALK)), [3, 6]);
  assert.deepEqual(gapsOf(sequence), []);
  assert.deepEqual(place(sequence, 2, 7), [7]);
  assert.deepEqual(sequence.giveUp("unknown"), []);
});

test("asking is counted while there is a gap, and forgotten with every step forward", () => {
  const sequence = new Sequence({ [TALK]: 0 });
  sequence.countAsked(TALK);
  place(sequence, 3);
  sequence.countAsked(TALK);
  sequence.countAsked(TALK);
  assert.deepEqual(sequence.gaps(), [{ id: TALK, asked: 2 }]);
  place(sequence, 1);
  assert.deepEqual(sequence.gaps(), [{ id: TALK, asked: 0 }]);
});

test("hostile names of conversations are names like any other", () => {
  const sequence = new Sequence();
  for (const talk of ["constructor", "__proto__", "toString", ""]) {
    assert.deepEqual(seqs(sequence.place(message(1, { talk }))), [1]);
    assert.deepEqual(seqs(sequence.place(message(1, { talk }))), []);
  }
  assert.deepEqual(Object.keys(sequence.since()).length, 4);
  assert.equal({}.polluted, undefined);
});

test("P5: over a bad line with many breaks, all is given out once, in order, without holes", () => {
  for (let seed = 1; seed <= 300; seed += 1) {
    const random = seeded(seed);
    const upTo = (limit) => Math.floor(random() * limit);
    const talks = [TALK, OTHER_TALK];
    const lengths = new Map(talks.map((talk) => [talk, 0]));
    const given = new Map(talks.map((talk) => [talk, []]));
    const sequence = new Sequence({ [TALK]: 0, [OTHER_TALK]: 0 });
    const keep = (messages) =>
      messages.forEach(({ conversation_id: talk, seq }) => given.get(talk).push(seq));
    let line = [];
    const register = () => {
      // The server answers with the list, and then with what is missing since the positions.
      const since = sequence.since();
      keep(sequence.registered(talks.map((id) => conversation({ id, last_seq: lengths.get(id) }))));
      line = talks.flatMap((talk) =>
        Array.from({ length: lengths.get(talk) - since[talk] }, (_, at) =>
          message(since[talk] + at + 1, { talk }),
        ),
      );
    };
    for (let step = 0; step < 120; step += 1) {
      const talk = talks[upTo(2)];
      const happening = upTo(10);
      if (happening < 4) {
        lengths.set(talk, lengths.get(talk) + 1);
        line.push(message(lengths.get(talk), { talk }));
      } else if (happening < 7 && line.length > 0) {
        const [next] = line.splice(upTo(Math.min(3, line.length)), 1); // overtaken by up to two
        keep(sequence.place(next));
      } else if (happening === 7) {
        line.splice(upTo(line.length), 1); // lost
      } else if (happening === 8 && line.length > 0) {
        line.push(line[upTo(line.length)]); // doubled
      } else if (upTo(4) === 0) {
        register(); // cut, and back again
      }
    }
    register();
    line.forEach((each) => keep(sequence.place(each)));
    for (const talk of talks) {
      const all = Array.from({ length: lengths.get(talk) }, (_, at) => at + 1);
      assert.deepEqual(given.get(talk), all, `seed ${seed}`);
    }
    assert.deepEqual(sequence.gaps(), [], `seed ${seed}`);
  }
});
