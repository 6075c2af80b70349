// @ts-check
/** The field on a box in which its caption is typed. Opens by itself after a box was drawn. */
import { h } from "./dom.js";
import { field } from "./layout.js";

export class CaptionField {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** @type {string|null} the box being captioned */
    this.id = null;
    this.before = "";
    this.element = h("textarea", {
      class: "roictrl-caption", rows: 1, hidden: true, spellcheck: "true", placeholder: editor.t("caption.placeholder"),
      "aria-label": editor.t("caption.label"),
      oninput: () => this.typed(), onblur: () => this.close(), onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
      onpointerdown: (/** @type {Event} */ e) => e.stopPropagation(),
    });
  }

  /** @param {string} id */
  open(id) {
    const it = this.editor.find(id);
    if (!it || field(it, "hidden")) return;
    this.id = id;
    this.before = field(it, "caption");
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
    const width = Math.min(Math.max(r.w - 4, 170), clientWidth - 8);
    Object.assign(this.element.style, {
      left: `${Math.min(Math.max(r.x + 2, 4), clientWidth - width - 4)}px`, width: `${width}px`, height: "auto",
    });
    const height = Math.min(this.element.scrollHeight + 2, 120);
    Object.assign(this.element.style, {
      height: `${height}px`, top: `${Math.min(Math.max(r.y + 2, 4), clientHeight - height - 4)}px`,
    });
  }

  typed() {
    if (this.id) this.editor.type(this.id, "caption", this.element.value);
    this.place();
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

  /** What is meant for the box, as there is no text yet to undo or delete. @param {KeyboardEvent} e @returns {import("./state.js").Action|null} */
  regret(e) {
    const undo = (e.ctrlKey || e.metaKey) && !e.shiftKey && e.key.toLowerCase() === "z";
    if (undo && this.element.value === this.before) return { type: "undo" };
    return e.key === "Delete" && !this.element.value ? { type: "remove", ids: [this.id] } : null;
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    if (e.isComposing) return;
    const action = this.regret(e);
    if (action) {
      this.close(true);
      this.editor.store.dispatch(action);
      this.editor.host.captureUndo();
    } else if (e.key === "Escape" || (e.key === "Enter" && !e.shiftKey && !e.ctrlKey && !e.metaKey)) {
      this.close(true); // with the words; undo takes them away
    } else if (e.key === "Tab") {
      this.close(true);
      if (this.editor.commands.walk(e.shiftKey ? -1 : 1)) this.editor.commands.editCaption();
    } else return;
    e.preventDefault();
    e.stopPropagation();
  }
}
