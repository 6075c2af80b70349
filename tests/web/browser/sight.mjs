// @ts-check
/** What is to be seen of boxes and captions: sizes, words and places on the stage and around it. */
import assert from "node:assert/strict";
import { Node, emptyGraph } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** A node with these instances alone in the graph. @param {Page} page @param {any[]} instances */
async function fresh(page, instances) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.eval((n, w, e, text) => { w.value = text; }, JSON.stringify({ version: 1, width: 512, height: 512, instances }));
  await node.settle();
  return node;
}

/** The caption's field on a small box covers little, grows with the words, and gives way to a drag beside the box. @param {Page} page */
export async function smallCaption(page) {
  const node = await fresh(page, []);
  const field = node.root().locator(".roictrl-caption");
  const width = () => field.evaluate((element) => /** @type {HTMLElement} */ (element).offsetWidth);
  await node.drag([0.0625, 0.0625], [0.125, 0.125]);
  assert.ok(await width() < 40, `${await width()} pixels on a small box`);
  await page.keyboard.insertText("a red fox in the snow");
  const grown = await width();
  assert.ok(grown > 100, "grows with the text");
  const inField = /** @type {[number, number]} */ (await node.eval((n, w, e) => {
    const [f, own] = [e.view.frame, e.view.caption.element];
    return [(own.offsetLeft + own.offsetWidth - 10 - f.x) / f.w, (own.offsetTop + 10 - f.y) / f.h];
  }));
  await node.click(inField);
  assert.ok(await field.isVisible(), "a click there is the text's");
  assert.equal(await field.evaluate((element) => /** @type {any} */ (element).selectionStart), "a red fox in the snow".length);
  await node.drag(inField, [0.75, 0.5]);
  await page.keyboard.insertText("an owl");
  await node.press("Enter");
  const { instances } = await node.layout();
  assert.deepEqual(instances.map((/** @type {any} */ it) => it.caption), ["a red fox in the snow", "an owl"]);
  assert.ok(Math.abs(instances[1].box[2] - 0.75) < 0.01 && instances[1].box[0] > 0.12, `the drag drew: ${instances[1].box}`);
  await node.drag([0.25, 0.625], [0.875, 0.9375]);
  assert.ok(await width() > 150, "as wide as a wide box");
}

/** The words that the next paint puts on the canvas, with their direction. @param {Node} node @returns {Promise<[string, string][]>} */
async function painted(node) {
  await node.eval((n, w, e) => {
    const ctx = e.view.canvas.getContext("2d");
    const words = /** @type {any} */ (window).painted = /** @type {any[]} */ ([]);
    ctx.fillText = (/** @type {string} */ text, /** @type {number} */ x, /** @type {number} */ y) => {
      words.push([text, ctx.direction]);
      CanvasRenderingContext2D.prototype.fillText.call(ctx, text, x, y);
    };
    e.invalidate();
  });
  await node.settle();
  return node.eval((n, w, e) => {
    delete e.view.canvas.getContext("2d").fillText;
    return /** @type {any} */ (window).painted;
  });
}

/** A narrow box shows its number alone, and its caption while the pointer is on it; a wide one shows both. @param {Page} page */
export async function narrowPlates(page) {
  const node = await fresh(page, [{ box: [0.0625, 0.0625, 0.125, 0.125], caption: "fox" }, { box: [0.0625, 0.5, 0.5, 0.9375], caption: "owl" }]);
  await page.mouse.move(...await node.at(0.75, 0.25));
  const words = async () => (await painted(node)).map(([text]) => text);
  assert.deepEqual(await words(), ["1", "owl", "2"]);
  await page.mouse.move(...await node.at(0.1, 0.1));
  await node.settle();
  assert.deepEqual(await words(), ["owl", "2", "fox", "1"], "on top of the others");
  await page.mouse.move(5, 500);
  await node.settle();
  assert.deepEqual(await words(), ["1", "owl", "2"]);
}

/** Captions in Arabic and Hebrew begin from the right, wherever they stand. @param {Page} page */
export async function rightToLeft(page) {
  const node = await fresh(page, [{ box: [0, 0, 0.5, 0.5], caption: "1. ثعلب أحمر!" }, { box: [0.5, 0.5, 1, 1], caption: "שועל" }, { box: [0.5, 0, 1, 0.5], caption: "fox" }]);
  const drawn = (await painted(node)).filter(([text]) => text.length > 1);
  assert.deepEqual(drawn.map(([, direction]) => direction), ["rtl", "rtl", "ltr"]);
  await node.click([0.25, 0.25]);
  await node.press("Enter");
  const direction = (/** @type {string} */ place) => node.root().locator(place).first().evaluate((element) => getComputedStyle(element).direction);
  for (const place of [".roictrl-caption", ".roictrl-field.caption textarea", ".roictrl-row.selected .roictrl-name"]) {
    assert.equal(await direction(place), "rtl", place);
  }
  await node.press("Enter");
}

/** The size says who decides over it, and a picture that cannot be loaded is said to be missing until there is one. @param {Page} page */
export async function fromTheImage(page) {
  const node = await fresh(page, []);
  const size = () => node.root().locator(".roictrl-size").innerText();
  assert.equal(await size(), "512 × 512");
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const load = LiteGraph.createNode("LoadImage");
    load.pos = [820, 160];
    app.graph.add(load);
    load.widgets[0].value = "gone.png";
    const target = app.graph.getNodeById(id);
    load.connect(0, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "image"));
  }, node.id);
  await node.root().locator(".roictrl-notice", { hasText: "gone.png" }).waitFor();
  assert.equal(await size(), "512 × 512 until the image is made");
  await page.evaluate(() => {
    const { app } = /** @type {any} */ (window);
    const load = app.graph.nodes.find((/** @type {any} */ n) => n.type === "LoadImage");
    load.widgets[0].value = "scene.png";
  });
  await node.eval((n, w, e) => e.refresh());
  await node.root().locator(".roictrl-notice").waitFor({ state: "hidden" });
  await node.settle();
  assert.equal(await size(), "512 × 384 from the image");
  await node.eval((n, w, e) => {
    n.widgets.find((/** @type {any} */ it) => it.name === "size_from_image").value = false;
    e.refresh();
  });
  await node.settle();
  assert.equal(await size(), "512 × 512");
}

/** Of many boxes the chosen one's row is in sight, whatever room its fields take, and nothing but the list has moved for it. @param {Page} page */
export async function listFollows(page) {
  const node = await fresh(page, Array.from({ length: 30 }, (_, i) => ({ box: [(i % 6) / 6, Math.floor(i / 6) / 5, (i % 6 + 0.9) / 6, (Math.floor(i / 6) + 0.9) / 5], caption: `thing ${i + 1}` })));
  const sight = () => node.eval((n, w, e) => {
    const [list, row] = [e.panel.list.element, e.panel.list.element.querySelector(".selected")].map((element) => element.getBoundingClientRect());
    let moved = 0;
    for (let up = e.panel.list.element.parentElement; up; up = up.parentElement) moved += up.scrollTop + up.scrollLeft;
    return { inside: row.top >= list.top - 1 && row.bottom <= list.bottom + 1, moved, name: e.store.selected[0].fields.caption };
  });
  for (const [i, x, y] of [[30, 5.4, 4.4], [1, 0.4, 0.4], [18, 5.4, 2.4]]) {
    await node.click([x / 6, y / 5]);
    assert.deepEqual(await sight(), { inside: true, moved: 0, name: `thing ${i}` });
  }
  await node.root().locator("summary").click();
  await node.shown();
  assert.ok((await sight()).inside, "with less room for the list");
  await node.root().locator("summary").click();
  await node.shown();
  await node.root().locator(".roictrl-list").focus();
  await node.press("ArrowDown");
  assert.deepEqual(await sight(), { inside: true, moved: 0, name: "thing 19" }, "by the list's own keys");
  const { x, y, height, below } = await node.eval((n, w, e) => {
    const list = e.panel.list.element;
    list.scrollTop = 0;
    const rect = list.getBoundingClientRect();
    return { x: rect.left + 40, y: rect.top, height: rect.height, below: list.scrollHeight > list.clientHeight + 40 };
  });
  assert.ok(below);
  await page.mouse.move(x, y + 20);
  await page.mouse.down();
  await page.mouse.move(x, y + height - 5, { steps: 8 });
  assert.ok(await node.eval((n, w, e) => e.panel.list.element.scrollTop) > 0, "a row dragged to the end goes on");
  await page.mouse.up();
}

/** The status line says a caption as it is after typing. @param {Page} page */
export async function statusAfterTyping(page) {
  const node = await fresh(page, []);
  const status = () => node.root().locator(".roictrl-status").innerText();
  await node.drag([0.125, 0.125], [0.625, 0.625]);
  await page.keyboard.type("a red fox");
  assert.match(await status(), /^Added: 1/, "not letter by letter");
  await node.press("Enter");
  assert.match(await status(), /^1: a red fox, left 64/);
  await node.press("Control+z");
  assert.match(await status(), /^1: no caption yet/);
}

/** "Fit" is there for a picture that is zoomed or moved. @param {Page} page */
export async function fitButton(page) {
  const node = await fresh(page, []);
  const fit = node.root().getByLabel("Fit the picture (0)");
  assert.ok(await fit.isDisabled());
  await node.click([0.5, 0.5]);
  await node.press("+");
  await fit.click();
  assert.equal(await node.eval((n, w, e) => e.view.viewport.zoom), 1);
  await node.settle();
  assert.ok(await fit.isDisabled());
}
