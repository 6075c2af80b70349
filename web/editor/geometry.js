// @ts-check
/**
 * Boxes as plain numbers: no DOM, no state.
 *
 * A box is `[x1, y1, x2, y2]`, normalised 0..1, x first, y down; a point is `{x, y}` in the same units.  Pixels appear
 * only where a name says so.  Every function returns new values and leaves its arguments alone.
 *
 * @typedef {[number, number, number, number]} Box
 * @typedef {{x: number, y: number}} Point
 * @typedef {{width: number, height: number}} Size
 * @typedef {"n"|"ne"|"e"|"se"|"s"|"sw"|"w"|"nw"} Handle
 */

/** Pixels of a latent cell's side: the grid that boxes settle on, and the smallest box that a gesture makes. */
export const CELL_PX = 8;

/** @type {Handle[]} */
export const HANDLES = ["nw", "n", "ne", "e", "se", "s", "sw", "w"];

/** @param {number} v @param {number} lo @param {number} hi */
export const clamp = (v, lo, hi) => Math.min(Math.max(v, lo), Math.max(lo, hi));

/** Six decimals: a thousandth of a pixel at 1000 px, without a mouse's 0.400000079784518. @param {number} v */
export const round = (v) => Math.round(v * 1e6) / 1e6;

/** @param {Box} box @returns {Box} */
export const roundBox = (box) => /** @type {Box} */ (box.map(round));

/** @param {Size} size in pixels @returns {Size} the smallest box's sides, normalised */
export const minimum = (size) => ({ width: Math.min(1, CELL_PX / size.width), height: Math.min(1, CELL_PX / size.height) });

/** @param {Box} b */
export const area = (b) => Math.max(0, b[2] - b[0]) * Math.max(0, b[3] - b[1]);

/** @param {Box} b @param {Point} p */
export const contains = (b, p) => p.x >= b[0] && p.x <= b[2] && p.y >= b[1] && p.y <= b[3];

/** @param {Box} a @param {Box} b @returns {Box} empty (no area) where they do not meet */
export const intersection = (a, b) => [
  Math.max(a[0], b[0]), Math.max(a[1], b[1]), Math.min(a[2], b[2]), Math.min(a[3], b[3])];

/** @param {Box} a @param {Box} b */
export const touches = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Share of the smaller box that both cover, 0..1. @param {Box} a @param {Box} b */
export function overlap(a, b) {
  const smaller = Math.min(area(a), area(b));
  return smaller > 0 ? area(intersection(a, b)) / smaller : 0;
}

/** The box that encloses all of `boxes`, or null for none. @param {Box[]} boxes @returns {Box|null} */
export function bounds(boxes) {
  if (!boxes.length) return null;
  return boxes.reduce((a, b) => /** @type {Box} */ (
    [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])]));
}

/** The box between two corners in any order, cut to the picture. @param {Point} a @param {Point} b @returns {Box} */
export function fromCorners(a, b) {
  const [ax, ay, bx, by] = [a.x, a.y, b.x, b.y].map((v) => clamp(v, 0, 1));
  return [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
}

/** Inside the picture and at least the minimum, moved rather than cut where that suffices.
 * @param {Box} box @param {Size} min normalised @returns {Box} */
export function fit(box, min) {
  const w = clamp(box[2] - box[0], min.width, 1);
  const h = clamp(box[3] - box[1], min.height, 1);
  const x = clamp(box[0], 0, 1 - w);
  const y = clamp(box[1], 0, 1 - h);
  return [x, y, x + w, y + h];
}

/** The shift that keeps `group` inside the picture. @param {Box} group @param {number} dx @param {number} dy @returns {Point} */
export const clampShift = (group, dx, dy) => ({
  x: clamp(dx, Math.min(0, -group[0]), Math.max(0, 1 - group[2])),
  y: clamp(dy, Math.min(0, -group[1]), Math.max(0, 1 - group[3])),
});

/** @param {Box} b @param {number} dx @param {number} dy @returns {Box} */
export const shift = (b, dx, dy) => [b[0] + dx, b[1] + dy, b[2] + dx, b[3] + dy];

/** `box`, which lies in `from`, carried to the same place in `to` (group resize). @param {Box} box @param {Box} from @param {Box} to @returns {Box} */
export function carry(box, from, to) {
  const sx = (to[2] - to[0]) / (from[2] - from[0] || 1);
  const sy = (to[3] - to[1]) / (from[3] - from[1] || 1);
  return [
    to[0] + (box[0] - from[0]) * sx, to[1] + (box[1] - from[1]) * sy,
    to[0] + (box[2] - from[0]) * sx, to[1] + (box[3] - from[1]) * sy];
}

/**
 * A box whose `handle` was dragged to `p`.  The opposite side stays; the box stays in the picture and over `min`.
 * @param {Box} box @param {Handle} handle @param {Point} p @param {Size} min normalised smallest sides
 * @param {{keepAspect?: boolean, fromCentre?: boolean}} [options] Shift and Ctrl while dragging
 * @returns {Box}
 */
export function resize(box, handle, p, min, { keepAspect = false, fromCentre = false } = {}) {
  const x = axis(box[0], box[2], p.x, min.width, handle.includes("w"), handle.includes("e"), fromCentre);
  const y = axis(box[1], box[3], p.y, min.height, handle.includes("n"), handle.includes("s"), fromCentre);
  const free = /** @type {Box} */ ([x[0], y[0], x[1], y[1]]);
  return keepAspect && handle.length === 2 ? proportional(box, free, handle, min, fromCentre) : free;
}

/** One axis of a resize. @param {number} lo @param {number} hi @param {number} at @param {number} min @param {boolean} low @param {boolean} high @param {boolean} centred @returns {[number, number]} */
function axis(lo, hi, at, min, low, high, centred) {
  if (!low && !high) return [lo, hi];
  if (centred) {
    const c = (lo + hi) / 2;
    const half = clamp(Math.abs(at - c), min / 2, Math.min(c, 1 - c));
    return [c - half, c + half];
  }
  return low ? [clamp(at, 0, Math.max(0, hi - min)), hi] : [lo, clamp(at, Math.min(1, lo + min), 1)];
}

/** The largest box of the old proportions inside `free`, held at the corner opposite the handle (or the centre).
 * @param {Box} box @param {Box} free @param {Handle} handle @param {Size} min @param {boolean} centred @returns {Box} */
function proportional(box, free, handle, min, centred) {
  const [w, h] = [box[2] - box[0], box[3] - box[1]];
  const wanted = Math.min((free[2] - free[0]) / w, (free[3] - free[1]) / h);
  const scale = Math.max(wanted, min.width / w, min.height / h);
  const [nw, nh] = [w * scale, h * scale];
  const x = centred ? (box[0] + box[2] - nw) / 2 : handle.includes("w") ? box[2] - nw : box[0];
  const y = centred ? (box[1] + box[3] - nh) / 2 : handle.includes("n") ? box[3] - nh : box[1];
  return fit([x, y, x + nw, y + nh], min);
}

/** The smallest sides a group may shrink to so that no member falls under `min`.
 * @param {Box[]} boxes @param {Box} group @param {Size} min @returns {Size} */
export function groupMinimum(boxes, group, min) {
  let [sx, sy] = [0, 0];
  for (const b of boxes) {
    sx = Math.max(sx, Math.min(1, min.width / Math.max(b[2] - b[0], 1e-9)));
    sy = Math.max(sy, Math.min(1, min.height / Math.max(b[3] - b[1], 1e-9)));
  }
  return { width: (group[2] - group[0]) * sx, height: (group[3] - group[1]) * sy };
}

/** Where each handle of `box` sits. @param {Box} box @returns {Record<Handle, Point>} */
export function handlePoints(box) {
  const [x1, y1, x2, y2] = box;
  const [cx, cy] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return {
    nw: { x: x1, y: y1 }, n: { x: cx, y: y1 }, ne: { x: x2, y: y1 }, e: { x: x2, y: cy },
    se: { x: x2, y: y2 }, s: { x: cx, y: y2 }, sw: { x: x1, y: y2 }, w: { x: x1, y: cy },
  };
}

/**
 * The handle of `box` under `p`, corners first; null for none.  On a box too small for its handles the inside still
 * moves it: handles then reach outwards only.
 * @param {Box} box @param {Point} p @param {Point} reach normalised tolerance @returns {Handle|null}
 */
export function handleAt(box, p, reach) {
  const small = box[2] - box[0] < 3 * reach.x || box[3] - box[1] < 3 * reach.y;
  if (small && contains(box, p)) return null;
  const points = handlePoints(box);
  const near = HANDLES.filter((h) => Math.abs(points[h].x - p.x) <= reach.x && Math.abs(points[h].y - p.y) <= reach.y);
  return near.sort((a, b) => b.length - a.length)[0] ?? null;
}

/** Pixels `{x, y, w, h}` of a box, whole numbers. @param {Box} b @param {Size} size */
export const toPixels = (b, size) => ({
  x: Math.round(b[0] * size.width), y: Math.round(b[1] * size.height),
  w: Math.round((b[2] - b[0]) * size.width), h: Math.round((b[3] - b[1]) * size.height),
});
