// @ts-check
/** Whether anything that a layout goes to reads points and scribbles. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pointsUnread, readByClip } from "../../../web/editor/methods.js";

/** A graph of nodes in a row: a layout, and what it goes to. @param {...[string, string?]} takers their types, and that of their adapter */
function graphOf(...takers) {
  const layout = { id: 1, type: "ROICtrlInstanceBoxPrompt" };
  /** @type {any} */
  const graph = { nodes: [layout], links: {} };
  takers.forEach(([type, adapter], i) => {
    const node = { id: 10 + i, type, inputs: [{ name: "layout", link: 100 + i }, { name: "adapter", link: adapter ? 200 + i : null }] };
    graph.links[100 + i] = { origin_id: 1, origin_slot: 0 };
    graph.nodes.push(node);
    if (!adapter) return;
    graph.links[200 + i] = { origin_id: 20 + i, origin_slot: 0 };
    graph.nodes.push({ id: 20 + i, type: adapter });
  });
  graph.getNodeById = (/** @type {number} */ id) => graph.nodes.find((/** @type {any} */ n) => n.id === id);
  for (const node of graph.nodes) node.graph = graph;
  return pointsUnread(layout, graph);
}

test("points are unread where there are methods and none of them reads them", () => {
  assert.equal(graphOf(), false, "nothing is connected yet");
  assert.equal(graphOf(["ROICtrlPreviewLayout"]), false);
  assert.equal(graphOf(["ROICtrlApply"]), true);
  assert.equal(graphOf(["ROICtrlApply"], ["ROICtrlApplyInstanceDiffusion"]), false);
  assert.equal(graphOf(["ROICtrlApplyBoxes"]), true);
  assert.equal(graphOf(["ROICtrlApplyBoxes", "ROICtrlLoadAdapter"]), true);
  assert.equal(graphOf(["ROICtrlApplyBoxes", "ROICtrlLoadInstanceDiffusion"]), false);
  assert.equal(graphOf(["ROICtrlApplyBoxes", "SomeoneElsesLoader"]), false, "what is not known is not accused");
});

test("methods of another layout do not count", () => {
  const graph = /** @type {any} */ ({ nodes: [], links: { 1: { origin_id: 2, origin_slot: 0 } } });
  graph.nodes = [{ id: 1, type: "ROICtrlInstanceBoxPrompt", graph }, { id: 2, type: "ROICtrlInstanceBoxPrompt", graph },
    { id: 3, type: "ROICtrlApply", graph, inputs: [{ name: "layout", link: 1 }] }];
  graph.getNodeById = (/** @type {number} */ id) => graph.nodes.find((/** @type {any} */ n) => n.id === id);
  assert.deepEqual(graph.nodes.slice(0, 2).map((/** @type {any} */ n) => pointsUnread(n, graph)), [false, true]);
});

/** A method with a text encoder that passes through a LoRA loader. @param {string} method @param {string} loader @param {any} [widgets] */
function encodedBy(method, loader, widgets = []) {
  const graph = /** @type {any} */ ({ links: { 1: { origin_id: 1, origin_slot: 0 }, 2: { origin_id: 3, origin_slot: 1 }, 3: { origin_id: 4, origin_slot: 0 } } });
  graph.nodes = [{ id: 1, type: "ROICtrlInstanceBoxPrompt", graph },
    { id: 2, type: method, graph, inputs: [{ name: "layout", link: 1 }, { name: "clip", link: 2 }] },
    { id: 3, type: "LoraLoader", graph, inputs: [{ name: "clip", link: 3 }] }, { id: 4, type: loader, graph, inputs: [], widgets }];
  graph.getNodeById = (/** @type {number} */ id) => graph.nodes.find((/** @type {any} */ n) => n.id === id);
  return readByClip(graph.nodes[0], graph);
}

test("captions are counted where the text encoder is CLIP alone", () => {
  assert.equal(encodedBy("ROICtrlApply", "CheckpointLoaderSimple"), true);
  assert.equal(encodedBy("ROICtrlApplyEliGen", "CheckpointLoaderSimple"), false);
  assert.equal(encodedBy("ROICtrlApply", "ROICtrlLoadDemoModel"), false, "it has words of its own");
  assert.equal(encodedBy("ROICtrlPreviewLayout", "CheckpointLoaderSimple"), false, "no method");
  for (const [type, counted] of [["sdxl", true], ["flux", false]]) assert.equal(encodedBy("ROICtrlApplyBoxes", "DualCLIPLoader", [{ name: "type", value: type }]), counted);
});
