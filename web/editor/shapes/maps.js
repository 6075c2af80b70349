// @ts-check
/**
 * The affine map by which everything of an instance goes along with its box.
 *
 * @typedef {import("../geometry.js").Box} Box
 * @typedef {import("../raster.js").Axis} Axis
 * @typedef {import("./kinds.js").Move} Move
 * @typedef {import("./kinds.js").Pair} Pair
 */
import { clamp, round } from "../geometry.js";

const ROUNDING = 2e-6;

/** @param {Box} from @param {Box} to @returns {Move} */
export const moveOf = (from, to) => ({ x: axis(from[0], from[2], to[0], to[2]), y: axis(from[1], from[3], to[1], to[3]), to });

/** Without a length to begin with: a point stays where it is inside `to`, else it goes to the middle.
 * @param {number} lo @param {number} hi @param {number} toLo @param {number} toHi @returns {Axis} */
function axis(lo, hi, toLo, toHi) {
  if (hi <= lo) return { scale: 1, shift: lo >= toLo && lo <= toHi ? 0 : (toLo + toHi) / 2 - lo };
  const scale = (toHi - toLo) / (hi - lo);
  return { scale, shift: toLo - lo * scale };
}

/** Whether a map leaves all where it is. @param {Move} move */
export const isStill = ({ x, y }) => [x, y].every(({ scale, shift }) => Math.abs(scale + shift - 1) < ROUNDING && Math.abs(shift) < ROUNDING);

/** @param {Pair} p @param {Move} move @returns {Pair} */
export const carriedPair = ([px, py], { x, y }) => [px * x.scale + x.shift, py * y.scale + y.shift];

/** A place within the picture, as it is kept. @param {readonly number[]} p @returns {Pair} */
export const kept = (p) => /** @type {Pair} */ (p.map((v) => round(clamp(v, 0, 1))));

/** @param {Pair} p */
export const isOutside = (p) => p.some((v) => v < -ROUNDING || v > 1 + ROUNDING);

/** @param {any} value @returns {value is Pair} */
export const isPair = (value) => Array.isArray(value) && value.length === 2 && value.every((v) => Number.isFinite(v));

/** The box around places. @param {Pair[]} points @returns {Box} */
export const around = (points) => {
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
  return [xs.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.min(a, b)), xs.reduce((a, b) => Math.max(a, b)), ys.reduce((a, b) => Math.max(a, b))];
};
