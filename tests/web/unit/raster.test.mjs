// @ts-check
/** Masks as columns of runs, against the slow way: pixel by pixel. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { decoded, encoded } from "../../../web/editor/masks.js";
import { loopsOf, simplified, smoothed } from "../../../web/editor/polyline.js";
import { areaOf, blank, boundsOf, boxColumns, ellipseColumns, gridOf, grown, inverted, joined, polygonColumns, shrunk, strokeColumns, without } from "../../../web/editor/raster.js";
import { random } from "./helpers.mjs";

/** @typedef {import("../../../web/editor/raster.js").Columns} Columns */
/** @typedef {[number, number]} Pair */

/** Columns as pixels, [width][height]. @param {Columns} columns @param {number} height */
const pixels = (columns, height) => columns.map((rows) => Array.from({ length: height }, (_, y) =>
  rows.some((from, i) => i % 2 === 0 && y >= from && y < rows[i + 1])));
/** @param {boolean[][]} cells */
const columnsOf = (cells) => cells.map((column) => column.flatMap((set, y) => [...(set && !column[y - 1] ? [y] : []), ...(set && !column[y + 1] ? [y + 1] : [])]));
/** @param {() => number} rnd @param {number} width @param {number} height */
const noise = (rnd, width, height) => Array.from({ length: width }, () => Array.from({ length: height }, () => rnd() < 0.5));
/** @param {number} width @param {number} height @param {(x: number, y: number) => boolean} test of a pixel's centre */
const where = (width, height, test) => Array.from({ length: width }, (_, x) => Array.from({ length: height }, (_, y) => test(x + 0.5, y + 0.5)));

test("the grid has the picture's shape, 512 at most", () => {
  assert.deepEqual(gridOf({ width: 512, height: 384 }), [384, 512]);
  assert.deepEqual(gridOf({ width: 1024, height: 2048 }), [512, 256]);
  assert.deepEqual(gridOf({ width: 64, height: 8 }), [8, 64]);
  assert.deepEqual(gridOf({ width: 4000, height: 1 }), [1, 512]);
});

test("two masks are joined, taken from each other and inverted in each other as their pixels are", () => {
  const rnd = random(3);
  for (let n = 0; n < 200; n++) {
    const [a, b] = [noise(rnd, 7, 9), noise(rnd, 7, 9)];
    for (const [op, keep] of /** @type {[typeof joined, (p: boolean, q: boolean) => boolean][]} */ ([[joined, (p, q) => p || q], [without, (p, q) => p && !q], [inverted, (p, q) => p !== q]])) {
      assert.deepEqual(pixels(op(columnsOf(a), columnsOf(b)), 9), a.map((column, x) => column.map((p, y) => keep(p, b[x][y]))));
    }
    assert.equal(areaOf(columnsOf(a)), a.flat().filter(Boolean).length);
  }
});

test("a box and an ellipse take the pixels whose centres lie in them", () => {
  assert.deepEqual(pixels(boxColumns([0.25, 0.2, 0.75, 0.61], [10, 8]), 10), where(8, 10, (x, y) => x > 2 && x < 6 && y > 2 && y < 6.1));
  const ellipse = ellipseColumns([0.1, 0.1, 0.9, 0.7], [40, 60]);
  assert.deepEqual(pixels(ellipse, 40), where(60, 40, (x, y) => ((x - 30) / 24) ** 2 + ((y - 16) / 12) ** 2 < 1));
});

test("a polygon is filled by its centres, whichever way round, and where it crosses itself as well", () => {
  const inside = (/** @type {Pair[]} */ points, /** @type {number} */ x, /** @type {number} */ y) => {
    let turns = 0;
    points.forEach(([ax, ay], i) => {
      const [bx, by] = points[(i + 1) % points.length];
      if ((ax > x) !== (bx > x) && ay + ((by - ay) * (x - ax)) / (bx - ax) > y) turns += Math.sign(bx - ax);
    });
    return turns !== 0;
  };
  const rnd = random(11);
  for (let n = 0; n < 200; n++) {
    const points = Array.from({ length: 3 + Math.floor(rnd() * 7) }, () => /** @type {Pair} */ ([rnd() * 1.4 - 0.2, rnd() * 1.4 - 0.2]));
    assert.deepEqual(pixels(polygonColumns(points, [12, 17]), 12), where(17, 12, (x, y) => inside(points, x / 17, y / 12)));
  }
});

test("a brush covers what is within its radius of its way", () => {
  const from = { x: 10, y: 12, rx: 5, ry: 5 };
  const to = { x: 30, y: 20, rx: 5, ry: 5 };
  const got = pixels(strokeColumns(from, to, [40, 40]), 40);
  got.forEach((column, x) => column.forEach((set, y) => {
    const t = Math.min(1, Math.max(0, ((x + 0.5 - 10) * 20 + (y + 0.5 - 12) * 8) / 464));
    const far = Math.hypot(x + 0.5 - 10 - t * 20, y + 0.5 - 12 - t * 8);
    if (Math.abs(far - 5) > 0.3) assert.equal(set, far < 5, `${x}, ${y}`);
  }));
});

test("growing reaches as far as it says, shrinking takes it back and leaves the picture's border", () => {
  const grid = /** @type {Pair} */ ([40, 50]);
  const box = boxColumns([0.4, 0.4, 0.6, 0.6], grid);
  assert.deepEqual(boundsOf(grown(box, grid, 5, 4), grid), [15 / 50, 12 / 40, 35 / 50, 28 / 40]);
  assert.deepEqual(shrunk(grown(box, grid, 5, 4), grid, 5, 4), box);
  assert.deepEqual(boundsOf(shrunk(boxColumns([0, 0, 0.5, 1], grid), grid, 5, 4), grid), [0, 0, 20 / 50, 1]);
  assert.equal(boundsOf(blank(grid), grid), null);
});

/** @param {Pair[]} loop */
const enclosed = (loop) => loop.reduce((sum, [x, y], i) => {
  const [nx, ny] = loop[(i + 1) % loop.length];
  return sum + x * ny - y * nx;
}, 0) / 2;

test("the outline encloses what is set, holes taken off, and has no corner where it goes straight on", () => {
  const rnd = random(5);
  for (let n = 0; n < 100; n++) {
    const columns = columnsOf(noise(rnd, 9, 8));
    const loops = loopsOf(columns);
    assert.equal(loops.reduce((sum, loop) => sum + enclosed(loop), 0), areaOf(columns));
  }
  assert.deepEqual(loopsOf([[], [2, 6], [2, 6], []]).map((loop) => loop.length), [4]);
});

test("steps of a slope become a slope, corners stay", () => {
  const stairs = Array.from({ length: 40 }, (_, x) => [x, 60]);
  const [loop] = loopsOf(stairs).map((line) => smoothed(line, 0.75));
  assert.ok(loop.length < 9, `${loop.length} corners`);
  const [box] = loopsOf([[3, 50], [3, 50], [3, 50]]).map((line) => smoothed(line, 0.75));
  assert.equal(box.length, 4);
});

test("a line keeps the points that are a pixel off, measured in pixels", () => {
  /** @type {Pair[]} */
  const line = [[0, 0], [0.1, 0.001], [0.2, 0], [0.3, 0.1], [0.4, 0]];
  assert.deepEqual(simplified(line, 1, [512, 512]), [[0, 0], [0.2, 0], [0.3, 0.1], [0.4, 0]]);
  assert.deepEqual(simplified([[0.5, 0.5]], 1), [[0.5, 0.5]]);
});

test("what is painted here is written as Python reads it (tests/unit/test_masks.py)", () => {
  const cases = JSON.parse(readFileSync(new URL("../../unit/data/masks.json", import.meta.url), "utf8"));
  const texts = [encoded(ellipseColumns([0.1, 0.2, 0.9, 0.8], [24, 32]), [24, 32]), encoded(polygonColumns([[0.1, 0.1], [0.9, 0.3], [0.4, 0.9]], [48, 40]), [48, 40])];
  for (const { size, counts } of texts) assert.ok(cases.some((/** @type {any} */ c) => c.counts === counts && c.size.join() === size.join()), String(counts));
});

test("a mask is read once for each text, and what is written is known as well", () => {
  const mask = encoded(boxColumns([0.25, 0.25, 0.75, 0.5], [16, 16]), [16, 16]);
  const read = decoded({ ...mask });
  assert.ok(read && read === decoded(mask));
  assert.deepEqual(read.bounds, [0.25, 0.25, 0.75, 0.5]);
  assert.equal(read.share, 0.125);
  assert.deepEqual([read.has({ x: 0.3, y: 0.3 }), read.has({ x: 0.3, y: 0.6 }), read.has({ x: 1.3, y: 0.3 })], [true, false, false]);
  assert.deepEqual(boundsOf(read.on([64, 32]), [64, 32]), [0.25, 0.25, 0.75, 0.5]);
  for (const none of [undefined, null, 3, { size: [2, 2], counts: "9" }]) assert.equal(decoded(none), null);
});
