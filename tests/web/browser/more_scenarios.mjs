// @ts-check
/** Further places and ways to draw: on a subgraph's own node, and with a finger; and pasted numbers that may mean several things. */
import assert from "node:assert/strict";
import { accessible } from "./accessible.mjs";
import { Node, dragOver, emptyGraph, shownStage } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

const LONG_PRESS_MS = 500;

/** The layouts that would be sent to the server. @param {Page} page @returns {Promise<any[]>} */
export const queued = (page) => page.evaluate(async () => Object.values((await /** @type {any} */ (window).app.graphToPrompt()).output)
  .filter((/** @type {any} */ n) => n.class_type === "ROICtrlInstanceBoxPrompt").map((/** @type {any} */ n) => JSON.parse(n.inputs.layout)));

/** The workflow as it is, opened anew; the editor of the subgraph's node is shown and has come to rest. @param {Page} page */
async function reopen(page) {
  await page.evaluate(async () => {
    const { app } = /** @type {any} */ (window);
    await app.loadGraphData(JSON.parse(JSON.stringify(app.graph.serialize())));
  });
  const stage = shownStage(page);
  await stage.waitFor();
  for (let before = "", now = ""; !now || now !== before;) {
    before = now;
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    now = JSON.stringify(await stage.boundingBox());
  }
  return stage;
}

/** A node of this graph promoted out of a subgraph: the stage on the subgraph's own node. @param {Node} node */
export async function promote(node) {
  const { page } = node;
  await page.evaluate((outer) => {
    const host = /** @type {any} */ (window).app.graph.getNodeById(outer);
    host.properties.proxyWidgets = [[String(host.subgraph.nodes[0].id), "layout"]];
    host.pos = [300, 160];
    host.setSize([660, 520]);
  }, await node.wrap());
  return reopen(page);
}

/** The promoted widget draws as any other, what is drawn is what is queued, and it is saved. @param {Page} page */
export async function promoted(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.drag([0.125, 0.125], [0.375, 0.375]);
  await node.press("Enter");
  await dragOver(await promote(node), [0.55, 0.55], [0.7, 0.8]);
  await page.locator(".roictrl-caption").filter({ visible: true }).waitFor();
  await page.keyboard.type("drawn outside");
  await page.keyboard.press("Enter");
  for (const when of ["drawn", "opened again"]) {
    const [layout] = await queued(page);
    assert.deepEqual(layout.instances.map((/** @type {any} */ it) => it.caption), [undefined, "drawn outside"], when);
    assert.ok(layout.instances.every((/** @type {any} */ it) => !it.color), "no connected node shows the colours");
    if (when === "drawn") await reopen(page);
  }
}

/** A finger draws; held still it opens the menu; two zoom and shift the picture, and do neither. @param {Page} page that has touch */
export async function touch(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  const session = await page.context().newCDPSession(page);
  /** @param {string} type @param {[number, number]} [place] */
  const finger = async (type, place) => {
    const [x, y] = place ? await node.at(...place) : [0, 0];
    await session.send("Input.dispatchTouchEvent", { type: /** @type {any} */ (type), touchPoints: place ? [{ x, y }] : [] });
  };
  await finger("touchStart", [0.25, 0.25]);
  for (const at of [0.3, 0.5, 0.75]) await finger("touchMove", [at, at]);
  await finger("touchEnd");
  await node.settle();
  await page.keyboard.type("touched");
  await node.press("Enter");
  assert.deepEqual((await node.layout()).instances.map((/** @type {any} */ it) => [it.box, it.caption]), [[[0.25, 0.25, 0.75, 0.75], "touched"]]);
  await finger("touchStart", [0.5, 0.5]);
  await node.root().locator(".roictrl-menu").waitFor({ state: "visible" });
  await finger("touchEnd");
  await node.root().locator(".roictrl-menu button").last().click();
  assert.equal((await node.layout()).instances.length, 0);
  await twoFingers(node, session);
}

/** @param {Node} node @param {import("playwright-core").CDPSession} session */
async function twoFingers(node, session) {
  const { page } = node;
  const graph = () => page.evaluate(() => JSON.stringify([/** @type {any} */ (window).app.canvas.ds.scale, [.../** @type {any} */ (window).app.canvas.ds.offset]]));
  const before = await graph();
  const middle = await node.at(0.5, 0.5);
  /** @param {string} type @param {number[]} by screen pixels left and right of the middle, one for each finger */
  const fingers = (type, ...by) => session.send("Input.dispatchTouchEvent", { type: /** @type {any} */ (type),
    touchPoints: by.map((x, id) => ({ x: middle[0] + x, y: middle[1], id })) });
  await fingers("touchStart", -40);
  await fingers("touchMove", -50); // the first finger has begun to draw
  await fingers("touchStart", -50, 50);
  for (const far of [60, 80, 100]) await fingers("touchMove", -far, far);
  await page.waitForTimeout(LONG_PRESS_MS + 200);
  assert.equal(await node.root().locator(".roictrl-menu").count(), 0, "no menu");
  const { zoom, x } = await node.eval((n, w, e) => e.view.viewport);
  assert.ok(Math.abs(zoom - 2) < 0.05 && Math.abs(x) < 2, `the fingers are twice as far apart: ${zoom}, ${x}`);
  await fingers("touchMove", -60, 140);
  await node.settle();
  assert.ok(await node.eval((n, w, e) => e.view.viewport.x) > 20, "both to the right");
  await fingers("touchMove", -60); // one is lifted
  await fingers("touchMove", -10);
  await fingers("touchEnd");
  await node.settle();
  assert.deepEqual((await node.layout()).instances, [], "nothing was drawn");
  assert.equal(await graph(), before, "the graph stays where it is");
  await node.press("0");
}

/** Pasted numbers whose order and unit are a guess: the notice asks, and one press reads them anew, as one step. @param {Page} page */
export async function importAsks(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  const choices = node.root().locator(".roictrl-choices");
  /** The reading that shows as taken, and the box in 512ths. @param {string} reading @param {number[]} box */
  const read = async (reading, box) => {
    await choices.locator('button[aria-pressed="true"]', { hasText: reading }).waitFor();
    assert.deepEqual((await node.layout()).instances.map((/** @type {any} */ it) => it.box.map((/** @type {number} */ v) => Math.round(v * 512))), [box], reading);
  };
  await node.click([0.5, 0.98]);
  await page.evaluate((text) => navigator.clipboard.writeText(text), '[{"label": "dog", "score": 0.9, "bbox": [64, 128, 256, 384]}]');
  await node.press("Control+v");
  await read("x1 y1 x2 y2", [64, 128, 256, 384]);
  for (const [reading, box] of /** @type {[string, number[]][]} */ ([["x y width height", [64, 128, 320, 512]], ["y first", [128, 64, 384, 256]], ["0 to 1000", [66, 33, 197, 131]]])) {
    await choices.getByRole("button", { name: reading }).click();
    await read(reading, box);
  }
  assert.equal(await choices.getByRole("button").count(), 8, "four orders, four units");
  await accessible(node, "an import that asks");
  await node.click([0.5, 0.98]);
  await node.press("Control+z");
  assert.deepEqual((await node.layout()).instances.map((/** @type {any} */ it) => it.box), [[0.25, 0.125, 0.75, 0.5]], "one reading back");
}

/** Which picture of a file, and the names of its classes, are asked for in the same way. @param {Page} page */
export async function importPicks(page) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  const captions = async () => (await node.layout()).instances.map((/** @type {any} */ it) => it.caption);
  /** @param {string[]} wanted */
  const come = (wanted) => page.waitForFunction(([id, all]) => JSON.stringify(/** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.state.doc.items.map((/** @type {any} */ it) => it.fields.caption)) === all, /** @type {const} */ ([node.id, JSON.stringify(wanted)]));
  const choice = (/** @type {string} */ key) => node.root().locator(`.roictrl-choices[data-choice=${key}]`);
  const images = [1, 2].map((id) => ({ id, file_name: `${id}.png`, width: 512, height: 512 }));
  const annotations = images.map(({ id }) => ({ id, image_id: id, category_id: id, bbox: [64, 64, 128, 128], area: 16384, iscrowd: 0 }));
  for (const text of [JSON.stringify({ images, annotations, categories: [{ id: 1, name: "fox" }, { id: 2, name: "owl" }] }), "0 0.25 0.4 0.3 0.4\n1 0.75 0.4 0.3 0.4"]) {
    await node.eval((n, w) => { w.value = ""; });
    await node.click([0.5, 0.98]);
    await page.evaluate((content) => navigator.clipboard.writeText(content), text);
    await node.press("Control+v");
    if (text.startsWith("{")) {
      await come(["fox"]);
      await choice("pick").getByRole("button", { name: "2.png" }).click();
      await come(["owl"]);
    } else {
      await accessible(node, "names to be typed");
      await choice("class_names").getByRole("textbox").fill("hare, boat");
      await choice("class_names").getByRole("textbox").press("Tab");
      await come(["hare", "boat"]);
    }
  }
  await node.click([0.5, 0.98]);
  await node.press("Control+z");
  assert.ok((await captions()).every((/** @type {string} */ caption) => /class/.test(caption)), `${await captions()}`);
}
