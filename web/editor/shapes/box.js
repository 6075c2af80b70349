// @ts-check
/** The box: a frame, and the only shape that every instance has. */
import { haloed, toStage } from "../canvas.js";
import { area, contains } from "../geometry.js";
import { decoded } from "../masks.js";
import { withAlpha } from "../palette.js";
import { pointOf } from "./point.js";

/** Not where a point alone is the place. @param {import("../layout.js").Fields} fields */
const isPlace = (fields) => area(fields.box) > 0 || !pointOf(fields);

/** @type {import("./kinds.js").Kind} */
export const BOX = {
  name: "box",
  fields: ["box"],
  bounds: (fields) => (isPlace(fields) ? fields.box : null),
  hit: (fields, p) => isPlace(fields) && contains(fields.box, p),
  move: (_, { to }) => ({ changes: { box: to }, cut: false }),
  draw(ctx, { box, mask }, frame, { color, selected, muted }) {
    const r = toStage(box, frame);
    const masked = !!decoded(mask);
    if (!masked) {
      ctx.fillStyle = withAlpha(color, muted ? 0.05 : selected ? 0.26 : 0.16);
      ctx.fillRect(r.x, r.y, r.w, r.h);
    }
    ctx.setLineDash(masked ? [4, 3] : muted ? [6, 4] : []);
    haloed(ctx, color, masked ? 1 : selected ? 2.5 : 1.75, () => ctx.strokeRect(r.x, r.y, r.w, r.h));
    ctx.setLineDash([]);
  },
};
