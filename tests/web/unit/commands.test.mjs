// @ts-check
/** What every shortcut does: each key of the table is pressed on three boxes, and what is different afterwards is looked at. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createCommands } from "../../../web/editor/commands.js";
import { roundBox } from "../../../web/editor/geometry.js";
import { SHORTCUTS } from "../../../web/editor/shortcuts.js";
import { initial, Store } from "../../../web/editor/state.js";
import { TOOLS } from "../../../web/editor/tools/index.js";
import { SIZE, docOf } from "./helpers.mjs";

const PX = 1 / 512;
const BOXES = [[0.125, 0.125, 0.25, 0.25], [0.5, 0.5, 0.75, 0.75], [0.25, 0.5, 0.375, 0.625]];

/** The commands of an editor without a page: the second of three boxes is selected, and one edit can be undone. */
function editor() {
  const store = new Store(initial(docOf(...BOXES.map((box, i) => ({ box, caption: `thing ${i + 1}` })))));
  const ids = store.state.doc.items.map((it) => it.id);
  store.dispatch({ type: "select", ids: [ids[1]] });
  store.dispatch({ type: "patch", changes: { label: "edited" } });
  const log = /** @type {any} */ ({ calls: [] });
  const called = (/** @type {string} */ name) => (/** @type {any[]} */ ...args) => void log.calls.push([name, ...args]);
  const around = {
    store, size: SIZE, t: (/** @type {string} */ key) => key, say: (/** @type {string} */ said) => { log.said = said; }, invalidate() {}, help: { toggle: called("help") },
    large: { toggle: called("large"), back: called("back") },
    openMenu: called("menu"), togglePref: called("pref"), pref: () => 32, setPref: called("set"),
    insert: (/** @type {any[]} */ list, /** @type {any[]} */ boxes) => store.dispatch({ type: "add", list, boxes }),
    view: { tool: "box", menuPlace: "there", stage: { style: {} }, gestures: { cancel: () => false, back: () => false, finish: () => false }, caption: { open: called("caption"), end() {} }, zoom: called("zoom"), pan: called("pan"), fit: called("fit") },
  };
  const commands = /** @type {any} */ (createCommands(/** @type {any} */ (around)));
  const captions = () => store.state.doc.items.map((it) => it.fields.caption);
  return { store, ids, log, view: around.view, commands, captions, box: (/** @type {number} */ i) => store.state.doc.items[i].fields.box, second: () => store.state.doc.items[1].fields };
}

/** @param {number} dx @param {number} dy @param {number} [dw] @param {number} [dh] */
const boxBy = (dx, dy, dw = 0, dh = 0) => (/** @type {ReturnType<typeof editor>} */ e) =>
  assert.deepEqual(e.box(1), roundBox([0.5 + dx * PX, 0.5 + dy * PX, 0.75 + (dx + dw) * PX, 0.75 + (dy + dh) * PX]));
/** @param {...any} call */
const calls = (...call) => (/** @type {ReturnType<typeof editor>} */ e) => assert.deepEqual(e.log.calls, [call]);
/** @param {string[]} order */
const orderIs = (...order) => (/** @type {ReturnType<typeof editor>} */ e) => assert.deepEqual(e.captions(), order.map((n) => `thing ${n}`));
/** @param {string} key @param {any} value */
const fieldIs = (key, value) => (/** @type {ReturnType<typeof editor>} */ e) => assert.equal(e.second()[key], value);
/** @param {number[]} chosen */
const selects = (...chosen) => (/** @type {ReturnType<typeof editor>} */ e) => assert.deepEqual(e.store.state.selection, chosen.map((i) => e.ids[i]));
const opensCaption = (/** @type {ReturnType<typeof editor>} */ e) => assert.deepEqual(e.log.calls, [["caption", e.ids[1]]]);
const removed = (/** @type {ReturnType<typeof editor>} */ e) => assert.deepEqual(e.captions(), ["thing 1", "thing 3"]);

/** @type {Record<string, (e: ReturnType<typeof editor>) => void>} */
const EFFECTS = {
  n: (e) => {
    assert.deepEqual(e.box(3), [0.375, 0.375, 0.625, 0.625]);
    assert.deepEqual(e.log.calls, [["caption", e.store.state.selection[0]]]);
  },
  Enter: opensCaption, F2: opensCaption, Tab: selects(2), "Shift+Tab": selects(0),
  ArrowLeft: boxBy(-1, 0), ArrowRight: boxBy(1, 0), ArrowUp: boxBy(0, -1), ArrowDown: boxBy(0, 1),
  "Shift+ArrowLeft": boxBy(-8, 0), "Shift+ArrowRight": boxBy(8, 0), "Shift+ArrowUp": boxBy(0, -8), "Shift+ArrowDown": boxBy(0, 8),
  "Alt+ArrowLeft": boxBy(0, 0, -8), "Alt+ArrowRight": boxBy(0, 0, 8), "Alt+ArrowUp": boxBy(0, 0, 0, -8), "Alt+ArrowDown": boxBy(0, 0, 0, 8),
  Delete: removed, Backspace: removed, "Ctrl+z": fieldIs("label", undefined),
  "Ctrl+Shift+z": (e) => assert.equal(e.store.state.future.length, 0), "Ctrl+y": (e) => assert.equal(e.store.state.future.length, 0),
  "Ctrl+d": (e) => {
    orderIs("1", "2", "3", "2")(e);
    assert.deepEqual(e.box(3), roundBox([0.5 + 8 * PX, 0.5 + 8 * PX, 0.75 + 8 * PX, 0.75 + 8 * PX]));
  },
  "Ctrl+a": selects(0, 1, 2), Escape: (e) => assert.equal(e.view.tool, "select"),
  ...Object.fromEntries(TOOLS.map(({ key, name }) => [key, (/** @type {ReturnType<typeof editor>} */ e) => assert.equal(e.view.tool, name)])),
  "[": calls("set", "brush", 24), "]": calls("set", "brush", 48), m: fieldIs("enabled", false), "Shift+l": fieldIs("locked", true), h: fieldIs("hidden", true),
  s: (e) => assert.deepEqual(e.store.state.doc.items.map((it) => it.fields.enabled), [false, undefined, false]),
  PageUp: orderIs("1", "3", "2"), PageDown: orderIs("2", "1", "3"), "Shift+PageUp": orderIs("1", "3", "2"), "Shift+PageDown": orderIs("2", "1", "3"),
  g: calls("pref", "grid"), "Shift+g": calls("pref", "snap"), "+": calls("zoom", 1.25), "=": calls("zoom", 1.25), "-": calls("zoom", 0.8), 0: calls("fit"),
  "Ctrl+ArrowLeft": calls("pan", 40, 0), "Ctrl+ArrowRight": calls("pan", -40, 0), "Ctrl+ArrowUp": calls("pan", 0, 40), "Ctrl+ArrowDown": calls("pan", 0, -40), "?": calls("help"), f: calls("large"),
  "Shift+F10": calls("menu", "box", "there"), ContextMenu: calls("menu", "box", "there"),
};

test("no shortcut is without its case here", () => assert.deepEqual(Object.keys(EFFECTS).sort(), SHORTCUTS.map((s) => s.key).sort()));

for (const { key, command, args = [] } of SHORTCUTS) {
  test(`shortcut ${key} does what it says`, () => {
    const e = editor();
    if (command === "redo") e.store.dispatch({ type: "undo" });
    e.commands[command](...args);
    EFFECTS[key](e);
    if (command === "redo") assert.equal(e.second().label, "edited");
  });
}

test("each new box by key stands aside of the ones before", () => {
  const e = editor();
  for (let n = 0; n < 4; n++) e.commands.newBox();
  const made = [3, 4, 5, 6].map((i) => e.box(i).map((/** @type {number} */ v) => Math.round(v * 512)));
  assert.deepEqual(made, [0, 8, 16, 24].map((by) => [192, 192, 320, 320].map((v) => v + by)));
});

test("Escape: the gesture first, then the tool, the selection, the large view; Tab leaves at either end", () => {
  const e = editor();
  e.view.gestures.cancel = () => true;
  e.commands.escape();
  assert.equal(e.view.tool, "box");
  e.view.gestures.cancel = () => false;
  e.commands.escape();
  e.commands.escape();
  assert.deepEqual([e.view.tool, e.store.state.selection, e.log.calls], ["select", [], []]);
  e.commands.escape();
  assert.deepEqual(e.log.calls, [["back"]], "with nothing left, the large view");
  assert.deepEqual([e.commands.walk(1), e.commands.walk(1), e.commands.walk(1), e.commands.walk(1)], [true, true, true, false]);
});

test("arrow keys move a group as one, stop at the border and leave locked boxes alone", () => {
  const e = editor();
  e.store.dispatch({ type: "patch", ids: [e.ids[2]], changes: { locked: true } });
  e.store.dispatch({ type: "select", ids: e.ids });
  for (let n = 0; n < 20; n++) e.commands.nudge(-8, 0);
  assert.deepEqual([e.box(0), e.box(1), e.box(2)], [[0, 0.125, 0.125, 0.25], [0.375, 0.5, 0.625, 0.75], BOXES[2]]);
});

test("Ctrl+A, Delete leaves alone what is hidden or locked; a hidden box chosen by itself is deleted", () => {
  const e = editor();
  e.store.dispatch({ type: "patch", ids: [e.ids[0]], changes: { hidden: true } });
  e.store.dispatch({ type: "patch", ids: [e.ids[2]], changes: { locked: true } });
  e.commands.selectAll();
  assert.deepEqual(e.store.state.selection, [e.ids[1]]);
  e.commands.remove();
  assert.deepEqual(e.captions(), ["thing 1", "thing 3"]);
  e.store.dispatch({ type: "select", ids: [e.ids[0]] });
  e.commands.remove();
  assert.deepEqual(e.captions(), ["thing 3"]);
});
