// @ts-check
/**
 * Arrangements of boxes: the built-in ones, and laying one over a document.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {{name: string, boxes: Box[]}} Template
 */
import { roundBox } from "./geometry.js";
import * as edits from "./edits.js";

/** Space around each box, so that neighbours stay apart to the eye. */
const GAP = 0.015;

/** @param {number} columns @param {number} rows @returns {Box[]} */
const grid = (columns, rows) => Array.from({ length: columns * rows }, (_, i) => {
  const [x, y] = [i % columns, Math.floor(i / columns)];
  return inset([x / columns, y / rows, (x + 1) / columns, (y + 1) / rows]);
});

/** @param {Box} b @returns {Box} */
const inset = (b) => roundBox([b[0] + GAP, b[1] + GAP, b[2] - GAP, b[3] - GAP]);

/** Catalogue key (below `template.`) and boxes. @type {Template[]} */
export const BUILT_IN = [
  { name: "columns2", boxes: grid(2, 1) },
  { name: "columns3", boxes: grid(3, 1) },
  { name: "rows2", boxes: grid(1, 2) },
  { name: "rows3", boxes: grid(1, 3) },
  { name: "grid4", boxes: grid(2, 2) },
  { name: "grid9", boxes: grid(3, 3) },
  { name: "centre", boxes: [inset([0.25, 0.2, 0.75, 0.95])] },
  { name: "sides", boxes: [inset([0, 0.25, 0.28, 1]), inset([0.28, 0.15, 0.72, 1]), inset([0.72, 0.25, 1, 1])] },
  { name: "corners", boxes: [inset([0, 0, 0.4, 0.4]), inset([0.6, 0, 1, 0.4]), inset([0, 0.6, 0.4, 1]), inset([0.6, 0.6, 1, 1])] },
];

/**
 * The document's boxes moved to the template's places in their order, captions and all; new ones for places left over.
 * Boxes beyond the template, and locked ones, stay where they are.
 * @param {import("./layout.js").Doc} doc @param {Box[]} boxes @returns {import("./layout.js").Doc}
 */
export function arrange(doc, boxes) {
  const free = doc.items.filter((it) => !it.fields.locked);
  const moved = Object.fromEntries(boxes.slice(0, free.length).map((box, i) => [free[i].id, box]));
  return edits.add(edits.setBoxes(doc, moved), boxes.slice(free.length).map((box) => ({ box })))[0];
}

/** The saved text of a user's own templates; what cannot be read is left out. @param {string} text @returns {Template[]} */
export function readOwn(text) {
  try {
    const list = JSON.parse(text);
    return Array.isArray(list) ? list.filter((t) => typeof t?.name === "string" && Array.isArray(t.boxes)
      && t.boxes.every((/** @type {any} */ b) => Array.isArray(b) && b.length === 4 && b.every(Number.isFinite))) : [];
  } catch {
    return [];
  }
}

/** A user's own arrangements, kept on the server. */
export class OwnTemplates {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** @type {Template[]} */
    this.list = [];
  }

  async load() {
    this.list = readOwn(await this.editor.host.readTemplates());
  }

  /** The name of a new one is typed where the status line is. */
  ask() {
    const { editor } = this;
    editor.notices.ask(editor.t("template.name"), (name) => {
      editor.focus();
      const boxes = editor.state.doc.items.map((it) => it.fields.box);
      if (name) this.save([...this.list.filter((own) => own.name !== name), { name, boxes }]);
    });
  }

  /** @param {string} name */
  forget(name) {
    this.save(this.list.filter((own) => own.name !== name));
  }

  /** @param {Template[]} list */
  save(list) {
    const { host, notices, t } = this.editor;
    this.list = list;
    host.writeTemplates(JSON.stringify(list)).catch((error) => notices.show([t("template.failed", { reason: String(error) })], "template"));
  }
}
