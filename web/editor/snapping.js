// @ts-check
/**
 * Snapping: edges that a dragged box may settle on, and the guide lines that show why.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {{axis: "x"|"y", at: number}} Guide a line across the picture at a normalised place
 * @typedef {{xs: number[], ys: number[]}} Targets
 */
import { CELL_PX } from "./geometry.js";

const LINES = [0, 1 / 3, 0.5, 2 / 3, 1];

/** The picture's edges, thirds and centre, and the edges and centres of `others`. @param {Box[]} others @returns {Targets} */
export function targets(others) {
  const xs = [...LINES];
  const ys = [...LINES];
  for (const b of others) {
    xs.push(b[0], b[2], (b[0] + b[2]) / 2);
    ys.push(b[1], b[3], (b[1] + b[3]) / 2);
  }
  return { xs, ys };
}

/**
 * The correction that brings one of `places` onto a target within `reach`, else the first place onto the cell grid.
 * @param {number[]} places where the moving edges are @param {number[]} lines targets @param {number} reach
 * @param {number} cells number of cells along the axis, not necessarily whole
 * @returns {{by: number, at: number|null}}
 */
function settle(places, lines, reach, cells) {
  let best = { by: 0, at: /** @type {number|null} */ (null) };
  let distance = reach;
  for (const place of places) {
    for (const line of lines) {
      if (Math.abs(line - place) <= distance) {
        distance = Math.abs(line - place);
        best = { by: line - place, at: line };
        if (distance === 0) return best;
      }
    }
  }
  if (best.at !== null || !places.length) return best;
  return { by: Math.round(places[0] * cells) / cells - places[0], at: null };
}

/**
 * Snap the given edges of a box.
 * @param {{x: number[], y: number[]}} edges places that move with the pointer @param {Targets} to
 * @param {Point} reach normalised @param {Size} size pixels @returns {{dx: number, dy: number, guides: Guide[]}}
 */
export function snap(edges, to, reach, size) {
  const x = settle(edges.x, to.xs, reach.x, size.width / CELL_PX);
  const y = settle(edges.y, to.ys, reach.y, size.height / CELL_PX);
  /** @type {Guide[]} */
  const guides = [];
  if (x.at !== null) guides.push({ axis: "x", at: x.at });
  if (y.at !== null) guides.push({ axis: "y", at: y.at });
  return { dx: x.by, dy: y.by, guides };
}

/** The edges by which a moved box snaps: the left first, as the grid takes that one. @param {Box} b */
export const movingEdges = (b) => ({ x: [b[0], b[2], (b[0] + b[2]) / 2], y: [b[1], b[3], (b[1] + b[3]) / 2] });
