// @ts-check
/** Scribble: each press a stroke. */
import { distanceTo, simplified } from "../polyline.js";
import { around, kept } from "../shapes/maps.js";
import { SCRIBBLE, strokesOf } from "../shapes/scribble.js";
import { close, cursor, holding, open, reshape, targetOf } from "./target.js";

/** @typedef {import("../gestures.js").Gestures} Gestures */

/** Of the picture: what a stroke may be off once it is drawn. */
const PIXEL = 1;

/** @type {import("./index.js").Tool & import("../gestures.js").State} */
export const SCRIBBLE_TOOL = {
  name: "scribble",
  key: "k",
  icon: SCRIBBLE.icon ?? "",
  cursor,
  off: targetOf,
  down(g, e) {
    const start = kept([e.x, e.y]);
    const opened = open(g, e, { box: around([start]) });
    if (!opened) return;
    g.enter(SCRIBBLE_TOOL, { ...opened, strokes: strokesOf(opened.fields), stroke: [start] });
    put(g);
  },
  move(g, e) {
    const { stroke } = g.data;
    for (const { x, y } of e.trail ?? [e]) {
      const next = kept([x, y]);
      if (distanceTo(next, stroke[stroke.length - 1], stroke[stroke.length - 1]) > 0) stroke.push(next);
    }
    put(g);
  },
  up(g) {
    const { width, height } = g.around.size();
    g.data.stroke = simplified(g.data.stroke, PIXEL, [width, height]);
    put(g);
    close(g);
  },
};

/** The stroke as it is now; the box holds it. @param {Gestures} g */
function put(g) {
  const { fields, strokes, stroke } = g.data;
  reshape(g, { scribble: [...strokes, [...stroke]], box: holding(fields, around(stroke), g.around.size()) });
}
