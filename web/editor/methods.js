// @ts-check
/** The methods in the graph, and whether they read points and scribbles. */
import { makersOf, originOf } from "./graph.js";

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

/** Whether a node's layout goes to methods, and none of them reads points and scribbles. @param {any} node @param {any} root the whole graph */
export function pointsUnread(node, root) {
  const methods = nodesOf(root).filter((other) => METHODS[typeOf(other)] && makersOf(other, "layout", root).some((maker) => maker.node === node));
  return methods.length > 0 && !methods.some((other) => METHODS[typeOf(other)](other));
}
