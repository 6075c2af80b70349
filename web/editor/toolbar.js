// @ts-check
/** The row of buttons above the stage. */
import { h, iconButton, set } from "./dom.js";
import { written } from "./shortcuts.js";
import { TOOLS, toolSentence } from "./tools/index.js";
import { FITTED } from "./viewport.js";

export class Toolbar {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    const { t } = editor;
    this.editor = editor;
    const run = (/** @type {string} */ name, /** @type {any[]} */ ...args) => () => {
      /** @type {any} */ (editor.commands)[name](...args);
      editor.focus();
    };
    const menu = (/** @type {string} */ name) => (/** @type {MouseEvent} */ e) =>
      editor.openMenu(name, editor.below(/** @type {HTMLElement} */ (e.currentTarget)));
    this.tools = new Map(TOOLS.map((tool) => [tool.name, iconButton(tool.icon, `${toolSentence(tool.name, t)} (${written(tool)})`, run("tool", tool.name))]));
    this.undo = iconButton("undo", t("tool.undo"), run("undo"));
    this.redo = iconButton("redo", t("tool.redo"), run("redo"));
    this.remove = iconButton("trash", t("tool.remove"), run("remove"));
    this.large = iconButton("large", t("tool.large"), run("large"));
    this.fit = iconButton("fit", t("tool.fit"), run("fit"));
    const popup = { "aria-haspopup": "menu" };
    this.element = h("div", {
      class: "roictrl-toolbar", role: "toolbar", "aria-label": t("tool.label"),
      // Buttons leave the keyboard focus where it is: on the stage.
      onmousedown: (/** @type {Event} */ e) => e.preventDefault(),
    },
    h("div", { class: "roictrl-tools", role: "group", "aria-label": t("tool.tools") }, ...this.tools.values(),
      iconButton("fold", t("tool.tools"), menu("tools"), { ...popup, class: "roictrl-fold" })),
    h("i", {}), this.undo, this.redo, this.remove, h("b", {}),
    iconButton("template", t("tool.templates"), menu("templates"), popup),
    iconButton("picture", t("tool.background"), menu("background"), popup),
    this.fit, this.large,
    iconButton("more", t("tool.more"), menu("more"), popup),
    iconButton("help", t("tool.help"), () => editor.commands.help()));
  }

  update() {
    const { store, view } = this.editor;
    for (const [name, button] of this.tools) set(button, "aria-pressed", String(view.tool === name));
    this.undo.disabled = !store.state.past.length;
    this.redo.disabled = !store.state.future.length;
    set(this.large, "aria-pressed", String(this.editor.large.open));
    this.fit.disabled = view.viewport === FITTED;
    this.remove.disabled = !store.state.selection.length;
  }
}
