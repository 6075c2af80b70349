// @ts-check
/** The whole picture: its prompt, its size, and what stands around the boxes. */
import assert from "node:assert/strict";
import { Node } from "./harness.mjs";
import { fresh } from "./shape_steps.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** With no box selected the panel is about the whole picture, whose prompt is the layout's caption: typing is one step. @param {Page} page */
export async function wholePrompt(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5], caption: "fox" }]);
  const before = await node.text();
  const prompt = node.root().getByLabel("Prompt", { exact: true });
  await prompt.click();
  await page.keyboard.type("a fox at night");
  await node.press("Enter");
  assert.equal((await node.layout()).caption, "a fox at night");
  await node.click([0.25, 0.25]);
  await prompt.waitFor({ state: "hidden" });
  await node.press("Escape");
  assert.equal(await prompt.inputValue(), "a fox at night");
  await node.press("Control+z");
  assert.equal(await node.text(), before);
  assert.equal(await node.eval((n) => n.outputs.at(-1).name), "prompt");
}

/** Large over the page and back, as the same editor, inside a subgraph as well: what is drawn there is the node's, the focus
 * stays in it, the wheel is its own, and Escape closes it last. @param {Page} page */
export async function large(page) {
  const before = await fresh(page);
  await before.root().getByLabel("Large view (F)").click();
  await drawnLarge(before, "drawn large");
  const node = await Node.inside(page, await before.wrap());
  await node.click([0.9, 0.9]);
  await node.press("f");
  await drawnLarge(node, "drawn inside");
}

/** @param {Node} node that is shown large @param {string} caption to type */
async function drawnLarge(node, caption) {
  const { page } = node;
  await node.shown();
  const at = (/** @type {string} */ what) => node.eval((n, w, e, name) => ({
    size: [e.root.offsetWidth / innerWidth, e.root.offsetHeight / innerHeight].every((share) => share > 0.9),
    inside: e.large.dialog.matches(":modal") && (e.root.contains(document.activeElement) || document.activeElement === document.body), what: name }), what);
  assert.deepEqual(await at("opened"), { size: true, inside: true, what: "opened" });
  const graph = await page.evaluate(() => JSON.stringify(/** @type {any} */ (window).app.canvas.ds.state ?? /** @type {any} */ (window).app.canvas.ds.scale));
  await node.drag([0.5, 0.5], [0.75, 0.75]);
  await page.keyboard.type(caption);
  await node.press("Enter");
  await page.mouse.wheel(0, -300);
  await node.settle();
  assert.ok(await node.eval((n, w, e) => e.view.viewport.zoom) > 1);
  await node.root().getByLabel("More", { exact: true }).focus();
  for (let n = 0; n < 6; n++) await node.press("Tab");
  assert.ok((await at("after Tab")).inside, "the page behind is never reached");
  await node.eval((n, w, e) => e.focus());
  await node.press("?");
  for (let n = 0; n < 3 && (await at("")).inside; n++) await node.press("Escape"); // help, the selection, the dialog
  assert.equal(await node.eval((n, w, e) => e.large.open || e.root.parentElement !== e.large.home), false);
  await node.shown();
  assert.equal((await node.layout()).instances.at(-1).caption, caption);
  assert.equal(await page.evaluate(() => JSON.stringify(/** @type {any} */ (window).app.canvas.ds.state ?? /** @type {any} */ (window).app.canvas.ds.scale)), graph, "the graph stays where it is");
  await node.press("0");
}
