// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { Pinch } from "../../../web/editor/pinch.js";
import { FITTED, frameOf, zoomed } from "../../../web/editor/viewport.js";

const STAGE = { width: 420, height: 420 };
const PICTURE = { width: 512, height: 512 };
/** What of the picture lies under a place of the stage. @param {import("../../../web/editor/viewport.js").Viewport} view @param {number} x @param {number} y */
const under = (view, x, y) => {
  const f = frameOf(STAGE, PICTURE, view);
  return [(x - f.x) / f.w, (y - f.y) / f.h];
};
/** @param {number[]} a @param {number[]} b */
const near = (a, b) => a.forEach((v, i) => assert.ok(Math.abs(v - b[i]) < 1e-9, `${a} is not ${b}`));

test("two fingers zoom by their distance and shift by their middle: what lay between them stays between them", () => {
  const pinch = new Pinch();
  const before = zoomed(FITTED, 2, { x: 210, y: 210 }, STAGE);
  pinch.down(1, { x: 100, y: 200 }, before);
  assert.equal(pinch.busy, false);
  assert.equal(pinch.move(1, { x: 150, y: 200 }, STAGE), null, "one finger alone moves nothing");
  pinch.down(2, { x: 250, y: 200 }, before);
  assert.equal(pinch.busy, true);
  pinch.move(1, { x: 130, y: 220 }, STAGE);
  const view = pinch.move(2, { x: 280, y: 220 }, STAGE);
  assert.ok(view);
  assert.equal(view.zoom, 3);
  near(under(view, 205, 220), under(before, 200, 200));
});

test("from the second finger on nothing else happens until the last one is lifted; a third finger ends the zooming", () => {
  const pinch = new Pinch();
  for (const id of [1, 2, 3]) pinch.down(id, { x: 100 * id, y: 100 }, FITTED);
  assert.equal(pinch.move(1, { x: 0, y: 0 }, STAGE), null);
  pinch.up(3);
  pinch.up(1);
  assert.equal(pinch.move(2, { x: 300, y: 100 }, STAGE), null);
  assert.equal(pinch.busy, true);
  pinch.up(7);
  pinch.up(2);
  assert.equal(pinch.busy, false);
});

test("brought together they never show less than the whole picture", () => {
  const pinch = new Pinch();
  pinch.down(1, { x: 10, y: 210 }, FITTED);
  pinch.down(2, { x: 410, y: 210 }, FITTED);
  pinch.move(1, { x: 200, y: 210 }, STAGE);
  assert.equal(pinch.move(2, { x: 220, y: 210 }, STAGE)?.zoom, 1);
});
