// @ts-check
/**
 * Masks as they stand in a layout, read into columns and written from them.  What was read is kept by its text, so that a
 * paint, a warning and each step of the history look at the same object.
 *
 * @typedef {import("./rle.js").Mask} Mask
 * @typedef {import("./raster.js").Columns} Columns
 * @typedef {import("./raster.js").Grid} Grid
 */
import { loopsOf, smoothed } from "./polyline.js";
import { areaOf, boundsOf, carriedColumns, merged } from "./raster.js";
import { columnsOf, maskOf, runsOf } from "./rle.js";

/** Masks that are kept; many more than a layout has, and all that a stroke of the brush leaves behind. */
const KEPT = 1000;
/** From this side on the steps of a mask's outline are the grid's and not the shape's. Pixels of the mask. */
const FINE = 128;
/** Below half a pixel's diagonal all steps would stay. */
const STEP = 0.75;

/** @type {Map<string, Decoded|null>} the ones used last at the end */
const known = new Map();

/** A mask that has been read. */
export class Decoded {
  /** @param {Columns} columns @param {Grid} size */
  constructor(columns, size) {
    this.columns = columns;
    this.size = size;
    this.bounds = boundsOf(columns, size);
    /** Of the picture, 0..1. */
    this.share = areaOf(columns) / (size[0] * size[1]);
    /** @type {import("./polyline.js").Pair[][]|null} */
    this.lines = null;
  }

  /** The outline, in the mask's pixels. */
  get outline() {
    const reach = Math.max(...this.size) < FINE ? 0 : STEP;
    this.lines ??= loopsOf(this.columns).map((loop) => (reach ? smoothed(loop, reach) : loop));
    return this.lines;
  }

  /** Whether the pixel at a place is set. @param {import("./geometry.js").Point} p */
  has({ x, y }) {
    const rows = this.columns[Math.floor(x * this.size[1])] ?? [];
    const row = y * this.size[0];
    return rows.some((from, i) => i % 2 === 0 && row >= from && row < rows[i + 1]);
  }

  /** Whether any of its pixels lies in a box, were it by a part. @param {import("./geometry.js").Box} box */
  touches([x1, y1, x2, y2]) {
    const [height, width] = this.size;
    const [top, bottom] = [Math.floor(y1 * height), Math.ceil(y2 * height)];
    return this.columns.slice(Math.max(0, Math.floor(x1 * width)), Math.max(0, Math.ceil(x2 * width)))
      .some((rows) => rows.some((from, i) => i % 2 === 0 && from < bottom && rows[i + 1] > top));
  }

  /** The same on another grid. @param {Grid} grid @returns {Columns} */
  on(grid) {
    if (grid[0] === this.size[0] && grid[1] === this.size[1]) return this.columns;
    const same = { scale: 1, shift: 0 };
    return carriedColumns(this.columns, this.size, same, same, grid).columns;
  }
}

/** A mask read; null where there is none, or a damaged one. @param {any} mask @returns {Decoded|null} */
export function decoded(mask) {
  if (!mask) return null;
  const key = `${mask.size} ${mask.counts}`;
  let found = known.get(key);
  if (found === undefined) {
    const runs = runsOf(mask);
    found = runs && new Decoded(columnsOf(runs, mask.size).map((rows) => merged([rows])), mask.size);
  }
  return keep(key, found);
}

/** @param {Columns} columns @param {Grid} size @returns {Mask} */
export function encoded(columns, size) {
  const mask = maskOf(columns, size);
  keep(`${size} ${mask.counts}`, new Decoded(columns, size));
  return mask;
}

/** @param {string} key @param {Decoded|null} found */
function keep(key, found) {
  known.delete(key);
  known.set(key, found);
  if (known.size > KEPT) known.delete(/** @type {string} */ (known.keys().next().value));
  return found;
}
