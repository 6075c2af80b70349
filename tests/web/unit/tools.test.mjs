// @ts-check
/** The tools that draw shapes: what a gesture of each makes and edits. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { decoded, encoded } from "../../../web/editor/masks.js";
import { boxColumns } from "../../../web/editor/raster.js";
import { docOf, surface } from "./helpers.mjs";

/** @typedef {ReturnType<typeof surface>} Surface */

const A = [64, 64, 192, 192].map((v) => v / 512);
const B = [256, 256, 384, 384].map((v) => v / 512);

/** @param {Surface} s */
const fieldsOf = (s) => s.store.state.doc.items.map((it) => it.fields);
/** @param {any} places */
const inPx = (places) => JSON.parse(JSON.stringify(places), (_, v) => (typeof v === "number" ? Math.round(v * 512) : v));
/** @param {Surface} s @param {number[][]} places @param {Record<string, any>} [keys] */
function along(s, places, keys = {}) {
  const [first, ...rest] = places;
  s.gestures.down(s.at(first[0], first[1], keys));
  for (const [x, y] of rest) s.gestures.move(s.at(x, y, keys));
  const [x, y] = places[places.length - 1];
  s.gestures.up(s.at(x, y, keys));
}
/** @param {Surface} s @param {...number} chosen */
const select = (s, ...chosen) => s.store.dispatch({ type: "select", ids: chosen.map((i) => s.ids()[i]) });

const DRAW = /** @type {[string, (s: Surface, keys?: any) => void, string][]} */ ([
  ["point", (s, keys) => s.click(300, 100, keys), "point"],
  ["scribble", (s, keys) => along(s, [[300, 100], [340, 120], [300, 140]], keys), "scribble"],
  ["lasso", (s, keys) => along(s, [[300, 100], [340, 100], [340, 140], [300, 140]], keys), "mask"],
  ["brush", (s, keys) => along(s, [[300, 100], [340, 120]], keys), "mask"],
]);

for (const [tool, draw, field] of DRAW) {
  test(`${tool}: with nothing selected it makes an instance of the shape's bounds, chosen and ready for its words`, () => {
    const s = surface(docOf(A), { tool });
    draw(s);
    assert.equal(s.ids().length, 2);
    assert.deepEqual(s.log.drawn, [s.ids()[1]]);
    assert.deepEqual(s.store.state.selection, [s.ids()[1]]);
    assert.ok(field in fieldsOf(s)[1]);
    assert.equal(s.store.state.past.length, 1);
    s.store.dispatch({ type: "undo" });
    assert.deepEqual(s.px(), [[64, 64, 192, 192]]);
  });

  test(`${tool}: with one selected it edits that one, with Ctrl it makes another`, () => {
    const s = surface(docOf({ box: A, caption: "fox" }, B), { tool });
    select(s, 0);
    draw(s);
    assert.ok(field in fieldsOf(s)[0]);
    assert.equal(s.ids().length, 2);
    assert.deepEqual(s.log.drawn, []);
    assert.equal(s.store.state.past.length, 1);
    select(s, 1);
    draw(s);
    assert.deepEqual(s.log.drawn, [s.ids()[1]], "words are asked for as long as there are none");
    draw(s, { ctrl: true });
    assert.equal(s.ids().length, 3);
    assert.ok(field in fieldsOf(s)[2]);
  });

  test(`${tool}: it says why it is off, and does nothing`, () => {
    for (const [chosen, more, why] of /** @type {[number[], any, any][]} */ ([[[0, 1], {}, ["off.several", { n: 2 }]], [[1], { locked: true }, ["off.locked", { n: 2 }]], [[1], { hidden: true }, ["off.hidden", { n: 2 }]]])) {
      const s = surface(docOf(A, { box: B, ...more }), { tool });
      select(s, ...chosen);
      const before = JSON.stringify(s.store.state.doc);
      draw(s);
      assert.equal(JSON.stringify(s.store.state.doc), before);
      assert.deepEqual(s.log.said, [why]);
      assert.equal(s.gestures.name, "idle");
      assert.equal(s.gestures.tool.cursor(s.gestures, s.at(300, 100)), "not-allowed");
      draw(s, { ctrl: true });
      assert.equal(s.ids().length, 3);
    }
  });

  test(`${tool}: an interrupt leaves everything as it was`, () => {
    for (const chosen of [[], [0]]) {
      const s = surface(docOf(A, B), { tool });
      select(s, ...chosen);
      const before = JSON.stringify([s.store.state.doc, s.store.state.selection]);
      s.gestures.down(s.at(300, 100));
      s.gestures.move(s.at(320, 130));
      assert.equal(s.gestures.name, tool);
      s.gestures.cancel();
      assert.equal(JSON.stringify([s.store.state.doc, s.store.state.selection]), before);
      assert.equal(s.store.state.past.length, 0);
      assert.equal(s.store.state.open, null);
    }
  });
}

test("point: a click sets it, a drag moves it from where it was taken", () => {
  const s = surface(docOf(A), { tool: "point" });
  select(s, 0);
  s.click(100, 120);
  s.drag([102, 119], [142, 139]);
  assert.deepEqual(inPx(fieldsOf(s)[0].point), [140, 140]);
  assert.deepEqual(s.px(), [[64, 64, 192, 192]], "the box stays");
  s.drag([180, 180], [900, 180]);
  assert.deepEqual(inPx(fieldsOf(s)[0].point), [512, 180], "within the picture");
});

test("point: one without a box is its own place; with nothing selected a point that is there is taken up", () => {
  const s = surface(docOf(), { tool: "point" });
  s.click(100, 100);
  s.store.dispatch({ type: "select", ids: [] });
  s.drag([101, 99], [201, 149]);
  assert.equal(s.ids().length, 1);
  assert.deepEqual(inPx([fieldsOf(s)[0].point, fieldsOf(s)[0].box]), [[200, 150], [200, 150, 200, 150]]);
});

test("scribble: each press is a stroke, simplified to a pixel, and the box holds it", () => {
  const s = surface(docOf(A), { tool: "scribble" });
  select(s, 0);
  along(s, [[100, 100], [120, 100.5], [140, 100], [140, 140]]);
  along(s, [[150, 150], [220, 170]]);
  assert.deepEqual(inPx(fieldsOf(s)[0].scribble), [[[100, 100], [140, 100], [140, 140]], [[150, 150], [220, 170]]]);
  assert.deepEqual(s.px(), [[64, 64, 220, 192]]);
  assert.equal(s.store.state.past.length, 2);
});

test("scribble: what a quick hand leaves between two events is drawn as well", () => {
  const s = surface(docOf(), { tool: "scribble" });
  s.gestures.down(s.at(100, 100));
  s.gestures.move({ ...s.at(200, 100), trail: [[150, 140], [200, 100]].map(([x, y]) => ({ x: x / 512, y: y / 512 })) });
  s.gestures.up(s.at(200, 100));
  assert.deepEqual(inPx(fieldsOf(s)[0].scribble), [[[100, 100], [150, 140], [200, 100]]]);
  s.store.dispatch({ type: "select", ids: [] });
  s.click(50, 50);
  assert.deepEqual(s.px()[1], [50, 50, 58, 58], "a dot has the smallest box");
});

test("a handle with Alt moves the box alone, without Alt all goes along; a click with Alt there reaches what lies below", () => {
  const fox = /** @type {any} */ ({ box: A, point: [0.25, 0.25] });
  const s = surface(docOf([0, 0, 0.5, 0.5], fox));
  select(s, 1);
  s.drag([192, 192], [256, 256], { alt: true });
  assert.deepEqual([s.px()[1], fieldsOf(s)[1].point], [[64, 64, 256, 256], [0.25, 0.25]]);
  s.drag([256, 256], [448, 448]);
  assert.deepEqual([s.px()[1], fieldsOf(s)[1].point], [[64, 64, 448, 448], [0.375, 0.375]]);
  s.click(64, 64, { alt: true });
  assert.deepEqual(s.store.state.selection, [s.ids()[0]]);
  assert.equal(s.store.state.past.length, 2);
});

/** A mask of a box in pixels. @param {number[]} px @returns {any} */
const maskOf = (px) => encoded(boxColumns(/** @type {any} */ (px.map((v) => v / 512)), [512, 512]), [512, 512]);
/** What is masked: its bounds in pixels, and how many. @param {Surface} s @param {number} [i] */
function maskIn(s, i = 0) {
  const mask = decoded(fieldsOf(s)[i].mask);
  return { bounds: mask?.bounds && inPx(mask.bounds), pixels: Math.round((mask?.share ?? 0) * 512 * 512) };
}
const SQUARE = [[300, 100], [340, 100], [340, 140], [300, 140]];

test("lasso: a drag encloses; its corners stay beside the mask, and the box is the mask's bounds", () => {
  const s = surface(docOf(), { tool: "lasso" });
  along(s, SQUARE);
  assert.deepEqual(maskIn(s), { bounds: [300, 100, 340, 140], pixels: 1600 });
  assert.deepEqual([s.px()[0], inPx(fieldsOf(s)[0].outline)], [[300, 100, 340, 140], SQUARE]);
  along(s, [[100, 100], [200, 100], [200, 200], [100, 200]]);
  assert.deepEqual([s.px(), maskIn(s).bounds], [[[100, 100, 200, 200]], [100, 100, 200, 200]], "another one takes its place, and the box goes along");
});

test("lasso: clicks are corners, closed at the first one, by a second click at the last, or by Enter; undo takes one back", () => {
  const ways = /** @type {[string, (s: Surface) => void][]} */ ([["first", (s) => s.click(301, 99)], ["last", (s) => s.click(300, 140)], ["Enter", (s) => void s.gestures.finish()]]);
  for (const [way, end] of ways) {
    const s = surface(docOf(), { tool: "lasso" });
    for (const [x, y] of SQUARE.slice(0, 3)) s.click(x, y);
    s.click(500, 500);
    assert.ok(s.gestures.back(), way);
    s.click(300, 140);
    s.gestures.move(s.at(320, 400));
    assert.equal(s.ids().length, 0);
    end(s);
    assert.deepEqual([s.gestures.name, maskIn(s).bounds, s.store.state.past.length], ["idle", [300, 100, 340, 140], 1], way);
  }
});

test("lasso: Escape drops the corners; what encloses nothing makes nothing; the middle button pans between corners", () => {
  const s = surface(docOf(), { tool: "lasso" });
  for (const [x, y] of SQUARE) s.click(x, y);
  assert.ok(s.gestures.cancel());
  s.click(100, 100);
  s.drag([100, 100], [130, 90], { button: 1 });
  assert.deepEqual([s.gestures.name, s.log.panned], ["lasso", [30, -10]]);
  s.click(200, 200);
  assert.ok(s.gestures.finish());
  along(s, [[100, 100], [200, 100]]);
  assert.deepEqual([s.ids().length, s.gestures.name, s.store.state.past.length], [0, "idle", 0]);
  s.click(100, 100);
  assert.ok(s.gestures.back());
  assert.equal(s.gestures.name, "idle", "and the last corner taken back ends it");
});

test("lasso: Shift adds, Alt takes away, from a box without a mask as well; both drop the corners", () => {
  const s = surface(docOf({ box: A, mask: maskOf([64, 64, 128, 192]), outline: [[0, 0]] }, { box: B }), { tool: "lasso" });
  select(s, 0);
  along(s, [[100, 100], [160, 100], [160, 140], [100, 140]], { shift: true });
  assert.deepEqual(maskIn(s), { bounds: [64, 64, 160, 192], pixels: 64 * 128 + 32 * 40 });
  assert.equal(fieldsOf(s)[0].outline, undefined);
  along(s, [[64, 64], [128, 64], [128, 192], [64, 192]], { alt: true });
  assert.deepEqual(maskIn(s), { bounds: [128, 100, 160, 140], pixels: 32 * 40 });
  assert.deepEqual(s.px()[0], [64, 64, 192, 192], "a box that is larger than its mask is larger on purpose");
  select(s, 1);
  along(s, [[256, 256], [384, 256], [384, 320], [256, 320]], { alt: true });
  assert.deepEqual(maskIn(s, 1), { bounds: [256, 320, 384, 384], pixels: 128 * 64 });
});

test("lasso: a mask with corners is drawn anew from them where it is resized, and keeps a sharp edge", () => {
  const s = surface(docOf(), { tool: "lasso" });
  along(s, [[100, 100], [132, 100], [100, 132]]);
  assert.deepEqual(s.px(), [[100, 100, 132, 132]]);
  s.log.tool = "select";
  s.drag([132, 132], [228, 228]);
  assert.deepEqual([s.px(), inPx(fieldsOf(s)[0].outline)], [[[100, 100, 228, 228]], [[100, 100], [228, 100], [100, 228]]]);
  const ends = [150, 151, 152, 153].map((c) => decoded(fieldsOf(s)[0].mask)?.columns[c][1]);
  assert.deepEqual(ends.map((end) => (ends[0] ?? 0) - (end ?? 0)), [0, 1, 2, 3], "a step for each column, not blocks of four");
  s.store.dispatch({ type: "patch", ids: s.ids(), changes: { mask: maskOf([100, 100, 228, 228]) } });
  s.drag([150, 150], [160, 150]);
  assert.deepEqual([maskIn(s).bounds, fieldsOf(s)[0].outline], [[110, 100, 238, 228], undefined], "corners of another mask are not believed");
});

test("brush: paints as wide as it is pressed, and the box grows over its edge", () => {
  const s = surface(docOf(A), { tool: "brush" });
  select(s, 0);
  s.click(100, 100);
  assert.deepEqual([maskIn(s).bounds, s.px()[0]], [[80, 80, 120, 120], [64, 64, 192, 192]]);
  along(s, [[100, 100], [200, 100]], { pressure: 0.5 });
  assert.deepEqual([maskIn(s).bounds, s.px()[0]], [[80, 80, 210, 120], [64, 64, 210, 192]]);
  assert.equal(s.store.state.past.length, 2);
});

test("brush: drops the lasso's corners; two strokes at once go into one instance; beside the picture it makes nothing", () => {
  const s = surface(docOf(), { tool: "lasso" });
  along(s, SQUARE);
  s.log.tool = "brush";
  s.click(320, 120);
  assert.equal(fieldsOf(s)[0].outline, undefined);
  s.click(400, 120);
  assert.deepEqual([s.px(), maskIn(s).bounds], [[[300, 100, 420, 140]], [300, 100, 420, 140]], "a box around its mask goes along");
  s.store.dispatch({ type: "select", ids: [] });
  s.click(-100, -100);
  assert.deepEqual([s.ids().length, s.store.state.selection], [1, []]);
});

test("eraser: takes from the mask, and without one from the box; a pen's other end is one; it says where there is nothing", () => {
  const s = surface(docOf({ box: A, mask: maskOf([64, 64, 192, 192]) }, { box: B }, { box: [0.9, 0.9, 0.9, 0.9], point: [0.9, 0.9] }), { tool: "eraser" });
  s.click(100, 100);
  select(s, 2);
  s.click(460, 460);
  assert.deepEqual(s.log.said, [["off.none", undefined], ["off.empty", { n: 3 }]]);
  select(s, 0);
  along(s, [[64, 64], [64, 192]]);
  assert.deepEqual([maskIn(s).bounds, s.px()[0]], [[84, 64, 192, 192], [84, 64, 192, 192]]);
  select(s, 1);
  s.log.tool = "brush";
  along(s, [[256, 256], [384, 256]], { eraser: true });
  assert.deepEqual([maskIn(s, 1).bounds, s.px()[1]], [[256, 276, 384, 384], [256, 256, 384, 384]]);
});

test("a mask of another grid is painted on the picture's", () => {
  const s = surface(docOf({ box: [0, 0, 0.5, 0.5], mask: { size: [4, 4], counts: [0, 2, 2, 2, 10] } }), { tool: "brush" });
  select(s, 0);
  s.click(100, 100);
  assert.deepEqual(fieldsOf(s)[0].mask.size, [512, 512]);
  assert.deepEqual(maskIn(s), { bounds: [0, 0, 256, 256], pixels: 256 * 256 });
});
