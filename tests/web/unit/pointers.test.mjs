// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { pointerOf } from "../../../web/editor/pointers.js";

const FRAME = { x: 10, y: 20, w: 200, h: 100 };
/** @param {Record<string, any>} event */
const seen = (event) => {
  const at = { type: "pointermove", pointerType: "mouse", button: 0, buttons: 1, clientX: 110, clientY: 70, pressure: 0.5, ...event };
  return pointerOf(/** @type {any} */ (at), (e) => ({ x: /** @type {any} */ (e).clientX, y: /** @type {any} */ (e).clientY }), FRAME);
};

test("a place in shares of the picture, with its keys; Command is Ctrl", () => {
  const { x, y, cx, cy, ctrl, shift, coarse, trail } = seen({ metaKey: true, shiftKey: true });
  assert.deepEqual([x, y, cx, cy, ctrl, shift, coarse, trail], [0.5, 0.5, 110, 70, true, true, false, undefined]);
  assert.equal(seen({ pointerType: "touch" }).coarse, true);
});

test("pressure is a touching pen's alone; its other end is the first button of an eraser", () => {
  assert.deepEqual(["mouse", "touch", "pen"].map((pointerType) => seen({ pointerType }).pressure), [undefined, undefined, 0.5]);
  assert.equal(seen({ pointerType: "pen", buttons: 0, pressure: 0 }).pressure, undefined, "held over the stage");
  const { eraser, button, pressure } = seen({ pointerType: "pen", button: 5, buttons: 32 });
  assert.deepEqual([eraser, button, pressure], [true, 0, 0.5]);
});

test("the trail holds what lies between two events, on the way alone", () => {
  const between = { getCoalescedEvents: () => [{ clientX: 60, clientY: 45, pointerType: "pen", buttons: 1, pressure: 0.2 }, { clientX: 110, clientY: 70, pointerType: "pen", buttons: 1, pressure: 0.5 }] };
  assert.deepEqual(seen(between).trail?.map(({ x, y, pressure }) => [x, y, pressure]), [[0.25, 0.25, 0.2], [0.5, 0.5, 0.5]]);
  assert.equal(seen({ ...between, type: "pointerup" }).trail, undefined);
  assert.equal(seen({ getCoalescedEvents: () => [] }).trail, undefined);
});
