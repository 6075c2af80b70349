// @ts-check
/**
 * The pack's page part: gives the `layout` widget of Instance Box Prompt its canvas.
 *
 * ComfyUI imports every .js file below this folder; all but this one only define things.  They are no .mjs files, as
 * ComfyUI lets browsers keep those for days: after an update old and new modules would mix.
 */
// @ts-ignore -- served by ComfyUI
import { api } from "../../scripts/api.js";
// @ts-ignore -- served by ComfyUI
import { app } from "../../scripts/app.js";
import { h } from "./editor/dom.js";
import { Editor } from "./editor/editor.js";
import { makersOf } from "./editor/graph.js";
import { ComfyHost, WIDGET, asWideAsNode } from "./editor/host.js";
import { chain, translator } from "./editor/i18n.js";
import { cameBy, sentence } from "./editor/notes.js";
import { showPromoted } from "./editor/promote.js";
import { sendPlain } from "./editor/sent.js";

/** Size of a new node's editor; it may be made narrower, not lower. */
const SIZE = { width: 660, height: 440 };
/** That the classic renderer leaves free around it. */
const MARGIN = 6;

/** @type {Set<{editor: Editor, host: ComfyHost}>} the editors of nodes that are in a graph */
const living = new Set();

/** @param {any} object @param {string} name @param {(...args: any[]) => void} after */
function chained(object, name, after) {
  const before = object[name];
  object[name] = function (/** @type {any[]} */ ...args) {
    const result = before?.apply(this, args);
    after(...args);
    return result;
  };
}

/** What ComfyUI asks of a widget made of an element. @param {Editor} editor */
const optionsOf = (editor) => ({
  getValue: () => editor.text, setValue: (/** @type {any} */ text) => editor.setText(String(text ?? "")),
  getMinHeight: () => SIZE.height + 2 * MARGIN, hideOnZoom: false, margin: MARGIN,
});

/** An editor with its style sheet. @param {ComfyHost} host */
function dressed(host) {
  const editor = new Editor(host, t);
  editor.root.prepend(h("style", {}, css));
  return editor;
}

/** @param {any} node @param {string} name @param {string} text to begin with */
function addEditor(node, name, text) {
  const host = new ComfyHost(node, name, app, api);
  const editor = dressed(host);
  const widget = asWideAsNode(node.addDOMWidget(name, WIDGET, editor.large.home, optionsOf(editor)));
  editor.setText(text);
  host.widget = widget;
  widget.roictrl = editor;
  keep(node, editor, host);
  hear(node, editor);
  chained(node, "onConnectionsChange", () => queueMicrotask(() => editor.refresh()));
  for (const other of node.widgets ?? []) if (other !== widget) chained(other, "callback", () => editor.refresh());
  return { widget, minWidth: SIZE.width, minHeight: SIZE.height };
}

/** Told of what happens while its node is in a graph. @param {any} node @param {Editor} editor @param {ComfyHost} host */
function keep(node, editor, host) {
  const life = { editor, host };
  living.add(life);
  chained(node, "onAdded", () => living.add(life));
  chained(node, "onRemoved", () => living.delete(life));
}

/** What the server says of the layout after a run. @param {any} node @param {Editor} editor */
const hear = (node, editor) =>
  chained(node, "onExecuted", (output) => output?.roictrl?.[0] && editor.report.take(output.roictrl[0]));

/** A node that says something about a layout which an editor drew says it to that editor as well. @param {any} node */
const tell = (node) => chained(node, "onExecuted", (output) => {
  const said = output?.roictrl?.[0];
  const makers = said ? makersOf(node, "layout", app.rootGraph ?? app.graph) : [];
  for (const { editor, host } of living) {
    const way = makers.find((maker) => maker.node === host.node);
    if (way) editor.report.takeFrom(`${node.graph?.id}:${node.id}`, cameBy(said.notes ?? [], way));
  }
});

/** A second editor, on the node of a subgraph, for a widget inside. @param {any} outer */
function promote(outer) {
  showPromoted(outer, WIDGET, (source, promoted) => {
    const host = new ComfyHost(source.node, source.name, app, api, outer);
    const editor = dressed(host);
    host.linked = () => false;
    host.changed = () => { promoted.value = editor.text; };
    editor.setText(String(promoted.value ?? ""));
    keep(outer, editor, host);
    hear(source.node, editor);
    const { setValue, ...options } = optionsOf(editor);
    return { editor, options: { ...options, setValue: (/** @type {any} */ text) => {
      setValue(text);
      promoted.value = editor.text;
    } } };
  });
}

/** Words in the page's language. */
async function words() {
  const all = await api.getCustomNodesI18n().catch((/** @type {any} */ error) => {
    console.warn("ROICtrl: the box editor's words could not be loaded; it shows their keys.", error);
    return {};
  });
  return translator(...chain(all, app.extensionManager?.setting?.get("Comfy.Locale") ?? "en"));
}

/** The style sheet as text, in each editor's own element: the page's head belongs to all packs, and a link that moves
 * with its editor would load, and leave it bare, anew each time. */
async function style() {
  const response = await fetch(new URL("./editor/style.css", import.meta.url)).catch((error) => ({ ok: false, statusText: error }));
  if (response.ok) return /** @type {Response} */ (response).text();
  console.warn("ROICtrl: the box editor's style sheet could not be loaded; it shows bare.", response.statusText);
  return "";
}

// Before anything is registered: pages wait for this file, and not all of them for what getCustomWidgets promises. A node
// that came before its widget would lose the drawing that it was saved with.
const [t, css] = await Promise.all([words(), style()]);

app.registerExtension({
  name: "roictrlboxeswithcaptions.BoxEditor", // under the pack's DisplayName, which is ours alone
  async getCustomWidgets() {
    return { [WIDGET]: (/** @type {any} */ node, /** @type {string} */ name, /** @type {any} */ spec) =>
      addEditor(node, name, spec?.[1]?.default ?? "") };
  },
  nodeCreated(/** @type {any} */ node) {
    promote(node);
    if (/^ROICtrl(Apply|LayoutToPrompt)/.test(node.comfyClass ?? "")) tell(node);
  },
  setup() {
    sendPlain(app);
    api.addEventListener("executed", (/** @type {any} */ { detail }) => {
      const [image] = detail?.output?.images ?? [];
      for (const { editor, host } of living) {
        if (image && !detail.output.roictrl) {
          host.lastImage = image;
          editor.background.made();
        }
        editor.refresh();
      }
    });
    api.addEventListener("b_preview", (/** @type {any} */ { detail }) => living.forEach(({ editor }) => editor.background.preview(detail)));
    api.addEventListener("roictrl.said", (/** @type {any} */ { detail }) => { // while a model samples
      for (const { editor } of living) editor.notices.show(detail.notes.map((/** @type {any} */ note) => sentence(note, t)), "sampling");
    });
    api.addEventListener("graphChanged", () => living.forEach(({ editor }) => editor.refresh()));
  },
});
