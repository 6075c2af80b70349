// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { boxesOf, promptIds, withCopy } from "../../../web/editor/fill.js";

const NODE = { class_type: "ROICtrlInstanceBoxPrompt", inputs: { width: 64, layout: "{}", boxes: ["1", 0], image: ["2", 0], size_from_image: true } };

test("a copy with an empty drawing is asked for, all else stays as it was", () => {
  const prompt = { 1: { class_type: "Detector", inputs: {} }, 3: NODE };
  const { prompt: next, copy, end } = withCopy(prompt, "3", 2);
  assert.deepEqual(next, { ...prompt, [copy]: { class_type: NODE.class_type, inputs: { ...NODE.inputs, layout: "  " } }, [end]: { class_type: "PreviewAny", inputs: { source: [copy, 4] } } });
  const alone = withCopy({ 3: { ...NODE, inputs: { ...NODE.inputs, size_from_image: false } } }, "3", 1);
  assert.equal("image" in alone.prompt[alone.copy].inputs, false, "a picture that does not decide over the size");
});

test("a node inside subgraphs is called by their ids as well", () => {
  const node = { id: 7 };
  const inner = { nodes: [{ id: 5 }, node] };
  const root = { nodes: [{ id: 1 }, { id: 2, subgraph: { nodes: [{ id: 9, subgraph: inner }] } }, { id: 3, subgraph: inner }] };
  assert.deepEqual(promptIds(root, node), ["2:9:7", "3:7"]);
});

/** A ComfyUI that does `during` while the prompt is being queued. @param {(api: EventTarget, copy: string) => void} during */
function comfy(during) {
  const node = { id: 3 };
  const api = /** @type {any} */ (new EventTarget());
  api.queuePrompt = async (/** @type {number} */ _, /** @type {any} */ data, /** @type {any} */ { partialExecutionTargets: [end] }) => {
    during(api, data.output[end].inputs.source[0]);
    return { prompt_id: "run" };
  };
  return boxesOf(node, { graph: { nodes: [node] }, graphToPrompt: async () => ({ output: { 3: NODE }, workflow: {} }) }, api);
}

const event = (/** @type {string} */ name, /** @type {any} */ detail) => Object.assign(new Event(name), { detail });

test("the answer is heard though it comes before the prompt is known to be queued; an error of this run alone ends it", async () => {
  const boxes = { version: 1 };
  const said = await comfy((api, copy) => {
    api.dispatchEvent(event("execution_error", { prompt_id: "another", exception_message: "not ours" }));
    api.dispatchEvent(event("executed", { node: "9", output: {} }));
    api.dispatchEvent(event("executed", { node: copy, output: { roictrl: [{ boxes }] } }));
  });
  assert.deepEqual(said, { boxes });
  await assert.rejects(comfy((api) => setTimeout(() => api.dispatchEvent(event("execution_error", { prompt_id: "run", exception_message: "no picture\n" })))),
    { key: "fill.ended", values: { reason: "no picture" } });
});
