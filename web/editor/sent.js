// @ts-check
/**
 * What of a layout is sent to the server.  ComfyUI runs again whatever has another input than before, and all that comes
 * after it: so a layout goes out without what cannot change the picture, always written in the same way.  The workflow keeps
 * everything; labels and colours go along where a connected node reads them.
 *
 * It is the prompt that is gone over, and not the widget's own value for it (`serializeValue`): only there is it known what
 * is connected, through subgraphs, reroutes and muted nodes, and for a widget promoted out of a subgraph newer pages do not
 * ask the widget at all.
 *
 * @typedef {Record<string, {class_type: string, inputs: Record<string, any>}>} Prompt
 * @typedef {0|1|2|3} Level
 */
import { same } from "./edits.js";
import { HANDS_ON } from "./graph.js";
import { DEFAULTS, LayoutError, parse, toData } from "./layout.js";
import { colorOf } from "./palette.js";

export const NODE = "ROICtrlInstanceBoxPrompt";
export const PREVIEW = "ROICtrlPreviewLayout";

/** How much of what cannot change the picture a node reads: nothing, labels, colours as well, or it may be anything. */
const [NOTHING, LABELS, LOOKS, ALL] = /** @type {[Level, Level, Level, Level]} */ ([0, 1, 2, 3]);

/** The styles of Layout to Prompt that write words, in which colours have no place. */
const WORDS = ["captions", "places in words", "background only"];

/** How much of a layout is read by a node itself; whoever gets its layout from there reads it as well. Not listed: ALL.
 * @type {Record<string, Level>} */
export const READERS = {
  ROICtrlApply: NOTHING, ROICtrlApplyROIPrompts: NOTHING, ROICtrlApplyGLIGEN: NOTHING, ROICtrlApplyInstanceDiffusion: NOTHING,
  ROICtrlApplyBoxes: NOTHING, ROICtrlApplyEliGen: NOTHING, ROICtrlMergeLayouts: NOTHING,
  ROICtrlCropLayout: NOTHING, ROICtrlTileLayout: NOTHING,
  ROICtrlLayoutToPrompt: LOOKS, // but see readBy
  ROICtrlEditInstance: LABELS, // finds an instance by its label
  ROICtrlInstanceLoRA: LABELS, ROICtrlInstanceReference: LABELS, // as well
  ROICtrlLayoutInstance: LOOKS, // as well, and gives it and the color on
  ROICtrlCheckLayout: LABELS, // names and compares by them
  ROICtrlLayoutToMasks: LABELS, // finds instances by them
  ROICtrlKeepSteps: NOTHING, ROICtrlRedoBoxes: LABELS, // finds instances by them
  [PREVIEW]: LOOKS, ROICtrlExportLayout: ALL,
};

/** The outputs `bboxes` and `preview` of the node show colours and labels; all but the first, the layout, tell nothing else. */
export const SHOWN = [1, 3];

/** What only the editor reads of an instance and of a layout; the picture's size is the node's own. */
const MARKS = ["locked", "hidden", "solo_muted", "outline"];
const HEAD = ["editor", "width", "height"];

/** Sends layouts so. @param {any} app ComfyUI's */
export function sendPlain(app) {
  const original = app.graphToPrompt;
  app.graphToPrompt = async function (/** @type {any[]} */ ...args) {
    const prompt = await original.apply(this, args);
    return { ...prompt, output: plain(prompt.output) };
  };
}

/** @param {Prompt} prompt @returns {Prompt} */
export function plain(prompt) {
  const next = { ...prompt };
  for (const [id, { class_type: type, inputs }] of Object.entries(prompt)) {
    const read = type === NODE && typeof inputs.layout === "string" ? readOf(prompt, id) : ALL;
    const doc = read === ALL ? null : docOf(inputs.layout);
    if (!doc) continue;
    set(next, id, "layout", written(doc, read));
    if (read < LOOKS && doc.items.some((it) => it.fields.color)) {
      const colors = doc.items.map((it, i) => colorOf(it.fields.color, i)).join(" ");
      for (const to of previews(prompt, id)) set(next, to, "colors", colors);
    }
  }
  return next;
}

/** @param {Prompt} prompt @param {string} id @param {string} name @param {any} value */
function set(prompt, id, name, value) {
  prompt[id] = { ...prompt[id], inputs: { ...prompt[id].inputs, [name]: value } };
}

/** The inputs that come from a node, as [node, input, the output's slot]. @param {Prompt} prompt @param {string} id @returns {[string, string, number][]} */
const linksOf = (prompt, id) => Object.entries(prompt).flatMap(([to, { inputs }]) => Object.entries(inputs).flatMap(([name, value]) =>
  (Array.isArray(value) && String(value[0]) === id ? [/** @type {[string, string, number]} */ ([to, name, Number(value[1])])] : [])));

/** How much a node reads itself. Layout to Prompt writes colours only as JSON and as elements. @param {Prompt} prompt @param {string} id @returns {Level} */
function readBy(prompt, id) {
  const { class_type: type, inputs } = prompt[id];
  const words = type === "ROICtrlLayoutToPrompt" && WORDS.includes(inputs.style ?? WORDS[0]) && linksOf(prompt, id).every(([, , slot]) => !slot);
  return words ? NOTHING : READERS[type] ?? ALL;
}

/** How much is read of a node's layout. @param {Prompt} prompt @param {string} id @param {string[]} [before] the nodes that handed it on
 * @param {boolean} [indexed] whether the instances still have their indices @returns {Level} */
function readOf(prompt, id, before = [], indexed = true) {
  const levels = linksOf(prompt, id).map(([to, name, slot]) => {
    if (!before.length && slot) return SHOWN.includes(slot) ? LOOKS : NOTHING;
    if (before.includes(to)) return NOTHING;
    const { class_type: type } = prompt[to];
    if (type === PREVIEW && indexed) return NOTHING; // it is told the colours beside the layout
    const [reads, inputs] = [readBy(prompt, to), HANDS_ON[type]];
    return inputs ? Math.max(reads, readOf(prompt, to, [...before, id], indexed && inputs[name])) : reads;
  });
  return /** @type {Level} */ (Math.max(NOTHING, ...levels));
}

/** The Preview Layout nodes to which the layout comes with its indices, and which nothing else tells colours.
 * @param {Prompt} prompt @param {string} id @param {string[]} [before] as above @returns {string[]} */
const previews = (prompt, id, before = []) => linksOf(prompt, id).flatMap(([to, name, slot]) => {
  if (slot || before.includes(to)) return [];
  const { class_type: type, inputs } = prompt[to];
  if (type === PREVIEW) return name === "layout" && inputs.colors === undefined ? [to] : [];
  return HANDS_ON[type]?.[name] ? previews(prompt, to, [...before, id]) : [];
});

/** Null where the text is no layout of ours: it goes out as it is. @param {string} text */
function docOf(text) {
  try {
    return text.trim() ? parse(text) : null;
  } catch (error) {
    if (error instanceof LayoutError) return null;
    throw error;
  }
}

/** The layout as text: keys in order, without defaults and without what is not read. @param {import("./layout.js").Doc} doc @param {Level} read */
function written(doc, read) {
  const { instances, ...head } = toData(doc);
  return JSON.stringify({ ...kept(head, HEAD), instances: instances.map((fields) => sentOf(fields, read)) });
}

/** What of an instance is sent. The server trims captions itself. @param {any} fields @param {Level} read */
const sentOf = (fields, read) =>
  kept({ ...fields, caption: fields.caption?.trim() ?? "" }, [...MARKS, ...(read < LOOKS ? unseen(fields, read) : [])], DEFAULTS);

/** An instance without a caption is called by its label. @param {any} fields @param {Level} read */
const unseen = (fields, read) => (read < LABELS && fields.caption?.trim() ? ["color", "label"] : ["color"]);

/** Whether two instances are the same to whoever makes the picture. @param {any} a @param {any} b */
export const actAlike = (a, b) => a === b || same(sentOf(a, NOTHING), sentOf(b, NOTHING));

/** @param {Record<string, any>} object @param {string[]} without @param {Record<string, any>} [defaults] */
const kept = (object, without, defaults = {}) => Object.fromEntries(Object.entries(object).sort(([a], [b]) => (a < b ? -1 : 1))
  .filter(([key, value]) => value !== null && value !== defaults[key] && !without.includes(key)));
