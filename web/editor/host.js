// @ts-check
/**
 * The editor's surroundings inside ComfyUI: the node, its links, the graph's undo, the server.
 *
 * What an editor knows of ComfyUI's frontend goes through here.  Beside it, `graph.js` walks the graph, `promote.js` shows an
 * editor on a subgraph's node, and `sent.js` goes over the prompt.  What differs between versions is found by feature test.
 *
 * @typedef {import("./geometry.js").Size} Size
 */
import { boxesOf, hasBoxes } from "./fill.js";
import { contains, linkOf, originOf, reachable, widgetOf, widgetValue } from "./graph.js";
import { pointsUnread, readByClip } from "./methods.js";

/** Private, so that no widget of ComfyUI's own answers to it; the node's input names it as its `widgetType`. */
export const WIDGET = "ROICTRL_BOX_EDITOR";
const TEMPLATES = "roictrl/templates.json";
const UPLOADS = "roictrl";
const SIDES = /** @type {const} */ (["width", "height"]);

export class ComfyHost {
  /** @param {any} node @param {string} inputName of the widget @param {any} app @param {any} api
   * @param {any} [owner] the node that shows the editor: the subgraph's own where the widget is promoted */
  constructor(node, inputName, app, api, owner = node) {
    this.node = node;
    this.owner = owner;
    this.inputName = inputName;
    this.app = app;
    this.api = api;
    /** @type {any} set once the widget exists */
    this.widget = null;
    /** @type {Size|null} */
    this.picture = null;
    /** @type {any} the last picture that any node of the workflow made */
    this.lastImage = null;
    this.fetchApi = (/** @type {string} */ path, /** @type {any} */ init) => api.fetchApi(path, init);
  }

  /** @returns {Size|null} */
  size() {
    if (this.picture && this.imageDecides) return this.picture;
    const [width, height] = SIDES.map((side) => Number(widgetValue(this.node, side)));
    return width >= 1 && height >= 1 ? { width: Math.round(width), height: Math.round(height) } : null;
  }

  get imageDecides() {
    return !!linkOf(this.node, "image") && widgetValue(this.node, "size_from_image") !== false;
  }

  /** Whether the node's own widgets, and nothing linked, decide over the size. */
  get sizeIsOwn() {
    return !this.imageDecides && SIDES.every((side) => widgetOf(this.node, side) && !linkOf(this.node, side));
  }

  /** By the node's own widgets, as a step for the graph's undo. @param {Size} size */
  setSize(size) {
    for (const side of SIDES) {
      const widget = widgetOf(this.node, side);
      widget.value = size[side];
      widget.callback?.(widget.value);
    }
    this.captureUndo();
  }

  /** What decides over the size; an image that is made only by the run does so unseen. */
  sizeFrom() {
    if (!this.imageDecides) return "node";
    return this.picture ? "image" : "later";
  }

  /** @param {Size|null} size */
  connectedSize(size) {
    this.picture = size;
  }

  changed() {
    this.widget?.callback?.(this.widget.value);
    this.node.graph?.setDirtyCanvas?.(true, false);
  }

  /** Not while the graph is being emptied for another one: a field that is taken away loses the focus, and what is left of
   * the graph by then would become the last state of the workflow that is being left. */
  captureUndo() {
    if (!contains(this.app.rootGraph ?? this.app.graph, this.owner)) return;
    const tracker = this.app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
    if (tracker?.captureCanvasState) tracker.captureCanvasState();
    else tracker?.checkState?.();
  }

  /** To the graph: the classic renderer's canvas lies under the element, and Nodes 2.0 passes on only what it holds back. @param {WheelEvent} e */
  wheel(e) {
    e.preventDefault();
    e.stopPropagation();
    this.app.canvas.canvas.dispatchEvent(new WheelEvent(e.type, e));
  }

  /** Two fingers are the stage's: the graph's own zooming listens before anything here, and ends at a touch without a finger. @param {TouchEvent} e */
  touched(e) {
    if (e.touches.length > 1) e.target?.dispatchEvent(new TouchEvent("touchstart", { bubbles: true }));
  }

  /** The layout goes to methods, and none of them reads points and scribbles. */
  pointsUnread() {
    return pointsUnread(this.node, this.app.rootGraph ?? this.app.graph);
  }

  /** The layout goes to a method that reads captions by CLIP. */
  readByClip() {
    return readByClip(this.node, this.app.rootGraph ?? this.app.graph);
  }

  /** Boxes come from elsewhere. */
  hasBoxes() {
    return hasBoxes(this.node);
  }

  /** These boxes now, by running only what they hang on. */
  connectedBoxes() {
    return boxesOf(this.node, this.app, this.api);
  }

  linked() {
    return !!linkOf(this.node, this.inputName);
  }

  /** The connected picture before a run, where its source shows one: a file that was chosen, or what it made last. */
  connectedImage() {
    const source = originOf(this.node, "image");
    if (!source) return "";
    const chosen = source.node.widgets?.find((/** @type {any} */ w) => w.name === "image" && typeof w.value === "string");
    if (chosen) return this.viewUrl(fileOf(chosen.value));
    const made = this.imagesOf(source.node);
    return made ? this.viewUrl(made[0]) : source.node.imgs?.[0]?.src ?? "";
  }

  /** The last picture that was made of this layout; else the last one that was made. */
  resultImage() {
    const made = reachable(this.node).map((node) => this.imagesOf(node)?.[0]).filter(Boolean).at(-1) ?? this.lastImage;
    return made ? this.viewUrl(made) : "";
  }

  /** @param {any} node @returns {any[]|undefined} */
  imagesOf(node) {
    const outputs = this.app.nodeOutputs ?? {};
    const output = outputs[`${node.graph?.id}:${node.id}`] ?? outputs[String(node.id)];
    return output?.images?.length ? output.images : undefined;
  }

  /** @param {{name?: string, filename?: string, subfolder?: string, type?: string}} file */
  viewUrl({ name, filename = name, subfolder = "", type = "input" }) {
    const query = new URLSearchParams({ filename: String(filename), subfolder, type });
    return this.api.apiURL(`/view?${query}`);
  }

  /** @param {File} file */
  async uploadImage(file) {
    const body = new FormData();
    body.append("image", file, file.name || "pasted.png");
    body.append("subfolder", UPLOADS);
    body.append("type", "input");
    const response = await this.api.fetchApi("/upload/image", { method: "POST", body });
    if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
    return response.json();
  }

  async readTemplates() {
    const response = await this.api.getUserData(TEMPLATES);
    return response.status === 200 ? response.text() : "";
  }

  /** @param {string} text */
  async writeTemplates(text) {
    await this.api.storeUserData(TEMPLATES, text, { overwrite: true, stringify: false, throwOnError: true });
  }
}

/** The editor stays as wide as its node: newer pages show a widget in their properties panel as well, leave that panel's
 * width on it, and in the classic renderer it would keep that. @param {any} widget */
export function asWideAsNode(widget) {
  Object.defineProperty(widget, "width", { configurable: true, enumerable: true, get: () => undefined, set() {} });
  return widget;
}

/** LoadImage writes "folder/name.png [input]". @param {string} value */
function fileOf(value) {
  const [, path, type = "input"] = /^(.*?)(?: \[(\w+)\])?$/.exec(value) ?? ["", value];
  const slash = path.lastIndexOf("/");
  return { filename: path.slice(slash + 1), subfolder: path.slice(0, Math.max(0, slash)), type };
}
