// @ts-check
/** What cannot change the picture does not sample anew: ComfyUI's own cache is asked, through the page's own prompt. */
import assert from "node:assert/strict";
import { RUN } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** Runs the graph to its end. @param {Page} page @returns {Promise<string[]>} the types of the nodes that were not in the server's cache */
async function ran(page) {
  await page.evaluate(() => {
    const { api } = /** @type {any} */ (window).app;
    // By the prompt's id: the word that the one before has ended may come after the queue is empty.
    const run = Object.assign(window, { run: { id: "", cached: /** @type {string[]} */ ([]), done: false } }).run;
    const hear = (/** @type {string} */ event, /** @type {(detail: any) => void} */ then) => api.addEventListener(event, (/** @type {any} */ { detail }) => {
      if (!run.id && event === "execution_start") run.id = detail.prompt_id;
      if (detail.prompt_id === run.id) then(detail);
    });
    hear("execution_start", () => {});
    hear("execution_cached", (detail) => { run.cached = detail.nodes.map(String); });
    hear("execution_success", () => { run.done = true; });
  });
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction(() => /** @type {any} */ (window).run.done, null, RUN);
  return page.evaluate(() => {
    const { app, run } = /** @type {any} */ (window);
    return app.graph.nodes.filter((/** @type {any} */ n) => !run.cached.includes(String(n.id))).map((/** @type {any} */ n) => n.type);
  });
}

/** Edit Instance between the node and its Apply ROICtrl. @param {Page} page @param {import("./harness.mjs").Node} node */
export const editBetween = (page, node) => page.evaluate((id) => {
  const { app, LiteGraph } = /** @type {any} */ (window);
  const edit = LiteGraph.createNode("ROICtrlEditInstance");
  edit.pos = [820, 460];
  app.graph.add(edit);
  const slot = (/** @type {any} */ node) => node.inputs.findIndex((/** @type {any} */ i) => i.name === "layout");
  const apply = app.graph.nodes.find((/** @type {any} */ n) => n.type === "ROICtrlApply");
  app.graph.getNodeById(id).connect(0, edit, slot(edit));
  edit.connect(0, apply, slot(apply));
}, node.id);

/** @param {Page} page @param {import("./harness.mjs").Node} node whose layout is being sampled, with nothing else in the graph */
export async function looksRunNothing(page, node) {
  await page.waitForFunction(async () => {
    const queue = await (await /** @type {any} */ (window).app.api.fetchApi("/queue")).json();
    return !queue.queue_running.length && !queue.queue_pending.length;
  }, null, RUN);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const preview = LiteGraph.createNode("ROICtrlPreviewLayout");
    preview.pos = [820, 60];
    app.graph.add(preview);
    app.graph.getNodeById(id).connect(0, preview, preview.inputs.findIndex((/** @type {any} */ i) => i.name === "layout"));
  }, node.id);
  const patch = (/** @type {any} */ changes) => node.eval((n, w, e, c) => e.store.dispatch({ type: "patch", ids: [e.state.doc.items[0].id], changes: c }), changes);
  await patch({ color: "#0072b2" });
  assert.deepEqual(await ran(page), ["ROICtrlPreviewLayout"], "the preview alone, which is new");
  await patch({ label: "circle", locked: true, hidden: true });
  await node.eval((n, w, e) => {
    e.setPref("grid", true);
    w.value = JSON.stringify(JSON.parse(w.value), null, 2);
  });
  assert.deepEqual(await ran(page), [], "a label, a lock, an eye, the editor's settings, white space");
  await patch({ color: "#009e73" });
  assert.deepEqual(await ran(page), ["ROICtrlPreviewLayout"], "the preview is drawn in the new colour");
  await patch({ caption: `${await node.eval((n, w, e) => e.state.doc.items[0].fields.caption)} ` });
  assert.deepEqual(await ran(page), [], "white space around a caption");
  await editBetween(page, node);
  await ran(page);
  await patch({ color: "#cc79a7" });
  assert.deepEqual(await ran(page), ["ROICtrlPreviewLayout"], "Edit Instance reads no colours");
  const saved = await page.evaluate(() => JSON.stringify(/** @type {any} */ (window).app.graph.serialize()));
  for (const kept of ["#cc79a7", '\\"label\\":\\"circle\\"', '\\"hidden\\":true', '\\"grid\\":true']) assert.ok(saved.includes(kept), `the workflow keeps ${kept}`);
}
