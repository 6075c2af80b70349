// @ts-check
/**
 * What is shown above the stage: why a text cannot be read, boxes that come through the `boxes` input (ghosts), and what
 * the server said after a run.
 *
 * @typedef {{layout?: any, notes?: string[], boxes?: any}} Output the node's `roictrl` output
 */
import { h } from "./dom.js";
import { fromData, parse } from "./layout.js";

export class Report {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    /** What the server said of a box, with the fields that it was said of: @type {Map<string, {fields: any, sentences: string[]}>} */
    this.notes = new Map();
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
    const { items } = this.editor.state.doc;
    this.ghosts = instances(boxes);
    const used = items.length ? instances(layout) : [];
    this.notes.clear();
    items.forEach((it, i) => {
      const same = used[i] && JSON.stringify(used[i].box) === JSON.stringify(it.fields.box);
      const sentences = same ? notes.filter((s) => new RegExp(`\\binstance ${i + 1}\\b`).test(s)) : [];
      if (sentences.length) this.notes.set(it.id, { fields: it.fields, sentences });
    });
    const general = notes.filter((s) => !/\binstance \d+\b/.test(s));
    this.editor.notice(general);
    this.editor.invalidate();
  }

  /** What the server said of a box, as long as the box is what it was then. @param {string} id @returns {string[]} */
  of(id) {
    const note = this.notes.get(id);
    return note && note.fields === this.editor.find(id)?.fields ? note.sentences : [];
  }

  /** All that is to be said about a box: the server's words where it saw more than what is foreseen here. @param {string} id */
  sentences(id) {
    const own = this.editor.warnings.get(id) ?? [];
    const shared = own.filter((w) => w.key !== "warn.limit"); // the adapter's limit is not this node's to tell
    const said = this.of(id);
    const more = said.length > shared.length;
    const foreseen = more ? own.filter((w) => !shared.includes(w)) : own;
    return [...foreseen.map((w) => this.editor.t(w.key, w.values)), ...(more ? said : [])].join(" ");
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

  /** One line of text. @param {string} question @param {(answer: string) => void} then */
  ask(question, then) {
    const done = (/** @type {boolean} */ ok) => {
      line.remove();
      this.editor.focus();
      if (ok && input.value.trim()) then(input.value.trim());
    };
    const input = h("input", { type: "text", maxlength: 60, onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (e.key === "Enter" || e.key === "Escape") done(e.key === "Enter");
    } });
    const line = h("label", { class: "roictrl-notice" }, question, input);
    this.editor.notices.replaceChildren(line);
    input.focus();
  }
}

/** @param {any} layout @returns {import("./layout.js").Fields[]} */
function instances(layout) {
  try {
    return layout ? fromData(layout).items.map((it) => it.fields) : [];
  } catch {
    return [];
  }
}
