// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { arrange, BUILT_IN, readOwn } from "../../../web/editor/templates.js";
import { frameOf, FITTED, panned, zoomed } from "../../../web/editor/viewport.js";
import { encoded } from "../../../web/editor/masks.js";
import { boxColumns } from "../../../web/editor/raster.js";
import { BOX_LIMIT, missedLevel, warnings } from "../../../web/editor/warnings.js";
import { SIZE, docOf } from "./helpers.mjs";

/** @param {any[]} instances */
const keysOf = (...instances) => {
  const doc = docOf(...instances);
  const found = warnings(doc, SIZE);
  return doc.items.map((it) => (found.get(it.id) ?? []).map((w) => w.key));
};
const BOX = [0.1, 0.1, 0.5, 0.5];

test("a sound box has no warning, an empty caption has one, a muted box none", () => {
  assert.deepEqual(keysOf({ box: BOX, caption: "fox" }, { box: BOX, caption: " " }, { box: BOX, enabled: false }), [[], ["warn.caption"], []]);
});

test("no area, over the border, too small", () => {
  assert.deepEqual(keysOf({ box: [0.5, 0.5, 0.5, 0.9], caption: "a" }, { box: [0.5, 0.5, 1.2, 0.9], caption: "b" },
    { box: [0.5, 0.5, 0.502, 0.9], caption: "c" }), [["warn.area"], ["warn.border"], ["warn.nothing"]]);
});

test("feature cells are counted as on the server: by their centres, level by level", () => {
  assert.equal(missedLevel([0, 0, 1, 1], SIZE), null);
  assert.equal(missedLevel([0.01, 0, 0.05, 1], SIZE), 64);   // 5 to 26 px: the 64 px cell's centre lies at 32 px
  assert.equal(missedLevel([0.02, 0, 0.1, 1], SIZE), null);  // 10 to 51 px holds one of every level
  assert.equal(missedLevel([0.001, 0, 0.006, 1], SIZE), 8);
  assert.equal(missedLevel([0, 0, 1, 1], { width: 8, height: 8 }), null);
});

test("over the adapter's limit: muted boxes give way first", () => {
  const many = Array.from({ length: BOX_LIMIT + 2 }, (_, i) => ({ box: BOX, caption: `thing ${i}`, enabled: i !== 0 }));
  const over = keysOf(...many).flatMap((list, i) => (list.includes("warn.limit") ? [i] : []));
  assert.deepEqual(over, [BOX_LIMIT + 1]);
});

test("the same caption twice in nearly the same place", () => {
  assert.deepEqual(keysOf({ box: [0, 0, 0.5, 0.5], caption: "Fox" }, { box: [0.1, 0.1, 0.5, 0.5], caption: "fox " },
    { box: [0.4, 0.4, 1, 1], caption: "fox" }, { box: [0, 0, 0.5, 0.5], caption: "owl" }), [["warn.twin"], ["warn.twin"], [], []]);
});

test("a template moves what is there, captions and all, and adds what is missing", () => {
  const doc = docOf({ box: BOX, caption: "fox" }, { box: BOX, caption: "wall", locked: true });
  const next = arrange(doc, [[0, 0, 0.5, 1], [0.5, 0, 1, 1]]);
  assert.deepEqual(next.items.map((it) => [it.fields.caption, it.fields.box]), [
    ["fox", [0, 0, 0.5, 1]], ["wall", BOX], [undefined, [0.5, 0, 1, 1]]]);
  for (const { boxes } of BUILT_IN) for (const b of boxes) assert.ok(Math.min(...b) > 0 && Math.max(...b) < 1 && b[0] < b[2] && b[1] < b[3]);
});

test("saved templates: what cannot be read is left out", () => {
  assert.deepEqual(readOwn('[{"name": "mine", "boxes": [[0, 0, 1, 1]]}, {"name": 3}, {"name": "bad", "boxes": [[1]]}, null]'),
    [{ name: "mine", boxes: [[0, 0, 1, 1]] }]);
  assert.deepEqual([readOwn(""), readOwn("{}"), readOwn("nonsense")], [[], [], []]);
});

test("the picture fits the stage, zooms around a point that stays, and never leaves", () => {
  const stage = { width: 420, height: 220 };
  const f = frameOf(stage, { width: 200, height: 100 }, FITTED);
  assert.deepEqual(f, { x: 10, y: 10, w: 400, h: 200 });
  const at = { x: 100, y: 50 };
  const view = zoomed(FITTED, 2, at, stage);
  const g = frameOf(stage, { width: 200, height: 100 }, view);
  assert.ok(Math.abs((at.x - f.x) / f.w - (at.x - g.x) / g.w) < 1e-9);
  assert.deepEqual(zoomed(view, 0.1, at, stage), FITTED);
  assert.ok(Math.abs(panned(view, 1e6, 0, stage).x) <= stage.width);
});

test("shapes: an empty mask, one beside its box or under a cell, a point or a stroke outside its box", () => {
  const mask = (/** @type {any} */ box) => encoded(boxColumns(box, [64, 64]), [64, 64]);
  const shaped = (/** @type {any} */ more) => keysOf({ box: BOX, caption: "fox", ...more })[0];
  assert.deepEqual(shaped({ mask: mask([0, 0, 0, 0]) }), ["warn.maskEmpty"]);
  assert.deepEqual(shaped({ mask: mask([0.6, 0.6, 0.9, 0.9]) }), ["warn.maskOutside"]);
  assert.deepEqual(shaped({ mask: mask([0.45, 0.45, 0.9, 0.9]) }), []);
  assert.deepEqual(shaped({ mask: encoded(boxColumns([0.2, 0.2, 0.21, 0.21], [512, 512]), [512, 512]) }), ["warn.maskSmall"]);
  assert.deepEqual(shaped({ point: [0.6, 0.2] }), ["warn.pointOutside"]);
  assert.deepEqual(shaped({ point: [0.5, 0.5], scribble: [[[0.1, 0.1], [0.5, 0.3]]] }), [], "the border is inside");
  assert.deepEqual(shaped({ scribble: [[[0.2, 0.2]], [[0.2, 0.6]]] }), ["warn.scribbleOutside"]);
});

test("shapes that nothing reads are said so, a point alone as well", () => {
  const doc = docOf({ box: BOX, caption: "fox", point: [0.2, 0.2], scribble: [[[0.2, 0.2]]] }, { box: [0.5, 0.5, 0.5, 0.5], point: [0.5, 0.5], caption: "star" });
  const said = (/** @type {boolean} */ unread) => doc.items.map((it) => (warnings(doc, SIZE, null, unread).get(it.id) ?? []).map((w) => w.key));
  assert.deepEqual(said(true), [["warn.pointUnread", "warn.scribbleUnread"], ["warn.pointUnread"]]);
  assert.deepEqual(said(false), [[], []]);
});
