// @ts-check
/**
 * How long a caption is in CLIP's tokens, beside its field: counted by the server with ComfyUI's own tokenizer, a while after
 * the last letter, and only where the layout goes to models that read captions by CLIP.
 */
import { h, set } from "./dom.js";

export const ROUTE = "/roictrl/tokens";
const QUIET_MS = 250;
const MOST_KNOWN = 500;

/** What was counted, by the text; each text is asked for once. @type {Map<string, {tokens: number, chunks: number}>} */
const known = new Map();

export class TokenCount {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.text = "";
    this.waiting = /** @type {ReturnType<typeof setTimeout>|undefined} */ (undefined);
    this.element = h("div", { class: "roictrl-tokens", title: editor.t("tokens.tip"), hidden: true });
  }

  /** @param {string} text the caption as it is now */
  show(text) {
    if (!this.editor.readByClip) text = "";
    if (text === this.text) return;
    this.text = text;
    clearTimeout(this.waiting);
    this.tell();
    if (text.trim() && !known.has(text)) this.waiting = setTimeout(() => this.ask(text), QUIET_MS);
  }

  /** @param {string} text */
  async ask(text) {
    const init = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ text }) };
    const response = await this.editor.host.fetchApi(ROUTE, init).catch(() => null);
    if (!response?.ok) return; // it helps, and nobody waits for it
    if (known.size >= MOST_KNOWN) known.clear();
    known.set(text, await response.json());
    this.tell();
  }

  tell() {
    const found = known.get(this.text);
    this.element.hidden = !found;
    if (found) this.element.textContent = this.editor.t(found.chunks > 1 ? "tokens.chunks" : "tokens.count", found);
    set(this.element, "data-long", (found?.chunks ?? 0) > 1);
  }
}
