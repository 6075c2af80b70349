// @ts-check
/**
 * What a pointer means: one named state at a time, whose interrupt leaves everything as it was.
 *
 *   idle -> pressed -> drawing | moving | resizing | marquee -> idle          idle -> panning -> idle
 *
 * Knows no DOM: positions come in normalised, with the size of a screen pixel from the surroundings.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./geometry.js").Handle} Handle
 * @typedef {import("./snapping.js").Guide} Guide
 * @typedef {Point & {cx: number, cy: number, button?: number, shift?: boolean, ctrl?: boolean, alt?: boolean,
 *   coarse?: boolean}} Pointer  x, y normalised; cx, cy in screen pixels; coarse: a finger
 * @typedef {"idle"|"pressed"|"drawing"|"moving"|"resizing"|"marquee"|"panning"} Name
 * @typedef {object} Surroundings
 * @property {import("./state.js").Store} store
 * @property {() => Size} size the picture in pixels
 * @property {() => Point} unit one screen pixel, normalised
 * @property {() => boolean} snapping
 * @property {() => string} tool "select" or "draw"
 * @property {(dx: number, dy: number) => void} pan screen pixels
 * @property {(id: string) => void} drawn a box was drawn
 * @property {() => void} changed the overlay changed
 */
import * as geo from "./geometry.js";
import { boxesAt, handleUnder, movable, nextUnder } from "./hits.js";
import { extent } from "./shapes.js";
import { movingEdges, snap, targets } from "./snapping.js";

/** Screen pixels before a press becomes a drag, and within which an edge attracts. */
export const SLOP = 4;
const REACH = 6;

export class Gestures {
  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
    /** @type {Record<string, (e: Pointer) => void>} what a moving pointer does in each state */
    this.steps = {
      drawing: (e) => this.drawing(e), moving: (e) => this.moving(e), resizing: (e) => this.resizing(e),
      marquee: (e) => this.selecting(e), panning: (e) => this.panning(e),
    };
    /** @type {Name} */
    this.name = "idle";
    /** @type {Box|null} */
    this.marquee = null;
    /** @type {Guide[]} */
    this.guides = [];
    /** @type {any} what the present state needs */
    this.data = null;
  }

  get active() {
    return this.name !== "idle" && this.name !== "pressed";
  }

  /** @param {Pointer} e */
  down(e) {
    if (this.name !== "idle") return void this.cancel();
    if (e.button === 1) return void this.enter("panning", { last: e });
    if (e.button) return;
    const { store } = this.around;
    const forced = this.around.tool() === "draw" || !!e.ctrl;
    const handle = forced || e.alt ? null : handleUnder(store, e, this.around.unit());
    if (handle) return void this.startResize(e, handle);
    const hits = forced ? [] : boxesAt(store.state.doc, e, this.around.unit());
    const held = hits.find((it) => store.state.selection.includes(it.id));
    const on = held ?? hits[0] ?? null;
    const before = store.state.selection;
    if (on && !held && !e.shift && !e.alt) store.dispatch({ type: "select", ids: [on.id] });
    this.enter("pressed", { start: e, on, top: hits[0] ?? null, before, forced });
  }

  /** @param {Pointer} e */
  move(e) {
    if (this.name === "idle") return;
    if (this.name === "pressed") {
      const { start } = this.data;
      if (Math.hypot(e.cx - start.cx, e.cy - start.cy) < SLOP) return;
      this.startDrag(e);
    }
    this.steps[this.name](e);
    this.around.changed();
  }

  /** @param {Pointer} e */
  up(e) {
    const { store } = this.around;
    if (this.name === "pressed") this.click(e);
    if (this.name === "drawing") this.finishDrawing();
    if (this.name === "moving" || this.name === "resizing") store.dispatch({ type: "commit" });
    this.leave();
  }

  /** Interrupt: whatever was under way is undone. Says whether there was anything. */
  cancel() {
    const { store } = this.around;
    const interrupted = this.name !== "idle";
    if (store.state.open) store.dispatch({ type: "revert" });
    if (this.data?.before) store.dispatch({ type: "select", ids: this.data.before });
    this.leave();
    return interrupted;
  }

  /** @param {Name} name @param {any} data */
  enter(name, data) {
    this.name = name;
    this.data = data;
  }

  leave() {
    this.name = "idle";
    this.data = this.marquee = null;
    this.guides = [];
    this.around.changed();
  }

  /** A press without a drag. @param {Pointer} e */
  click(e) {
    const { store } = this.around;
    const { on, top, forced, start } = this.data;
    if (forced) return;
    if (start.alt && on) {
      store.dispatch({ type: "select", ids: [nextUnder(store, e, this.around.unit())] });
    } else if (!on) {
      if (!start.shift) store.dispatch({ type: "select", ids: [] });
    } else if (start.shift) {
      const ids = store.state.selection;
      store.dispatch({ type: "select", ids: ids.includes(top.id) ? ids.filter((id) => id !== top.id) : [...ids, top.id] });
    } else {
      store.dispatch({ type: "select", ids: [top.id] });
    }
  }

  /** @param {Pointer} e */
  startDrag(e) {
    const { store } = this.around;
    const { start, on, before, forced } = this.data;
    if (!on && start.shift && !forced) return void this.enter("marquee", { start, before });
    store.dispatch({ type: "begin" });
    if (!on) return void this.startDraw(start, before, e);
    if (!store.state.selection.includes(on.id)) {
      store.dispatch({ type: "select", ids: start.shift ? [...store.state.selection, on.id] : [on.id] });
    }
    if (start.alt) store.dispatch({ type: "add", list: store.selected.map((it) => unlocked(it.fields)) });
    this.enter("moving", { start, before, from: movable(store), fixed: this.others() });
  }

  /** @param {Pointer} start @param {string[]} before @param {Pointer} e */
  startDraw(start, before, e) {
    const to = this.others();
    const at = this.settle({ x: [start.x], y: [start.y] }, to, e);
    const anchor = { x: start.x + at.dx, y: start.y + at.dy };
    this.around.store.dispatch({ type: "add", list: [{ box: geo.fromCorners(anchor, anchor) }] });
    this.enter("drawing", { anchor, before, fixed: to, id: this.around.store.state.selection[0] });
  }

  /** @param {Pointer} e @param {Handle} handle */
  startResize(e, handle) {
    const { store } = this.around;
    const from = movable(store);
    const group = /** @type {Box} */ (geo.bounds(Object.values(from)));
    const origin = geo.handlePoints(group)[handle];
    store.dispatch({ type: "begin" });
    this.enter("resizing", { start: e, from, group, handle, origin, fixed: this.others(), before: store.state.selection });
  }

  /** @param {Pointer} e */
  drawing(e) {
    const { anchor, id, fixed } = this.data;
    const by = this.settle({ x: [e.x], y: [e.y] }, fixed, e);
    const box = geo.fromCorners(anchor, { x: e.x + by.dx, y: e.y + by.dy });
    this.around.store.dispatch({ type: "boxes", boxes: { [id]: box } });
  }

  finishDrawing() {
    const { store, size, drawn } = this.around;
    const { id } = this.data;
    const it = store.selected[0];
    store.dispatch({ type: "boxes", boxes: { [id]: geo.fit(it.fields.box, geo.minimum(size())) } });
    store.dispatch({ type: "commit" });
    drawn(id);
  }

  /** @param {Pointer} e */
  moving(e) {
    const { start, from, fixed } = this.data;
    const group = geo.bounds(Object.values(from));
    if (!group) return;
    const [dx, dy] = [e.x - start.x, e.y - start.y];
    const by = this.settle(movingEdges(geo.shift(group, dx, dy)), fixed, e);
    const d = geo.clampShift(group, dx + by.dx, dy + by.dy);
    this.apply(from, (box) => geo.shift(box, d.x, d.y));
  }

  /** @param {Pointer} e */
  resizing(e) {
    const { start, from, group, handle, origin, fixed } = this.data;
    const p = { x: origin.x + e.x - start.x, y: origin.y + e.y - start.y };
    const across = handle.includes("e") || handle.includes("w");
    const down = handle.includes("n") || handle.includes("s");
    const by = this.settle({ x: across ? [p.x] : [], y: down ? [p.y] : [] }, fixed, e);
    const boxes = Object.values(from).filter((box) => geo.area(box) > 0); // points have no smallest size
    const min = geo.groupMinimum(boxes, group, geo.minimum(this.around.size()));
    const to = geo.resize(group, handle, { x: p.x + by.dx, y: p.y + by.dy }, min,
      { keepAspect: e.shift, fromCentre: e.ctrl });
    this.apply(from, (box) => geo.carry(box, group, to));
  }

  /** @param {Pointer} e */
  panning(e) {
    this.around.pan(e.cx - this.data.last.cx, e.cy - this.data.last.cy);
    this.data.last = e;
  }

  /** @param {Pointer} e */
  selecting(e) {
    const { start, before } = this.data;
    const frame = geo.fromCorners(start, e);
    this.marquee = frame;
    const { store } = this.around;
    const inside = store.state.doc.items.filter((it) => !it.fields.hidden && geo.touches(extent(it.fields), frame));
    store.dispatch({ type: "select", ids: [...new Set([...before, ...inside.map((it) => it.id)])] });
  }

  /** @param {Record<string, Box>} from @param {(box: Box) => Box} change */
  apply(from, change) {
    const boxes = Object.fromEntries(Object.entries(from).map(([id, box]) => [id, change(box)]));
    this.around.store.dispatch({ type: "boxes", boxes });
  }

  /** Edges to snap to: those of visible boxes that are not being dragged. */
  others() {
    const { doc, selection } = this.around.store.state;
    return targets(doc.items.filter((it) => !it.fields.hidden && !selection.includes(it.id)).map((it) => extent(it.fields)));
  }

  /** @param {{x: number[], y: number[]}} edges @param {any} to @param {Pointer} e */
  settle(edges, to, e) {
    this.guides = [];
    if (e.alt || !this.around.snapping()) return { dx: 0, dy: 0 };
    const unit = this.around.unit();
    const found = snap(edges, to, { x: REACH * unit.x, y: REACH * unit.y }, this.around.size());
    this.guides = found.guides;
    return found;
  }
}

/** @param {import("./layout.js").Fields} fields @returns {import("./layout.js").Fields} */
const unlocked = ({ locked, ...fields }) => /** @type {any} */ (fields);
