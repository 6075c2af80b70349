// @ts-check
/** The whole picture: its prompt, its size, and what stands around the boxes. */
import assert from "node:assert/strict";
import { accessible } from "./accessible.mjs";
import { Node, RUN } from "./harness.mjs";
import { sample } from "./said.mjs";
import { LOCALE, fresh, instances, painted } from "./shape_steps.mjs";

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
  await drawnLarge(before, "drawn large", 0.5);
  const node = await Node.inside(page, await before.wrap());
  await node.click([0.9, 0.9]);
  await node.press("f");
  await drawnLarge(node, "drawn inside", 0.125);
}

/** @param {Node} node that is shown large @param {string} caption to type @param {number} at where the box begins */
async function drawnLarge(node, caption, at) {
  const { page } = node;
  await node.shown();
  const state = (/** @type {string} */ what) => node.eval((n, w, e, name) => ({
    size: [e.root.offsetWidth / innerWidth, e.root.offsetHeight / innerHeight].every((share) => share > 0.9),
    inside: e.large.dialog.matches(":modal") && (e.root.contains(document.activeElement) || document.activeElement === document.body), what: name }), what);
  assert.deepEqual(await state("opened"), { size: true, inside: true, what: "opened" });
  const graph = await page.evaluate(() => JSON.stringify(/** @type {any} */ (window).app.canvas.ds.state ?? /** @type {any} */ (window).app.canvas.ds.scale));
  await node.drag([at, at], [at + 0.25, at + 0.25]);
  await node.root().locator(".roictrl-caption").waitFor();
  await page.keyboard.type(caption);
  await node.press("Enter");
  await page.mouse.wheel(0, -300);
  await node.settle();
  assert.ok(await node.eval((n, w, e) => e.view.viewport.zoom) > 1);
  await node.root().getByLabel("More", { exact: true }).focus();
  for (let n = 0; n < 6; n++) await node.press("Tab");
  assert.ok((await state("after Tab")).inside, "the page behind is never reached");
  await node.eval((n, w, e) => e.focus());
  await node.press("?");
  for (let n = 0; n < 5 && (await state("")).inside; n++) await node.press("Escape"); // help, what is chosen, and last the dialog
  assert.equal(await node.eval((n, w, e) => e.large.open || e.root.parentElement !== e.large.home), false);
  await node.shown();
  assert.equal((await node.layout()).instances.at(-1).caption, caption);
  assert.equal(await page.evaluate(() => JSON.stringify(/** @type {any} */ (window).app.canvas.ds.state ?? /** @type {any} */ (window).app.canvas.ds.scale)), graph, "the graph stays where it is");
  await node.press("0");
}

/** Several boxes put in line, apart and to one size by their menu, with the keyboard alone. @param {Page} page */
export async function arranging(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.25, 0.25] }, { box: [0.375, 0.25, 0.625, 0.5] }, { box: [0.5, 0.75, 1, 1] }]);
  await node.press("Control+a");
  const choose = async (/** @type {string} */ label) => {
    await node.press("Shift+F10");
    for (const name of [LOCALE.menu.arrange, label]) {
      for (let n = 0; n < 12 && !(await page.evaluate(() => document.activeElement?.textContent ?? "")).includes(name); n++) await node.press("ArrowDown");
      await node.press("Enter");
    }
  };
  await choose(LOCALE.arranging.down);
  const [top, middle, bottom] = (await instances(node)).map(({ box }) => box);
  assert.ok(Math.abs(middle[1] - top[3] - (bottom[1] - middle[3])) < 1e-5 && top[1] === 0.125 && bottom[3] === 1, `the same space: ${[top, middle, bottom].join(" | ")}`);
  await node.press("Control+z");
  await choose(LOCALE.arranging.left);
  assert.deepEqual((await instances(node)).map(({ box }) => box[0]), [0.125, 0.125, 0.125]);
  await choose(LOCALE.arranging.size);
  assert.deepEqual((await instances(node)).map(({ box }) => [box[2] - box[0], box[3] - box[1]]), [[0.5, 0.25], [0.5, 0.25], [0.5, 0.25]]);
  for (let n = 0; n < 2; n++) await node.press("Control+z");
  assert.deepEqual((await instances(node)).map(({ box }) => box[0]), [0.125, 0.375, 0.5]);
}

/** The size below the boxes: another model's, and turned; the boxes keep their shares, and a link takes the choice away. @param {Page} page */
export async function pictureSize(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5] }]);
  const [button, menu] = [node.root().locator(".roictrl-size"), node.root().locator(".roictrl-menu button")];
  const widgets = () => node.eval((n) => ["width", "height"].map((name) => n.widgets.find((/** @type {any} */ w) => w.name === name).value));
  await button.click();
  await menu.filter({ hasText: "1216 × 832" }).click();
  assert.deepEqual(await widgets(), [1216, 832]);
  await button.click();
  await menu.filter({ hasText: LOCALE.sizes.swap }).click();
  assert.deepEqual(await widgets(), [832, 1216]);
  await node.settle();
  assert.equal(await button.innerText(), "832 × 1216");
  assert.deepEqual((await instances(node))[0].box, [0.125, 0.125, 0.5, 0.5]);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const side = LiteGraph.createNode("PrimitiveInt");
    app.graph.add(side);
    const target = app.graph.getNodeById(id);
    side.connect(0, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "width"));
  }, node.id);
  await node.settle();
  assert.ok(await button.isDisabled());
}

/** A caption's tokens below its field, as long as the layout goes to a method whose text encoder is CLIP. @param {Page} page */
export async function tokens(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5], caption: "a red fox" }, { box: [0.5, 0.5, 1, 1], caption: "fox ".repeat(80) }]);
  const count = node.root().locator(".roictrl-tokens").filter({ visible: true });
  await node.press("Tab");
  assert.equal(await count.count(), 0);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const [method, loader] = ["ROICtrlApplyROIPrompts", "CheckpointLoaderSimple"].map((type) => LiteGraph.createNode(type));
    for (const made of [method, loader]) app.graph.add(made);
    const slot = (/** @type {string} */ name) => method.inputs.findIndex((/** @type {any} */ i) => i.name === name);
    app.graph.getNodeById(id).connect(0, method, slot("layout"));
    loader.connect(1, method, slot("clip"));
  }, node.id);
  await node.eval((n, w, e) => e.refresh());
  await count.filter({ hasText: "3 of 75" }).waitFor();
  await node.press("Tab");
  await count.filter({ hasText: "80 tokens, read in 2 chunks" }).waitFor();
  await accessible(node, "tokens");
}

/** What ComfyUI sends while a sampler runs is the background where that is chosen. @param {Page} page */
export async function livePreview(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5], caption: "fox" }]);
  await node.root().getByLabel("Background picture").click();
  await node.root().locator(".roictrl-menu button", { hasText: LOCALE.background.live }).click();
  await page.evaluate(async () => {
    const canvas = new OffscreenCanvas(8, 8);
    const ctx = /** @type {any} */ (canvas.getContext("2d"));
    ctx.fillStyle = "#ff0000";
    ctx.fillRect(0, 0, 8, 8);
    /** @type {any} */ (window).app.api.dispatchCustomEvent("b_preview", await canvas.convertToBlob());
  });
  await page.waitForFunction((id) => /** @type {any} */ (window).app.canvas.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.background.image?.naturalWidth === 8, node.id);
  await node.settle();
  const [red, green] = await painted(node, [0.75, 0.75]);
  assert.ok(red > 100 && green < 40, `${red}, ${green}`);
}

/** The same from a sampler that runs: its frames as they come, then the picture that it made. @param {Page} page */
export async function liveSampler(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5], caption: "a red plain circle" }]);
  await page.evaluate(sample, { id: node.id, steps: 4, seed: Date.now() % 1e9 }); // not one of the server's cache
  await node.eval((n, w, e) => {
    e.background.choose("live");
    const { show } = e.background;
    const shown = Object.assign(window, { shown: /** @type {string[]} */ ([]) }).shown;
    e.background.show = (/** @type {HTMLImageElement|null} */ image) => {
      if (image) shown.push(`${new URL(image.src).protocol} ${image.naturalWidth}`);
      show.call(e.background, image);
    };
  });
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction(() => /^http.* 128$/.test(/** @type {any} */ (window).shown.at(-1)), null, RUN);
  const frames = (await page.evaluate(() => /** @type {string[]} */ (/** @type {any} */ (window).shown))).filter((one) => one.startsWith("blob:"));
  assert.ok(frames.length > 1, `${frames.length} frames of the sampler`);
}

/** What the boxes hang on runs by itself, again and again, and what comes is offered; nothing else runs, nor is it forgotten. @param {Page} page */
export async function fillFromPicture(page) {
  const node = await fresh(page);
  const first = await Node.add(page, [820, 160], { layout: JSON.stringify({ version: 1, width: 512, height: 512, instances: [
    { box: [0.125, 0.125, 0.5, 0.5], caption: `fox ${Date.now()}` }, { box: [0.5, 0.5, 1, 1], caption: "owl" }] }) }); // another one than any run before
  const preview = await page.evaluate(([from, to]) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const [source, target] = [from, to].map((id) => app.graph.getNodeById(id));
    const made = LiteGraph.createNode("ROICtrlPreviewLayout");
    app.graph.add(made);
    source.connect(1, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "boxes"));
    target.connect(0, made, made.inputs.findIndex((/** @type {any} */ i) => i.name === "layout"));
    const log = { ran: /** @type {string[]} */ ([]), cached: /** @type {string[]} */ ([]), ended: 0 };
    Object.assign(window, { log });
    app.api.addEventListener("executed", (/** @type {any} */ { detail }) => log.ran.push(String(detail.node)));
    app.api.addEventListener("execution_cached", (/** @type {any} */ { detail }) => { log.cached = detail.nodes.map(String); });
    app.api.addEventListener("execution_success", () => log.ended++);
    return String(made.id);
  }, [first.id, node.id]);
  const ended = (/** @type {number} */ n) => page.waitForFunction((count) => /** @type {any} */ (window).log.ended === count, n);
  const log = () => page.evaluate(() => /** @type {any} */ (window).log);
  const adopt = node.root().locator(".roictrl-adopt");
  for (const run of [2, 3]) {
    if (run === 2) {
      await page.getByTestId("queue-button").first().click();
      await ended(1);
    }
    await page.evaluate(() => { /** @type {any} */ (window).log.ran = []; });
    await node.eval((n, w, e) => { e.report.ghosts = []; });
    await node.root().getByLabel("More", { exact: true }).click();
    await node.root().locator(".roictrl-menu button", { hasText: LOCALE.menu.fill }).click();
    await adopt.waitFor();
    await ended(run);
    if (run === 2) await accessible(node, "boxes on offer");
    assert.ok((await log()).ran.every((/** @type {string} */ id) => /^roictrl-boxes/.test(id) || id === String(first.id)), `${(await log()).ran}`);
  }
  await page.getByTestId("queue-button").first().click();
  await ended(4);
  const { cached } = await log();
  for (const id of [preview, String(node.id)]) assert.ok(cached.includes(id), `${id} was forgotten: ${cached}`);
  await adopt.click();
  assert.deepEqual((await instances(node)).map(({ box }) => box), [[0.125, 0.125, 0.5, 0.5], [0.5, 0.5, 1, 1]]);
  assert.equal(await page.locator(".p-dialog, .comfy-modal").filter({ visible: true }).count(), 0, "the page has nothing to complain of");
}
