// @ts-check
/**
 * Brush: paints the mask, as wide as a pen is pressed; over the box's edge the box grows.  A pen's other end erases.
 *
 * @typedef {import("../gestures.js").Gestures} Gestures
 * @typedef {import("../geometry.js").Point} Point
 */
import { haloed } from "../canvas.js";
import { area } from "../geometry.js";
import { decoded } from "../masks.js";
import { gridOf, joined, strokeColumns, without } from "../raster.js";
import { around, kept } from "../shapes/maps.js";
import { maskOn, masked, wholeOn } from "./masking.js";
import { close, cursor, open, reshape, targetOf } from "./target.js";

/** Diameters in pixels of the picture, as the keys step through them. */
export const SIZES = [4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
/** The diameter to begin with. */
export const BRUSH_PX = 48;
/** Pixels of the mask: a thinner brush would pass between their centres. */
const LEAST_RADIUS = 0.71;
/** Of the width: what is left of it where a pen hardly touches. */
const LEAST_PRESSURE = 0.1;

/** The diameter one step wider (1) or narrower (-1). @param {number} px @param {number} by */
export const nextSize = (px, by) => (by > 0 ? SIZES.find((size) => size > px) : SIZES.findLast((size) => size < px)) ?? px;

/** @type {import("./index.js").Tool & import("../gestures.js").State} */
export const BRUSH = {
  name: "brush",
  key: "b",
  icon: "M13.500 2.500c-3 1-5.500 3.700-6.900 6.300l1.100 1.100c2.600-1.400 4.900-4.300 5.800-7.400M6.200 9.300c-1.700-.1-2.300 1.100-2.500 2.300-.1.800-.5 1.300-1.200 1.600 2 .7 4.800.4 5.100-2.200",
  cursor,
  off: targetOf,
  down: (g, e) => press(BRUSH, g, e, !!e.eraser),
  move,
  up: close,
  paint,
  hover: paint,
};

/** What an eraser would be about: an instance with a mask, or a box to take from. @param {import("../state.js").Store} store @returns {import("./target.js").Target} */
export function erasable(store) {
  const target = targetOf(store);
  if (target.why) return target;
  if (!target.it) return { why: "off.none" };
  const { fields } = target.it;
  return decoded(fields.mask) || area(fields.box) > 0 ? target : { why: "off.empty", values: { n: store.state.doc.items.indexOf(target.it) + 1 } };
}

/** @param {import("../gestures.js").State} state @param {Gestures} g @param {import("../gestures.js").Pointer} e @param {boolean} erases */
export function press(state, g, e, erases) {
  const { store, say, size } = g.around;
  const { why, values } = erases ? erasable(store) : {};
  if (why) return say(why, values);
  const opened = open(g, erases ? { ...e, ctrl: false } : e, { box: around([kept([e.x, e.y])]) });
  if (!opened) return;
  const columns = (erases ? wholeOn : maskOn)(opened.fields, size());
  g.enter(state, { ...opened, erases, columns, last: dabAt(g, e) });
  move(g, e);
}

/** @param {Gestures} g @param {import("../gestures.js").Pointer} e */
export function move(g, e) {
  const { data } = g;
  const size = g.around.size();
  for (const place of e.trail ?? [e]) {
    const dab = dabAt(g, place);
    data.columns = (data.erases ? without : joined)(data.columns, strokeColumns(data.last, dab, gridOf(size)));
    data.last = dab;
  }
  reshape(g, masked(data.fields, data.columns, size));
}

/** @param {Gestures} g @param {Point & {pressure?: number}} p @returns {import("../raster.js").Dab} */
function dabAt({ around: { size, brush } }, { x, y, pressure = 1 }) {
  const { width, height } = size();
  const [h, w] = gridOf(size());
  const radius = (brush() / 2) * Math.max(LEAST_PRESSURE, pressure);
  return { x: x * w, y: y * h, rx: Math.max(LEAST_RADIUS, (radius / width) * w), ry: Math.max(LEAST_RADIUS, (radius / height) * h) };
}

/** How wide it is, where the pointer is. @param {CanvasRenderingContext2D} ctx @param {Gestures} g @param {import("../canvas.js").Frame} frame */
export function paint(ctx, { at, around: { size, brush } }, frame) {
  if (!at) return;
  const radius = ((brush() / 2) * (at.pressure ?? 1) * frame.w) / size().width;
  ctx.beginPath();
  ctx.arc(frame.x + at.x * frame.w, frame.y + at.y * frame.h, radius, 0, 2 * Math.PI);
  haloed(ctx, "#ffffff", 1, () => ctx.stroke());
}
