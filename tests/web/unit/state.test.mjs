// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSolo } from "../../../web/editor/edits.js";
import { MAX_INSTANCES } from "../../../web/editor/layout.js";
import { PALETTE, colorOf, inkOn, nextColor } from "../../../web/editor/palette.js";
import { Store, initial, toText } from "../../../web/editor/state.js";
import { docOf } from "./helpers.mjs";

const BOX = [0.1, 0.1, 0.4, 0.4];
const three = () => new Store(initial(docOf({ box: BOX, caption: "a" }, { box: BOX, caption: "b" }, { box: BOX, caption: "c" })));
const captions = (/** @type {Store} */ s) => s.state.doc.items.map((it) => it.fields.caption).join("");
const ids = (/** @type {Store} */ s) => s.state.doc.items.map((it) => it.id);

test("new boxes take the least used palette colour and become the selection", () => {
  const s = new Store();
  for (let i = 0; i < PALETTE.length + 1; i++) s.dispatch({ type: "add", list: [{ box: BOX }] });
  assert.deepEqual(s.state.doc.items.map((it) => it.fields.color), [...PALETTE, PALETTE[0]]);
  assert.deepEqual(s.state.selection, [ids(s).at(-1)]);
  assert.equal(new Set(ids(s)).size, PALETTE.length + 1);
});

test("a colour in use is taken again only when the palette is used up, also where boxes have none of their own", () => {
  const s = new Store(initial(docOf(BOX, { box: BOX, color: PALETTE[4].toUpperCase() }, BOX)));
  const shown = () => s.state.doc.items.map((it, i) => colorOf(it.fields.color, i).toLowerCase());
  for (let i = 3; i < PALETTE.length; i++) s.dispatch({ type: "add", list: [{ box: BOX }] });
  assert.deepEqual(shown().sort(), [...PALETTE].sort());
  s.dispatch({ type: "add", list: [{ box: BOX }] });
  assert.ok(PALETTE.includes(shown()[PALETTE.length]));
});

test("a layout never grows over what Python reads", () => {
  const s = new Store();
  s.dispatch({ type: "add", list: Array.from({ length: MAX_INSTANCES + 5 }, () => ({ box: BOX })) });
  assert.equal(s.state.doc.items.length, MAX_INSTANCES);
});

test("undo and redo walk through edits and bring the selection along", () => {
  const s = three();
  const [a, b] = ids(s);
  s.dispatch({ type: "select", ids: [a] });
  s.dispatch({ type: "remove" });
  assert.equal(captions(s), "bc");
  assert.deepEqual(s.state.selection, []);
  s.dispatch({ type: "patch", ids: [b], changes: { caption: "B" } });
  s.dispatch({ type: "undo" });
  s.dispatch({ type: "undo" });
  assert.equal(captions(s), "abc");
  assert.deepEqual(s.state.selection, [a]);
  s.dispatch({ type: "redo" });
  s.dispatch({ type: "redo" });
  assert.equal(captions(s), "Bc");
  s.dispatch({ type: "redo" });
  assert.equal(captions(s), "Bc");
});

test("a new edit ends the future", () => {
  const s = three();
  s.dispatch({ type: "remove", ids: [ids(s)[0]] });
  s.dispatch({ type: "undo" });
  s.dispatch({ type: "remove", ids: [ids(s)[1]] });
  s.dispatch({ type: "redo" });
  assert.equal(captions(s), "ac");
});

test("typing is one entry until something else happens", () => {
  const s = three();
  const [a, b] = ids(s);
  for (const text of ["f", "fo", "fox"]) s.dispatch({ type: "patch", ids: [a], changes: { caption: text }, merge: `caption ${a}` });
  for (const text of ["o", "ow"]) s.dispatch({ type: "patch", ids: [b], changes: { caption: text }, merge: `caption ${b}` });
  assert.equal(s.state.past.length, 2);
  s.dispatch({ type: "seal" });
  s.dispatch({ type: "patch", ids: [b], changes: { caption: "owl" }, merge: `caption ${b}` });
  assert.equal(s.state.past.length, 3);
  s.dispatch({ type: "undo" });
  s.dispatch({ type: "undo" });
  assert.equal(captions(s), "foxbc");
});

test("a transaction is one entry, a reverted one none, an empty one none", () => {
  const s = three();
  const [a] = ids(s);
  s.dispatch({ type: "begin" });
  for (let i = 1; i < 9; i++) s.dispatch({ type: "boxes", boxes: { [a]: [0, 0, 0.1 * i, 0.1 * i] } });
  s.dispatch({ type: "commit" });
  assert.equal(s.state.past.length, 1);
  s.dispatch({ type: "begin" });
  s.dispatch({ type: "remove", ids: ids(s) });
  s.dispatch({ type: "revert" });
  s.dispatch({ type: "begin" });
  s.dispatch({ type: "commit" });
  assert.equal(captions(s), "abc");
  assert.equal(s.state.past.length, 1);
});

test("undo in the middle of a gesture keeps the gesture for redo", () => {
  const s = three();
  s.dispatch({ type: "begin" });
  s.dispatch({ type: "remove", ids: [ids(s)[0]] });
  s.dispatch({ type: "undo" });
  assert.equal(captions(s), "abc");
  s.dispatch({ type: "redo" });
  assert.equal(captions(s), "bc");
});

test("order: drag in the list, to front, to back, one step", () => {
  const s = three();
  const [a, , c] = ids(s);
  s.dispatch({ type: "order", ids: [a], to: 1 });
  assert.equal(captions(s), "bac");
  s.dispatch({ type: "raise", ids: [a], by: 1 });
  assert.equal(captions(s), "bca");
  s.dispatch({ type: "raise", ids: [a], by: -Infinity });
  assert.equal(captions(s), "abc");
  s.dispatch({ type: "raise", ids: [a, c], by: Infinity });
  assert.equal(captions(s), "bac");
  const past = s.state.past.length;
  s.dispatch({ type: "raise", ids: [a, c], by: Infinity });
  assert.equal(s.state.past.length, past);
});

test("locked boxes stay where they are and are not deleted", () => {
  const s = three();
  const [a] = ids(s);
  s.dispatch({ type: "patch", ids: [a], changes: { locked: true } });
  s.dispatch({ type: "boxes", boxes: { [a]: [0, 0, 1, 1] } });
  s.dispatch({ type: "remove", ids: ids(s) });
  assert.equal(captions(s), "a");
  assert.deepEqual(s.state.doc.items[0].fields.box, BOX);
});

test("solo mutes the others and gives back what was muted before", () => {
  const s = three();
  const [a, b, c] = ids(s);
  s.dispatch({ type: "patch", ids: [c], changes: { enabled: false } });
  const enabled = () => s.state.doc.items.map((it) => it.fields.enabled ?? true);
  s.dispatch({ type: "solo", ids: [a] });
  assert.deepEqual(enabled(), [true, false, false]);
  assert.ok(isSolo(s.state.doc, [a]));
  s.dispatch({ type: "solo", ids: [b] });
  assert.deepEqual(enabled(), [false, true, false]);
  s.dispatch({ type: "solo", ids: [b] });
  assert.deepEqual(enabled(), [true, true, false]);
  assert.ok(!toText(s.state).includes("solo_muted"));
});

test("preferences are saved with the layout and are no matter of undo", () => {
  const s = three();
  s.dispatch({ type: "remove", ids: [ids(s)[0]] });
  s.dispatch({ type: "prefs", changes: { snap: false } });
  s.dispatch({ type: "undo" });
  assert.equal(JSON.parse(toText(s.state)).editor.snap, false);
  s.dispatch({ type: "prefs", changes: { snap: undefined } });
  assert.ok(!("editor" in JSON.parse(toText(s.state))));
});

test("loading begins a new history", () => {
  const s = three();
  s.dispatch({ type: "remove", ids: ids(s) });
  s.dispatch({ type: "load", doc: docOf(BOX) });
  s.dispatch({ type: "undo" });
  assert.equal(s.state.doc.items.length, 1);
});

test("listeners hear changes and only changes", () => {
  const s = three();
  let heard = 0;
  s.subscribe(() => heard++);
  s.dispatch({ type: "select", ids: [] });
  s.dispatch({ type: "patch", ids: ids(s), changes: { strength: 1 } });
  s.dispatch({ type: "seal" });
  assert.equal(heard, 0);
  s.dispatch({ type: "select", ids: [ids(s)[0], "gone"] });
  assert.equal(heard, 1);
  assert.equal(s.state.selection.length, 1);
});

test("text on every palette colour has a contrast of at least 4.5", () => {
  const luminance = (/** @type {string} */ c) => {
    const [r, g, b] = [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16) / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  for (const color of PALETTE) {
    const [hi, lo] = [luminance(color), luminance(inkOn(color))].sort((x, y) => y - x);
    assert.ok((hi + 0.05) / (lo + 0.05) >= 4.5, color);
  }
  assert.equal(colorOf("#12ab9F", 0), "#12ab9F");
  assert.equal(colorOf("red; }", 1), PALETTE[1]);
  assert.equal(nextColor([]), PALETTE[0]);
});

test("a step is told once when it is complete: a gesture, an edit, words typed to their end; what is loaded is not", () => {
  let told = 0;
  const s = new Store(initial(docOf(BOX)), () => { told++; });
  const [id] = ids(s);
  const count = (/** @type {any[]} */ ...actions) => {
    told = 0;
    for (const action of actions) s.dispatch(action);
    return told;
  };
  const typing = (/** @type {string} */ caption) => ({ type: "patch", ids: [id], changes: { caption }, merge: "caption" });
  const box = (/** @type {number} */ x) => ({ type: "boxes", boxes: { [id]: [x, 0.1, 0.4, 0.4] } });
  assert.equal(count({ type: "begin" }, box(0.2), box(0.3), { type: "commit" }), 1);
  assert.equal(count({ type: "begin" }, box(0.2), { type: "revert" }), 0);
  assert.equal(count(typing("a"), typing("ab")), 0);
  assert.equal(count({ type: "seal" }, { type: "seal" }), 1);
  assert.equal(count(typing("abc"), { type: "select", ids: [id] }), 1);
  assert.equal(count({ type: "undo" }, { type: "redo" }, { type: "select", ids: [] }, { type: "prefs", changes: { grid: true } }), 2);
  assert.equal(count({ type: "load", doc: docOf(BOX, BOX) }, { type: "select", ids: [] }), 0);
});
