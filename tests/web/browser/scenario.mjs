// @ts-check
/** What a person does with the editor, step by step; each step checks what the widget holds. */
import assert from "node:assert/strict";
import { Node, emptyGraph, ready } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

const CAPTIONS = ["a red fox", "a blue owl", "一只猫"];
/** @type {[[number, number], [number, number]][]} on cells and guides, so that snapping leaves them alone */
const DRAGS = [[[0.0625, 0.3125], [0.4375, 0.9375]], [[0.5625, 0.0625], [0.9375, 0.4375]], [[0.5625, 0.5625], [0.9375, 0.9375]]];
const BOXES = DRAGS.map(([[x1, y1], [x2, y2]]) => [x1, y1, x2, y2]);

/** @param {number[]} got @param {number[]} want @param {string} what @param {number} [within] */
const near = (got, want, what, within = 0.006) =>
  got.forEach((v, i) => assert.ok(Math.abs(v - want[i]) <= within, `${what}: ${got} is not ${want}`));
/** @param {any} layout */
const boxes = (layout) => layout.instances.map((/** @type {any} */ it) => it.box);

/** Three drags, three captions: no click between them, as the caption field opens by itself. @param {Page} page @param {[number, number]} [at] */
export async function drawThree(page, at) {
  const node = await Node.add(page, at);
  for (const [i, [from, to]] of DRAGS.entries()) {
    await node.drag(from, to);
    assert.equal(await page.evaluate(() => document.activeElement?.className), "roictrl-caption");
    await page.keyboard.type(CAPTIONS[i]);
  }
  const layout = await node.layout();
  assert.deepEqual(layout.instances.map((/** @type {any} */ it) => it.caption), CAPTIONS);
  boxes(layout).forEach((/** @type {number[]} */ box, /** @type {number} */ i) => near(box, BOXES[i], `box ${i + 1}`));
  await node.press("Enter");
  return node;
}

/** Undo and redo, typing as one entry, then back to what was drawn. @param {Node} node */
export async function undoRedo(node) {
  const drawn = await node.text();
  await node.press("Control+z");
  assert.equal((await node.layout()).instances[2].caption, undefined);
  await node.press("Control+z");
  assert.equal((await node.layout()).instances.length, 2);
  await node.press("Control+Shift+z");
  await node.press("Control+y");
  assert.equal(await node.text(), drawn);
}

/** @param {Node} node */
export async function moveResizeSelect(node) {
  const drawn = await node.text();
  await node.click([0.75, 0.3]);
  await node.drag([0.75, 0.3], [0.75, 0.3625]);
  near((await node.layout()).instances[1].box, [0.5625, 0.125, 0.9375, 0.5], "moved");
  await node.drag([0.9375, 0.5], [0.875, 0.4375]);
  near((await node.layout()).instances[1].box, [0.5625, 0.125, 0.875, 0.4375], "resized");
  await node.drag([0.5, 0.02], [0.98, 0.98], { keys: ["Shift"] });
  assert.equal(await node.eval((n, w, e) => e.state.selection.length), 2);
  const before = boxes(await node.layout());
  await node.drag([0.75, 0.75], [0.6875, 0.75]);
  const after = boxes(await node.layout());
  near(after[1], before[1].map((/** @type {number} */ v, /** @type {number} */ i) => v - (i % 2 ? 0 : 0.0625)), "group moved");
  assert.deepEqual(after[0], before[0]);
  for (let n = 0; n < 3; n++) await node.press("Control+z");
  assert.equal(await node.text(), drawn);
}

/** @param {Node} node */
export async function keyboardOnly(node) {
  const drawn = await node.text();
  await node.click([0.02, 0.02]);
  await node.press("Tab");
  assert.equal(await node.eval((n, w, e) => e.store.selected[0].fields.caption), "a red fox");
  for (const key of ["ArrowRight", "ArrowRight", "Shift+ArrowDown", "m"]) await node.press(key);
  const [box] = (await node.layout()).instances;
  near(box.box, [0.0625 + 2 / 512, 0.3125 + 8 / 512, 0.4375 + 2 / 512, 0.9375 + 8 / 512], "nudged", 1e-5);
  assert.equal(box.enabled, false);
  assert.match(await node.root().locator(".roictrl-status").innerText(), /./);
  assert.equal(await node.root().locator("[role=option][aria-selected=true]").count(), 1);
  await node.press("?");
  assert.ok(await node.root().locator(".roictrl-help").isVisible());
  await node.press("Escape");
  for (let n = 0; n < 2; n++) await node.press("Control+z"); // all nudges are one entry
  assert.equal(await node.text(), drawn);
}

/** Between two nodes, through the system's clipboard. @param {Node} from @param {Page} page */
export async function copyPaste(from, page) {
  await from.click([0.2, 0.8]);
  await from.press("Control+a");
  await from.press("Control+c");
  const to = await Node.add(page, [820, 160]);
  await to.click([0.5, 0.5]);
  await to.press("Control+v");
  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.state.doc.items.length === 3, to.id);
  assert.deepEqual((await to.layout()).instances, (await from.layout()).instances);
  return to;
}

/** Dropped text that the browser does not read itself goes through the server. @param {Node} node */
export async function importForeign(node) {
  const before = (await node.layout()).instances.length;
  await node.eval((n, w, e) => {
    const dataTransfer = new DataTransfer();
    dataTransfer.setData("text/plain", '[{"type": "obj", "bbox": [100, 100, 300, 400], "desc": "a boat"}, {"bbox": [0, 0, 0, 0]}]');
    e.view.stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });
  await node.root().locator(".roictrl-notice").waitFor();
  const layout = await node.layout();
  assert.equal(layout.instances.length, before + 1);
  assert.deepEqual(layout.instances.at(-1).box, [0.1, 0.1, 0.4, 0.3]);
  assert.match(await node.root().locator(".roictrl-notice").innerText(), /no area and was left out/);
}

/** The graph's zoom scales the element: the same places in the picture must be hit. @param {Page} page */
export async function graphZoom(page) {
  for (const [scale, at] of /** @type {[number, [number, number]][]} */ ([[0.5, [200, 260]], [2, [40, -60]]])) {
    await emptyGraph(page, scale);
    const node = await Node.add(page, at);
    const [from, to] = DRAGS[1];
    await node.drag(from, to);
    await node.press("Enter");
    near((await node.layout()).instances[0].box, BOXES[1], `at zoom ${scale}`, 0.012);
  }
  await emptyGraph(page);
}

/** With 200 boxes: at most one paint per frame while dragging, none when nothing changes. @param {Page} page */
export async function paints(page) {
  const node = await Node.add(page, [90, 160]);
  await node.eval((n, w) => {
    const instances = Array.from({ length: 200 }, (_, i) => {
      const [x, y] = [(i % 20) / 20, Math.floor(i / 20) / 10];
      return { box: [x + 0.005, y + 0.005, x + 0.045, y + 0.095], caption: `thing ${i}` };
    });
    w.value = JSON.stringify({ version: 1, width: 512, height: 512, instances });
  });
  await node.settle();
  await node.eval((n, w, e) => {
    const count = { frames: 0, paints: e.view.paints };
    Object.assign(window, { count });
    const frame = () => {
      count.frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  await node.drag([0.025, 0.05], [0.5, 0.5]);
  const moved = await node.eval((n, w, e) => ({ frames: /** @type {any} */ (window).count.frames, paints: e.view.paints - /** @type {any} */ (window).count.paints }));
  assert.ok(moved.paints > 2 && moved.paints <= moved.frames + 1, `${moved.paints} paints in ${moved.frames} frames`);
  await page.mouse.move(5, 500);
  await node.settle();
  const quiet = await node.eval((n, w, e) => e.view.paints);
  await page.waitForFunction((until) => /** @type {any} */ (window).count.frames > until, moved.frames + 30);
  assert.equal(await node.eval((n, w, e) => e.view.paints), quiet, "no paint when nothing changes");
}

/** Saved on the server, the page loaded anew, opened again: the same text to the letter. @param {Node} node @param {Page} page */
export async function saveReloadReopen(node, page) {
  const text = await node.text();
  await page.evaluate(async () => {
    const { app } = /** @type {any} */ (window);
    const saved = await app.api.storeUserData("workflows/boxes.json", JSON.stringify(app.graph.serialize()), { overwrite: true, stringify: false });
    if (!saved.ok) throw new Error(saved.statusText);
  });
  await page.reload({ waitUntil: "domcontentloaded" });
  await ready(page);
  await page.evaluate(async () => {
    const { app } = /** @type {any} */ (window);
    await app.loadGraphData(await (await app.api.getUserData("workflows/boxes.json")).json());
  });
  await node.shown();
  assert.equal(await node.text(), text);
}

/** As the plain text widget of before saved it: opened, shown, and not a letter changed; a broken one as well. @param {Page} page */
export async function oldWorkflow(page) {
  const saved = '{\n  "version": 1, "width": 512, "height": 512,\n  "instances": [{"box": [0.1, 0.1, 0.4, 0.4], "caption": "a red fox", "note": 7}]\n}\n';
  for (const text of [saved, '{"instances": [{"box"', ""]) {
    const node = await page.evaluate(async (value) => {
      const { app, LiteGraph } = /** @type {any} */ (window);
      const made = LiteGraph.createNode("ROICtrlInstanceBoxPrompt");
      app.graph.clear();
      app.graph.add(made);
      made.pos = [90, 160];
      const workflow = JSON.parse(JSON.stringify(app.graph.serialize()));
      workflow.nodes[0].widgets_values = [512, 384, value, true];
      await app.loadGraphData(workflow);
      return workflow.nodes[0].id;
    }, text).then((id) => new Node(page, id));
    await node.shown();
    assert.equal(await node.text(), text);
    const shown = await node.eval((n, w, e) => ({ boxes: e.state.doc.items.length, broken: !!e.broken, size: e.size }));
    assert.deepEqual(shown, { boxes: text === saved ? 1 : 0, broken: text.startsWith('{"'), size: { width: 512, height: 384 } });
    assert.equal(await node.root().locator(".roictrl-overlay").isVisible(), shown.broken);
    if (shown.broken) await refuseToOverwrite(node);
  }
}

/** Whatever a person tries on a text that cannot be read, it stays; corrected, it is used. @param {Node} node */
async function refuseToOverwrite(node) {
  const text = await node.text();
  await node.drag([0.2, 0.2], [0.6, 0.6]);
  for (const key of ["n", "Control+v", "g"]) await node.press(key);
  await node.eval((n, w, e) => e.setPref("grid", true));
  assert.equal(await node.text(), text);
  const corrected = '{"instances": [{"box": [0, 0, 0.5, 0.5], "caption": "mended"}]}';
  await node.root().locator(".roictrl-overlay textarea").fill(corrected);
  await node.root().locator(".roictrl-overlay button").first().click();
  assert.equal(await node.text(), corrected);
  await node.root().locator(".roictrl-overlay").waitFor({ state: "hidden" });
}

/** Into a subgraph and back: the boxes come along, and can be drawn inside. @param {Node} node @param {Page} page */
export async function subgraph(node, page) {
  const text = await node.text();
  const wrapper = await node.wrap();
  const inside = await Node.inside(page, wrapper);
  assert.equal(await inside.text(), text);
  await inside.drag([0.0625, 0.0625], [0.375, 0.25]);
  await inside.press("Enter");
  const more = await inside.text();
  assert.equal(JSON.parse(more).instances.length, JSON.parse(text).instances.length + 1);
  // In one go: Nodes 2.0 of page 1.32 does not show nodes that are added later to a graph one came back to.
  await page.evaluate((id) => {
    const { app } = /** @type {any} */ (window);
    app.canvas.setGraph(app.rootGraph ?? app.graph);
    app.graph.unpackSubgraph(app.graph.getNodeById(id));
  }, wrapper);
  const back = new Node(page, await page.evaluate(() => /** @type {any} */ (window).app.graph.nodes
    .findLast((/** @type {any} */ n) => n.type === "ROICtrlInstanceBoxPrompt").id));
  await back.shown();
  assert.equal(await back.text(), more);
  return back;
}

/**
 * One click on Run: the server's layout is the drawing.  Boxes that reach a second node through its input become ghosts
 * there, and one click makes them its own; the picture that was made can be laid behind the boxes.
 * @param {Node} node @param {Page} page
 */
export async function queue(node, page) {
  // Something new, as the server does not run again what it has just run.
  await node.eval((n, w, e, caption) => e.store.dispatch({ type: "head", changes: { caption } }), `a forest at ${Date.now()}`);
  const second = await Node.add(page, [820, 160]);
  await page.evaluate(([from, to]) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const [first, other] = [from, to].map((id) => app.graph.getNodeById(id));
    const slot = (/** @type {any} */ n, /** @type {string} */ name) => n.inputs.findIndex((/** @type {any} */ i) => i.name === name);
    const preview = LiteGraph.createNode("ROICtrlPreviewLayout");
    preview.pos = [820, 1000];
    app.graph.add(preview);
    first.connect(1, other, slot(other, "boxes"));
    other.connect(0, preview, slot(preview, "layout"));
    const last = LiteGraph.createNode("ROICtrlPreviewLayout");
    last.pos = [90, 1000];
    app.graph.add(last);
    first.connect(0, last, slot(last, "layout"));
    Object.assign(window, { ran: {} });
    app.api.addEventListener("executed", (/** @type {any} */ { detail }) => { /** @type {any} */ (window).ran[detail.node] = detail.output; });
  }, [node.id, second.id]);
  await page.getByTestId("queue-button").first().click();
  await page.waitForFunction((ids) => ids.every((id) => /** @type {any} */ (window).ran[id]), [node.id, second.id]);
  const { layout } = await page.evaluate((id) => /** @type {any} */ (window).ran[id].roictrl[0], node.id);
  assert.deepEqual(layout, await node.layout());

  await second.root().locator(".roictrl-adopt").click();
  const adopted = (await second.layout()).instances;
  assert.deepEqual(adopted.map((/** @type {any} */ it) => it.caption), layout.instances.map((/** @type {any} */ it) => it.caption));
  boxes(layout).forEach((/** @type {number[]} */ box, /** @type {number} */ i) => near(adopted[i].box, box, "adopted"));

  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.host.resultImage(), node.id);
  await node.eval((n, w, e) => e.background.choose("result"));
  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.background.image?.naturalWidth, node.id);
  await node.eval((n, w, e) => e.background.choose("connected"));
}

/** The picture follows the node's width and height; the boxes keep their shares. @param {Node} node */
export async function resizePicture(node) {
  const before = boxes(await node.layout());
  await node.eval((n) => {
    const width = n.widgets.find((/** @type {any} */ w) => w.name === "width");
    width.value = 768;
    width.callback?.(768);
  });
  await node.settle();
  assert.deepEqual(await node.eval((n, w, e) => e.size), { width: 768, height: 512 });
  assert.deepEqual(boxes(await node.layout()), before);
  const frame = await node.eval((n, w, e) => e.view.frame);
  assert.ok(Math.abs(frame.w / frame.h - 1.5) < 1e-6);
}
