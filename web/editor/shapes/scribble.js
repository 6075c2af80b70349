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
  icon: "M2.500 10.500c1.500-5 3.200-7.500 4.300-6.700 1.700 1.200-2.600 7.300-.8 8 1.700.700 3.200-5.500 4.700-5 1.400.5-.9 4.300.2 4.900.8.4 1.700-.4 2.600-1.700",
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
