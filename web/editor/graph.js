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

/** The node that feeds an input, reroutes passed over; null where nothing does, or it lies outside the subgraph.
 * @param {any} node @param {string} name @returns {{node: any, output: any}|null} */
export function originOf(node, name) {
  let link = linkOf(node, name);
  for (let hops = 0; link && hops < 50; hops++) {
    const origin = node.graph?.getNodeById?.(link.origin_id);
    if (!origin) return null;
    if (origin.type !== "Reroute") return { node: origin, output: origin.outputs?.[link.origin_slot] };
    link = linkById(node.graph, origin.inputs?.[0]?.link);
  }
  return null;
}

/** What a widget is set to; where it is linked, what the node above says, and undefined where that cannot be told.
 * @param {any} node @param {string} name @returns {any} */
export function widgetValue(node, name) {
  if (!linkOf(node, name)) return find(node, name)?.value;
  const origin = originOf(node, name);
  if (!origin) return undefined;
  const own = find(origin.node, origin.output?.name) ?? find(origin.node, name) ?? find(origin.node, "value");
  return own?.value;
}

/** @param {any} node @param {string} name */
const find = (node, name) => node.widgets?.find((/** @type {any} */ w) => w.name?.toLowerCase() === name?.toLowerCase());

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
