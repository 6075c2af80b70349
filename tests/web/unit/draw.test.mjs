// @ts-check
/** Painting, on a canvas that only takes note: every tool and every shape can be painted at any moment, and nothing is changed by it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawScene } from "../../../web/editor/draw.js";
import { encoded } from "../../../web/editor/masks.js";
import { boxColumns } from "../../../web/editor/raster.js";
import { TOOLS } from "../../../web/editor/tools/index.js";
import { SIZE, docOf, surface } from "./helpers.mjs";

class Path {
  constructor() { for (const name of ["moveTo", "lineTo", "closePath", "rect", "addPath"]) Object.assign(this, { [name]() {} }); }
}
Object.assign(globalThis, { Path2D: Path, DOMMatrix: class { constructor(/** @type {number[]} */ numbers) { assert.ok(numbers.every(Number.isFinite)); } } });

/** A canvas that notes what is asked of it, as [name, arguments or value, alpha]. */
function canvas() {
  /** @type {[string, any, number][]} */
  const log = [];
  const known = /** @type {any} */ ({ globalAlpha: 1, measureText: (/** @type {string} */ text) => ({ width: 6 * text.length }) });
  const ctx = new Proxy(known, {
    get: (_, name) => known[name] ?? ((/** @type {any[]} */ ...args) => {
      for (const arg of args) if (typeof arg === "number") assert.ok(Number.isFinite(arg), `${String(name)} ${args}`);
      log.push([String(name), args, known.globalAlpha]);
    }),
    set(_, name, value) {
      known[name] = value;
      log.push([String(name), value, known.globalAlpha]);
      return true;
    },
  });
  return { ctx, log };
}

/** @param {ReturnType<typeof surface>} s */
function paint(s) {
  const { doc, selection } = s.store.state;
  const scene = { frame: { x: 10, y: 10, w: 512, h: 512 }, size: SIZE, items: doc.items, selection, editing: null, hovered: null, warnings: new Map(),
    ghosts: [], background: null, dim: 0, grid: true, gestures: s.gestures };
  const before = JSON.stringify([s.store.state, s.gestures.data]);
  const { ctx, log } = canvas();
  drawScene(ctx, /** @type {any} */ (scene));
  assert.equal(JSON.stringify([s.store.state, s.gestures.data]), before, "painting changes nothing");
  return log;
}

const MASK = encoded(boxColumns([0.125, 0.125, 0.25, 0.375], [64, 64]), [64, 64]);
const ALL = { box: [0.125, 0.125, 0.375, 0.375], mask: MASK, point: [0.2, 0.2], scribble: [[[0.2, 0.2], [0.3, 0.3]], [[0.3, 0.2]]] };

for (const tool of TOOLS) {
  test(`${tool.name} is painted before, in and after a gesture, with one instance chosen or none`, () => {
    for (const chosen of [true, false]) {
      const s = surface(docOf(ALL, { ...ALL, enabled: false }, [0.5, 0.5, 0.75, 0.75]), { tool: tool.name, snapping: true });
      if (chosen) s.store.dispatch({ type: "select", ids: [s.ids()[0]] });
      paint(s);
      s.gestures.move(s.at(90, 90));
      paint(s);
      s.gestures.down(s.at(100, 100));
      for (const [x, y] of [[101, 101], [150, 120], [160, 190]]) {
        s.gestures.move(s.at(x, y));
        paint(s);
      }
      s.gestures.up(s.at(160, 190));
      paint(s);
      s.click(300, 300);
      s.gestures.move(s.at(320, 300));
      paint(s);
      s.gestures.gone();
      paint(s);
    }
  });
}

test("what is not selected is clearer; of what has a mask the box is thin and dashed, and hatched beside the mask", () => {
  const s = surface(docOf(ALL));
  const alphas = () => new Set(paint(s).filter(([name]) => name === "arc").map(([, , alpha]) => alpha));
  assert.deepEqual([...alphas()], [0.6]);
  s.store.dispatch({ type: "select", ids: s.ids() });
  assert.deepEqual([...alphas()], [1]);
  const log = paint(s);
  assert.ok(log.some(([name, args]) => name === "setLineDash" && args[0].length === 2));
  assert.equal(log.filter(([name]) => name === "clip").length, 2);
  s.store.dispatch({ type: "patch", changes: { mask: undefined } });
  assert.equal(paint(s).filter(([name]) => name === "clip").length, 0);
});
