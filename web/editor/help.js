// @ts-check
/** The "?" overlay: every key and what the pointer does, from the table that the editor itself obeys. */
import { h, iconButton } from "./dom.js";
import { POINTER, SHORTCUTS, written } from "./shortcuts.js";
import { TOOLS } from "./tools/index.js";

export class Help {
  /** @param {HTMLElement} root what it covers @param {import("./i18n.js").Translate} t @param {() => void} closed where the focus goes afterwards */
  constructor(root, t, closed) {
    this.root = root;
    this.t = t;
    this.closed = closed;
    /** @type {HTMLElement|null} */
    this.element = null;
  }

  toggle() {
    if (this.element) return this.close();
    this.element = overlay(this.t, () => this.close());
    this.root.append(this.element);
  }

  close() {
    this.element?.remove();
    this.element = null;
    this.closed();
  }
}

/** @param {import("./i18n.js").Translate} t @param {() => void} close @returns {HTMLElement} */
function overlay(t, close) {
  const row = (/** @type {string} */ keys, /** @type {string} */ what) => h("div", {}, h("dt", {}, keys), h("dd", {}, what));
  const keys = SHORTCUTS.filter((s) => s.say).map((s) => row(written(s), t(`keys.${s.say}`)));
  const tools = TOOLS.map((tool) => row(`${written(tool)}  ${t(`tools.${tool.name}`)}`, t(`how.${tool.name}`)));
  const pointer = POINTER.map(([how, what]) => row(t(`keys.${how}`), t(`keys.${what}`)));
  const button = iconButton("close", t("help.close"), close);
  const element = h("div", {
    class: "roictrl-help", role: "dialog", "aria-label": t("help.title"), "aria-modal": "true",
    onkeydown: (/** @type {KeyboardEvent} */ e) => {
      e.stopPropagation();
      if (e.key === "Escape" || e.key === "?") close();
      if (e.key === "Escape" || e.key === "Tab") e.preventDefault(); // Escape ends nothing around this
    },
  }, h("header", {}, h("h2", {}, t("help.title")), button),
  h("div", { class: "roictrl-help-columns" },
    h("section", {}, h("h3", {}, t("help.tools")), h("dl", {}, ...tools), h("h3", {}, t("help.pointer")), h("dl", {}, ...pointer)),
    h("section", {}, h("h3", {}, t("help.keyboard")), h("dl", {}, ...keys))));
  requestAnimationFrame(() => button.focus());
  return element;
}
