// @ts-check
/**
 * Lasso: a drag is freehand, clicks are corners; the first corner, the last one once more, or Enter closes it.  Shift adds to
 * the mask, Alt takes away.
 */
import { haloed, trace } from "../canvas.js";
import { round } from "../geometry.js";
import { SLOP, reachOf } from "../hits.js";
import { decoded } from "../masks.js";
import { simplified } from "../polyline.js";
import { boundsOf, gridOf, joined, polygonColumns, without } from "../raster.js";
import { isOutside } from "../shapes/maps.js";
import { maskOn, masked, wholeOn } from "./masking.js";
import { close, cursor, open, reshape, targetOf } from "./target.js";

/**
 * @typedef {import("../gestures.js").Gestures} Gestures
 * @typedef {import("../gestures.js").Pointer} Pointer
 * @typedef {[number, number]} Pair
 */

/** Of the picture: what the corners may be off a hand's line. */
const PIXEL = 1;
/** Half the square at the first corner, in screen pixels. */
const CORNER = 4;

/** @param {import("../geometry.js").Point} p @returns {Pair} */
const pairOf = ({ x, y }) => [round(x), round(y)];

/** `marks`: how many points there were before each press. @type {import("./index.js").Tool & import("../gestures.js").State} */
export const LASSO = {
  name: "lasso",
  key: "l",
  icon: "M4.500 10.300C2.300 9.300 1.600 7.500 2.300 5.800 3.200 3.700 6 2.500 8.900 2.700c3 .2 5.200 1.900 4.900 4.200-.3 2.500-3.600 4.300-7 3.900M4.500 9.300a1.400 1.400 0 100 2.800 1.400 1.400 0 000-2.800M4.700 12c.3.900 0 1.600-.9 2.200",
  cursor,
  off: targetOf,
  down(g, e) {
    const { why, values } = targetOf(g.around.store, e);
    if (why) return g.around.say(why, values);
    g.enter(LASSO, { start: e, points: [], marks: [], pressed: null, dragged: false });
    LASSO.press?.(g, e);
  },
  press(g, e) {
    g.data.marks.push(g.data.points.length);
    Object.assign(g.data, { pressed: e, dragged: false });
  },
  move(g, e) {
    const { data } = g;
    if (!data.pressed) return;
    if (!data.dragged && Math.hypot(e.cx - data.pressed.cx, e.cy - data.pressed.cy) < SLOP) return;
    if (!data.dragged) data.points.push(pairOf(data.pressed));
    data.dragged = true;
    data.points.push(...(e.trail ?? [e]).map(pairOf));
  },
  up(g, e) {
    const { data } = g;
    const done = data.dragged ? data.marks.length === 1 : closes(g, e);
    if (done) return void enclose(g);
    if (!data.dragged) data.points.push(pairOf(e));
    data.pressed = null;
    return true;
  },
  finish: enclose,
  back({ data }) {
    data.points.length = data.marks.pop();
    data.pressed = null;
    return data.marks.length > 0;
  },
  paint(ctx, g, frame) {
    const { points, pressed } = g.data;
    const [first] = points;
    if (!first) return;
    ctx.beginPath();
    trace(ctx, frame, pressed || !g.at ? points : [...points, [g.at.x, g.at.y]]);
    haloed(ctx, "#ffffff", 1.5, () => ctx.stroke());
    const [x, y] = [frame.x + first[0] * frame.w, frame.y + first[1] * frame.h];
    ctx.fillStyle = !pressed && g.at && closes(g, g.at) ? "#4a9eff" : "#ffffff";
    ctx.fillRect(x - CORNER, y - CORNER, 2 * CORNER, 2 * CORNER);
    haloed(ctx, "#ffffff", 1, () => ctx.strokeRect(x - CORNER, y - CORNER, 2 * CORNER, 2 * CORNER));
  },
};

/** Whether a click there closes the line. @param {Gestures} g @param {Pointer} e */
function closes({ data: { points }, around: { unit } }, e) {
  const reach = reachOf(e, unit());
  return points.length > 2 && [points[0], points[points.length - 1]].some(([x, y]) => Math.abs(x - e.x) <= reach.x && Math.abs(y - e.y) <= reach.y);
}

/** What lies in the line becomes the mask, or a part of it; nothing where it encloses nothing. @param {Gestures} g */
function enclose(g) {
  const { points, start } = g.data;
  const size = g.around.size();
  const outline = simplified(points, PIXEL, [size.width, size.height]);
  const region = polygonColumns(outline, gridOf(size));
  const bounds = boundsOf(region, gridOf(size));
  const opened = bounds && open(g, start, { box: [bounds[0], bounds[1], bounds[0], bounds[1]] });
  if (!opened) return;
  g.data = opened;
  reshape(g, changed(opened, region, outline, start, size));
  close(g);
}

/** @param {{fields: import("../layout.js").Fields, made: string|null}} opened @param {import("../raster.js").Columns} region @param {Pair[]} outline
 * @param {Pointer} start @param {import("../geometry.js").Size} size */
function changed({ fields, made }, region, outline, { shift, alt }, size) {
  if (alt && !made) return masked(fields, without(wholeOn(fields, size), region), size);
  if (shift && decoded(fields.mask)) return masked(fields, joined(maskOn(fields, size), region), size);
  return masked(fields, region, size, outline.some(isOutside) ? undefined : outline); // beyond the picture there is no mask to carry
}
