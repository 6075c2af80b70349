// @ts-check
/**
 * Select: chooses, moves and resizes, and on empty ground draws a box.
 *
 *   pressed -> moving | marquee | drawing          resizing, on a handle
 *
 * @typedef {import("../gestures.js").Gestures} Gestures
 * @typedef {import("../gestures.js").Pointer} Pointer
 * @typedef {import("../gestures.js").State} State
 * @typedef {import("../geometry.js").Box} Box
 */
import { ACCENT, toStage } from "../canvas.js";
import * as geo from "../geometry.js";
import { SLOP, boxesAt, handleUnder, movable, nextUnder } from "../hits.js";
import { withAlpha } from "../palette.js";
import { extent } from "../shapes/index.js";
import { movingEdges } from "../snapping.js";
import { startBox } from "./box.js";

/** @type {Record<string, string>} */
const CURSORS = { n: "ns", s: "ns", e: "ew", w: "ew", nw: "nwse", se: "nwse", ne: "nesw", sw: "nesw" };

/** @type {import("./index.js").Tool} */
export const SELECT = {
  name: "select",
  key: "v",
  icon: "M4 2.5l8.5 5-3.8 1 2.3 3.9-1.7 1-2.3-4L4 12z",
  cursor({ around: { store, unit } }, e) {
    if (e.ctrl) return "crosshair";
    const handle = handleUnder(store, e, unit());
    if (handle) return `${CURSORS[handle]}-resize`;
    if (boxesAt(store.state.doc, e, unit()).length) return e.alt ? "copy" : "move";
    return "crosshair";
  },
  down(g, e) {
    const { store, unit } = g.around;
    const forced = !!e.ctrl;
    const handle = forced ? null : handleUnder(store, e, unit());
    if (handle) return startResize(g, e, handle);
    const hits = forced ? [] : boxesAt(store.state.doc, e, unit());
    const held = hits.find((it) => store.state.selection.includes(it.id));
    const on = held ?? hits[0] ?? null;
    const before = store.state.selection;
    if (on && !held && !e.shift && !e.alt) store.dispatch({ type: "select", ids: [on.id] });
    g.enter(PRESSED, { start: e, on, top: hits[0] ?? null, before, forced });
  },
};

/** Not known yet for a click or a drag. @type {State} */
const PRESSED = {
  name: "pressed",
  move(g, e) {
    const { start } = g.data;
    if (Math.hypot(e.cx - start.cx, e.cy - start.cy) < SLOP) return;
    startDrag(g, e);
    g.state.move(g, e);
  },
  up(g, e) {
    if (!g.data.forced) click(g.around, g.data, e);
  },
};

/** @param {import("../gestures.js").Surroundings} around @param {any} data @param {Pointer} e */
function click({ store, unit }, { on, top, start }, e) {
  const ids = store.state.selection;
  if (start.alt && on) store.dispatch({ type: "select", ids: [nextUnder(store, e, unit())] });
  else if (!on && !start.shift) store.dispatch({ type: "select", ids: [] });
  else if (on && start.shift) store.dispatch({ type: "select", ids: ids.includes(top.id) ? ids.filter((id) => id !== top.id) : [...ids, top.id] });
  else if (on) store.dispatch({ type: "select", ids: [top.id] });
}

/** @param {Gestures} g @param {Pointer} e */
function startDrag(g, e) {
  const { store } = g.around;
  const { start, on, before, forced } = g.data;
  if (!on && start.shift && !forced) return g.enter(MARQUEE, { start, before, frame: null });
  if (!on) return startBox(g, start, e);
  store.dispatch({ type: "begin" });
  if (!store.state.selection.includes(on.id)) {
    store.dispatch({ type: "select", ids: start.shift ? [...store.state.selection, on.id] : [on.id] });
  }
  if (start.alt) store.dispatch({ type: "add", list: store.selected.map((it) => unlocked(it.fields)) });
  g.enter(MOVING, { start, before, from: movable(store), fixed: g.others() });
}

/** @param {import("../layout.js").Fields} fields @returns {import("../layout.js").Fields} */
const unlocked = ({ locked, ...fields }) => /** @type {any} */ (fields);

/** With Alt the boxes alone are resized, and all that is in them stays where it is. @param {Gestures} g @param {Pointer} e @param {import("../geometry.js").Handle} handle */
function startResize(g, e, handle) {
  const { store } = g.around;
  const from = movable(store);
  const group = /** @type {Box} */ (geo.bounds(Object.values(from)));
  const origin = geo.handlePoints(group)[handle];
  store.dispatch({ type: "begin" });
  g.enter(RESIZING, { start: e, from, group, handle, origin, fixed: g.others(), before: store.state.selection, moved: false });
}

/** @type {State} */
const MOVING = {
  name: "moving",
  readout: "place",
  move(g, e) {
    const { start, from, fixed } = g.data;
    const group = geo.bounds(Object.values(from));
    if (!group) return;
    const [dx, dy] = [e.x - start.x, e.y - start.y];
    const by = g.settle(movingEdges(geo.shift(group, dx, dy)), fixed, e);
    const d = geo.clampShift(group, dx + by.dx, dy + by.dy);
    apply(g, (box) => geo.shift(box, d.x, d.y));
  },
  up: (g) => g.around.store.dispatch({ type: "commit" }),
};

/** @type {State} */
const RESIZING = {
  name: "resizing",
  readout: "size",
  move(g, e) {
    const { start, from, group, handle, origin, fixed } = g.data;
    g.data.moved ||= Math.hypot(e.cx - start.cx, e.cy - start.cy) >= SLOP;
    const p = { x: origin.x + e.x - start.x, y: origin.y + e.y - start.y };
    const across = handle.includes("e") || handle.includes("w");
    const down = handle.includes("n") || handle.includes("s");
    const by = g.settle({ x: across ? [p.x] : [], y: down ? [p.y] : [] }, fixed, e);
    const boxes = Object.values(from).filter((box) => geo.area(box) > 0); // points have no smallest size
    const min = geo.groupMinimum(boxes, group, geo.minimum(g.around.size()));
    const to = geo.resize(group, handle, { x: p.x + by.dx, y: p.y + by.dy }, min, { keepAspect: e.shift, fromCentre: e.ctrl });
    apply(g, (box) => geo.carry(box, group, to), start.alt);
  },
  up(g, e) {
    const { store, unit } = g.around;
    const { start, moved } = g.data;
    if (!start.alt || moved) return store.dispatch({ type: "commit" });
    store.dispatch({ type: "revert" });
    const next = nextUnder(store, e, unit());
    if (next) store.dispatch({ type: "select", ids: [next] });
  },
};

/** @param {Gestures} g @param {(box: Box) => Box} change @param {boolean} [alone] */
function apply(g, change, alone) {
  const boxes = Object.fromEntries(Object.entries(g.data.from).map(([id, box]) => [id, change(/** @type {Box} */ (box))]));
  g.around.store.dispatch({ type: "boxes", boxes, alone });
}

/** @type {State} */
const MARQUEE = {
  name: "marquee",
  move(g, e) {
    const { store } = g.around;
    const frame = g.data.frame = geo.fromCorners(g.data.start, e);
    const inside = store.state.doc.items.filter((it) => !it.fields.hidden && geo.touches(extent(it.fields), frame));
    store.dispatch({ type: "select", ids: [...new Set([...g.data.before, ...inside.map((it) => it.id)])] });
  },
  up() {},
  paint(ctx, { data }, frame) {
    if (!data.frame) return;
    const r = toStage(data.frame, frame);
    ctx.fillStyle = withAlpha(ACCENT, 0.14);
    ctx.fillRect(r.x, r.y, r.w, r.h);
    ctx.strokeStyle = ACCENT;
    ctx.lineWidth = 1;
    ctx.strokeRect(r.x, r.y, r.w, r.h);
  },
};
