// @ts-check
/** The fields of the whole picture, shown while no box is selected. */
import { h } from "./dom.js";
import { labelled, wordField } from "./fields.js";
import { TokenCount } from "./tokens.js";

/** Words typed here one after the other are one step. */
const TYPING = "caption of the picture";

export class Whole {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    const { t } = editor;
    this.editor = editor;
    this.caption = wordField("textarea", editor, () => this.typed(), { rows: 3, spellcheck: "true", placeholder: t("hint.whole") });
    this.tokens = new TokenCount(editor);
    this.element = h("div", { class: "roictrl-inspector", onfocusout: () => editor.sealed() },
      h("div", { class: "roictrl-inspector-title" }, t("field.picture")), labelled("whole", this.caption, t), this.tokens.element);
  }

  typed() {
    this.editor.store.dispatch({ type: "head", changes: { caption: this.caption.value || undefined }, merge: TYPING });
  }

  update() {
    const { selection, doc } = this.editor.state;
    this.element.hidden = selection.length > 0;
    const caption = String(doc.head.caption ?? "");
    if (this.caption.value !== caption) this.caption.value = caption;
    this.tokens.show(this.element.hidden ? "" : caption);
  }
}
