import assert from "node:assert/strict";
import { test } from "node:test";

import { gettext, listOf, ngettext, Translator } from "../../static/js/gettext.js";

const CATALOGUE = {
  Online: "متصل",
  "%(name)s is typing": "يكتب %(name)s الآن",
  "%(num)s message": {
    zero: "لا رسائل",
    one: "رسالة واحدة",
    two: "رسالتان",
    few: "%(num)s رسائل",
    many: "%(num)s رسالة",
    other: "%(num)s رسالة أخرى",
  },
};
const arabic = new Translator(CATALOGUE, "ar");
const messages = (num) => arabic.ngettext("%(num)s message", "%(num)s messages", num, {});

test("without a page everything is said in English", () => {
  assert.equal(gettext("Message to %(name)s", { name: "Anna" }), "Message to Anna");
  assert.equal(ngettext("%(num)s message", "%(num)s messages", 1), "1 message");
  assert.equal(ngettext("%(num)s message", "%(num)s messages", 1200), "1,200 messages");
});

test("a text is said in the page's language, one without a translation as it is", () => {
  assert.equal(arabic.gettext("Online", {}), "متصل");
  assert.equal(arabic.gettext("Away", {}), "Away");
  assert.equal(arabic.gettext("constructor", {}), "constructor");
});

test("each number takes the form that its language has for it", () => {
  const shown = [0, 1, 2, 3, 11, 100].map(messages);
  assert.deepEqual(shown, ["لا رسائل", "رسالة واحدة", "رسالتان", "3 رسائل", "11 رسالة", "100 رسالة أخرى"]);
});

test("a category that the catalogue does not name takes the last form", () => {
  const spanish = new Translator({ "%(num)s message": { one: "%(num)s mensaje", other: "%(num)s mensajes" } }, "es");
  assert.equal(
    spanish.ngettext("%(num)s message", "%(num)s messages", 1_000_000, {}),
    "1.000.000 mensajes",
  );
});

test("numbers are written as the reader writes them, where they speak the page's language", () => {
  const egyptian = new Translator(CATALOGUE, "ar", ["en-GB", "ar-EG"]);
  assert.equal(egyptian.ngettext("%(num)s message", "", 3, {}), "٣ رسائل");
});

test("a value is taken as it is, whatever it looks like", () => {
  const name = "$& %(name)s";
  assert.equal(gettext("%(name)s is typing", { name }), `${name} is typing`);
  assert.equal(gettext("100 %%"), "100 %");
});

test("a name turns no sentence round", () => {
  const [ISOLATE, END] = ["\u2068", "\u2069"];
  const typing = "%(name)s is typing";
  assert.equal(arabic.gettext(typing, { name: "Anna" }), `يكتب ${ISOLATE}Anna${END} الآن`);
  assert.equal(gettext(typing, { name: "ليلى" }), `${ISOLATE}ليلى${END} is typing`);
  assert.equal(gettext(typing, { name: "Anna" }), "Anna is typing");
});

test("names are listed as the language lists them", () => {
  assert.equal(listOf(["Anna", "Omar", "Maya"]), "Anna, Omar, and Maya");
  assert.equal(new Translator({}, "de").listOf(["Anna", "Omar"]), "Anna und Omar");
});
