// @ts-check
/**
 * What a pointer means: one named state at a time, whose interrupt leaves everything as it was.
 *
 * The present tool says what a press begins; from then on the state that it entered gets what the pointer does, until it
 * is lifted.  Knows no DOM: positions come in normalised, with the size of a screen pixel from the surroundings.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./snapping.js").Guide} Guide
 * @typedef {import("./canvas.js").Frame} Frame
 * @typedef {Point & {cx: number, cy: number, button?: number, shift?: boolean, ctrl?: boolean, alt?: boolean, coarse?: boolean,
 *   pressure?: number, eraser?: boolean, trail?: (Point & {pressure?: number})[]}} Pointer  x, y normalised; cx, cy in screen pixels; coarse: a finger;
 *   pressure 0..1, of a pen alone; eraser: a pen's other end; trail: all places since the last event
 * @typedef {object} State what a gesture under way is
 * @property {string} name
 * @property {(g: Gestures, e: Pointer) => void} move
 * @property {(g: Gestures, e: Pointer) => boolean|void} up true: it goes on, though the pointer is lifted
 * @property {(g: Gestures, e: Pointer) => void} [press] it goes on between presses: the next one
 * @property {(g: Gestures) => void} [finish] ends it as done, by key
 * @property {(g: Gestures) => boolean} [back] takes its last step back; false: there is none
 * @property {"place"|"size"} [readout] the numbers to show beside the selection
 * @property {(ctx: CanvasRenderingContext2D, g: Gestures, frame: Frame) => void} [paint] what is seen of it while it lasts
 * @typedef {object} Surroundings
 * @property {import("./state.js").Store} store
 * @property {() => Size} size the picture in pixels
 * @property {() => Point} unit one screen pixel, normalised
 * @property {() => boolean} snapping
 * @property {() => number} brush its diameter in pixels of the picture
 * @property {() => string} tool the name of the present one
 * @property {(dx: number, dy: number) => void} pan screen pixels
 * @property {(id: string) => void} drawn an instance was drawn
 * @property {(key: string, values?: Record<string, any>) => void} say a sentence of the catalogue
 * @property {() => void} changed the overlay changed
 */
import { extent } from "./shapes/index.js";
import { snap, targets } from "./snapping.js";
import { toolNamed } from "./tools/index.js";

/** Screen pixels within which an edge attracts. */
const ATTRACTION = 6;

/** @type {State} */
const IDLE = { name: "idle", move() {}, up() {} };

/** The middle button's drag, also in the middle of a gesture that goes on between presses. @type {State} */
const PANNING = {
  name: "panning",
  move(g, e) {
    g.around.pan(e.cx - g.data.last.cx, e.cy - g.data.last.cy);
    g.data.last = e;
  },
  up(g) {
    const { resume } = g.data;
    if (resume) g.enter(resume.state, resume.data);
    return !!resume;
  },
};

export class Gestures {
  /** @param {Surroundings} around */
  constructor(around) {
    this.around = around;
    this.state = IDLE;
    /** @type {Guide[]} */
    this.guides = [];
    /** @type {any} what the present state needs */
    this.data = null;
    /** @type {Pointer|null} where the pointer is, as long as it is over the stage */
    this.at = null;
  }

  get name() {
    return this.state.name;
  }

  get active() {
    return this.name !== "idle" && this.name !== "pressed";
  }

  /** The instance that is being drawn; its caption is not missed yet. @returns {string|null} */
  get making() {
    return this.data?.made ?? null;
  }

  get tool() {
    return toolNamed(this.around.tool());
  }

  /** @param {Pointer} e */
  down(e) {
    const { state, data } = this;
    if (state !== IDLE && !state.press) return void this.cancel();
    if (e.button === 1) return this.enter(PANNING, { last: e, resume: state === IDLE ? null : { state, data } });
    if (e.button) return;
    this.at = e;
    if (state.press) state.press(this, e);
    else this.tool.down(this, e);
    this.around.changed();
  }

  /** @param {Pointer} e */
  move(e) {
    this.at = e;
    if (this.state === IDLE) return this.tool.hover && this.around.changed();
    this.state.move(this, e);
    this.around.changed();
  }

  /** @param {Pointer} e */
  up(e) {
    if (this.state.up(this, e)) this.around.changed();
    else this.leave();
  }

  /** The pointer is over the stage no more. */
  gone() {
    this.at = null;
    if (this.tool.hover) this.around.changed();
  }

  /** What is to be seen of the gesture, or of the tool before one. */
  get paint() {
    return this.state === IDLE ? this.tool.hover : this.state.paint;
  }

  /** Interrupt: whatever was under way is undone. Says whether there was anything. */
  cancel() {
    const { store } = this.around;
    const interrupted = this.state !== IDLE;
    if (store.state.open) store.dispatch({ type: "revert" });
    if (this.data?.before) store.dispatch({ type: "select", ids: this.data.before });
    this.leave();
    return interrupted;
  }

  /** By key: ends as done what goes on between presses. Says whether there was anything. */
  finish() {
    const { finish } = this.state;
    finish?.(this);
    if (finish) this.leave();
    return !!finish;
  }

  /** One step of what is under way is undone, or all of it. Says whether there was anything. */
  back() {
    if (!this.state.back?.(this)) return this.cancel();
    this.around.changed();
    return true;
  }

  /** @param {State} state @param {any} data */
  enter(state, data) {
    this.state = state;
    this.data = data;
  }

  leave() {
    this.state = IDLE;
    this.data = null;
    this.guides = [];
    this.around.changed();
  }

  /** Edges to snap to: those of visible boxes that are not being dragged. */
  others() {
    const { doc, selection } = this.around.store.state;
    return targets(doc.items.filter((it) => !it.fields.hidden && !selection.includes(it.id)).map((it) => extent(it.fields)));
  }

  /** How far to the next edges; shows them as guides. @param {{x: number[], y: number[]}} edges @param {import("./snapping.js").Targets} to @param {Pointer} e */
  settle(edges, to, e) {
    this.guides = [];
    if (e.alt || !this.around.snapping()) return { dx: 0, dy: 0 };
    const unit = this.around.unit();
    const found = snap(edges, to, { x: ATTRACTION * unit.x, y: ATTRACTION * unit.y }, this.around.size());
    this.guides = found.guides;
    return found;
  }
}
