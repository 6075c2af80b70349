// @ts-check
/**
 * Boxes from the nodes that the `boxes` input hangs on, without running anything else: ComfyUI's partial execution.
 *
 * ComfyUI runs what an output node needs, and Instance Box Prompt is none: so a copy of it with an empty drawing, and the
 * smallest output node after it, go into the prompt for this one run, and they alone are asked for.  All else stays in the
 * prompt, because ComfyUI forgets the results of nodes that are not in it.
 */
import { linkOf } from "./graph.js";
import { LayoutError } from "./layout.js";

/** Of the copy's outputs, the cheapest to look at. */
const WIDTH_SLOT = 4;
let runs = 0;

/** The prompt with the copy in it, and what to ask for. @param {Record<string, any>} prompt @param {string} id of the node in it @param {number} run
 * @returns {{prompt: Record<string, any>, copy: string, end: string}} */
export function withCopy(prompt, id, run) {
  const [copy, end] = [`roictrl-boxes-${run}`, `roictrl-boxes-${run}-end`];
  const { image, ...inputs } = prompt[id].inputs;
  const sized = inputs.size_from_image === false ? inputs : { ...inputs, image }; // the picture is needed for its size alone
  return {
    copy, end, prompt: {
      ...prompt,
      [copy]: { class_type: prompt[id].class_type, inputs: { ...sized, layout: " ".repeat(run) } }, // another empty text each time, so that it runs again
      [end]: { class_type: "PreviewAny", inputs: { source: [copy, WIDTH_SLOT] } },
    },
  };
}

/** How a node is called in prompts: its id, after those of the subgraphs that it is in. Several where those are used more than once.
 * @param {any} graph @param {any} node @returns {string[]} */
export const promptIds = (graph, node) => (graph?.nodes ?? []).flatMap((/** @type {any} */ n) => (n === node ? [String(n.id)]
  : n.subgraph ? promptIds(n.subgraph, node).map((id) => `${n.id}:${id}`) : []));

/** @param {any} node */
export const hasBoxes = (node) => !!linkOf(node, "boxes");

/** Runs what a node's boxes hang on, and gives what the node makes of them. @param {any} node @param {any} app @param {any} api
 * @returns {Promise<import("./report.js").Output>} */
export async function boxesOf(node, app, api) {
  const { output, workflow } = await app.graphToPrompt();
  const id = promptIds(app.rootGraph ?? app.graph, node).find((one) => one in output);
  if (!id) throw new LayoutError("fill.muted");
  const { prompt, copy, end } = withCopy(output, id, ++runs);
  const answer = answerOf(api, copy);
  try {
    const { prompt_id: queued } = await api.queuePrompt(0, { output: prompt, workflow }, { partialExecutionTargets: [end] });
    return await answer.until(queued);
  } finally {
    answer.stop();
  }
}

/** What a node of a run says, listened for before the run is queued. @param {any} api @param {string} copy its id */
function answerOf(api, copy) {
  /** @type {[string, any][]} */
  const heard = [];
  let look = () => {};
  const names = ["executed", "execution_error", "execution_interrupted"];
  const listener = (/** @type {any} */ { type, detail }) => {
    heard.push([type, detail]);
    look();
  };
  for (const name of names) api.addEventListener(name, listener);
  return {
    stop: () => names.forEach((name) => api.removeEventListener(name, listener)),
    until: (/** @type {string} */ run) => new Promise((resolve, reject) => {
      look = () => {
        for (const [type, detail] of heard) {
          if (type === "executed" && detail.node === copy) resolve(detail.output?.roictrl?.[0] ?? {});
          if (type !== "executed" && detail.prompt_id === run) reject(new LayoutError("fill.ended", { reason: detail.exception_message?.trim() ?? "" }));
        }
      };
      look();
    }),
  };
}
