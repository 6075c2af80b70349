// @ts-check
/** The tools that draw shapes: what a gesture of each makes and edits. */
import assert from "node:assert/strict";
import { test } from "node:test";
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
    const s = surface(docOf(A, B), { tool });
    select(s, 0);
    draw(s);
    assert.ok(field in fieldsOf(s)[0]);
    assert.equal(s.ids().length, 2);
    assert.deepEqual(s.log.drawn, []);
    assert.equal(s.store.state.past.length, 1);
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
