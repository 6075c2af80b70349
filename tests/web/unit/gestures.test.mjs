// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { docOf, surface } from "./helpers.mjs";

const A = [64, 64, 192, 192].map((v) => v / 512);
const B = [256, 256, 384, 384].map((v) => v / 512);
const OVER_A = [128, 128, 256, 256].map((v) => v / 512);

test("draw: a drag on empty ground makes one box, selects it and reports it", () => {
  const s = surface();
  s.drag([100, 120], [300, 260]);
  assert.deepEqual(s.px(), [[100, 120, 300, 260]]);
  assert.deepEqual(s.store.state.selection, s.ids());
  assert.deepEqual(s.log.drawn, s.ids());
  assert.equal(s.store.state.past.length, 1);
});

test("draw: a short drag is brought to the minimum, a click draws nothing", () => {
  const s = surface();
  s.drag([100, 100], [103, 104]);
  assert.deepEqual(s.px(), [[100, 100, 108, 108]]);
  s.click(300, 300);
  assert.equal(s.ids().length, 1);
  assert.deepEqual(s.store.state.selection, []);
});

test("draw: past the border is cut at the border", () => {
  const s = surface();
  s.drag([400, 400], [900, 700]);
  assert.deepEqual(s.px(), [[400, 400, 512, 512]]);
});

test("draw inside another box: with Ctrl, with the Box tool, and over a locked box", () => {
  for (const [keys, tool, locked] of /** @type {any[]} */ ([[{ ctrl: true }, "select"], [{}, "box"], [{}, "select", true]])) {
    const s = surface(docOf({ box: A, ...(locked ? { locked } : {}) }), { tool });
    s.drag([80, 80], [120, 120], keys);
    assert.deepEqual(s.px(), [[64, 64, 192, 192], [80, 80, 120, 120]]);
  }
});

test("move: a box follows the pointer and stops at the border; one entry", () => {
  const s = surface(docOf(A));
  s.drag([100, 100], [150, 90]);
  assert.deepEqual(s.px(), [[114, 54, 242, 182]]);
  s.drag([150, 100], [-900, 100]);
  assert.deepEqual(s.px(), [[0, 54, 128, 182]]);
  assert.equal(s.store.state.past.length, 2);
});

test("move: a group keeps its arrangement; locked members stay", () => {
  const s = surface(docOf(A, B, { box: OVER_A, locked: true }));
  s.store.dispatch({ type: "select", ids: s.ids() });
  s.drag([100, 100], [110, 120]);
  assert.deepEqual(s.px(), [[74, 84, 202, 212], [266, 276, 394, 404], [128, 128, 256, 256]]);
});

test("move: Alt at the press drags a copy", () => {
  const s = surface(docOf({ box: A, caption: "fox", note: 7 }));
  s.drag([100, 100], [200, 100], { alt: true });
  assert.deepEqual(s.px(), [[64, 64, 192, 192], [164, 64, 292, 192]]);
  const [, copy] = s.store.state.doc.items;
  assert.equal(copy.fields.caption, "fox");
  assert.equal(copy.fields.note, 7);
  assert.notEqual(copy.id, s.ids()[0]);
  s.store.dispatch({ type: "undo" });
  assert.equal(s.ids().length, 1);
});

test("resize: all eight handles of one box", () => {
  const grips = { nw: [64, 64], n: [128, 64], ne: [192, 64], e: [192, 128], se: [192, 192], s: [128, 192], sw: [64, 192], w: [64, 128] };
  const sides = { n: [1], s: [3], w: [0], e: [2], nw: [0, 1], ne: [1, 2], sw: [0, 3], se: [2, 3] };
  for (const [handle, grip] of Object.entries(grips)) {
    const s = surface(docOf(A));
    s.store.dispatch({ type: "select", ids: s.ids() });
    s.drag(grip, [grip[0] + 10, grip[1] + 10]);
    const changed = s.px()[0].flatMap((v, i) => (v !== [64, 64, 192, 192][i] ? [i] : []));
    assert.deepEqual(changed, sides[/** @type {"n"} */ (handle)], handle);
    assert.equal(s.store.state.past.length, 1);
  }
});

test("resize: Shift keeps proportions, Ctrl would draw, a group scales together", () => {
  const s = surface(docOf([0, 0, 0.25, 0.25], [0.25, 0.25, 0.5, 0.5]));
  s.store.dispatch({ type: "select", ids: s.ids() });
  s.drag([256, 256], [512, 384]);
  assert.deepEqual(s.px(), [[0, 0, 256, 192], [256, 192, 512, 384]]);
  s.store.dispatch({ type: "undo" });
  s.drag([256, 256], [384, 500], { shift: true });
  assert.deepEqual(s.px(), [[0, 0, 192, 192], [192, 192, 384, 384]]);
});

test("click selects the top box, Shift adds and takes away, empty ground clears", () => {
  const s = surface(docOf(A, B, OVER_A));
  const [a, b, over] = s.ids();
  s.click(150, 150);
  assert.deepEqual(s.store.state.selection, [over]);
  s.click(90, 90, { shift: true });
  s.click(370, 370, { shift: true });
  assert.deepEqual(s.store.state.selection, [over, a, b]);
  s.click(90, 90, { shift: true });
  assert.deepEqual(s.store.state.selection, [over, b]);
  s.click(20, 500, { shift: true });
  assert.deepEqual(s.store.state.selection, [over, b]);
  s.click(20, 500);
  assert.deepEqual(s.store.state.selection, []);
});

test("Alt-click walks down through overlapping boxes and comes round", () => {
  const s = surface(docOf(A, OVER_A, [0, 0, 1, 1]));
  const [a, over, all] = s.ids();
  for (const want of [all, over, a, all]) {
    s.click(150, 150, { alt: true });
    assert.deepEqual(s.store.state.selection, [want]);
  }
  assert.equal(s.store.state.past.length, 0);
});

test("a drag inside the selected box moves that one, though another lies on top", () => {
  const s = surface(docOf(A, OVER_A));
  s.store.dispatch({ type: "select", ids: [s.ids()[0]] });
  s.drag([150, 150], [140, 150]);
  assert.deepEqual(s.px(), [[54, 64, 182, 192], [128, 128, 256, 256]]);
});

test("marquee: Shift-drag on empty ground adds what it touches, hidden boxes excepted", () => {
  const s = surface(docOf(A, B, { box: OVER_A, hidden: true }));
  s.drag([20, 20], [260, 260], { shift: true });
  assert.deepEqual(s.store.state.selection, s.ids().slice(0, 2));
  assert.equal(s.store.state.past.length, 0);
  assert.equal(s.gestures.name, "idle");
});

test("middle drag pans and touches no box", () => {
  const s = surface(docOf(A));
  s.drag([100, 100], [130, 90], { button: 1 });
  assert.deepEqual(s.log.panned, [30, -10]);
  assert.deepEqual(s.px(), [[64, 64, 192, 192]]);
});

test("the right button begins nothing", () => {
  const s = surface(docOf(A));
  s.drag([100, 100], [130, 90], { button: 2 });
  assert.deepEqual(s.px(), [[64, 64, 192, 192]]);
  assert.equal(s.gestures.name, "idle");
});

const INTERRUPTED = /** @type {[string, number[], number[], any, string][]} */ ([
  ["drawing", [400, 60], [480, 100], {}, "drawing"], ["moving", [100, 100], [300, 300], {}, "moving"],
  ["copying", [100, 100], [300, 300], { alt: true }, "moving"], ["resizing", [192, 192], [300, 300], {}, "resizing"],
  ["marquee", [10, 300], [500, 500], { shift: true }, "marquee"]]);

for (const [what, from, to, keys, name] of INTERRUPTED) {
  for (const how of ["Escape or a lost pointer", "a second finger"]) {
    test(`interrupt of ${what} by ${how} leaves everything as it was`, () => {
      const s = surface(docOf(A, B));
      s.store.dispatch({ type: "select", ids: [s.ids()[0]] });
      const before = JSON.stringify([s.store.state.doc, s.store.state.selection]);
      s.gestures.down(s.at(from[0], from[1], keys));
      s.gestures.move(s.at(to[0], to[1], keys));
      assert.equal(s.gestures.name, name);
      if (how === "a second finger") s.gestures.down(s.at(5, 5));
      else s.gestures.cancel();
      s.gestures.move(s.at(11, 11, keys));
      s.gestures.up(s.at(11, 11, keys));
      assert.equal(JSON.stringify([s.store.state.doc, s.store.state.selection]), before);
      assert.equal(s.gestures.name, "idle");
      assert.equal(s.store.state.open, null);
      assert.equal(s.store.state.past.length, 0);
    });
  }
}

test("snapping: a moved box settles on another's edge and shows the guide; Alt during the drag turns it off", () => {
  const s = surface(docOf(A, B), { snapping: true });
  s.gestures.down(s.at(300, 300));
  s.gestures.move(s.at(239, 300));
  assert.equal(s.px()[1][0], 192);
  assert.ok(s.gestures.guides.some((g) => g.axis === "x"));
  s.gestures.move(s.at(239, 300, { alt: true }));
  assert.equal(s.px()[1][0], 195);
  assert.deepEqual(s.gestures.guides, []);
  s.gestures.up(s.at(239, 300, { alt: true }));
});

test("snapping: away from every line a box settles on the 8-pixel cells", () => {
  const s = surface(docOf(), { snapping: true });
  s.drag([83, 43], [141, 99]);
  for (const v of s.px()[0]) assert.equal(v % 8, 0);
});

test("the cursor says what a press would do", () => {
  const s = surface(docOf(A));
  const cursor = (/** @type {number} */ x, /** @type {number} */ y, keys = {}, tool = "select") => {
    s.log.tool = tool;
    return s.gestures.tool.cursor(s.gestures, s.at(x, y, keys));
  };
  assert.equal(cursor(400, 400), "crosshair");
  assert.equal(cursor(100, 100), "move");
  assert.equal(cursor(100, 100, { alt: true }), "copy");
  assert.equal(cursor(100, 100, { ctrl: true }), "crosshair");
  assert.equal(cursor(100, 100, {}, "box"), "crosshair");
  s.store.dispatch({ type: "select", ids: s.ids() });
  assert.equal(cursor(192, 192), "nwse-resize");
  assert.equal(cursor(192, 128), "ew-resize");
});
