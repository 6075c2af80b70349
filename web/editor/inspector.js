// @ts-check
/** The fields of what is selected. Caption first; the rest waits behind "More" with its defaults unseen. */
import { h, set } from "./dom.js";
import { labelled, wordField } from "./fields.js";
import { clamp, fit, minimum } from "./geometry.js";
import { DEFAULTS, MAX_STRENGTH, field } from "./layout.js";
import { PALETTE } from "./palette.js";
import { STEP, scheduled } from "./schedule.js";
import { extent, isPoint } from "./shapes/index.js";
import { TokenCount } from "./tokens.js";

const NUMBERS = /** @type {const} */ ([["strength", 0, MAX_STRENGTH, 0.05], ["start", 0, 1, STEP], ["end", 0, 1, STEP]]);
const PLACES = /** @type {const} */ (["x", "y", "w", "h"]);

export class Inspector {
  /** @param {import("./editor.js").Editor} editor */
  constructor(editor) {
    this.editor = editor;
    const { t } = editor;
    /** @type {Record<string, HTMLInputElement|HTMLTextAreaElement>} */
    this.fields = {};
    /** @type {HTMLInputElement|null} */
    this.done = null;
    this.title = h("div", { class: "roictrl-inspector-title" });
    this.tokens = new TokenCount(editor);
    this.warning = h("div", { class: "roictrl-warning" });
    this.unit = h("button", { type: "button", class: "roictrl-unit", onclick: () => editor.togglePref("percent") });
    this.colors = h("div", { class: "roictrl-colors", role: "group", "aria-label": t("field.color") }, ...PALETTE.map((color, i) =>
      h("button", { type: "button", style: `background:${color}`, "data-color": color, title: t(`color.${i}`), "aria-label": t(`color.${i}`),
        onclick: () => this.patch({ color }) })));
    this.more = h("details", { ontoggle: () => editor.setPref("more", this.more.open) },
      h("summary", {}, t("field.more")),
      this.area("negative"), h("div", { class: "roictrl-grid3" }, ...NUMBERS.map(([key, min, max, step]) => this.number(key, min, max, step))),
      h("div", { class: "roictrl-place" }, ...PLACES.map((key) => this.place(key)), this.unit),
      this.line("label"), this.colors);
    this.element = h("div", { class: "roictrl-inspector", onfocusout: () => editor.sealed() },
      this.title, this.area("caption"), this.tokens.element, this.warning, this.more);
  }

  /** @param {string} key */
  area(key) {
    const { t } = this.editor;
    this.fields[key] = wordField("textarea", this.editor, () => this.typed(key), { rows: 2, spellcheck: "true", placeholder: t(`hint.${key}`) });
    return labelled(key, this.fields[key], t);
  }

  /** @param {string} key */
  line(key) {
    this.fields[key] = wordField("input", this.editor, () => this.typed(key), { type: "text" });
    return labelled(key, this.fields[key], this.editor.t);
  }

  /** @param {string} key @param {number} min @param {number} max @param {number} step */
  number(key, min, max, step) {
    const input = h("input", { type: "number", min, max, step, onchange: () => {
      const value = input.value === "" ? DEFAULTS[key] : Number(input.value);
      if (Number.isFinite(value)) this.setNumber(key, clamp(value, min, max));
      this.update(input);
    } });
    this.fields[key] = input;
    return labelled(key, input, this.editor.t);
  }

  /** @param {string} key @param {number} value */
  setNumber(key, value) {
    if (key === "start" || key === "end") this.setSchedule(key, value);
    else this.patch({ [key]: value });
  }

  /** Start stays before end in every selected box: whichever is typed pushes the other, and that is said. @param {"start"|"end"} key @param {number} value */
  setSchedule(key, value) {
    const { store, t } = this.editor;
    const [other, pushed] = [key === "start" ? "end" : "start", /** @type {number[]} */ ([])];
    store.dispatch({ type: "begin" });
    for (const it of store.selected) {
      const changes = /** @type {Record<string, number>} */ (scheduled(key, value, { start: field(it, "start"), end: field(it, "end") }));
      store.dispatch({ type: "patch", ids: [it.id], changes });
      if (other in changes) pushed.push(changes[other]);
    }
    store.dispatch({ type: "commit" });
    if (pushed.length) this.editor.say(t(`pushed.${other}`, { value: pushed[0] }));
  }

  /** @param {"x"|"y"|"w"|"h"} key */
  place(key) {
    const input = h("input", { type: "number", step: "any", "aria-label": this.editor.t(`field.${key}`), onchange: () => {
      this.setPlace(key, Number(input.value) / this.scale(key));
      this.update(input);
    } });
    this.fields[key] = input;
    return h("label", {}, h("span", { "aria-hidden": "true" }, key.toUpperCase()), input);
  }

  /** What 1 is in the shown unit. @param {"x"|"y"|"w"|"h"} key */
  scale(key) {
    if (this.editor.pref("percent")) return 100;
    return this.editor.size[key === "x" || key === "w" ? "width" : "height"];
  }

  /** @param {"x"|"y"|"w"|"h"} key @param {number} value normalised */
  setPlace(key, value) {
    const { store, size } = this.editor;
    const boxes = Object.fromEntries(store.selected.map((it) => {
      const [x1, y1, x2, y2] = extent(it.fields);
      const v = { x: x1, y: y1, w: x2 - x1, h: y2 - y1, [key]: value };
      if (key === "w") v.w = Math.min(v.w, 1 - x1);
      if (key === "h") v.h = Math.min(v.h, 1 - y1);
      const min = isPoint(it.fields) && v.w + v.h === 0 ? { width: 0, height: 0 } : minimum(size);
      return [it.id, fit([v.x, v.y, v.x + v.w, v.y + v.h], min)];
    }));
    if (Number.isFinite(value)) store.dispatch({ type: "boxes", boxes });
  }

  /** @param {string} key */
  typed(key) {
    const ids = this.editor.store.state.selection;
    this.editor.store.dispatch({ type: "patch", changes: { [key]: this.fields[key].value }, merge: `${key} ${ids.join()}` });
  }

  /** @param {Record<string, any>} changes */
  patch(changes) {
    this.editor.store.dispatch({ type: "patch", changes });
  }

  focusCaption() {
    this.update(); // the selection may be newer than the last frame
    this.fields.caption.focus({ preventScroll: true });
    this.fields.caption.select();
  }

  /** @param {HTMLInputElement|null} [done] the number that has just been typed to its end */
  update(done = null) {
    const { store, t } = this.editor;
    this.done = done;
    const chosen = store.selected;
    this.element.hidden = !chosen.length;
    if (!chosen.length) return;
    const index = store.state.doc.items.indexOf(chosen[0]);
    this.title.textContent = chosen.length > 1 ? t("field.several", { n: chosen.length }) : t("field.box", { n: index + 1 });
    this.warning.textContent = chosen.length > 1 ? "" : this.editor.report.sentences(chosen[0].id);
    this.warning.hidden = !this.warning.textContent;
    for (const key of ["caption", "negative", "label"]) this.show(key, chosen.map((it) => field(it, key)));
    for (const [key] of NUMBERS) this.show(key, chosen.map((it) => field(it, key)));
    for (const key of PLACES) this.show(key, chosen.map((it) => this.placeOf(extent(it.fields), key)));
    this.tokens.show(this.fields.caption.value);
    this.unit.textContent = this.editor.pref("percent") ? "%" : "px";
    set(this.unit, "title", t("field.unit"));
    if (this.more.open !== this.editor.pref("more")) this.more.open = this.editor.pref("more");
    for (const button of this.colors.children) set(button, "aria-pressed", String(chosen.every((it) => field(it, "color") === button.getAttribute("data-color"))));
  }

  /** @param {number[]} b @param {"x"|"y"|"w"|"h"} key */
  placeOf(b, key) {
    const value = { x: b[0], y: b[1], w: b[2] - b[0], h: b[3] - b[1] }[key] * this.scale(key);
    return this.editor.pref("percent") ? Math.round(value * 10) / 10 : Math.round(value);
  }

  /** The shared value, or nothing where the selected boxes differ. @param {string} key @param {any[]} values */
  show(key, values) {
    const shared = values.every((v) => v === values[0]) ? String(values[0]) : "";
    const input = this.fields[key];
    const typing = input.type === "number" && input === document.activeElement && input !== this.done;
    if (input.value !== shared && !typing) input.value = shared;
  }
}
