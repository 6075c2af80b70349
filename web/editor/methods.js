// @ts-check
/** The methods in the graph: whether they read points and scribbles, and whether they read captions by CLIP. */
import { makersOf, originOf, sourcesOf, widgetValue } from "./graph.js";

/** Loaders of weights whose method reads boxes and masks alone. */
const BOXES_ALONE = ["ROICtrlLoadAdapter", "ROICtrlLoadDemoModel", "GLIGENLoader"];

/** The nodes by which a layout acts: whether one reads points and scribbles. @type {Record<string, (node: any) => boolean>} */
const METHODS = {
  ROICtrlApply: () => false, ROICtrlApplyROIPrompts: () => false, ROICtrlApplyGLIGEN: () => false, ROICtrlApplyEliGen: () => false,
  ROICtrlApplyInstanceDiffusion: () => true,
  ROICtrlApplyBoxes: (node) => {
    const weights = originOf(node, "adapter");
    return !!weights && !BOXES_ALONE.includes(weights.node.type);
  },
};

/** @param {any} node */
const typeOf = (node) => node.comfyClass ?? node.type;

/** @param {any} graph @returns {any[]} its nodes, and those of its subgraphs */
const nodesOf = (graph) => (graph?.nodes ?? []).flatMap((/** @type {any} */ node) => [node, ...(node.subgraph ? nodesOf(node.subgraph) : [])]);

/** The methods that a node's layout goes to. @param {any} node @param {any} root the whole graph @returns {any[]} */
const methodsOf = (node, root) =>
  nodesOf(root).filter((other) => METHODS[typeOf(other)] && makersOf(other, "layout", root).some((maker) => maker.node === node));

/** Whether a node's layout goes to methods, and none of them reads points and scribbles. @param {any} node @param {any} root */
export function pointsUnread(node, root) {
  const methods = methodsOf(node, root);
  return methods.length > 0 && !methods.some((other) => METHODS[typeOf(other)](other));
}

/** The loaders whose text encoder is CLIP alone, of those that load several kinds where they are set to it.
 * @type {Record<string, (node: any) => boolean>} */
const CLIPS = {
  CheckpointLoaderSimple: () => true, CheckpointLoader: () => true, unCLIPCheckpointLoader: () => true,
  CLIPLoader: (node) => widgetValue(node, "type") === "stable_diffusion", DualCLIPLoader: (node) => widgetValue(node, "type") === "sdxl",
};

/** Made for models without CLIP, which come in checkpoints as well. */
const WITHOUT_CLIP = "ROICtrlApplyEliGen";

/** Whether a method that a node's layout goes to reads captions by CLIP. @param {any} node @param {any} root */
export const readByClip = (node, root) => methodsOf(node, root).some((method) => typeOf(method) !== WITHOUT_CLIP
  && sourcesOf(method, "clip", root).some((loader) => CLIPS[typeOf(loader)]?.(loader)));
