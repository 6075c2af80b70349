// @ts-check
/** The stage: canvas, pointer, wheel, and at most one paint per animation frame. */
import { toStage } from "./canvas.js";
import { CaptionField } from "./caption.js";
import { h } from "./dom.js";
import { drawScene } from "./draw.js";
import { Gestures } from "./gestures.js";
import { boxesAt, seenAt } from "./hits.js";
import { NARROW } from "./labels.js";
import { Pinch } from "./pinch.js";
import { pointerOf } from "./pointers.js";
import { extent } from "./shapes/index.js";
import { FITTED, frameOf, panned, zoomed } from "./viewport.js";

const LONG_PRESS_MS = 500;
const MAX_RATIO = 4;

export class View {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.viewport = FITTED;
    this.tool = "select";
    this.paints = 0;
    this.pending = 0;
    /** @type {number|null} the pointer that is down */
    this.held = null;
    this.ratio = 1;
    /** @type {{rect: DOMRect, width: number, height: number}|null} */
    this.measured = null;
    /** @type {string|null} a narrow box under the pointer, whose caption is shown only so */
    this.hovered = null;
    /** @type {ReturnType<typeof setTimeout>|undefined} */
    this.press = undefined;
    this.gestures = new Gestures({
      store: editor.store, size: () => editor.size, unit: () => this.unit, snapping: () => editor.pref("snap"),
      tool: () => this.tool, pan: (dx, dy) => this.pan(dx, dy), drawn: (id) => this.drawn(id), changed: () => this.invalidate(),
      brush: () => editor.pref("brush"), say: (key, values) => editor.say(editor.t(key, values)),
    });
    this.pinch = new Pinch();
    this.canvas = h("canvas", { "aria-hidden": "true" });
    this.focus = h("textarea", { class: "roictrl-focus", readonly: true, rows: 1, spellcheck: "false", "aria-label": editor.t("stage.label") });
    this.caption = new CaptionField(editor);
    this.empty = h("div", { class: "roictrl-empty" });
    this.stage = h("div", { class: "roictrl-stage" }, this.focus, this.canvas, this.empty, this.caption.element);
    this.listen();
    this.resizes = new ResizeObserver(() => {
      this.measured = null;
      this.invalidate();
    });
    this.resizes.observe(this.stage);
  }

  listen() {
    const on = (/** @type {string} */ name, /** @type {(e: any) => void} */ run) => this.stage.addEventListener(name, run);
    on("pointerdown", (e) => this.down(e));
    // Else the browser would take the focus away again, or begin to scroll by the middle button.
    on("mousedown", (e) => e.target === this.stage && e.preventDefault());
    // Linux pastes what was selected last by the middle button, with which one pans here.
    on("mouseup", (e) => e.button === 1 && e.preventDefault());
    on("pointermove", (e) => this.move(e));
    on("pointerup", (e) => this.up(e));
    for (const name of ["pointercancel", "lostpointercapture"]) on(name, (e) => this.lost(e));
    on("pointerenter", () => this.editor.refresh());
    on("pointerleave", () => {
      this.hover(null);
      this.gestures.gone();
    });
    on("dblclick", (e) => this.doubleClick(e));
    on("contextmenu", (e) => this.contextMenu(e));
    on("touchstart", (e) => this.editor.host.touched(e));
    this.stage.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
  }

  /** Where the stage is on the page, and its size in its own CSS pixels: looked up once for a gesture, as each look may cost the page a layout. */
  get metrics() {
    if (!this.measured || this.gestures.name === "idle") {
      const { stage } = this;
      this.measured = { rect: stage.getBoundingClientRect(), width: stage.clientWidth, height: stage.clientHeight };
    }
    return this.measured;
  }

  /** Where the picture lies, in the stage's own CSS pixels. */
  get frame() {
    return frameOf(this.metrics, this.editor.size, this.viewport);
  }

  /** One pixel of the stage, normalised. */
  get unit() {
    const { w, h: height } = this.frame;
    return { x: 1 / w, y: 1 / height };
  }

  /** @param {string} id */
  rectOf(id) {
    const it = this.editor.find(id);
    return it ? toStage(extent(it.fields), this.frame) : null;
  }

  /** An event's place on the stage; the graph's zoom scales the element without its knowing. @param {{clientX: number, clientY: number}} e */
  local(e) {
    const { rect, width } = this.metrics;
    const scale = rect.width / width || 1;
    return { x: (e.clientX - rect.left) / scale, y: (e.clientY - rect.top) / scale };
  }

  /** @param {PointerEvent} e @returns {import("./gestures.js").Pointer} */
  pointer(e) {
    return pointerOf(e, (at) => this.local(at), this.frame);
  }

  /** @param {PointerEvent} e */
  down(e) {
    e.stopPropagation();
    if (!this.editor.readOnly && e.target === this.stage) this.pressed(e); // else on a field or button that lies on the stage
  }

  /** On the stage, or on what turned out to be in its way. @param {PointerEvent} e */
  pressed(e) {
    this.measured = null;
    this.editor.menu.close(false);
    this.caption.end();
    this.focus.focus({ preventScroll: true });
    if (e.button === 2) return;
    this.stage.setPointerCapture(e.pointerId);
    this.held = e.pointerId;
    if (e.pointerType === "touch") this.pinch.down(e.pointerId, this.local(e), this.viewport);
    if (this.pinch.busy) return this.interrupt();
    this.gestures.down(this.pointer(e));
    clearTimeout(this.press);
    if (e.pointerType !== "mouse") this.press = setTimeout(() => this.longPress(e), LONG_PRESS_MS);
  }

  /** @param {PointerEvent} e */
  move(e) {
    e.stopPropagation();
    if (this.editor.readOnly) return;
    const pinched = this.pinch.move(e.pointerId, this.local(e), this.metrics);
    if (pinched) this.look(pinched);
    if (this.pinch.busy) return;
    const p = this.pointer(e);
    this.gestures.move(p);
    if (this.gestures.active) clearTimeout(this.press);
    if (this.gestures.name !== "idle") return;
    this.stage.style.cursor = this.gestures.tool.cursor(this.gestures, p);
    this.hover(seenAt(this.editor.state.doc, p));
  }

  /** @param {import("./layout.js").Item|null} it under the pointer */
  hover(it) {
    const id = it && toStage(it.fields.box, this.frame).w < NARROW ? it.id : null;
    if (id !== this.hovered) this.invalidate();
    this.hovered = id;
  }

  /** @param {PointerEvent} e */
  up(e) {
    e.stopPropagation();
    clearTimeout(this.press);
    this.held = null;
    if (!this.pinch.busy) this.gestures.up(this.pointer(e));
    this.pinch.up(e.pointerId);
  }

  /** @param {PointerEvent} e of a pointer that is gone, or taken by someone else */
  lost(e) {
    this.pinch.up(e.pointerId);
    if (this.held === e.pointerId) this.interrupt();
  }

  /** Whatever is under way is undone. */
  abandon() {
    clearTimeout(this.press);
    this.gestures.cancel();
  }

  /** What was begun with the pointer is undone. */
  interrupt() {
    clearTimeout(this.press);
    if (this.gestures.name !== "idle") this.gestures.back();
  }

  /** @param {PointerEvent} e */
  longPress(e) {
    if (this.gestures.active) return;
    this.gestures.cancel();
    this.contextMenu(e);
  }

  /** Where a menu opens that a key asks for: at the selected box, in the root's CSS pixels. */
  get menuPlace() {
    const { width, height } = this.metrics;
    const r = this.rectOf(this.editor.state.selection.at(-1) ?? "") ?? { x: width / 3, y: height / 3 };
    const { x, y } = this.editor.localToRoot({ clientX: this.metrics.rect.left, clientY: this.metrics.rect.top });
    return { x: x + r.x, y: y + r.y };
  }

  /** The menu of the box under the pointer, which becomes the selection. @param {MouseEvent} e */
  contextMenu(e) {
    if (e.target !== this.stage) return;
    e.preventDefault();
    e.stopPropagation();
    if (this.editor.readOnly || this.editor.menu.element || this.pinch.busy) return;
    const [top] = boxesAt(this.editor.store.state.doc, this.pointer(/** @type {PointerEvent} */ (e)), this.unit);
    if (top && !this.editor.store.state.selection.includes(top.id)) this.editor.store.dispatch({ type: "select", ids: [top.id] });
    this.editor.openMenu("box", this.editor.localToRoot(e));
  }

  /** @param {MouseEvent} e */
  doubleClick(e) {
    e.stopPropagation();
    const [top] = boxesAt(this.editor.store.state.doc, this.pointer(/** @type {PointerEvent} */ (e)), this.unit);
    if (top && e.target === this.stage && this.tool === "select" && !this.editor.readOnly) this.caption.open(top.id);
  }

  /** Ctrl-wheel is ours, and Alt-wheel, as newer Nodes 2.0 let nobody else have the first; the plain wheel stays the graph's,
   * unless a large editor hides that.
   * @param {WheelEvent} e */
  wheel(e) {
    if (!e.ctrlKey && !e.metaKey && !e.altKey && !this.editor.large.open) {
      this.editor.host.wheel(e);
      requestAnimationFrame(() => this.editor.refresh()); // the graph's zoom may be another one now
      return;
    }
    e.preventDefault();
    e.stopPropagation();
    this.zoom(Math.exp(-e.deltaY / 300), this.local(e));
  }

  /** @param {number} factor @param {{x: number, y: number}} [at] */
  zoom(factor, at) {
    const stage = this.metrics;
    this.look(zoomed(this.viewport, factor, at ?? { x: stage.width / 2, y: stage.height / 2 }, stage));
  }

  fit() {
    this.look(FITTED);
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.look(panned(this.viewport, dx, dy, this.metrics));
  }

  /** @param {import("./viewport.js").Viewport} viewport */
  look(viewport) {
    this.viewport = viewport;
    this.invalidate();
  }

  /** @param {string} id */
  drawn(id) {
    if (this.gestures.tool.once) this.tool = "select";
    // After the pointer's own events, which would take the focus away again.
    requestAnimationFrame(() => this.caption.open(id, this.tool !== "select"));
  }

  /** Paint soon: one frame for any number of changes. */
  invalidate() {
    this.pending ||= requestAnimationFrame(() => {
      this.pending = 0;
      this.paint();
      this.editor.rendered();
    });
  }

  paint() {
    const { width, height } = this.metrics;
    const ctx = this.canvas.getContext("2d");
    if (!ctx || !width || !height) return;
    this.fitPixels(width, height);
    ctx.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    ctx.clearRect(0, 0, width, height);
    this.editor.assess();
    drawScene(ctx, this.editor.scene(this.frame));
    this.caption.place();
    this.paints++;
  }

  /** Canvas pixels for one CSS pixel of the stage, so that the picture is sharp: the device's ratio times the graph's zoom. */
  get sharpness() {
    const { rect, width } = this.metrics;
    const scale = rect.width / width || 1;
    return Math.min(MAX_RATIO, Math.max(1, (this.stage.ownerDocument.defaultView?.devicePixelRatio ?? 1) * scale));
  }

  /** @param {number} width @param {number} height */
  fitPixels(width, height) {
    this.ratio = this.sharpness;
    const [w, h2] = [Math.round(width * this.ratio), Math.round(height * this.ratio)];
    if (this.canvas.width !== w) this.canvas.width = w;
    if (this.canvas.height !== h2) this.canvas.height = h2;
  }
}
