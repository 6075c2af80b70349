// @ts-check
/**
 * What the tools and commands that make masks share.
 *
 * @typedef {import("../layout.js").Fields} Fields
 * @typedef {import("../geometry.js").Box} Box
 * @typedef {import("../geometry.js").Size} Size
 * @typedef {import("../raster.js").Columns} Columns
 */
import { area, fit, minimum } from "../geometry.js";
import { decoded, encoded } from "../masks.js";
import { blank, boundsOf, boxColumns, gridOf } from "../raster.js";
import { holding } from "./target.js";

/** An instance's mask on the picture's grid, as far as it has one. @param {Fields} fields @param {Size} size of the picture @returns {Columns} */
export const maskOn = ({ mask }, size) => decoded(mask)?.on(gridOf(size)) ?? blank(gridOf(size));

/** What can be taken from: its mask, and without one all of its box. @param {Fields} fields @param {Size} size @returns {Columns} */
export const wholeOn = (fields, size) => (decoded(fields.mask) ? maskOn(fields, size) : boxColumns(fields.box, gridOf(size)));

/** Another mask for an instance, and its box with it. @param {Fields} fields as they were before @param {Columns} columns @param {Size} size
 * @param {[number, number][]} [outline] the corners that enclose just this mask */
export function masked(fields, columns, size, outline) {
  const grid = gridOf(size);
  const bounds = boundsOf(columns, grid);
  return { mask: encoded(columns, grid), outline, ...(bounds ? { box: boxFor(fields, bounds, size) } : {}) };
}

/** A box that is its mask's bounds stays that; a larger one is there on purpose, and only grows. @param {Fields} fields @param {Box} bounds of the new mask @param {Size} size @returns {Box} */
function boxFor(fields, bounds, size) {
  const [height, width] = gridOf(size);
  const before = decoded(fields.mask)?.bounds;
  const tight = before?.every((v, i) => Math.abs(v - fields.box[i]) <= 1 / (i % 2 ? height : width));
  return tight || (!before && area(fields.box) <= 0 && !fields.point) ? fit(bounds, minimum(size)) : holding(fields, bounds, size);
}
