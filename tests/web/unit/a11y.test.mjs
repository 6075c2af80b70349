// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { saidChange } from "../../../web/editor/a11y.js";
import { leftwards } from "../../../web/editor/labels.js";
import { initial, reduce } from "../../../web/editor/state.js";
import { SIZE, docOf } from "./helpers.mjs";

const t = (/** @type {string} */ key, /** @type {any} */ values = {}) => [key, ...Object.values(values)].join(" ");

/** What is said of each action on a chosen fox at the left, one after the other. @param {...any} actions */
function said(...actions) {
  const doc = docOf({ box: [0, 0, 0.5, 0.5], caption: "fox" }, [0.5, 0.5, 1, 1]);
  const [{ id }] = doc.items;
  let state = { ...initial(doc), selection: [id] };
  return actions.map(({ box, ...action }) => {
    const before = state;
    state = reduce(state, { ids: [id], boxes: { [id]: box }, ...action });
    return saidChange(state, before, SIZE, t);
  });
}

test("words are said when they have been typed to their end, and when undo takes them away", () => {
  const type = (/** @type {string} */ caption) => ({ type: "patch", changes: { caption }, merge: "caption b1" });
  const place = "say.place 0 0 256 256";
  assert.deepEqual(said(type("a"), type("an owl"), { type: "seal" }, { type: "seal" }, { type: "undo" }),
    ["", "", `1: an owl, ${place}`, "", `1: fox, ${place}`]);
});

test("a switch is said, and a nudge at each step but not again at its end", () => {
  const nudge = (/** @type {number} */ x) => ({ type: "boxes", box: [x, 0, 0.5, 0.5], merge: "nudge b1" });
  assert.deepEqual(said({ type: "patch", changes: { enabled: false } }), ["1: fox, say.place 0 0 256 256, state.muted"]);
  assert.deepEqual(said(nudge(0.125), nudge(0.25), { type: "seal" }), ["1: fox, say.place 64 0 192 256", "1: fox, say.place 128 0 128 256", ""]);
});

test("a caption's direction is its first letter's", () => {
  for (const text of ["ثعلب", "1. שועל (fox)", "؟ ثعلب"]) assert.ok(leftwards(text), text);
  for (const text of ["fox", "fox ثعلب", "一只猫", "123", ""]) assert.ok(!leftwards(text), text);
});
