// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { chain, translator } from "../../../web/editor/i18n.js";
import { FORESEEN, sentence } from "../../../web/editor/notes.js";

const locale = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../../locales/${name}/main.json`, import.meta.url), "utf8"));
const all = { en: locale("en"), zh: locale("zh") };
const [en, zh] = [translator(...chain(all, "en")), translator(...chain(all, "zh"))];
const TWINS = {
  code: "layout.twins", instance: 2, text: "The boxes of instance 1 ('a fox') and instance 2 share their caption.",
  values: { who: { item: "instance", number: 2, title: "" }, other: { item: "instance", number: 1, title: "a fox" } },
};

test("a note is a sentence of the page's language, with the subjects' names in it", () => {
  assert.equal(sentence(TWINS, en), TWINS.text);
  assert.match(sentence(TWINS, zh), /^框 1 \(“a fox”\)与框 2描述相同/);
});

test("lists, numbers and text stand in a sentence as they are; an unknown code speaks English", () => {
  const note = { code: "merge.fields", instance: null, text: "", values: { fields: ["a", "b"] } };
  assert.match(sentence(note, zh), /a, b/);
  assert.equal(sentence({ ...note, code: "newer.code", text: "Something new." }, zh), "Something new.");
});

test("what the page foresees has a sentence of its own there", () => {
  for (const [code, key] of Object.entries(FORESEEN)) {
    assert.notEqual(en(key), key);
    assert.notEqual(zh(`note.${code}`), `note.${code}`, code);
  }
});
