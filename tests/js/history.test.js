import assert from "node:assert/strict";
import { test } from "node:test";

import { History } from "../../static/js/history.js";
import { OMAR } from "./cast.js";

const PATH = "/api/messages/conversation/omar/Seller?limit=50";
const PAGE = { conversation: null, messages: [], has_more: false };

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
    failed: (retry) => told.retries.push(retry),
  });
  return { history: made, told, take: (page) => told.pages.push(page), ...doors };
}

test("a page is asked for by what it stands before or after", async () => {
  const { history: pages, asked, answers, take } = history();
  for (const load of [
    () => pages.newest(take),
    () => pages.before(17, take),
    () => pages.after(9, take),
  ]) {
    const done = load();
    answers.at(-1).resolve(PAGE);
    await done;
  }
  assert.deepEqual(asked, [PATH, `${PATH}&before=17`, `${PATH}&after=9`]);
});

test("while one page is under way no other is asked for", async () => {
  const { history: pages, asked, answers, told, take } = history();
  const first = pages.before(17, take);
  await pages.before(17, take);
  assert.deepEqual(asked.length, 1);
  answers[0].resolve(PAGE);
  await first;
  assert.deepEqual(told.pages, [PAGE]);
  assert.deepEqual(told.busy, [true, false]);
});

test("a page that did not come can be asked for again", async () => {
  const { history: pages, asked, answers, told, take } = history();
  const first = pages.before(17, take);
  answers[0].reject(new Error("no answer"));
  await first;
  assert.deepEqual(told.pages, []);
  told.retries[0]();
  assert.deepEqual(asked, [`${PATH}&before=17`, `${PATH}&before=17`]);
});

test("what comes after the conversation was left is nobody's", async () => {
  const { history: pages, answers, told, take } = history();
  const first = pages.newest(take);
  pages.close();
  answers[0].resolve(PAGE);
  await first;
  assert.deepEqual(told.pages, []);
});
