// @ts-check
/** What the menu makes of shapes, and masks from pictures. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { columnsOf, maskFromPicture } from "../../../web/editor/mask_picture.js";
import { decoded, encoded } from "../../../web/editor/masks.js";
import { boxColumns } from "../../../web/editor/raster.js";
import { shapeCommands } from "../../../web/editor/shape_commands.js";
import { initial, Store } from "../../../web/editor/state.js";
import { SIZE, docOf } from "./helpers.mjs";

const A = [64, 64, 192, 192].map((v) => v / 512);
/** @param {number[]} px @returns {any} */
const mask = (px) => encoded(boxColumns(/** @type {any} */ (px.map((v) => v / 512)), [512, 512]), [512, 512]);

/** The commands on these instances, all of them selected. @param {...any} instances */
function editor(...instances) {
  const store = new Store(initial(docOf(...instances)));
  store.dispatch({ type: "select", ids: store.state.doc.items.map((it) => it.id) });
  const commands = shapeCommands(/** @type {any} */ ({ store, size: SIZE }));
  const fields = (i = 0) => store.state.doc.items[i].fields;
  /** The mask's bounds and pixels, and the box. */
  const now = (i = 0) => {
    const found = decoded(fields(i).mask);
    return [found?.bounds?.map((v) => v * 512) ?? null, Math.round((found?.share ?? 0) * 512 * 512), fields(i).box.map((v) => v * 512)];
  };
  return { store, commands, fields, now };
}

test("mask from the box, and from the ellipse in it", () => {
  const e = editor({ box: A, outline: [[0, 0]] });
  e.commands.maskFromBox();
  assert.deepEqual([e.now(), e.fields().outline], [[[64, 64, 192, 192], 128 * 128, [64, 64, 192, 192]], undefined]);
  e.commands.maskFromEllipse();
  const [bounds, pixels] = e.now();
  assert.deepEqual(bounds, [64, 64, 192, 192]);
  assert.ok(Math.abs(Number(pixels) - Math.PI * 64 * 64) < 40);
});

test("box from the mask, the mask inverted in its box, grown, shrunk, cleared", () => {
  const e = editor({ box: A, mask: mask([64, 64, 128, 192]) });
  e.commands.invertMask();
  assert.deepEqual(e.now(), [[128, 64, 192, 192], 64 * 128, [64, 64, 192, 192]]);
  e.commands.boxFromMask();
  assert.deepEqual(e.now()[2], [128, 64, 192, 192]);
  e.commands.growMask(8);
  assert.deepEqual([e.now()[0], e.now()[2]], [[120, 56, 200, 200], [120, 56, 200, 200]], "a box that is its mask's bounds goes along");
  e.commands.growMask(-8);
  assert.deepEqual(e.now(), [[128, 64, 192, 192], 64 * 128, [128, 64, 192, 192]]);
  e.commands.clearShape("mask");
  assert.deepEqual([e.fields().mask, e.now()[2]], [undefined, [128, 64, 192, 192]]);
  assert.equal(e.store.state.past.length, 5);
});

test("all selected at once, as one step; locked ones and such as have no mask are left alone", () => {
  const e = editor({ box: A }, { box: A, locked: true }, { box: [0.5, 0.5, 0.5, 0.5], point: [0.5, 0.5] });
  e.commands.maskFromBox();
  assert.deepEqual([0, 1, 2].map((i) => "mask" in e.fields(i)), [true, false, false]);
  e.commands.growMask(8);
  assert.equal(e.store.state.past.length, 2);
  for (const name of ["point", "scribble"]) e.commands.clearShape(name);
  assert.equal("point" in e.fields(2), false);
});

test("white pixels that are not transparent are a mask", () => {
  const [W, B, T, G] = [[255, 255, 255, 255], [0, 0, 0, 255], [255, 255, 255, 0], [0, 255, 0, 255]];
  assert.deepEqual(columnsOf([W, B, T, W, G, W].flat(), [3, 2]), [[0, 1, 2, 3], [1, 3]]);
});

test("what is no picture is said", async () => {
  assert.deepEqual(await maskFromPicture(async () => null, [2, 2]), { why: "mask.none" });
  assert.deepEqual(await maskFromPicture(async () => { throw new Error("not allowed"); }, [2, 2]), { why: "mask.unreadable" });
});
