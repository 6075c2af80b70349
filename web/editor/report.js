// @ts-check
/**
 * What is shown above the stage: why a text cannot be read, boxes that come through the `boxes` input (ghosts), and what
 * the server said after a run.
 *
 * @typedef {import("./notes.js").Note} Note
 * @typedef {{layout?: any, notes?: Note[], boxes?: any}} Output a node's `roictrl` output
 */
import { h } from "./dom.js";
import { fromData, parse } from "./layout.js";
import { FORESEEN, sentence } from "./notes.js";
import { actAlike } from "./sent.js";

/** Nothing is drawn, and nothing came. */
const NOTHING = "prompt.nothing";
const MOST_SHOWN = 12; // sentences of one notice

export class Report {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** What was said of a box, with the fields that it was said of: @type {Map<string, {fields: any, notes: Note[]}>} */
    this.notes = new Map();
    /** The boxes as they ran, in the layout's order; undefined where one is no longer here: @type {(import("./layout.js").Item|undefined)[]} */
    this.ran = [];
    /** What was said by this node ("") and by the ones that its layout goes to, by their ids: @type {Map<string, Note[]>} */
    this.said = new Map();
    /** @type {import("./layout.js").Fields[]} boxes that came through the link, in the last run */
    this.ghosts = [];
    this.adopt = h("button", { type: "button", class: "roictrl-adopt", hidden: true, onclick: () => this.adoptGhosts() });
    this.overlay = h("div", { class: "roictrl-overlay", hidden: true });
    editor.view.stage.append(this.adopt, this.overlay);
  }

  get ghostKey() {
    return this.ghosts.length;
  }

  /** The node ran, or its last output was shown again after a reload. @param {Output} output */
  take({ layout, notes = [], boxes }) {
    this.ghosts = instances(boxes);
    this.ran = stillHere(instances(layout), this.editor.state.doc.items);
    this.said = new Map([["", notes]]);
    this.share();
  }

  /** Boxes that were asked for, to be adopted. @param {Output} output @returns {string[]} what the server said of them that is not seen here anyway */
  offer({ notes = [], boxes }) {
    this.ghosts = instances(boxes);
    this.editor.invalidate();
    return notes.filter((note) => !FORESEEN[note.code] && note.code !== NOTHING).map((note) => sentence(note, this.editor.t));
  }

  /** A node that this layout goes to ran, and spoke of the same boxes. @param {string} id of that node @param {Note[]} notes */
  takeFrom(id, notes) {
    this.said.set(id, notes);
    this.share();
  }

  /** Gives each box what was said of it, and the rest to the notice: of a box that has gone or changed only what is not foreseen
   * here anyway, as long as it is boxes from here that ran. */
  share() {
    this.notes.clear();
    const rest = [];
    const drawn = this.editor.state.doc.items.length > 0 && !this.editor.host.linked();
    for (const note of unique([...this.said.values()].flat())) {
      const box = note.instance ? this.ran[note.instance - 1] : undefined;
      if (!box && note.instance && drawn && FORESEEN[note.code]) continue;
      if (!box) rest.push(sentence(note, this.editor.t));
      else this.notes.set(box.id, { fields: box.fields, notes: [...this.notes.get(box.id)?.notes ?? [], note] });
    }
    const more = rest.length - MOST_SHOWN;
    this.editor.notices.show(more > 0 ? [...rest.slice(0, MOST_SHOWN), this.editor.t("notice.more", { n: more })] : rest, "run");
    this.editor.invalidate();
  }

  /** What was said of a box, as long as it acts as it did then; without what is foreseen here anyway. @param {string} id @returns {Note[]} */
  of(id) {
    const [said, now] = [this.notes.get(id), this.editor.find(id)];
    return said && now && actAlike(said.fields, now.fields) ? said.notes.filter((note) => !FORESEEN[note.code]) : [];
  }

  /** All that is to be said about a box. @param {string} id */
  sentences(id) {
    const { t, warnings } = this.editor;
    return [...(warnings.get(id) ?? []).map((w) => t(w.key, w.values)), ...this.of(id).map((note) => sentence(note, t))].join(" ");
  }

  adoptGhosts() {
    const { ghosts } = this;
    this.ghosts = [];
    this.editor.insert(ghosts);
    this.editor.focus();
  }

  update() {
    this.adopt.hidden = !this.ghosts.length || this.editor.readOnly;
    this.adopt.textContent = this.editor.t("ghosts.adopt", { n: this.ghosts.length });
    const linked = this.editor.host.linked();
    if (linked && !this.editor.broken) this.overlay.replaceChildren(h("p", {}, this.editor.t("say.linked")));
    this.overlay.hidden = !linked && !this.editor.broken;
  }

  /** A text that cannot be read is shown as it is, with the reason; only a person's word replaces it. */
  showBroken() {
    const { editor } = this;
    if (!editor.broken) return void this.overlay.replaceChildren();
    const { t } = editor;
    const area = h("textarea", { spellcheck: "false", "aria-label": t("broken.text") });
    area.value = editor.text;
    const reason = h("p", { class: "roictrl-reason" }, t(editor.broken.key, editor.broken.values));
    const replace = (/** @type {string} */ text) => {
      editor.setText(text);
      editor.host.changed();
      editor.host.captureUndo();
    };
    const use = () => {
      try {
        parse(area.value);
        replace(area.value);
      } catch (error) {
        const { key, values } = /** @type {any} */ (error);
        reason.textContent = t(key, values);
      }
    };
    this.overlay.replaceChildren(h("strong", {}, t("broken.title")), reason, area, h("div", { class: "roictrl-buttons" },
      h("button", { type: "button", onclick: use }, t("broken.use")),
      h("button", { type: "button", onclick: () => this.convert(area.value) }, t("broken.convert")),
      h("button", { type: "button", onclick: () => replace("") }, t("broken.clear"))));
  }

  /** The text may be another box format, which the old text widget took as well. @param {string} text */
  async convert(text) {
    const { editor } = this;
    editor.setText("");
    await editor.transfer.takeText(text);
    if (!editor.state.doc.items.length) editor.setText(text);
  }
}

/** Two nodes say the same of the same layout. @param {Note[]} notes @returns {Note[]} */
const unique = (notes) => [...new Map(notes.map((note) => [`${note.code} ${note.instance} ${note.text}`, note])).values()];

/** For each box that ran, the one that still is it: drawing went on meanwhile. The server writes masks in its own way.
 * @param {import("./layout.js").Fields[]} ran @param {readonly import("./layout.js").Item[]} items */
function stillHere(ran, items) {
  const place = (/** @type {any} */ fields) => JSON.stringify(fields.box);
  /** @type {Map<string, import("./layout.js").Item[]>} */
  const left = new Map(items.map((it) => [place(it.fields), []]));
  for (const it of items) left.get(place(it.fields))?.push(it);
  return ran.map(({ mask, ...fields }) => {
    const here = left.get(place(fields)) ?? [];
    const at = here.findIndex((it) => actAlike(fields, { ...it.fields, mask: null }));
    return at < 0 ? undefined : here.splice(at, 1)[0];
  });
}

/** @param {any} layout @returns {import("./layout.js").Fields[]} */
function instances(layout) {
  try {
    return layout ? fromData(layout).items.map((it) => it.fields) : [];
  } catch {
    return [];
  }
}
