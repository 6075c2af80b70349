// @ts-check
/**
 * A menu inside the editor: mouse, touch and keyboard; closes when the focus leaves it.
 *
 * @typedef {{label?: string, run?: () => void, keys?: string, opens?: boolean, checked?: boolean, radio?: boolean, disabled?: boolean, heading?: string,
 *   range?: {value: number, min: number, max: number, step: number, change: (value: number) => void}}} Entry
 *   an entry with neither label nor heading is a separating line; radio: one of several of which one is checked;
 *   opens: another menu, in its place; ranges come last
 */
import { h } from "./dom.js";

export class Menu {
  /** @param {HTMLElement} root where it opens @param {() => void} closed where the focus goes afterwards */
  constructor(root, closed) {
    this.root = root;
    this.closed = closed;
    /** Where it was opened last. */
    this.at = { x: 0, y: 0 };
    /** @type {HTMLElement|null} */
    this.element = null;
  }

  /** @param {{x: number, y: number}} at in the root's own CSS pixels @param {Entry[]} entries @param {string} label */
  open(at, entries, label) {
    this.element?.remove();
    this.at = at;
    const element = h("div", {
      class: "roictrl-menu", tabindex: -1,
      onkeydown: (/** @type {KeyboardEvent} */ e) => this.key(e),
      oncontextmenu: (/** @type {Event} */ e) => e.preventDefault(), // of the key that opened it
      onfocusout: (/** @type {FocusEvent} */ e) => {
        if (!element.contains(/** @type {Node|null} */ (e.relatedTarget))) this.close(false);
      },
    },
    h("div", { role: "menu", "aria-label": label }, ...entries.filter((entry) => !entry.range).map((entry) => this.entry(entry))),
    ...entries.map((entry) => entry.range && this.range(entry.label, entry.range))); // no menu may hold a slider
    this.element = element;
    this.root.append(element);
    element.style.left = `${Math.max(4, Math.min(at.x, this.root.clientWidth - element.offsetWidth - 4))}px`;
    element.style.top = `${Math.max(4, Math.min(at.y, this.root.clientHeight - element.offsetHeight - 4))}px`;
    (this.items[0] ?? element).focus({ preventScroll: true });
  }

  /** @param {boolean} [refocus] */
  close(refocus = true) {
    const { element } = this;
    this.element = null;
    element?.remove();
    if (element && refocus) this.closed();
  }

  /** @returns {HTMLElement[]} */
  get items() {
    return this.element ? [...this.element.querySelectorAll("button, input")].map((e) => /** @type {HTMLElement} */ (e))
      .filter((e) => !/** @type {HTMLButtonElement} */ (e).disabled) : [];
  }

  /** @param {Entry} entry */
  entry({ label, run, keys, opens, checked, radio, disabled, heading }) {
    if (heading) return h("div", { class: "roictrl-menu-heading", role: "presentation" }, heading);
    if (!label) return h("div", { class: "roictrl-menu-line", role: "separator" });
    const known = checked !== undefined;
    return h("button", {
      type: "button", role: known ? (radio ? "menuitemradio" : "menuitemcheckbox") : "menuitem", "aria-checked": known && String(checked), "aria-haspopup": opens && "menu", disabled,
      onclick: () => {
        this.close();
        run?.();
      },
    }, h("span", { class: "roictrl-check" }, checked ? "✓" : ""), h("span", { class: "roictrl-label" }, label),
    keys ? h("kbd", {}, keys) : opens ? h("span", { "aria-hidden": "true" }, "›") : null);
  }

  /** @param {string|undefined} label @param {NonNullable<Entry["range"]>} range */
  range(label, { change, value, ...limits }) {
    // The value last: until its limits and step are known, a slider rounds to whole numbers.
    return h("label", { class: "roictrl-menu-range" }, label, h("input", {
      type: "range", ...limits, value, oninput: (/** @type {any} */ e) => change(Number(e.target.value)),
    }));
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    e.stopPropagation();
    const { items } = this;
    const at = items.indexOf(/** @type {HTMLElement} */ (document.activeElement));
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) items[(at + step + items.length) % items.length]?.focus();
    else if (e.key === "Escape" || e.key === "Tab") this.close();
    else return;
    e.preventDefault();
  }
}
