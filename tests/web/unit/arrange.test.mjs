// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { EDGES, aligned, distributed, sized } from "../../../web/editor/arrange.js";
import { arrangeCommands } from "../../../web/editor/arrange_commands.js";
import { presets, swapped } from "../../../web/editor/sizes.js";
import { initial, Store } from "../../../web/editor/state.js";
import { SIZE, docOf } from "./helpers.mjs";

/** @typedef {import("../../../web/editor/geometry.js").Box} Box */

/** @type {Box[]} */
const BOXES = [[0.125, 0.5, 0.25, 0.625], [0.5, 0.125, 1, 0.25], [0.25, 0.25, 0.375, 0.875]];

test("boxes are aligned to an edge, or the middle, of what they cover together, and keep their sizes", () => {
  const at = (/** @type {string} */ edge) => aligned(BOXES, /** @type {any} */ (edge));
  assert.deepEqual(at("left").map((b) => b[0]), [0.125, 0.125, 0.125]);
  assert.deepEqual(at("right").map((b) => b[2]), [1, 1, 1]);
  assert.deepEqual(at("centre").map((b) => (b[0] + b[2]) / 2), [0.5625, 0.5625, 0.5625]);
  assert.deepEqual(at("top").map((b) => b[1]), [0.125, 0.125, 0.125]);
  assert.deepEqual(at("bottom").map((b) => b[3]), [0.875, 0.875, 0.875]);
  assert.deepEqual(at("middle").map((b) => (b[1] + b[3]) / 2), [0.5, 0.5, 0.5]);
  const sides = (/** @type {Box[]} */ boxes) => boxes.map((b) => [b[2] - b[0], b[3] - b[1]]);
  for (const edge of Object.keys(EDGES)) assert.deepEqual(sides(at(edge)), sides(BOXES), edge);
});

test("the space between neighbours becomes the same, whatever their order, and less than none where there is no room", () => {
  assert.deepEqual(distributed(BOXES, 0).map((b) => [b[0], b[2]]), [[0.125, 0.25], [0.5, 1], [0.3125, 0.4375]]);
  const tight = distributed([[0, 0, 0.5, 1], [0.125, 0, 0.625, 1], [0.5, 0, 1, 1]], 0);
  assert.deepEqual(tight.map((b) => b[0]), [0, 0.25, 0.5]);
});

test("a size is taken over about the box's middle, and moved inside where that reaches out", () => {
  assert.deepEqual(sized([[0.25, 0.25, 0.375, 0.375], [0.875, 0.5, 1, 0.625]], [0, 0, 0.5, 0.25], [0]),
    [[0.0625, 0.25, 0.5625, 0.375], [0.5, 0.5, 1, 0.625]]);
});

test("one step for all, locked boxes stay, the last selected gives the size, a point is moved but has none", () => {
  const store = new Store(initial(docOf(BOXES[0], { box: BOXES[1], locked: true }, BOXES[2], { box: [0.75, 0.75, 0.75, 0.75], point: [0.75, 0.75] })));
  const [a, b, c, p] = store.state.doc.items.map((it) => it.id);
  const log = /** @type {any[]} */ ([]);
  const commands = arrangeCommands(/** @type {any} */ ({ store, size: SIZE, find: (/** @type {string} */ id) => store.state.doc.items.find((it) => it.id === id),
    host: { setSize: (/** @type {any} */ size) => log.push(size) }, refresh() {}, say: (/** @type {string} */ said) => log.push(said), t: (/** @type {string} */ key) => key }));
  const box = (/** @type {number} */ i) => store.state.doc.items[i].fields.box;
  store.dispatch({ type: "select", ids: [a, b, p, c] });
  commands.align("left");
  assert.deepEqual([box(0)[0], box(1), box(2)[0], store.state.doc.items[3].fields.point], [0.125, BOXES[1], 0.125, [0.125, 0.75]]);
  assert.equal(store.state.past.length, 1);
  commands.sameSize([0, 1]);
  assert.deepEqual([box(0), box(1), store.state.doc.items[3].fields.point], [[0.125, 0.25, 0.25, 0.875], BOXES[1], [0.125, 0.75]]);
  commands.setSize({ width: 8, height: 16 });
  assert.deepEqual(log, [{ width: 8, height: 16 }, "say.size"]);
});

test("the sizes that are offered lie or stand as the picture does, and every side is a whole number of cells", () => {
  for (const [family, sizes] of presets({ width: 512, height: 512 })) {
    const pixels = family === "sd15" ? 512 * 512 : 1024 * 1024;
    for (const { width, height } of sizes) assert.ok(width >= height && width % 16 === 0 && height % 16 === 0 && Math.abs(width * height / pixels - 1) < 0.51, `${width} x ${height}`);
  }
  assert.deepEqual(presets({ width: 512, height: 768 })[1][1][1], swapped({ width: 1152, height: 896 }));
});
