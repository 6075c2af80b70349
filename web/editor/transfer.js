// @ts-check
/** What comes in and goes out by clipboard, drop and file: text as boxes, pictures as the background. */
import { choiceRows } from "./choices.js";
import { h } from "./dom.js";
import { MAX_BYTES, aside, boundingBoxText, copyText, read } from "./io.js";
import { LayoutError } from "./layout.js";
import { sentence } from "./notes.js";

/** The text that was copied last by any editor of the page: copies stand aside, what comes from elsewhere stays where it says. */
let copied = "";

/** @param {string} text from the clipboard, which on some systems has other line ends than what went in */
const isCopy = (text) => text.replaceAll("\r\n", "\n") === copied;

/**
 * @typedef {object} Came a text that came in, and what is to be said of it
 * @property {string} text
 * @property {import("./io.js").How} how a person said it is to be read
 * @property {string[]} sentences
 * @property {import("./choices.js").Choices} choices what may be read otherwise
 * @property {string[]} ids of the boxes that came of it
 * @property {string} caption of the whole picture, that came of it
 */

/** Before anything has come. @type {Came} */
const NOTHING = { text: "", how: {}, sentences: [], choices: {}, ids: [], caption: "" };

/** @param {string|undefined} name of a file @param {string} sentence */
const named = (name, sentence) => (name ? `${name}: ${sentence}` : sentence);

export class Transfer {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    const { focus } = editor.view;
    focus.addEventListener("copy", (e) => this.copyEvent(e));
    focus.addEventListener("cut", (e) => {
      if (this.copyEvent(e)) editor.commands.remove();
    });
    focus.addEventListener("paste", (e) => {
      e.preventDefault();
      e.stopPropagation();
      if (e.clipboardData) this.take(e.clipboardData);
    });
    for (const name of ["dragover", "drop"]) editor.root.addEventListener(name, (e) => this.drop(/** @type {DragEvent} */ (e)));
  }

  /** @param {ClipboardEvent} e @returns {boolean} whether anything was copied */
  copyEvent(e) {
    const { state } = this.editor;
    e.preventDefault();
    e.stopPropagation();
    if (!state.selection.length || !e.clipboardData) return false;
    copied = copyText(state.doc, state.selection);
    e.clipboardData.setData("text/plain", copied);
    this.editor.say(this.editor.t("say.copied", { n: state.selection.length }));
    return true;
  }

  /** Files and text dropped anywhere on the editor. @param {DragEvent} e */
  drop(e) {
    if (!e.dataTransfer || this.editor.readOnly) return;
    e.preventDefault();
    e.stopPropagation();
    if (e.type === "drop") this.take(e.dataTransfer);
  }

  /** @param {DataTransfer} data */
  take(data) {
    return data.files.length ? this.takeFiles([...data.files]) : this.takeText(data.getData("text/plain"));
  }

  /** Pictures and texts, one after the other; what may be read otherwise is asked of one alone. @param {File[]} files */
  async takeFiles(files) {
    const [one] = files;
    if (files.length === 1 && !one.type.startsWith("image/") && one.size <= MAX_BYTES) return this.tell(await this.addText(await one.text()), one.name);
    const said = [];
    for (const file of files) said.push(...await this.addFile(file));
    this.editor.notices.show(said, "import");
  }

  /** @param {string} text in any known box format */
  async takeText(text) {
    this.tell(await this.addText(text, { copy: isCopy(text) }));
  }

  /** Its sentences, and buttons for what may be read otherwise: one press reads it anew. @param {Came} came @param {string} [name] of its file */
  tell(came, name) {
    const { editor } = this;
    const again = async (/** @type {string} */ key, /** @type {string} */ value) => {
      if (!this.knows(came)) return void editor.notices.show([], "import"); // the boxes are those of another text now
      this.tell(await this.addText(came.text, { before: came, how: { ...came.how, [key]: value } }), name);
    };
    editor.notices.show(came.sentences.map((sentence) => named(name, sentence)), "import", choiceRows(came.choices, editor.t, again));
  }

  /** Whether its boxes are in the document, or were. @param {Came} came */
  knows({ ids }) {
    const { doc, past, future } = this.editor.state;
    return !ids.length || [{ doc }, ...past, ...future].some((one) => one.doc.items.some((it) => ids.includes(it.id)));
  }

  /** @param {File} file @returns {Promise<string[]>} what is to be said of it */
  async addFile(file) {
    if (file.type.startsWith("image/")) return this.editor.background.take(file);
    const sentences = file.size > MAX_BYTES ? [this.editor.t("import.large")] : (await this.addText(await file.text())).sentences;
    return sentences.map((sentence) => named(file.name, sentence));
  }

  /** What comes of a text; it stands in the place of what came of it before, which stays where the text is refused.
   * @param {string} text @param {{before?: Came, how?: import("./io.js").How, copy?: boolean}} [options] how it is to be read;
   *   a copy is to stand aside @returns {Promise<Came>} */
  async addText(text, { before = NOTHING, how = {}, copy = false } = {}) {
    const { editor } = this;
    const kept = { ...before, text };
    if (!text.trim()) return { ...kept, sentences: [editor.t("import.blank")] };
    try {
      const { doc, notes, choices } = await read(text, editor.size, editor.host.fetchApi, how);
      const list = doc.items.map((it) => it.fields);
      const caption = String(doc.head.caption ?? "");
      const ids = this.insert(list, copy ? aside(list, editor.state.doc, editor.size) : undefined, caption, before);
      const sentences = list.length || notes.length ? notes.map((note) => sentence(note, editor.t)) : [editor.t("import.none")];
      return { text, how, ids, caption, choices, sentences };
    } catch (error) {
      return { ...kept, sentences: [error instanceof LayoutError ? editor.t(error.key, error.values) : String(error)] };
    }
  }

  /** Boxes, and a caption for a document that has none of its own, in the place of what came before, as one step; the boxes' ids.
   * @param {import("./layout.js").Fields[]} list @param {import("./geometry.js").Box[]|undefined} boxes where each goes
   * @param {string} caption @param {Came} before @returns {string[]} */
  insert(list, boxes, caption, before) {
    const { store, readOnly } = this.editor;
    if (readOnly) return [];
    const there = new Set(store.state.doc.items.map((it) => it.id));
    store.dispatch({ type: "begin" });
    if (before.ids.length) store.dispatch({ type: "remove", ids: before.ids });
    this.editor.insert(list, boxes);
    const own = store.state.doc.head.caption ?? "";
    if (!own || own === before.caption) store.dispatch({ type: "head", changes: { caption: caption || undefined } });
    store.dispatch({ type: "commit" });
    return store.state.doc.items.map((it) => it.id).filter((id) => !there.has(id));
  }

  /** @param {"layout"|"boxes"} kind */
  copyAll(kind) {
    const { editor } = this;
    const { doc } = editor.state;
    copied = kind === "layout" ? copyText(doc, doc.items.map((it) => it.id)) : boundingBoxText(doc, editor.size);
    this.write(copied);
    editor.say(editor.t("say.copied", { n: doc.items.length }));
  }

  /** To the system clipboard, also on pages without https, where only the old command works. @param {string} text */
  write(text) {
    if (navigator.clipboard) return void navigator.clipboard.writeText(text);
    const area = h("textarea", {}, text);
    this.editor.root.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    this.editor.focus();
  }

  /** Ask for a file. */
  pick() {
    const input = h("input", { type: "file", multiple: true, accept: "image/*,.json,.jsonl,.bbox,.xml,.yaml,.yml,.txt,.md", onchange: () => this.takeFiles([...input.files ?? []]) });
    input.click();
  }
}
