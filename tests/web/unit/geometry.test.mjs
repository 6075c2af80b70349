// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import * as geo from "../../../web/editor/geometry.js";
import { movingEdges, snap, targets } from "../../../web/editor/snapping.js";
import { random } from "./helpers.mjs";

const MIN = geo.minimum({ width: 512, height: 256 });
const near = (/** @type {number[]} */ a, /** @type {number[]} */ b) =>
  a.forEach((v, i) => assert.ok(Math.abs(v - b[i]) < 1e-9, `${a} is not ${b}`));

test("the minimum is one latent cell on each side, and never more than the picture", () => {
  near([MIN.width, MIN.height], [8 / 512, 8 / 256]);
  assert.equal(geo.minimum({ width: 4, height: 4 }).width, 1);
});

test("two corners in any order make the same box, cut to the picture", () => {
  const want = [0.2, 0.3, 0.6, 1];
  const corners = [[0.2, 0.3, 0.6, 1.4], [0.6, 1.4, 0.2, 0.3], [0.6, 0.3, 0.2, 1.4], [0.2, 1.4, 0.6, 0.3]];
  for (const [ax, ay, bx, by] of corners) near(geo.fromCorners({ x: ax, y: ay }, { x: bx, y: by }), want);
});

test("fit moves a box inside before it cuts it", () => {
  near(geo.fit([0.9, -0.1, 1.2, 0.1], MIN), [0.7, 0, 1, 0.2]);
  near(geo.fit([-1, 0, 2, 0.5], MIN), [0, 0, 1, 0.5]);
  near(geo.fit([0.5, 0.5, 0.5, 0.5], MIN), [0.5, 0.5, 0.5 + 8 / 512, 0.5 + 8 / 256]);
});

test("overlap is the share of the smaller box", () => {
  assert.equal(geo.overlap([0, 0, 1, 1], [0.25, 0.25, 0.5, 0.5]), 1);
  assert.equal(geo.overlap([0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5]), 0);
  assert.equal(geo.overlap([0.5, 0.5, 0.5, 0.5], [0, 0, 1, 1]), 0);
});

test("each handle moves its own sides only", () => {
  const box = /** @type {geo.Box} */ ([0.25, 0.25, 0.75, 0.75]);
  const moved = { n: [1], s: [3], w: [0], e: [2], nw: [0, 1], ne: [2, 1], sw: [0, 3], se: [2, 3] };
  for (const handle of geo.HANDLES) {
    const at = geo.handlePoints(box)[handle];
    const got = geo.resize(box, handle, { x: at.x + 0.05, y: at.y + 0.05 }, MIN);
    got.forEach((v, i) => assert.equal(v !== box[i], moved[handle].includes(i), `${handle} side ${i}`));
  }
});

test("a resize stops at the minimum and at the border", () => {
  near(geo.resize([0.2, 0.2, 0.4, 0.4], "e", { x: -1, y: 0 }, MIN), [0.2, 0.2, 0.2 + MIN.width, 0.4]);
  near(geo.resize([0.2, 0.2, 0.4, 0.4], "se", { x: 3, y: 3 }, MIN), [0.2, 0.2, 1, 1]);
  near(geo.resize([0.2, 0.2, 0.4, 0.4], "w", { x: 0.9, y: 0 }, MIN), [0.4 - MIN.width, 0.2, 0.4, 0.4]);
});

test("Shift keeps the proportions, Ctrl the centre", () => {
  const kept = geo.resize([0.2, 0.2, 0.4, 0.3], "se", { x: 0.6, y: 0.9 }, MIN, { keepAspect: true });
  near(kept, [0.2, 0.2, 0.6, 0.4]);
  near(geo.resize([0.4, 0.4, 0.6, 0.6], "e", { x: 0.7, y: 0 }, MIN, { fromCentre: true }), [0.3, 0.4, 0.7, 0.6]);
});

test("a group shrinks only until its smallest member is at the minimum", () => {
  const boxes = /** @type {geo.Box[]} */ ([[0, 0, 0.1, 0.1], [0.5, 0.5, 0.9, 0.9]]);
  const group = /** @type {geo.Box} */ (geo.bounds(boxes));
  const min = geo.groupMinimum(boxes, group, MIN);
  const to = geo.resize(group, "se", { x: 0, y: 0 }, min);
  const small = geo.carry(boxes[0], group, to);
  near([small[2] - small[0], small[3] - small[1]], [MIN.width, MIN.height]);
});

test("corners win over edges, and a tiny box can still be moved", () => {
  const reach = { x: 0.02, y: 0.02 };
  assert.equal(geo.handleAt([0.2, 0.2, 0.8, 0.8], { x: 0.21, y: 0.19 }, reach), "nw");
  assert.equal(geo.handleAt([0.2, 0.2, 0.8, 0.8], { x: 0.5, y: 0.8 }, reach), "s");
  assert.equal(geo.handleAt([0.2, 0.2, 0.8, 0.8], { x: 0.5, y: 0.5 }, reach), null);
  assert.equal(geo.handleAt([0.2, 0.2, 0.22, 0.22], { x: 0.21, y: 0.21 }, reach), null);
  assert.equal(geo.handleAt([0.2, 0.2, 0.22, 0.22], { x: 0.23, y: 0.23 }, reach), "se");
});

test("snapping prefers the nearest line and says which; else the cell grid", () => {
  const size = { width: 512, height: 512 };
  const to = targets([[0.1, 0.1, 0.3, 0.3]]);
  const reach = { x: 0.02, y: 0.02 };
  const found = snap(movingEdges([0.29, 0.6, 0.45, 0.9]), to, reach, size);
  near([found.dx], [0.01]);
  assert.ok(found.guides.some((g) => g.axis === "x" && g.at === 0.3));
  const grid = snap({ x: [0.4], y: [] }, { xs: [], ys: [] }, reach, size);
  near([0.4 + grid.dx], [Math.round(0.4 * 64) / 64]);
  assert.deepEqual(grid.guides, []);
});

test("random boxes: every operation stays in the picture and over the minimum", () => {
  const rnd = random(7);
  for (let n = 0; n < 2000; n++) {
    const box = geo.fit(geo.fromCorners({ x: rnd(), y: rnd() }, { x: rnd(), y: rnd() }), MIN);
    const handle = geo.HANDLES[Math.floor(rnd() * 8)];
    const p = { x: rnd() * 3 - 1, y: rnd() * 3 - 1 };
    for (const got of [geo.resize(box, handle, p, MIN), geo.resize(box, handle, p, MIN, { fromCentre: true }),
      geo.resize(box, handle, p, MIN, { keepAspect: true })]) {
      assert.ok(got[0] >= -1e-9 && got[1] >= -1e-9 && got[2] <= 1 + 1e-9 && got[3] <= 1 + 1e-9, `${got}`);
      assert.ok(got[2] - got[0] >= MIN.width - 1e-9 && got[3] - got[1] >= MIN.height - 1e-9, `${handle} ${box} -> ${got}`);
    }
    const d = geo.clampShift(box, p.x, p.y);
    const moved = geo.shift(box, d.x, d.y);
    assert.ok(Math.min(...moved) >= -1e-9 && Math.max(...moved) <= 1 + 1e-9);
  }
});
