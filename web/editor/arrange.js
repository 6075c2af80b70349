// @ts-check
/**
 * Several boxes put in order among themselves: in line, evenly apart, of one size.  Numbers alone; where a box comes to lie,
 * `setBoxes` brings its shapes, and leaves locked ones where they are.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {"left"|"centre"|"right"|"top"|"middle"|"bottom"} Edge
 */
import { bounds, fit } from "./geometry.js";

/** Along which side an edge lies (0: x, 1: y), and where: 0 the beginning, 1 the end. @type {Record<Edge, [0|1, number]>} */
export const EDGES = { left: [0, 0], centre: [0, 0.5], right: [0, 1], top: [1, 0], middle: [1, 0.5], bottom: [1, 1] };

/** Moved along one side by `by`. @param {Box} box @param {0|1} side @param {number} by @returns {Box} */
const moved = (box, side, by) => /** @type {Box} */ (box.map((v, i) => (i % 2 === side ? v + by : v)));

/** To an edge, or to a middle line, of what they cover together. @param {Box[]} boxes @param {Edge} edge @returns {Box[]} */
export function aligned(boxes, edge) {
  const [side, share] = EDGES[edge];
  const at = (/** @type {Box} */ b) => b[side] + (b[side + 2] - b[side]) * share;
  const all = bounds(boxes);
  return all ? boxes.map((box) => moved(box, side, at(all) - at(box))) : [];
}

/** The same space between neighbours, the first and the last staying where they are; where they have not the room, the same
 * overlap. @param {Box[]} boxes @param {0|1} side 0: across, 1: down @returns {Box[]} */
export function distributed(boxes, side) {
  const order = boxes.map((_, i) => i).sort((a, b) => boxes[a][side] + boxes[a][side + 2] - boxes[b][side] - boxes[b][side + 2]);
  const length = (/** @type {number} */ i) => boxes[i][side + 2] - boxes[i][side];
  const [first, last] = [boxes[order[0]], boxes[order[order.length - 1]]];
  const gap = (last[side + 2] - first[side] - order.reduce((sum, i) => sum + length(i), 0)) / (order.length - 1);
  const next = [...boxes];
  let from = first[side];
  for (const i of order) {
    next[i] = moved(boxes[i], side, from - boxes[i][side]);
    from += length(i) + gap;
  }
  return next;
}

/** As wide, as high, or both, as `model`, about their middles where the picture has room. @param {Box[]} boxes @param {Box} model
 * @param {readonly (0|1)[]} sides @returns {Box[]} */
export const sized = (boxes, model, sides) => boxes.map((box) => {
  const next = /** @type {Box} */ ([...box]);
  for (const side of sides) {
    const [middle, half] = [(box[side] + box[side + 2]) / 2, (model[side + 2] - model[side]) / 2];
    [next[side], next[side + 2]] = [middle - half, middle + half];
  }
  return fit(next, { width: 0, height: 0 });
});
