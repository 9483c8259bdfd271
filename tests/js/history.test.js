import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../static/js/history.js";
import { OMAR } from "./cast.js";

const PATH = "/api/messages/conversation/omar/Seller?limit=50";
const PAGE = { conversation: null, messages: [], has_more: false };

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** An API whose answers are given by hand. */
function api() {
  const asked = [];
  const answers = [];
  return {
    asked,
    answers,
    get(path) {
      asked.push(path);
      return new Promise((resolve, reject) => answers.push({ resolve, reject }));
    },
  };
}

function history() {
  const doors = api();
  const told = { busy: [], retries: [], pages: [] };
  const made = new History(doors, OMAR, {
    busy: (isBusy) => told.busy.push(isBusy),
    missed: (again) => told.retries.push(again),
  });
  return { history: made, told, take: (page) => told.pages.push(page), ...doors };
}

test("a page is asked for by what it stands before or after", async () => {
  const { history: pages, asked, answers, take } = history();
  for (const load of [
    () => pages.newest(take, () => {}),
    () => pages.before(() => 17, take),
    () => pages.after(() => 9, take),
  ]) {
    const done = load();
    await settled();
    answers.at(-1).resolve(PAGE);
    await done;
  }
  assert.deepEqual(asked, [PATH, `${PATH}&before=17`, `${PATH}&after=9`]);
});

test("while one page is under way no older one is asked for", async () => {
  const { history: pages, asked, answers, told, take } = history();
  const first = pages.before(() => 17, take);
  await pages.before(() => 17, take);
  await settled();
  assert.deepEqual(asked.length, 1);
  answers[0].resolve(PAGE);
  await first;
  assert.deepEqual(told.pages, [PAGE]);
  assert.deepEqual(told.busy, [true, false]);
});

test("the newest page waits for the one under way, and is not lost", async () => {
  const { history: pages, asked, answers, told, take } = history();
  const older = pages.before(() => 17, take);
  const newest = pages.newest(take, () => {});
  await settled();
  assert.deepEqual(asked, [`${PATH}&before=17`]);
  answers[0].resolve(PAGE);
  await older;
  await settled();
  assert.deepEqual(asked.at(-1), PATH);
  answers[1].resolve(PAGE);
  await newest;
  assert.equal(told.pages.length, 2);
  assert.deepEqual(told.busy, [true, true, true, false]);
});

test("a page that did not come can be asked for again, from where it is by then", async () => {
  const { history: pages, asked, answers, told, take } = history();
  let oldest = 17;
  const first = pages.before(() => oldest, take);
  await settled();
  answers[0].reject(new Error("no answer"));
  await first;
  assert.deepEqual(told.pages, []);
  oldest = 12;
  told.retries[0]();
  await settled();
  answers[1].resolve(PAGE);
  await settled();
  assert.deepEqual(asked, [`${PATH}&before=17`, `${PATH}&before=12`]);
  assert.equal(told.retries.at(-1), null);
});

test("what did not come is asked for when there is a connection again, once", async () => {
  const { history: pages, asked, answers, take } = history();
  const first = pages.newest(take, () => {});
  await settled();
  answers[0].reject(new Error("no answer"));
  await first;
  pages.resume();
  await settled();
  answers[1].resolve(PAGE);
  await settled();
  pages.resume();
  await settled();
  assert.deepEqual(asked, [PATH, PATH]);
});

test("what comes after the conversation was left is nobody's", async () => {
  const { history: pages, answers, told, take } = history();
  const first = pages.newest(take, () => {});
  await settled();
  pages.close();
  answers[0].resolve(PAGE);
  await first;
  assert.deepEqual(told.pages, []);
});

test("of two who want the newest page each is told when its own is asked for", async () => {
  // What arrives while the second one is under way was lost with the page that had come before.
  const { history: pages, answers, told, take } = history();
  const turns = [];
  const loads = [1, 2].map((number) => pages.newest(take, () => turns.push([number, told.pages.length])));
  await settled();
  assert.deepEqual(turns, [[1, 0]]);
  answers[0].resolve(PAGE);
  await loads[0];
  await settled();
  assert.deepEqual(turns, [[1, 0], [2, 1]]);
  answers[1].resolve(PAGE);
  await loads[1];
});
