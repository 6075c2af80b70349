// @ts-check
/**
 * The field on a box in which its caption is typed. Opens by itself after a box was drawn.
 *
 * It is as wide as its box and grows with what is typed.  Where it reaches over the box's border it lies on something
 * else: a drag that begins there is the stage's, a click is still the text's.  With a tool that draws further shapes into the
 * box that is so for all of the field.
 */
import { h } from "./dom.js";
import { SLOP } from "./hits.js";
import { field } from "./layout.js";
import { RING } from "./shapes/point.js";
import { endsTyping } from "./typing.js";

/** Least width: room for a caret; and how far it grows with the text beyond a narrow box. CSS pixels. */
const LEAST = 30;
const MOST = 220;
/** At a point, which has no width of its own: beside its ring, and room for what the field asks. */
const AT_POINT = 150;
const MAX_HEIGHT = 120;
/** They are the brush's as long as nothing is typed: who paints goes on painting. @type {Record<string, number>} */
const BRUSH_KEYS = { "[": -1, "]": 1 };
/** Padding and border on both sides, and a caret. */
const AROUND = 18;

export class CaptionField {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** @type {string|null} the box being captioned */
    this.id = null;
    this.before = "";
    /** Whether anything was typed, were it taken away again. */
    this.touched = false;
    /** Whether the box was just made by a tool that stays at hand. */
    this.made = false;
    /** @type {PointerEvent|null} a press on the field that may be the stage's, until it is known for a click or a drag */
    this.pressed = null;
    this.element = h("textarea", {
      class: "roictrl-caption", rows: 1, hidden: true, spellcheck: "true", dir: "auto", placeholder: editor.t("caption.placeholder"),
      "aria-label": editor.t("caption.label"),
      oninput: () => this.typed(), onblur: () => this.close(), onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
      onpointerdown: (/** @type {PointerEvent} */ e) => this.press(e), onpointermove: (/** @type {PointerEvent} */ e) => this.move(e),
      onpointerup: () => { this.pressed = null; }, onpointercancel: () => { this.pressed = null; },
      onlostpointercapture: (/** @type {Event} */ e) => e.stopPropagation(), // a loss of the field's, not of the stage's
    });
  }

  /** @param {string} id @param {boolean} [made] just now, or drawn further, by a tool that stays at hand */
  open(id, made = false) {
    const it = this.editor.find(id);
    if (!it || field(it, "hidden")) return;
    this.id = id;
    this.before = field(it, "caption");
    this.touched = false;
    this.made = made;
    this.element.value = this.before;
    this.element.hidden = false;
    this.place();
    this.element.focus({ preventScroll: true });
    this.element.select();
    this.editor.invalidate();
  }

  /** Over its box, wherever that is on the stage now. */
  place() {
    if (!this.id) return;
    const r = this.editor.view.rectOf(this.id);
    if (!r) return void this.close();
    const { clientWidth, clientHeight } = this.editor.view.stage;
    const point = !r.w && !r.h;
    const width = Math.min(Math.max(r.w - 4, point ? AT_POINT : LEAST, Math.min(this.textWidth() + AROUND, MOST)), clientWidth - 8);
    Object.assign(this.element.style, {
      left: `${Math.min(Math.max(r.x + (point ? 2 * RING : 2), 4), clientWidth - width - 4)}px`, width: `${width}px`, height: "auto",
    });
    const height = Math.min(this.element.scrollHeight + 2, MAX_HEIGHT);
    Object.assign(this.element.style, {
      height: `${height}px`, top: `${Math.min(Math.max(r.y + (point ? RING + 5 : 2), 4), clientHeight - height - 4)}px`,
    });
  }

  /** What is typed, in one line each, in CSS pixels. */
  textWidth() {
    const ctx = this.editor.view.canvas.getContext("2d");
    if (!ctx) return MOST;
    ctx.font = getComputedStyle(this.element).font;
    return Math.max(...this.element.value.split("\n").map((line) => ctx.measureText(line).width));
  }

  typed() {
    this.touched = true;
    if (this.id) this.editor.type(this.id, "caption", this.element.value);
    this.place();
  }

  /** @param {PointerEvent} e */
  press(e) {
    e.stopPropagation();
    const p = this.editor.view.local(e);
    const r = this.id && this.editor.view.rectOf(this.id);
    const inside = r && p.x >= r.x && p.x <= r.x + r.w && p.y >= r.y && p.y <= r.y + r.h;
    if (e.button || (inside && this.editor.view.tool === "select")) return;
    this.pressed = e;
    this.element.setPointerCapture(e.pointerId); // also where a quick hand has left the field with its first movement
  }

  /** @param {PointerEvent} e */
  move(e) {
    const { pressed } = this;
    if (!pressed) return;
    e.stopPropagation();
    const { view } = this.editor;
    const [from, to] = [view.local(pressed), view.local(e)];
    if (Math.hypot(to.x - from.x, to.y - from.y) < SLOP) return;
    this.pressed = null;
    this.close();
    view.pressed(pressed);
    view.move(e);
  }

  /** @param {boolean} [refocus] give the focus back to the stage */
  close(refocus = false) {
    if (!this.id) return;
    this.id = null;
    this.element.hidden = true;
    this.editor.sealed();
    this.editor.invalidate();
    if (refocus) this.editor.focus();
  }

  /** The words are done, if there are any: what a tool has just made is let go of, so that its next gesture makes another.
   * @param {boolean} [done] by Enter, also without words */
  end(done = false) {
    const made = this.id && this.made && (done || this.element.value.trim());
    this.close(done);
    if (made) this.editor.store.dispatch({ type: "select", ids: [] });
  }

  /** What is meant for the box, as there has been no text to undo or delete. @param {KeyboardEvent} e @returns {import("./state.js").Action|null} */
  regret(e) {
    const undo = (e.ctrlKey || e.metaKey) && !e.shiftKey && e.key.toLowerCase() === "z";
    if (undo && this.element.value === this.before) return { type: "undo" };
    return e.key === "Delete" && !this.before && !this.touched ? { type: "remove", ids: [this.id] } : null;
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.isComposing) return;
    const action = this.regret(e);
    if (action) {
      this.close(true);
      this.editor.store.dispatch(action);
    } else if (endsTyping(e)) {
      if (e.key === "Enter") this.end(true);
      else this.close(true); // with the words as well; undo takes them away
    } else if (this.made && !this.element.value && e.key in BRUSH_KEYS) {
      this.editor.commands.brush(BRUSH_KEYS[e.key]);
    } else if (e.key === "Tab") {
      this.close(true);
      if (this.editor.commands.walk(e.shiftKey ? -1 : 1)) this.editor.commands.editCaption();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
