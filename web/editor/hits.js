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
import { extent, isPoint } from "./shapes.js";

/** Half a handle, in screen pixels. */
export const HANDLE_REACH = 7;
const FINGER_REACH = 16;

/** Topmost first. @param {import("./layout.js").Doc} doc @param {Point & {coarse?: boolean}} p @param {Point} unit one screen pixel
 * @returns {Item[]} */
export const boxesAt = (doc, p, unit) => doc.items.filter((it) => !field(it, "hidden") && !field(it, "locked") && covers(it, p, unit)).reverse();

/** A point is as large as a handle. @param {Item} it @param {Point & {coarse?: boolean}} p @param {Point} unit */
function covers({ fields }, p, unit) {
  if (!isPoint(fields)) return geo.contains(fields.box, p);
  const reach = p.coarse ? FINGER_REACH : HANDLE_REACH;
  return Math.abs(fields.point[0] - p.x) <= reach * unit.x && Math.abs(fields.point[1] - p.y) <= reach * unit.y;
}

/** The box that is seen under the pointer, locked or not. @param {import("./layout.js").Doc} doc @param {Point} p */
export const seenAt = (doc, p) => doc.items.findLast((it) => !field(it, "hidden") && geo.contains(it.fields.box, p)) ?? null;

/** The boxes of the selection that can be moved, by id. @param {Store} store @returns {Record<string, Box>} */
export const movable = (store) => Object.fromEntries(store.selected
  .filter((it) => !field(it, "locked") && !field(it, "hidden")).map((it) => [it.id, extent(it.fields)]));

/** The handle of the selection under the pointer. @param {Store} store @param {Point & {coarse?: boolean}} e @param {Point} unit one screen pixel */
export function handleUnder(store, e, unit) {
  const group = geo.bounds(Object.values(movable(store)));
  const reach = e.coarse ? FINGER_REACH : HANDLE_REACH;
  return group && geo.area(group) > 0 ? geo.handleAt(group, e, { x: reach * unit.x, y: reach * unit.y }) : null;
}

/** The box below the selected one among those under the pointer, round and round. @param {Store} store @param {Point} p @param {Point} unit */
export function nextUnder(store, p, unit) {
  const ids = boxesAt(store.state.doc, p, unit).map((it) => it.id);
  const at = ids.findIndex((id) => store.state.selection.includes(id));
  return ids[(at + 1) % ids.length];
}

/** @type {Record<string, string>} */
const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };

/** The CSS cursor that says what a press would do. @param {Store} store @param {Point & {ctrl?: boolean, alt?: boolean}} e @param {Point} unit @param {string} tool */
export function cursorAt(store, e, unit, tool) {
  if (tool === "draw" || e.ctrl) return "crosshair";
  const handle = handleUnder(store, e, unit);
  if (handle) return `${CURSORS[handle]}-resize`;
  if (boxesAt(store.state.doc, e, unit).length) return e.alt ? "copy" : "move";
  return "crosshair";
}
