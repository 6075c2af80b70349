// @ts-check
/** Walking ComfyUI's graph: what is connected to a node, upwards and downwards. Reads only. */

/** @param {any} node @param {string} name of an input @returns {any} the link, or null */
export function linkOf(node, name) {
  const input = node.inputs?.find((/** @type {any} */ i) => i.name === name || i.widget?.name === name);
  return input?.link === null || input?.link === undefined ? null : linkById(node.graph, input.link);
}

/** @param {any} graph @param {any} id */
function linkById(graph, id) {
  return graph?.getLink?.(id) ?? graph?.links?.get?.(id) ?? graph?.links?.[id] ?? null;
}

/** Where a link begins, reroutes passed over: a slot of a node, or where there is none, of the subgraph around.
 * @param {any} graph @param {any} link @param {number} [hops] that may follow @returns {{node: any, slot: number}|null} null where nothing is linked */
function beginning(graph, link, hops = 50) {
  if (!link || hops < 1) return null;
  const node = graph?.getNodeById?.(link.origin_id);
  if (node?.type !== "Reroute") return { node, slot: link.origin_slot };
  return beginning(graph, linkById(graph, node.inputs?.[0]?.link), hops - 1);
}

/** The node that feeds an input, reroutes passed over; null where nothing does, or it lies outside the subgraph.
 * @param {any} node @param {string} name @returns {{node: any, output: any}|null} */
export function originOf(node, name) {
  const from = beginning(node.graph, linkOf(node, name));
  return from?.node ? { node: from.node, output: from.node.outputs?.[from.slot] } : null;
}

/** What hands a layout on, by its inputs: whether an instance keeps its index on the way. @type {Record<string, Record<string, boolean>>} */
export const HANDS_ON = {
  ROICtrlEditInstance: { layout: true }, ROICtrlInstanceLoRA: { layout: true }, ROICtrlInstanceReference: { layout: true },
  ROICtrlCheckLayout: { layout: true }, ROICtrlMergeLayouts: { layout_1: true, layout_2: false },
  ROICtrlCropLayout: { layout: false }, ROICtrlTileLayout: { layout: false },
};

/**
 * The nodes that a layout at an input was made by, however it came: through reroutes, over the borders of subgraphs, through
 * nodes that hand it on.
 * @param {any} node @param {string} name @param {any} root the whole graph @param {{direct?: boolean, indexed?: boolean}} [way] what was passed so far
 * @param {number} [hops] that may follow @returns {{node: any, direct: boolean, indexed: boolean}[]} `direct`: nothing has handed it on
 */
export function makersOf(node, name, root, { direct = true, indexed = true } = {}, hops = 50) {
  return ends(node.graph, linkOf(node, name), root, hops).flatMap((end) => {
    const inputs = HANDS_ON[end.comfyClass ?? end.type];
    return !inputs || hops < 1 ? [{ node: end, direct, indexed }] : Object.entries(inputs).flatMap(([input, keeps]) =>
      makersOf(end, input, root, { direct: false, indexed: indexed && keeps }, hops - 1));
  });
}

/** The nodes that something at an input first came from, however it came: also through nodes that hand it on from an input of
 * the same name, as LoRA loaders do. @param {any} node @param {string} name @param {any} root the whole graph @param {number} [hops] that may follow
 * @returns {any[]} */
export function sourcesOf(node, name, root, hops = 50) {
  return ends(node.graph, linkOf(node, name), root, hops)
    .flatMap((end) => (hops > 0 && linkOf(end, name) ? sourcesOf(end, name, root, hops - 1) : [end]));
}

/** The nodes at a link's beginning, the borders of subgraphs passed over; several where a subgraph is used more than once.
 * @param {any} graph @param {any} link @param {any} root @param {number} hops @returns {any[]} */
function ends(graph, link, root, hops) {
  const from = beginning(graph, link, hops);
  if (!from) return [];
  const { node, slot } = from;
  const follow = (/** @type {any} */ inside, /** @type {any} */ id) => ends(inside, linkById(inside, id), root, hops - 1);
  if (node?.subgraph) return (node.subgraph.outputs?.[slot]?.linkIds ?? []).flatMap((/** @type {any} */ id) => follow(node.subgraph, id));
  return node ? [node] : users(root, graph).flatMap((outer) => follow(outer.graph, outer.inputs?.[slot]?.link));
}

/** The nodes that stand for a subgraph. @param {any} graph where to look, subgraphs included @param {any} subgraph @returns {any[]} */
const users = (graph, subgraph) => (graph?.nodes ?? []).filter((/** @type {any} */ n) => n.subgraph)
  .flatMap((/** @type {any} */ n) => (n.subgraph === subgraph ? [n] : users(n.subgraph, subgraph)));

/** What a widget is set to; where it is linked, what the node above says, and undefined where that cannot be told.
 * @param {any} node @param {string} name @returns {any} */
export function widgetValue(node, name) {
  if (!linkOf(node, name)) return widgetOf(node, name)?.value;
  const origin = originOf(node, name);
  if (!origin) return undefined;
  const own = widgetOf(origin.node, origin.output?.name) ?? widgetOf(origin.node, name) ?? widgetOf(origin.node, "value");
  return own?.value;
}

/** @param {any} node @param {string} name @returns {any} undefined where it has none */
export const widgetOf = (node, name) => node.widgets?.find((/** @type {any} */ w) => w.name?.toLowerCase() === name?.toLowerCase());

/** All nodes that depend on `start`, the nearer ones first. @param {any} start @returns {any[]} */
export function reachable(start) {
  const seen = new Set([start]);
  for (const node of seen) {
    for (const id of (node.outputs ?? []).flatMap((/** @type {any} */ o) => o.links ?? [])) {
      const target = node.graph?.getNodeById?.(linkById(node.graph, id)?.target_id);
      if (target) seen.add(target);
    }
  }
  return [...seen].slice(1);
}

/** Whether a graph holds a node, itself or in a subgraph of its. @param {any} graph @param {any} node @returns {boolean} */
export function contains(graph, node) {
  if (node.graph === graph) return graph.getNodeById(node.id) === node;
  return (graph?.nodes ?? []).some((/** @type {any} */ n) => n.subgraph && contains(n.subgraph, node));
}
