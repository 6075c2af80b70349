// @ts-check
/**
 * The list of boxes: select, reorder by dragging, mute, solo, lock, hide.
 *
 * For assistive technology it is a listbox whose options are reached by the arrows in it, or through the stage's keyboard
 * focus (aria-activedescendant); the small buttons of a row are a mouse's short way to commands that have keys and menu entries.
 */
import { boxName, boxSentence } from "./a11y.js";
import { h, icon, set } from "./dom.js";
import { isSolo } from "./edits.js";
import { field } from "./layout.js";
import { colorOf, inkOn } from "./palette.js";
import { kindsOf } from "./shapes/index.js";

const SLOP = 4;
/** From the list's ends inward, and a step of scrolling. CSS pixels. */
const EDGE = 14;
let lists = 0;

export class List {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    this.name = `roictrl-list-${++lists}`;
    /** Which row was scrolled to last, from where and in how much room. */
    this.shown = "";
    /** @type {Map<string, {row: HTMLElement, seen: any[]}>} */
    this.rows = new Map();
    /** @type {{id: string, y: number, moved: boolean, to: number}|null} a row being dragged */
    this.drag = null;
    this.element = h("div", {
      class: "roictrl-list", role: "listbox", id: this.name, tabindex: 0, "aria-label": editor.t("list.label"), "aria-multiselectable": "true",
      onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
      onpointermove: (/** @type {PointerEvent} */ e) => this.move(e), onpointerup: (/** @type {PointerEvent} */ e) => this.up(e),
      onpointercancel: () => this.drop(null),
      // Here and by place: a captured pointer's clicks are the list's, not a row's.
      ondblclick: (/** @type {MouseEvent} */ e) => this.doubleClick(e),
    });
  }

  /** @param {string} id */
  optionId(id) {
    return `${this.name}-${id}`;
  }

  update() {
    const { doc, selection } = this.editor.store.state;
    const kept = new Set(doc.items.map((it) => it.id));
    for (const [id, { row }] of this.rows) {
      if (kept.has(id)) continue;
      row.remove();
      this.rows.delete(id);
    }
    doc.items.forEach((it, i) => this.updateRow(it, i, selection.includes(it.id)));
    const chosen = selection.at(-1);
    set(this.editor.view.focus, "aria-controls", this.name);
    for (const element of [this.editor.view.focus, this.element]) set(element, "aria-activedescendant", chosen && this.optionId(chosen));
  }

  /** The row of the last chosen box into view, where box, place or room is another one than before; after the inspector,
   * which takes its room from the list.  Only the list scrolls: scrollIntoView would move ComfyUI's canvas as well. */
  reveal() {
    const chosen = this.editor.state.selection.at(-1) ?? "";
    const row = this.rows.get(chosen)?.row;
    const { scrollTop, clientHeight } = this.element;
    const top = row ? row.offsetTop - this.element.offsetTop : 0;
    const shown = [chosen, top, clientHeight].join();
    if (row && !this.drag && this.shown !== shown) {
      this.element.scrollTop = Math.min(top, Math.max(scrollTop, top + row.offsetHeight - clientHeight));
    }
    this.shown = shown;
  }

  /** A row is made anew only when what it shows changed. @param {import("./layout.js").Item} it @param {number} i @param {boolean} selected */
  updateRow(it, i, selected) {
    const solo = isSolo(this.editor.store.state.doc, [it.id]);
    const seen = [it.fields, i, selected, solo, this.editor.report.sentences(it.id)];
    const known = this.rows.get(it.id);
    let row = known?.row;
    if (!known || known.seen.some((v, n) => v !== seen[n])) {
      row = this.row(it, i, selected, solo);
      known?.row.replaceWith(row);
      this.rows.set(it.id, { row, seen });
    }
    if (row && this.element.children[i] !== row) this.element.insertBefore(row, this.element.children[i] ?? null);
  }

  /** @param {import("./layout.js").Item} it @param {number} i @param {boolean} selected @param {boolean} solo */
  row(it, i, selected, solo) {
    const { t, size } = this.editor;
    const color = colorOf(field(it, "color"), i);
    const warned = this.editor.report.sentences(it.id);
    const caption = field(it, "caption").trim() || field(it, "label");
    return h("div", {
      class: `roictrl-row${selected ? " selected" : ""}${field(it, "enabled") ? "" : " muted"}`, "data-id": it.id,
      role: "option", id: this.optionId(it.id), "aria-selected": String(selected),
      "aria-label": [boxSentence(it, i, size, t), warned].filter(Boolean).join(". "),
      title: warned || boxName(it, i, t),
      onpointerdown: (/** @type {PointerEvent} */ e) => this.down(e, it.id),
    }, h("span", { class: "roictrl-swatch", style: `background:${color};color:${inkOn(color)}` }, String(i + 1)),
    " ", // so that what is seen is found in what is said
    h("span", { class: `roictrl-name${caption ? "" : " none"}`, dir: "auto" }, caption || t("list.noCaption")),
    ...kindsOf(it.fields).map((kind) => kind.icon && h("span", { class: "roictrl-mark", "aria-hidden": "true", title: t(`shape.${kind.name}`) }, icon(kind.icon))),
    warned ? h("span", { class: "roictrl-warn" }, "!") : null,
    ...[
      this.toggle(it, "on", "enabled", field(it, "enabled") ? "list.mute" : "list.unmute", !field(it, "enabled")),
      this.toggle(it, "solo", "solo", "list.solo", solo),
      this.toggle(it, field(it, "locked") ? "lock" : "unlock", "locked", field(it, "locked") ? "list.unlock" : "list.lock", field(it, "locked")),
      this.toggle(it, field(it, "hidden") ? "eyeOff" : "eye", "hidden", field(it, "hidden") ? "list.show" : "list.hide", field(it, "hidden")),
    ]);
  }

  /** @param {import("./layout.js").Item} it @param {string} picture @param {string} what @param {string} label @param {boolean} active */
  toggle(it, picture, what, label, active) {
    return h("span", {
      class: `roictrl-toggle${active ? " active" : ""}`, "aria-hidden": "true", title: this.editor.t(label), "data-what": what,
      onpointerdown: (/** @type {Event} */ e) => e.stopPropagation(),
      onclick: () => {
        if (what === "solo") this.editor.commands.solo([it.id]);
        else this.editor.commands.toggle(what, [it.id]);
      },
    }, icon(picture));
  }

  /** The arrows walk through the boxes here, Enter goes to the caption; all else is as on the stage. @param {KeyboardEvent} e */
  key(e) {
    const { commands, panel } = this.editor;
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (e.ctrlKey || e.metaKey || e.altKey || e.shiftKey) return;
    if (step) commands.walk(step);
    else if (e.key === "Enter" && this.editor.state.selection.length) panel.inspector.focusCaption();
    else return;
    e.preventDefault();
    e.stopPropagation();
  }

  /** To the caption's field. @param {MouseEvent} e */
  doubleClick(e) {
    const onRow = [...this.element.children].some((row) => row.getBoundingClientRect().bottom > e.clientY);
    if (onRow && !(/** @type {Element} */ (e.target).closest(".roictrl-toggle"))) this.editor.panel.inspector.focusCaption();
  }

  /** @param {PointerEvent} e @param {string} id */
  down(e, id) {
    if (e.button) return;
    const { store } = this.editor;
    const { selection } = store.state;
    const added = e.shiftKey || e.ctrlKey || e.metaKey;
    if (added) store.dispatch({ type: "select", ids: selection.includes(id) ? selection.filter((s) => s !== id) : [...selection, id] });
    else if (!selection.includes(id)) store.dispatch({ type: "select", ids: [id] });
    this.drag = { id, y: e.clientY, moved: false, to: -1 };
    this.element.setPointerCapture(e.pointerId);
  }

  /** @param {PointerEvent} e */
  move(e) {
    const { drag } = this;
    if (!drag || (!drag.moved && Math.abs(e.clientY - drag.y) < SLOP)) return;
    drag.moved = true;
    this.scrollAlong(e);
    const rows = [...this.element.children];
    const over = rows.findIndex((row) => {
      const r = row.getBoundingClientRect();
      return e.clientY < r.top + r.height / 2;
    });
    drag.to = over < 0 ? rows.length : over;
    rows.forEach((row, i) => {
      row.classList.toggle("drop-before", i === drag.to);
      row.classList.toggle("drop-after", i === rows.length - 1 && drag.to === rows.length);
    });
  }

  /** A row dragged to the list's end goes on to what is out of sight. @param {PointerEvent} e */
  scrollAlong(e) {
    const { top, bottom } = this.element.getBoundingClientRect();
    if (e.clientY < top + EDGE) this.element.scrollTop -= EDGE;
    if (e.clientY > bottom - EDGE) this.element.scrollTop += EDGE;
  }

  /** @param {PointerEvent} e */
  up(e) {
    this.drop(e);
    this.editor.focus();
  }

  /** @param {PointerEvent|null} e null: interrupted */
  drop(e) {
    const { drag } = this;
    this.drag = null;
    for (const row of this.element.children) row.classList.remove("drop-before", "drop-after");
    if (!e || !drag) return;
    const { store } = this.editor;
    if (!drag.moved) {
      if (!(e.shiftKey || e.ctrlKey || e.metaKey)) store.dispatch({ type: "select", ids: [drag.id] });
      return;
    }
    const { doc, selection } = store.state;
    const before = doc.items.slice(0, drag.to).filter((it) => selection.includes(it.id)).length;
    store.dispatch({ type: "order", ids: selection, to: drag.to - before });
  }
}
