// @ts-check
/** Beside the stage: the list of boxes, and below it the fields of what is selected, else those of the whole picture. */
import { h } from "./dom.js";
import { Inspector } from "./inspector.js";
import { List } from "./list.js";
import { Whole } from "./whole.js";

export class Panel {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.list = new List(editor);
    this.inspector = new Inspector(editor);
    this.whole = new Whole(editor);
    this.element = h("div", { class: "roictrl-panel" }, this.list.element, this.inspector.element, this.whole.element);
  }

  update() {
    this.list.update();
    this.inspector.update();
    this.whole.update();
    this.list.reveal();
  }
}
