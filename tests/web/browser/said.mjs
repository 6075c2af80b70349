// @ts-check
/** What the server says after a run reaches the box that it is about, from this node and from the ones that its layout goes to. */
import assert from "node:assert/strict";
import { Node, RUN, emptyGraph } from "./harness.mjs";

const LAYOUT = { version: 1, width: 128, height: 128, instances: [
  { box: [0.05, 0.05, 0.45, 0.45], caption: "a red plain circle next to instance 2" },
  { box: [0.75, 0.25, 0.75, 0.25], caption: "a blue plain star", point: [0.75, 0.25] },                // a point alone
  { box: [0.05, 0.55, 0.95, 0.7], caption: "a green plain ring", negative: "a square" },               // which is not read
] };

/** @param {import("playwright-core").Page} page @returns {Promise<Node>} whose layout is being sampled */
export async function notesReachTheirBoxes(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [120, 60], { width: 128, height: 128, layout: JSON.stringify(LAYOUT) });
  await page.evaluate(sample, { id: node.id });
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction((id) => {
    const { report } = /** @type {any} */ (window).app.canvas.graph.getNodeById(id).widgets.find((/** @type {any} */ w) => w.name === "layout").roictrl;
    return report.said.size > 1; // this node's word and Apply ROICtrl's
  }, node.id, RUN);
  await node.settle();
  const saidOf = (/** @type {number} */ i) => node.eval((n, w, e, at) => e.report.of(e.state.doc.items[at].id).map((/** @type {any} */ note) => note.text).join(" "), i);
  const said = [await saidOf(0), await saidOf(1), await saidOf(2)];
  assert.equal(said[0], "", "a caption that names another box is nobody's note");
  assert.match(said[1], /The box of instance 2 .* has no area/);
  assert.match(said[2], /The negative caption of instance 3 .* is not read/);
  await node.eval((n, w, e) => e.store.dispatch({ type: "patch", ids: [e.state.doc.items[1].id], changes: { caption: "a star" } }));
  assert.equal(await saidOf(1), "", "a box that has changed is not what was spoken of");
  await node.eval((n, w, e) => e.store.dispatch({ type: "undo" }));
  await node.eval((n, w, e) => e.store.dispatch({ type: "patch", ids: [e.state.doc.items[1].id], changes: { color: "#000000" } }));
  assert.match(await saidOf(1), /has no area/, "a colour changes nothing about it");
  return node;
}

/** What Apply says of the whole layout is shown below the boxes until it has nothing to say, also out of a subgraph.
 * @param {import("playwright-core").Page} page @param {Node} node whose layout was sampled, with Edit Instance in between */
export async function noticesComeAndGo(page, node) {
  const run = async (/** @type {string} */ type, /** @type {Record<string, number>} */ values) => {
    await page.evaluate(([kind, all]) => {
      const found = /** @type {any} */ (window).app.graph.nodes.find((/** @type {any} */ n) => n.type === kind);
      for (const [name, to] of Object.entries(all)) found.widgets.find((/** @type {any} */ w) => w.name === name).value = to;
    }, /** @type {const} */ ([type, values]));
    await page.getByTestId("queue-button").first().click();
  };
  const strength = (/** @type {number} */ value) => run("ROICtrlApply", { strength: value });
  const notice = node.root().locator(".roictrl-notice", { hasText: /strength/i });
  await strength(0);
  await notice.waitFor(RUN);
  await strength(1);
  await notice.waitFor({ state: "detached", ...RUN });
  const small = node.root().locator(".roictrl-notice", { hasText: "draws pictures of 128 x 128 pixels, and this one has 64 x 64" });
  await run("EmptyLatentImage", { width: 64, height: 64 }); // said while the demo model samples
  await small.waitFor(RUN);
  await run("EmptyLatentImage", { width: 128, height: 128 });
  await small.waitFor({ state: "detached", ...RUN });
  const outer = await node.wrap();
  await strength(0);
  await page.waitForFunction((id) => {
    const [inner] = /** @type {any} */ (window).app.graph.getNodeById(id).subgraph.nodes;
    return /strength/i.test(inner.widgets.find((/** @type {any} */ w) => w.name === "layout").roictrl.notices.element.textContent);
  }, outer, RUN);
  await page.waitForFunction(async () => {
    const queue = await (await /** @type {any} */ (window).app.api.fetchApi("/queue")).json();
    return !queue.queue_running.length && !queue.queue_pending.length;
  }, null, RUN);
}

/** A graph that samples with a node's layout on the demo model. Runs in the page. @param {{id: any, steps?: number, seed?: number}} what */
export function sample({ id, steps = 1, seed = 0 }) {
  const { app, LiteGraph } = /** @type {any} */ (window);
  const add = (/** @type {string} */ type, /** @type {Record<string, any>} */ links, values = {}) => {
    const made = LiteGraph.createNode(type);
    app.graph.add(made);
    for (const [name, [from, slot]] of Object.entries(links)) {
      from.connect(slot, made, made.inputs.findIndex((/** @type {any} */ i) => i.name === name));
    }
    for (const [name, value] of Object.entries(values)) made.widgets.find((/** @type {any} */ w) => w.name === name).value = value;
    return made;
  };
  const layout = app.graph.getNodeById(id);
  const demo = add("ROICtrlLoadDemoModel", {});
  const model = add("ROICtrlApply", { model: [demo, 0], adapter: [demo, 3], clip: [demo, 1], layout: [layout, 0] }, { uncond_boxes: "off" });
  const prompt = add("CLIPTextEncode", { clip: [demo, 1] }, { text: "a red plain circle" });
  const latent = add("EmptyLatentImage", {}, { width: 128, height: 128 });
  const sampled = add("KSampler", { model: [model, 0], positive: [prompt, 0], negative: [prompt, 0], latent_image: [latent, 0] }, { steps, seed, cfg: 1, control_after_generate: "fixed" });
  add("PreviewImage", { images: [add("VAEDecode", { samples: [sampled, 0], vae: [demo, 2] }), 0] });
}
