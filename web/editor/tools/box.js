// @ts-check
/**
 * Box: draws one by a drag, also inside others.
 *
 * @typedef {import("../gestures.js").Gestures} Gestures
 * @typedef {import("../gestures.js").Pointer} Pointer
 */
import * as geo from "../geometry.js";
import { SLOP } from "../hits.js";

/** @type {import("./index.js").Tool} */
export const BOX_TOOL = {
  name: "box",
  key: "r",
  icon: "M2.5 5.5v-3h3M13.5 9v4.5H9M2.5 8v5.5H6M8 2.5h5.5V6M5.5 8h5M8 5.5v5",
  once: true,
  cursor: () => "crosshair",
  down(g, e) {
    g.enter(PRESSED, { start: e });
  },
};

/** @type {import("../gestures.js").State} */
const PRESSED = {
  name: "pressed",
  move(g, e) {
    const { start } = g.data;
    if (Math.hypot(e.cx - start.cx, e.cy - start.cy) < SLOP) return;
    startBox(g, start, e);
    g.state.move(g, e);
  },
  up() {},
};

/** @param {Gestures} g @param {Pointer} start @param {Pointer} e */
export function startBox(g, start, e) {
  const { store } = g.around;
  const before = g.data.before ?? store.state.selection;
  const fixed = g.others();
  const by = g.settle({ x: [start.x], y: [start.y] }, fixed, e);
  const anchor = { x: start.x + by.dx, y: start.y + by.dy };
  store.dispatch({ type: "begin" });
  store.dispatch({ type: "add", list: [{ box: geo.fromCorners(anchor, anchor) }] });
  g.enter(DRAWING, { anchor, before, fixed, made: store.state.selection[0] });
}

/** @type {import("../gestures.js").State} */
const DRAWING = {
  name: "drawing",
  readout: "size",
  move(g, e) {
    const { anchor, made, fixed } = g.data;
    const by = g.settle({ x: [e.x], y: [e.y] }, fixed, e);
    const box = geo.fromCorners(anchor, { x: e.x + by.dx, y: e.y + by.dy });
    g.around.store.dispatch({ type: "boxes", boxes: { [made]: box } });
  },
  up(g) {
    const { store, size, drawn } = g.around;
    const { made } = g.data;
    const [it] = store.selected;
    store.dispatch({ type: "boxes", boxes: { [made]: geo.fit(it.fields.box, geo.minimum(size())) } });
    store.dispatch({ type: "commit" });
    drawn(made);
  },
};
