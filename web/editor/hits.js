// @ts-check
/**
 * What lies under a pointer.  Hidden boxes are not there; locked ones let the pointer through, so that one can draw on
 * top of a locked background box.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./state.js").Store} Store
 * @typedef {import("./layout.js").Item} Item
 */
import * as geo from "./geometry.js";
import { field } from "./layout.js";
import { extent, isOn } from "./shapes/index.js";

/** Screen pixels before a press becomes a drag. */
export const SLOP = 4;
/** Half a handle, and as near as one must come to a point or a stroke, in screen pixels. */
const REACH = 7;
const FINGER_REACH = 16;

/** How far a pointer reaches, normalised. @param {{coarse?: boolean}} e @param {Point} unit one screen pixel @returns {Point} */
export function reachOf({ coarse }, unit) {
  const reach = coarse ? FINGER_REACH : REACH;
  return { x: reach * unit.x, y: reach * unit.y };
}

/** Topmost first. @param {import("./layout.js").Doc} doc @param {Point & {coarse?: boolean}} p @param {Point} unit one screen pixel
 * @returns {Item[]} */
export const boxesAt = (doc, p, unit) =>
  doc.items.filter((it) => !field(it, "hidden") && !field(it, "locked") && isOn(it.fields, p, reachOf(p, unit))).reverse();

/** The box that is seen under the pointer, locked or not. @param {import("./layout.js").Doc} doc @param {Point} p */
export const seenAt = (doc, p) => doc.items.findLast((it) => !field(it, "hidden") && geo.contains(it.fields.box, p)) ?? null;

/** The boxes of the selection that can be moved, by id. @param {Store} store @returns {Record<string, Box>} */
export const movable = (store) => Object.fromEntries(store.selected
  .filter((it) => !field(it, "locked") && !field(it, "hidden")).map((it) => [it.id, extent(it.fields)]));

/** The handle of the selection under the pointer. @param {Store} store @param {Point & {coarse?: boolean}} e @param {Point} unit one screen pixel */
export function handleUnder(store, e, unit) {
  const group = geo.bounds(Object.values(movable(store)));
  return group && geo.area(group) > 0 ? geo.handleAt(group, e, reachOf(e, unit)) : null;
}

/** The box below the selected one among those under the pointer, round and round. @param {Store} store @param {Point} p @param {Point} unit */
export function nextUnder(store, p, unit) {
  const ids = boxesAt(store.state.doc, p, unit).map((it) => it.id);
  const at = ids.findIndex((id) => store.state.selection.includes(id));
  return ids[(at + 1) % ids.length];
}
