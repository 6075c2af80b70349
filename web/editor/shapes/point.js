// @ts-check
/** A point: a place inside the object, a dot in a ring. */
import { haloed } from "../canvas.js";
import { carriedPair, isOutside, isPair, kept } from "./maps.js";

/** Screen pixels. */
export const RING = 7;
const DOT = 3;

/** An instance's point, where it has a sound one. @param {import("../layout.js").Fields} fields @returns {import("./kinds.js").Pair|null} */
export const pointOf = ({ point }) => (isPair(point) ? point : null);

/** @type {import("./kinds.js").Kind} */
export const POINT = {
  name: "point",
  icon: "M8 2.8a5.200 5.200 0 100 10.400 5.200 5.200 0 000-10.400M8 7.100a.9.9 0 100 1.800.9.9 0 000-1.800",
  fields: ["point"],
  bounds({ point }) {
    return isPair(point) ? [...point, ...point] : null;
  },
  hit: ({ point }, p, reach) => isPair(point) && Math.abs(point[0] - p.x) <= reach.x && Math.abs(point[1] - p.y) <= reach.y,
  move({ point }, move) {
    const to = carriedPair(point, move);
    return { changes: { point: kept(to) }, cut: isOutside(to) };
  },
  draw(ctx, { point }, f, { color, selected }) {
    const [x, y] = [f.x + point[0] * f.w, f.y + point[1] * f.h];
    haloed(ctx, color, selected ? 3 : 2, () => {
      ctx.beginPath();
      ctx.arc(x, y, RING, 0, 2 * Math.PI);
      ctx.stroke();
    });
    ctx.fillStyle = color;
    ctx.beginPath();
    ctx.arc(x, y, DOT, 0, 2 * Math.PI);
    ctx.fill();
  },
};
