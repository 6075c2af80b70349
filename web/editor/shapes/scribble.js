// @ts-check
/** A scribble: strokes over the object. */
import { haloed, trace } from "../canvas.js";
import { distanceTo } from "../polyline.js";
import { around, carriedPair, isOutside, isPair, kept } from "./maps.js";

/** @typedef {import("./kinds.js").Pair} Pair */

/** An instance's strokes, where they are sound. @param {import("../layout.js").Fields} fields @returns {Pair[][]} */
export const strokesOf = ({ scribble }) => (Array.isArray(scribble)
  && scribble.every((stroke) => Array.isArray(stroke) && stroke.length && stroke.every(isPair)) ? scribble : []);

/** @type {import("./kinds.js").Kind} */
export const SCRIBBLE = {
  name: "scribble",
  fields: ["scribble"],
  bounds(fields) {
    const points = strokesOf(fields).flat();
    return points.length ? around(points) : null;
  },
  hit: (fields, { x, y }, reach) => strokesOf(fields).some((stroke) => stroke.some((p, i) =>
    distanceTo([x, y], stroke[Math.max(0, i - 1)], p, [1 / reach.x, 1 / reach.y]) <= 1)),
  move(fields, move) {
    const strokes = strokesOf(fields).map((stroke) => stroke.map((p) => carriedPair(p, move)));
    return { changes: { scribble: strokes.map((stroke) => stroke.map(kept)) }, cut: strokes.flat().some(isOutside) };
  },
  draw(ctx, fields, f, { color, selected }) {
    ctx.lineCap = ctx.lineJoin = "round";
    ctx.beginPath();
    for (const stroke of strokesOf(fields)) trace(ctx, f, stroke.length > 1 ? stroke : [...stroke, ...stroke]); // a dot has a length of 0
    haloed(ctx, color, selected ? 3.5 : 2.5, () => ctx.stroke());
    ctx.lineCap = "butt";
    ctx.lineJoin = "miter";
  },
};
