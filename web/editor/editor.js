// @ts-check
/**
 * One editor: the text of a layout, its picture on the stage, and the parts around it.
 *
 * All state lives in `text`, which is the widget's value.  What surrounds the editor (the node, the graph, the server)
 * comes in as a Host, so that nothing here knows ComfyUI.
 *
 * @typedef {object} Host
 * @property {() => import("./geometry.js").Size|null} size of the picture; null where it cannot be told
 * @property {() => "node"|"image"|"later"} sizeFrom what decides over it; later: an image that is not known before it is made
 * @property {boolean} sizeIsOwn the node's own widgets decide over it
 * @property {(size: import("./geometry.js").Size) => void} setSize where they do
 * @property {() => void} changed the text changed
 * @property {() => void} captureUndo a step is complete, and one for the graph's own undo
 * @property {(e: WheelEvent) => void} wheel turned over the stage and not meant for it
 * @property {(e: TouchEvent) => void} touched fingers came down on the stage
 * @property {() => boolean} pointsUnread none of the methods that the layout goes to reads points and scribbles
 * @property {() => boolean} readByClip a method that the layout goes to reads captions by CLIP
 * @property {() => boolean} hasBoxes boxes come from elsewhere
 * @property {() => Promise<import("./report.js").Output>} connectedBoxes those, by running only what they hang on
 * @property {() => boolean} linked the text comes through a link
 * @property {() => string} connectedImage address, or ""
 * @property {() => string} resultImage address, or ""
 * @property {(file: any) => string} viewUrl address of a file in one of ComfyUI's folders
 * @property {(file: File) => Promise<any>} uploadImage
 * @property {import("./io.js").Fetch} fetchApi
 * @property {(size: import("./geometry.js").Size|null) => void} connectedSize pixels of the connected picture, once known
 * @property {() => Promise<string>} readTemplates
 * @property {(text: string) => Promise<void>} writeTemplates
 */
import { saidChange } from "./a11y.js";
import { Background, DIM } from "./background.js";
import { createCommands } from "./commands.js";
import { h } from "./dom.js";
import { Help } from "./help.js";
import { Large } from "./large.js";
import { LayoutError, emptyDoc, field, parse } from "./layout.js";
import { Menu } from "./menu.js";
import { MENUS } from "./menus.js";
import { Notices } from "./notices.js";
import { Offer } from "./offer.js";
import { Panel } from "./panel.js";
import { Report } from "./report.js";
import { shortcutFor } from "./shortcuts.js";
import { Store, toText } from "./state.js";
import { OwnTemplates } from "./templates.js";
import { Toolbar } from "./toolbar.js";
import { BRUSH_PX } from "./tools/brush.js";
import { Transfer } from "./transfer.js";
import { View } from "./view.js";
import { warnings } from "./warnings.js";

/** Below how many CSS pixels the panel goes under the stage, and the toolbar shows the present tool alone. */
const WIDTHS = { narrow: 470, folded: 520 };

/** @type {Record<string, any>} */
const PREFS = { snap: true, grid: false, dim: DIM, percent: false, more: false, brush: BRUSH_PX };

export class Editor {
  /** @param {Host} host @param {import("./i18n.js").Translate} t */
  constructor(host, t) {
    this.host = host;
    this.t = t;
    this.text = "";
    /** @type {LayoutError|null} why `text` cannot be edited */
    this.broken = null;
    /** @type {Map<string, import("./warnings.js").Warning[]>} */
    this.warnings = new Map();
    this.store = new Store(undefined, () => host.captureUndo());
    this.saved = this.store.state;
    this.outside = "";
    this.pointsUnread = this.readByClip = false;
    // While the focus is in here, Nodes 2.0 leaves the wheel to us; else all of it is the graph's.  An empty title, as the
    // browser would show the one that ComfyUI gives what is around this, over the boxes.
    this.root = h("div", { class: "roictrl widget-expands", "data-capture-wheel": "true", title: "" });
    this.view = new View(this);
    this.commands = createCommands(this);
    this.background = new Background(this);
    this.report = new Report(this);
    this.offer = new Offer(this);
    this.templates = new OwnTemplates(this);
    this.panel = new Panel(this);
    this.toolbar = new Toolbar(this);
    this.menu = new Menu(this.root, () => this.focus());
    this.help = new Help(this.root, t, () => this.focus());
    this.large = new Large(this.root, t, () => this.focus());
    this.status = h("div", { class: "roictrl-status", role: "status", "aria-live": "polite" });
    this.sizeLabel = h("button", { type: "button", class: "roictrl-size", title: t("tool.size"), "aria-haspopup": "menu",
      onclick: () => this.openMenu("size", this.below(this.sizeLabel)) });
    this.notices = new Notices(t);
    this.root.append(this.toolbar.element, h("div", { class: "roictrl-body" }, this.view.stage, this.panel.element), this.notices.element,
      h("div", { class: "roictrl-foot" }, this.status, this.sizeLabel));
    this.transfer = new Transfer(this);
    this.root.addEventListener("keydown", (e) => this.key(e));
    for (const name of ["pointerdown", "pointermove", "pointerup"]) this.root.addEventListener(name, (e) => e.stopPropagation());
    this.widths = new ResizeObserver(() => {
      for (const [name, width] of Object.entries(WIDTHS)) this.root.classList.toggle(name, this.root.clientWidth < width);
      if (this.large.open) this.large.settle();
    });
    this.widths.observe(this.root);
    this.store.subscribe((state, before, action) => this.changed(state, before, action));
    this.setText("");
    void this.templates.load();
  }

  get state() {
    return this.store.state;
  }

  /** The picture's size in pixels: what the node says, else what the layout says. */
  get size() {
    const { width, height } = this.store.state.doc.head;
    return this.host.size() ?? { width, height };
  }

  get readOnly() {
    return this.broken !== null || this.host.linked();
  }

  /** @param {string} id */
  find(id) {
    return this.state.doc.items.find((it) => it.id === id);
  }

  /** The widget's value from outside: loaded, undone by the graph, set by a script. Kept to the letter. @param {string} text */
  setText(text) {
    if (text === this.text && this.saved === this.state) return;
    this.view.abandon();
    this.view.caption.close();
    let doc = emptyDoc();
    this.broken = null;
    try {
      doc = parse(text);
    } catch (error) {
      this.broken = /** @type {LayoutError} */ (error);
    }
    this.text = text;
    this.store.dispatch({ type: "load", doc });
    this.report.showBroken();
    this.refresh();
  }

  /** @param {import("./state.js").State} state @param {import("./state.js").State} before @param {import("./state.js").Action} action */
  changed(state, before, action) {
    this.invalidate();
    if (action.type === "load") return void (this.saved = state);
    const said = saidChange(state, before, this.size, this.t);
    if (said) this.say(said);
    if (!state.open && (state.doc !== this.saved.doc || state.prefs !== this.saved.prefs)) this.save();
  }

  save() {
    if (this.broken) return; // only setText replaces a text that could not be read
    const { doc, prefs } = this.state;
    const head = { ...doc.head, ...this.size };
    this.text = toText({ ...this.state, doc: { ...doc, head }, prefs });
    this.saved = this.state;
    this.host.changed();
  }

  /** Look again at what lies outside: size, pictures, links. Paints only where something is new. */
  refresh() {
    this.view.measured = null;
    this.pointsUnread = this.host.pointsUnread();
    this.readByClip = this.host.readByClip();
    this.background.refresh();
    if (this.around !== this.outside) this.invalidate();
  }

  /** What is painted of that, to compare. */
  get around() {
    return JSON.stringify([this.size, this.host.sizeFrom(), this.host.sizeIsOwn, this.readOnly, this.pointsUnread, this.readByClip, this.report.ghostKey, this.view.sharpness]);
  }

  /** What there is to warn of now: here, and by what was said after a run. */
  assess() {
    const { gestures, caption } = this.view;
    this.warnings = warnings(this.state.doc, this.size, gestures.making ?? caption.id, this.pointsUnread);
    for (const id of this.report.notes.keys()) if (!this.warnings.has(id) && this.report.of(id).length) this.warnings.set(id, []);
  }

  /** What is to be painted. @param {import("./canvas.js").Frame} frame @returns {import("./draw.js").Scene} */
  scene(frame) {
    const { gestures, caption } = this.view;
    return {
      frame, size: this.size, items: this.state.doc.items, selection: this.state.selection, editing: caption.id,
      hovered: gestures.name === "idle" ? this.view.hovered : null, warnings: this.warnings,
      ghosts: this.report.ghosts.map((it) => it.box), background: this.background.image, dim: this.pref("dim"), grid: this.pref("grid"), gestures,
    };
  }

  /** After each paint: the parts around the stage. */
  rendered() {
    this.outside = this.around;
    for (const part of [this.toolbar.element, this.panel.element]) part.inert = this.readOnly;
    this.view.focus.disabled = this.readOnly;
    this.toolbar.update();
    // Nothing around the stage may change its size while a gesture measures by it.
    if (!this.state.open) this.panel.update();
    this.report.update();
    const { zoom } = this.view.viewport;
    const size = this.t(`size.${this.host.sizeFrom()}`, this.size);
    this.sizeLabel.textContent = `${size}${zoom > 1 ? `  ${Math.round(zoom * 100)} %` : ""}`;
    this.sizeLabel.disabled = !this.host.sizeIsOwn;
    this.view.empty.hidden = this.state.doc.items.length > 0 || this.readOnly || this.report.ghosts.length > 0 || this.view.gestures.active;
    this.view.empty.classList.toggle("over", this.background.image !== null);
    if (!this.view.empty.hidden) this.view.empty.replaceChildren(...this.invitation());
  }

  /** What stands on an empty stage: what to do there with the present tool. */
  invitation() {
    const { t, view: { tool } } = this;
    const how = tool === "select" ? [h("strong", {}, t("empty.title"))] : [h("strong", {}, t(`tools.${tool}`)), h("span", {}, t(`how.${tool}`))];
    return [...how, h("span", {}, t("empty.text"))];
  }

  /** New boxes from outside, as one step. @param {import("./layout.js").Fields[]} list @param {import("./geometry.js").Box[]} [boxes] where each goes, with its shapes */
  insert(list, boxes) {
    if (!list.length || this.readOnly) return;
    this.store.dispatch({ type: "add", boxes, list: list.map(({ locked, ...fields }) => /** @type {any} */ (fields)) });
  }

  /** @param {string} id @param {string} key @param {string} value */
  type(id, key, value) {
    this.store.dispatch({ type: "patch", ids: [id], changes: { [key]: value }, merge: `${key} ${id}` });
  }

  /** Typing or nudging has come to an end. */
  sealed() {
    this.store.dispatch({ type: "seal" });
  }

  /** @param {string} key */
  pref(key) {
    return this.state.prefs[key] ?? PREFS[key];
  }

  /** The default is left out. @param {string} key @param {any} value */
  setPref(key, value) {
    if (value === PREFS[key]) value = undefined;
    if (this.state.prefs[key] !== value) this.store.dispatch({ type: "prefs", changes: { [key]: value } });
  }

  /** @param {string} key */
  togglePref(key) {
    this.setPref(key, !this.pref(key));
  }

  /** @param {KeyboardEvent} e */
  key(e) {
    const typing = e.target !== this.view.focus && /** @type {Element} */ (e.target).matches("input, textarea");
    // Plain keys typed in here are never the graph's; combinations such as Ctrl+Enter (queue) are.
    if (!e.ctrlKey && !e.metaKey) e.stopPropagation();
    else if (typing) this.host.captureUndo(); // it may open another workflow, for which older pages keep what was captured last
    if (typing || e.isComposing || this.readOnly) return;
    const found = shortcutFor(e);
    if (!found || (e.target !== this.view.focus && ["Tab", "Shift+Tab", "Enter"].includes(found.key))) return;
    const done = /** @type {any} */ (this.commands)[found.command](...(found.args ?? []));
    if (done === false) return;
    e.preventDefault();
    e.stopPropagation();
  }

  focus() {
    this.view.focus.focus({ preventScroll: true });
  }

  invalidate() {
    this.view?.invalidate();
  }

  /** @param {string} name @param {{x: number, y: number}} at in the root's CSS pixels */
  openMenu(name, at) {
    this.menu.open(at, MENUS[name](this), this.t(`menu.${name}`));
  }

  /** @param {{clientX: number, clientY: number}} e */
  localToRoot(e) {
    const rect = this.root.getBoundingClientRect();
    const scale = rect.width / this.root.offsetWidth || 1;
    return { x: (e.clientX - rect.left) / scale, y: (e.clientY - rect.top) / scale };
  }

  /** @param {HTMLElement} element */
  below(element) {
    const rect = element.getBoundingClientRect();
    return this.localToRoot({ clientX: rect.left, clientY: rect.bottom });
  }

  /** @param {string} sentence for the live region */
  say(sentence) {
    this.status.textContent = sentence;
    this.status.title = sentence; // where it is cut
  }
}
