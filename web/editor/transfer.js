// @ts-check
/** What comes in and goes out by clipboard, drop and file: text as boxes, pictures as the background. */
import { h } from "./dom.js";
import { boundingBoxText, copyText, placed, read } from "./io.js";
import { LayoutError } from "./layout.js";

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
    e.clipboardData.setData("text/plain", copyText(state.doc, state.selection));
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
    const [file] = data.files;
    if (file) return this.takeFile(file);
    return this.takeText(data.getData("text/plain"));
  }

  /** @param {File} file */
  async takeFile(file) {
    if (file.type.startsWith("image/")) return this.editor.background.take(file);
    return this.takeText(await file.text());
  }

  /** @param {string} text in any known box format */
  async takeText(text) {
    const { editor } = this;
    if (!text.trim()) return;
    try {
      const { doc, notes } = await read(text, editor.size, editor.host.fetchApi);
      editor.insert(placed(doc.items.map((it) => it.fields), editor.state.doc, editor.size));
      if (doc.head.caption && !editor.state.doc.head.caption) editor.store.dispatch({ type: "head", changes: { caption: doc.head.caption } });
      if (notes.length) editor.notice(notes);
    } catch (error) {
      editor.notice([error instanceof LayoutError ? editor.t(error.key, error.values) : String(error)]);
    }
  }

  /** @param {"layout"|"boxes"} kind */
  copyAll(kind) {
    const { editor } = this;
    const { doc } = editor.state;
    this.write(kind === "layout" ? copyText(doc, doc.items.map((it) => it.id)) : boundingBoxText(doc, editor.size));
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
    const input = h("input", { type: "file", accept: "image/*,.json,.yaml,.yml,.txt", onchange: () => input.files?.[0] && this.takeFile(input.files[0]) });
    input.click();
  }
}
