// @ts-check
/**
 * A mask: any part of the picture.
 *
 * The corners of the lasso that it was drawn with stay beside it in `outline`, which only the editor knows: as long as they
 * enclose just this mask, resizing draws it anew from them and its edge stays sharp.
 */
import { haloed, toStage } from "../canvas.js";
import { round } from "../geometry.js";
import { decoded, encoded } from "../masks.js";
import { withAlpha } from "../palette.js";
import { carriedColumns, polygonColumns } from "../raster.js";
import { carriedPair, isPair } from "./maps.js";

/** @typedef {import("../masks.js").Decoded} Decoded */
/** @typedef {import("./kinds.js").Pair} Pair */

/** Screen pixels between the lines that hatch what of a box is outside its mask. */
const HATCH = 9;

/** @type {WeakMap<Decoded, Path2D>} */
const paths = new WeakMap();

/** @type {import("./kinds.js").Kind} */
export const MASK = {
  name: "mask",
  icon: "M5.500 3.200c2.200-1.300 4.800-.3 5.700 1.500.9 1.700 2.600 2 2.300 4.300-.3 2.600-2.600 4.200-5.200 3.900-2.500-.3-5-.6-5.600-3.400-.5-2.400.7-5 2.800-6.300M4 9.500l6-5.700M5.300 12l7.700-7.300M8.500 12.900l5-4.700",
  fields: ["mask", "outline"],
  bounds: ({ mask }) => decoded(mask)?.bounds ?? null,
  hit: ({ mask }, p) => !!decoded(mask)?.has(p),
  move(fields, move) {
    const mask = decoded(fields.mask);
    if (!mask || !(move.x.scale > 0 && move.y.scale > 0)) return { changes: {}, cut: false };
    const { columns, cut } = carriedColumns(mask.columns, mask.size, move.x, move.y, mask.size);
    const outline = cut ? null : outlineOf(fields, mask)?.map((p) => carriedPair(p, move));
    if (!outline) return { changes: { mask: encoded(columns, mask.size), outline: undefined }, cut };
    return { changes: { mask: encoded(polygonColumns(outline, mask.size), mask.size), outline: outline.map((p) => p.map(round)) }, cut };
  },
  draw(ctx, { box, mask }, frame, { color, selected, move }) {
    const found = decoded(mask);
    if (!found) return;
    const path = new Path2D();
    const { x, y } = move ?? { x: { scale: 1, shift: 0 }, y: { scale: 1, shift: 0 } };
    path.addPath(pathOf(found), new DOMMatrix([x.scale * frame.w, 0, 0, y.scale * frame.h, frame.x + x.shift * frame.w, frame.y + y.shift * frame.h]));
    hatch(ctx, toStage(box, frame), path, color);
    ctx.fillStyle = withAlpha(color, 0.35);
    ctx.fill(path, "evenodd");
    ctx.lineJoin = "round";
    haloed(ctx, color, selected ? 2.5 : 1.75, () => ctx.stroke(path));
    ctx.lineJoin = "miter";
  },
};

/** The lasso's corners, where the mask is what they enclose. @param {import("../layout.js").Fields} fields @param {Decoded} mask @returns {Pair[]|null} */
function outlineOf({ mask, outline }, { size }) {
  const sound = Array.isArray(outline) && outline.length > 2 && outline.every(isPair);
  return sound && encoded(polygonColumns(outline, size), size).counts === mask.counts ? outline : null;
}

/** The outline over a picture of 1 x 1. @param {Decoded} mask */
function pathOf(mask) {
  const known = paths.get(mask);
  if (known) return known;
  const path = new Path2D();
  const [height, width] = mask.size;
  for (const loop of mask.outline) {
    loop.forEach(([x, y], i) => (i ? path.lineTo(x / width, y / height) : path.moveTo(x / width, y / height)));
    path.closePath();
  }
  paths.set(mask, path);
  return path;
}

/** What of the box is not in the mask does not act: thin lines say so. @param {CanvasRenderingContext2D} ctx @param {import("../canvas.js").Frame} r @param {Path2D} mask @param {string} color */
function hatch(ctx, r, mask, color) {
  if (r.w <= 0 || r.h <= 0) return;
  ctx.save();
  ctx.beginPath();
  ctx.rect(r.x, r.y, r.w, r.h);
  ctx.clip();
  const rest = new Path2D();
  rest.rect(r.x - 1e4, r.y - 1e4, r.w + 2e4, r.h + 2e4); // all that the mask is not
  rest.addPath(mask);
  ctx.clip(rest, "evenodd");
  ctx.beginPath();
  for (let at = HATCH; at < r.w + r.h; at += HATCH) {
    ctx.moveTo(r.x + at, r.y);
    ctx.lineTo(r.x + at - r.h, r.y + r.h);
  }
  ctx.strokeStyle = withAlpha(color, 0.5);
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.restore();
}
