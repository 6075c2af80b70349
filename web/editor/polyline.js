// @ts-check
/**
 * Lines through points, and the outline of a mask as such lines.
 *
 * @typedef {[number, number]} Pair x and y
 */

/** The points without those that lie within `reach` of a line through the others (Ramer, Douglas and Peucker).
 * @param {Pair[]} points @param {number} reach in the unit that `scale` makes of them @param {Pair} [scale] @returns {Pair[]} */
export function simplified(points, reach, [sx, sy] = [1, 1]) {
  const kept = new Set([0, points.length - 1]);
  const open = [[0, points.length - 1]];
  for (let span = open.pop(); span; span = open.pop()) {
    const [from, to] = span;
    let [far, at] = [reach, -1];
    for (let i = from + 1; i < to; i++) {
      const distance = distanceTo(points[i], points[from], points[to], [sx, sy]);
      if (distance > far) [far, at] = [distance, i];
    }
    if (at < 0) continue;
    kept.add(at);
    open.push([from, at], [at, to]);
  }
  return points.filter((_, i) => kept.has(i));
}

/** From a point to the line between two others. @param {Pair} p @param {Pair} a @param {Pair} b @param {Pair} [scale] of x and of y */
export function distanceTo(p, a, b, [sx, sy] = [1, 1]) {
  const [px, py, dx, dy] = [(p[0] - a[0]) * sx, (p[1] - a[1]) * sy, (b[0] - a[0]) * sx, (b[1] - a[1]) * sy];
  const length = dx * dx + dy * dy;
  const t = length ? Math.min(Math.max((px * dx + py * dy) / length, 0), 1) : 0;
  return Math.hypot(px - t * dx, py - t * dy);
}

/** The closed lines around what is set, holes included, through the corners of pixels.
 * @param {import("./raster.js").Columns} columns @returns {Pair[][]} */
export function loopsOf(columns) {
  const next = edgesOf(columns);
  /** @type {Pair[][]} */
  const loops = [];
  for (const [start, list] of next) {
    while (list.length) {
      /** @type {Pair[]} */
      const loop = [];
      for (let at = start, to = list.pop(); to !== undefined; at = to, to = next.get(at)?.pop()) loop.push(pairOf(at));
      loops.push(straight(loop));
    }
  }
  return loops;
}

/** A corner of a pixel as one number, and back. */
const ROW = 2 ** 16;
/** @param {number} x @param {number} y */
const keyOf = (x, y) => x * ROW + y;
/** @param {number} key @returns {Pair} */
const pairOf = (key) => [Math.floor(key / ROW), key % ROW];

/** From each corner on the border of what is set the corners that follow, with what is set always on the same side.
 * @param {import("./raster.js").Columns} columns @returns {Map<number, number[]>} */
function edgesOf(columns) {
  /** @type {Map<number, number[]>} */
  const next = new Map();
  const edge = (/** @type {number} */ from, /** @type {number} */ to) => {
    const list = next.get(from);
    if (list) list.push(to);
    else next.set(from, [to]);
  };
  for (let x = 0; x <= columns.length; x++) {
    const [left, right] = [columns[x - 1] ?? [], columns[x] ?? []];
    right.forEach((y, i) => (i % 2 ? edge(keyOf(x + 1, y), keyOf(x, y)) : edge(keyOf(x, y), keyOf(x + 1, y))));
    for (const [from, to, set] of changes(left, right)) edge(keyOf(x, set ? to : from), keyOf(x, set ? from : to));
  }
  return next;
}

/** Where two neighbouring columns differ: from row, to row, whether the right one is set there.
 * @param {readonly number[]} left @param {readonly number[]} right @returns {[number, number, boolean][]} */
function changes(left, right) {
  /** @type {[number, number, boolean][]} */
  const list = [];
  const rows = [...new Set([...left, ...right])].sort((a, b) => a - b);
  let [i, j] = [0, 0];
  rows.forEach((row, n) => {
    while (left[i] <= row) i++;
    while (right[j] <= row) j++;
    if (i % 2 !== j % 2) list.push([row, rows[n + 1], j % 2 === 1]);
  });
  return list;
}

/** A closed line without the corners at which it goes straight on. @param {Pair[]} loop @returns {Pair[]} */
const straight = (loop) => loop.filter(([x, y], i) => {
  const [[px, py], [nx, ny]] = [loop.at(i - 1) ?? loop[0], loop[(i + 1) % loop.length]];
  return (x - px) * (ny - y) !== (y - py) * (nx - x);
});

/** A closed line of steps as the slope that they follow. @param {Pair[]} loop @param {number} reach @returns {Pair[]} */
export function smoothed(loop, reach) {
  const half = Math.floor(loop.length / 2);
  if (half < 2) return loop;
  return [...simplified(loop.slice(0, half + 1), reach).slice(0, -1), ...simplified([...loop.slice(half), loop[0]], reach).slice(0, -1)];
}
