// @ts-check
/** Point: a click sets it, a drag moves it. */
import { boxesAt, reachOf } from "../hits.js";
import { isPoint } from "../shapes/index.js";
import { around, kept } from "../shapes/maps.js";
import { POINT, pointOf } from "../shapes/point.js";
import { close, cursor, open, reshape, targetOf } from "./target.js";

/** @type {import("./index.js").Tool & import("../gestures.js").State} */
export const POINT_TOOL = {
  name: "point",
  key: "p",
  icon: POINT.icon ?? "",
  cursor,
  off: targetOf,
  down(g, e) {
    const { store, unit } = g.around;
    const reach = reachOf(e, unit());
    const before = store.state.selection;
    if (!before.length && !e.ctrl) { // a point that is there already is taken up
      const [on] = boxesAt(store.state.doc, e, unit()).filter((it) => POINT.hit(it.fields, e, reach));
      if (on) store.dispatch({ type: "select", ids: [on.id] });
    }
    const place = kept([e.x, e.y]);
    const opened = open(g, e, { box: around([place]), point: place });
    if (!opened) return;
    const held = POINT.hit(opened.fields, e, reach) ? pointOf(opened.fields) : null;
    g.enter(POINT_TOOL, { ...opened, before, by: held ? [held[0] - e.x, held[1] - e.y] : [0, 0] });
    if (!held) this.move(g, e);
  },
  move(g, e) {
    const { by, fields } = g.data;
    const point = kept([e.x + by[0], e.y + by[1]]);
    reshape(g, { point, ...(isPoint(fields) ? { box: around([point]) } : {}) });
  },
  up: close,
};
