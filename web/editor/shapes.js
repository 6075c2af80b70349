// @ts-check
/**
 * What an instance has beside its box, and how it goes along when the box is moved or resized: its mask, its point and
 * its scribble are carried by the map that carries the box.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./layout.js").Fields} Fields
 * @typedef {import("./rle.js").Axis} Axis
 * @typedef {[number, number]} Pair x and y, normalised
 */
import { area, clamp, round } from "./geometry.js";
import { carryMask, runsOf } from "./rle.js";

export const SHAPES = ["mask", "point", "scribble"];

/** An instance's point, where it has a sound one. @param {Fields} fields @returns {Pair|null} */
export const pointOf = ({ point }) => (isPair(point) ? point : null);

/** Whether an instance is placed by its point alone. @param {Fields} fields */
export const isPoint = ({ box, point }) => area(box) <= 0 && isPair(point);

/** @param {Pair} p @returns {Box} */
const atPoint = ([x, y]) => [x, y, x, y];

/** Where an instance is on the picture: its box, or its point where the box has no area. @param {Fields} fields @returns {Box} */
export const extent = (fields) => (isPoint(fields) ? atPoint(fields.point) : fields.box);

/**
 * An instance with its box at `to`, its shapes carried along and cut at the picture's border; and whether anything was cut.
 * @param {Fields} fields @param {Box} to @param {boolean} [masks] false leaves the mask for later: what costs most
 * @returns {{fields: Fields, cut: boolean}}
 */
export function carried(fields, to, masks = true) {
  const [x, y] = mapOf(extent(fields), to);
  /** @type {Fields} */
  const next = { ...fields, box: to };
  if (isSame(x) && isSame(y)) return { fields: next, cut: false };
  let cut = false;
  const carry = (/** @type {Pair} */ [px, py]) => {
    const [u, v] = [at(px, x), at(py, y)];
    cut ||= isOutside(u) || isOutside(v);
    return [round(clamp(u, 0, 1)), round(clamp(v, 0, 1))];
  };
  if (isPair(fields.point)) next.point = carry(fields.point);
  if (isScribble(fields.scribble)) next.scribble = fields.scribble.map((stroke) => stroke.map(carry));
  const runs = masks && x.scale > 0 && y.scale > 0 ? runsOf(fields.mask) : null;
  if (!runs) return { fields: next, cut };
  const { mask, cut: cutMask } = carryMask(fields.mask, runs, x, y);
  return { fields: { ...next, mask }, cut: cut || cutMask };
}

/** The map of each axis that carries one box to another. @param {Box} from @param {Box} to @returns {[Axis, Axis]} */
const mapOf = (from, to) => [axis(from[0], from[2], to[0], to[2]), axis(from[1], from[3], to[1], to[3])];

/** Without a length to begin with: a point stays where it is inside `to`, else it goes to the middle.
 * @param {number} lo @param {number} hi @param {number} toLo @param {number} toHi @returns {Axis} */
function axis(lo, hi, toLo, toHi) {
  if (hi <= lo) return { scale: 1, shift: lo >= toLo && lo <= toHi ? 0 : (toLo + toHi) / 2 - lo };
  const scale = (toHi - toLo) / (hi - lo);
  return { scale, shift: toLo - lo * scale };
}

/** @param {number} v @param {Axis} axis */
const at = (v, { scale, shift }) => v * scale + shift;

const ROUNDING = 2e-6;

/** @param {Axis} axis */
const isSame = ({ scale, shift }) => Math.abs(scale + shift - 1) < ROUNDING && Math.abs(shift) < ROUNDING;

/** @param {number} v */
const isOutside = (v) => v < -ROUNDING || v > 1 + ROUNDING;

/** @param {any} value @returns {value is Pair} */
const isPair = (value) => Array.isArray(value) && value.length === 2 && value.every((v) => Number.isFinite(v));

/** @param {any} value @returns {value is Pair[][]} */
const isScribble = (value) => Array.isArray(value) && value.every((stroke) => Array.isArray(stroke) && stroke.every(isPair));
