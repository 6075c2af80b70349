// @ts-check
/**
 * The editor large: the same one, moved into a dialog over the page, and back to its node afterwards.
 *
 * The dialog is the browser's own, shown above everything from where the node's element stands; what lies behind it is inert,
 * so that the focus stays in it.  ComfyUI gets `home` as the widget's element: it stays in place meanwhile.
 */
import { h } from "./dom.js";

/** What happens in the dialog is not for the node that it stands in. */
const KEPT = ["pointerdown", "pointermove", "pointerup", "wheel", "contextmenu", "dblclick"];

export class Large {
  /** @param {HTMLElement} root the editor @param {import("./i18n.js").Translate} t @param {() => void} moved where the focus goes afterwards */
  constructor(root, t, moved) {
    this.root = root;
    this.moved = moved;
    this.home = h("div", { class: "roictrl-home" }, root);
    this.dialog = h("dialog", { class: "roictrl-large", "aria-label": t("tool.dialog"), onclose: () => this.back() });
    for (const name of KEPT) this.dialog.addEventListener(name, (e) => e.stopPropagation());
    this.dialog.addEventListener("pointerdown", (e) => e.target === this.dialog && this.back()); // beside it
  }

  get open() {
    return this.root.parentElement === this.dialog;
  }

  toggle() {
    if (this.open) return this.back();
    this.dialog.append(this.root);
    this.home.append(this.dialog);
    this.dialog.showModal();
    this.moved();
  }

  back() {
    if (!this.open) return;
    this.dialog.close();
    this.home.replaceChildren(this.root);
    this.moved();
  }

  /** ComfyUI has hidden the node, or moved its element, by which a dialog ends unsaid: nobody may be left before an inert page. */
  settle() {
    if (!this.root.offsetWidth || !this.dialog.matches(":modal")) this.back();
  }
}
