// @ts-check
/** What the page around the editor does to it, and what the editor must not do to the page. */
import assert from "node:assert/strict";
import { accessible } from "./accessible.mjs";
import { Node, dragOver, emptyGraph, shownStage } from "./harness.mjs";
import { promote, queued } from "./more_scenarios.mjs";

/** @typedef {import("playwright-core").Page} Page */

const OTHER = JSON.stringify({ last_node_id: 1, last_link_id: 0, links: [], groups: [], config: {}, extra: {}, version: 0.4, nodes: [{
  id: 1, type: "EmptyLatentImage", pos: [100, 100], size: [270, 106], flags: {}, order: 0, mode: 0, inputs: [], properties: {},
  outputs: [{ name: "LATENT", type: "LATENT", links: null }], widgets_values: [512, 512, 1] }] });

/** The path of the workflow that is open. @param {Page} page @returns {Promise<string>} */
const open = (page) => page.evaluate(() => /** @type {any} */ (window).app.extensionManager.workflow.activeWorkflow.path);

/** Another workflow opened in the middle of typing, and back again. @param {Page} page */
async function elsewhereAndBack(page) {
  const path = await open(page);
  const chooser = page.waitForEvent("filechooser");
  await page.evaluate(() => 0); // the page is told to hand over the chooser before the key arrives
  await page.keyboard.press("Control+o");
  await (await chooser).setFiles({ name: "other.json", mimeType: "application/json", buffer: Buffer.from(OTHER) });
  await page.waitForFunction((before) => {
    const { app } = /** @type {any} */ (window);
    return app.extensionManager.workflow.activeWorkflow.path !== before && (app.rootGraph ?? app.graph).nodes[0]?.type === "EmptyLatentImage";
  }, path);
  await page.evaluate(async (before) => {
    const { workflow, command } = /** @type {any} */ (window).app.extensionManager;
    for (let tabs = workflow.openWorkflows.length; tabs && workflow.activeWorkflow.path !== before; tabs--) {
      await command.execute("Workspace.PreviousOpenedWorkflow");
    }
  }, path);
  assert.equal(await open(page), path);
}

/** A whole unsaved workflow and the words being typed in it are there when one comes back: on the node, inside a subgraph,
 * and promoted out of one. @param {Page} page */
export async function unsavedWorkflow(page) {
  for (const where of ["plain", "inside", "promoted"]) {
    await emptyGraph(page);
    const node = await Node.add(page, [90, 160]);
    if (where === "inside") await Node.inside(page, await node.wrap());
    const stage = where === "promoted" ? await promote(node) : shownStage(page);
    await dragOver(stage, [0.55, 0.55], [0.7, 0.8]);
    await page.locator(".roictrl-caption").filter({ visible: true }).waitFor();
    await page.keyboard.insertText("half a sent");
    await elsewhereAndBack(page);
    const captions = (await queued(page)).map((layout) => layout.instances.map((/** @type {any} */ it) => it.caption));
    assert.deepEqual(captions, [["half a sent"]], where);
  }
}

/** The page's properties panel, where there is one, leaves its own width on every widget that it shows. @param {Page} page */
export async function propertiesPanel(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  const width = () => node.eval((n, w, e) => e.root.offsetWidth);
  const before = await width();
  const [button, panel] = [page.getByRole("button", { name: "Toggle properties panel" }), page.getByTestId("properties-panel")];
  const there = await button.count() + await panel.count();
  if (there) {
    const [x, y] = await node.eval((n) => n.pos);
    await page.mouse.click(x + 200, y - 14); // on its title
    if (!await panel.count()) await button.click();
    await panel.getByText("size_from_image").first().waitFor();
    await node.shown();
    assert.equal(await width(), before);
    await button.click();
    await panel.waitFor({ state: "hidden" });
  }
  await node.eval((n, w) => {
    w.width = 225;
    /** @type {any} */ (window).app.canvas.setDirty(true, true);
  });
  await node.shown();
  assert.equal(await width(), before);
}

/** At its least height the node still holds all of the editor. @param {Page} page */
export async function leastHeight(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.eval((n) => {
    n.setSize([n.size[0], 10]);
    n.setDirtyCanvas(true, true);
  });
  await node.shown();
  const over = await node.eval((n, w, e) => e.root.getBoundingClientRect().bottom - e.large.home.parentElement.getBoundingClientRect().bottom);
  assert.ok(over < 1, `${over} pixels over what lies below`);
}

/** The page's own tooltip of the widget does not pop up over the boxes. @param {Page} page */
export async function noTooltip(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  const [own, title] = await node.eval((n, w, e) => [e.view.stage.closest("[title]") === e.root, e.root.getAttribute("title")]);
  assert.deepEqual([own, title], [true, ""], "an empty one of the editor's own, also where nothing around it has any yet");
}

/** axe-core finds nothing, whatever is open, in the dark theme and in the light one. @param {Page} page */
export async function axe(page) {
  for (const palette of ["light", "dark"]) {
    await page.evaluate((name) => /** @type {any} */ (window).app.extensionManager.setting.set("Comfy.ColorPalette", name), palette);
    await page.waitForFunction((dark) => document.body.classList.contains("dark-theme") === dark, palette === "dark");
    await everythingOpen(page);
  }
}

/** @param {Page} page */
async function everythingOpen(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.eval((n, w) => { w.value = JSON.stringify({ version: 1, width: 512, height: 512, instances: [
    { box: [0, 0, 0.5, 0.5], caption: "a cat, asleep", point: [0.25, 0.25], scribble: [[[0.1, 0.1]]], mask: { size: [2, 2], counts: [0, 1, 3] } }, { box: [0.5, 0.5, 1, 1], caption: "a dog", enabled: false }, { box: [0.5, 0, 1, 0.5] }] }); });
  await node.settle();
  await node.click([0.25, 0.25]);
  await node.root().locator("summary").click();
  await node.eval((n, w, e) => e.notices.show(["Something is to be said."], "test"));
  await node.settle();
  await node.press("Enter");
  await accessible(node, "a box chosen, its caption, more settings and a notice");
  await node.press("Enter");
  for (const menu of ["Layout templates", "Background picture", "More"]) {
    await node.root().getByLabel(menu, { exact: true }).first().click();
    await accessible(node, menu);
    await node.press("Escape");
  }
  await node.press("Shift+F10");
  await node.root().locator(".roictrl-menu [aria-haspopup]").first().click();
  await accessible(node, "the menu of shapes");
  await node.press("Escape");
  await node.press("Control+a");
  await node.press("Shift+F10");
  await node.root().locator(".roictrl-menu [aria-haspopup]").last().click();
  await accessible(node, "the menu of arranging, with several chosen");
  await node.press("Escape");
  await node.press("l");
  await node.eval((n, w, e) => { e.root.style.width = "400px"; });
  await node.shown();
  await node.root().locator(".roictrl-fold").click();
  await accessible(node, "the folded tools");
  await node.press("Escape");
  await node.eval((n, w, e) => { e.root.style.width = ""; });
  await node.press("?");
  await accessible(node, "help");
  await node.press("Escape");
  await node.click([0.98, 0.02]);
  for (let n = 0; n < 2; n++) await node.press("Escape");
  await accessible(node, "nothing chosen: the whole picture");
  await node.root().locator(".roictrl-size").click();
  await accessible(node, "sizes");
  await node.press("Escape");
  await node.press("f");
  await accessible(node, "large");
  await node.press("f");
  await node.eval((n, w) => { w.value = "{broken"; });
  await node.settle();
  await accessible(node, "a text that cannot be read");
}
