// @ts-check
/** What comes in and goes out by clipboard, drop and file: text as boxes, pictures as the background. */
import { h } from "./dom.js";
import { MAX_BYTES, aside, boundingBoxText, copyText, read } from "./io.js";
import { LayoutError } from "./layout.js";
import { sentence } from "./notes.js";

/** The text that was copied last by any editor of the page: copies stand aside, what comes from elsewhere stays where it says. */
let copied = "";

/** @param {string} text from the clipboard, which on some systems has other line ends than what went in */
const isCopy = (text) => text.replaceAll("\r\n", "\n") === copied;

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

  /** Pictures and texts, one after the other. @param {File[]} files */
  async takeFiles(files) {
    const said = [];
    for (const file of files) said.push(...await this.addFile(file));
    this.editor.notices.show(said, "import");
  }

  /** @param {string} text in any known box format */
  async takeText(text) {
    this.editor.notices.show(await this.addText(text, isCopy(text)), "import");
  }

  /** @param {File} file @returns {Promise<string[]>} what is to be said of it */
  async addFile(file) {
    if (file.type.startsWith("image/")) return this.editor.background.take(file);
    const sentences = file.size > MAX_BYTES ? [this.editor.t("import.large")] : await this.addText(await file.text());
    return sentences.map((sentence) => `${file.name}: ${sentence}`);
  }

  /** @param {string} text @param {boolean} [copy] that is to stand aside @returns {Promise<string[]>} what is to be said of it */
  async addText(text, copy = false) {
    const { editor } = this;
    if (!text.trim()) return [editor.t("import.blank")];
    try {
      const { doc, notes } = await read(text, editor.size, editor.host.fetchApi);
      const list = doc.items.map((it) => it.fields);
      editor.insert(list, copy ? aside(list, editor.state.doc, editor.size) : undefined);
      if (doc.head.caption && !editor.state.doc.head.caption) editor.store.dispatch({ type: "head", changes: { caption: doc.head.caption } });
      return list.length || notes.length ? notes.map((note) => sentence(note, editor.t)) : [editor.t("import.none")];
    } catch (error) {
      return [error instanceof LayoutError ? editor.t(error.key, error.values) : String(error)];
    }
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
