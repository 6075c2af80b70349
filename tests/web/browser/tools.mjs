// @ts-check
/** What each tool draws, and with what. */
import assert from "node:assert/strict";
import { along, FOX, fresh, instances, LOCALE, masks, status } from "./shape_steps.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {[number, number]} Place */
/** @typedef {import("./harness.mjs").Node} Node */

/** Each tool's own key, said in the status line and in the overlay; N and Shift+L beside them. @param {Page} page */
export async function toolKeys(page) {
  const node = await fresh(page, [FOX]);
  await node.press("Tab");
  for (const [key, name] of Object.entries({ r: "box", p: "point", k: "scribble", l: "lasso", b: "brush", e: "eraser", v: "select" })) {
    await node.press(key);
    assert.equal(await node.eval((n, w, e) => e.view.tool), name, key);
    assert.ok((await status(node)).startsWith(`${LOCALE.tools[name]}: `), `${name}: ${await status(node)}`);
    assert.equal(await node.root().locator(".roictrl-tools [aria-pressed=true]").getAttribute("aria-label"), `${LOCALE.tools[name]}: ${LOCALE.how[name]} (${key.toUpperCase()})`);
  }
  await node.press("?");
  const help = await node.root().locator(".roictrl-help").innerText();
  for (const name of Object.keys(LOCALE.tools)) assert.ok(help.includes(LOCALE.how[name]), name);
  await node.press("Escape");
  await node.press("Shift+L");
  assert.equal((await instances(node))[0].locked, true);
  await node.press("Escape");
  await node.press("n");
  await node.press("Enter");
  assert.equal((await instances(node)).length, 2);
}

/** Click, type, click: two points; one that is chosen is moved. @param {Page} page */
export async function pointTool(page) {
  const node = await fresh(page);
  await node.press("p");
  assert.match(await status(node), /^Point: click/);
  for (const [x, caption] of /** @type {[number, string][]} */ ([[0.25, "a star"], [0.75, "the moon"]])) {
    await node.click([x, 0.25]);
    await node.settle();
    await page.keyboard.type(caption);
    await node.press("Enter");
  }
  assert.deepEqual((await instances(node)).map(({ box, point, caption }) => [box, point, caption]), [
    [[0.25, 0.25, 0.25, 0.25], [0.25, 0.25], "a star"], [[0.75, 0.25, 0.75, 0.25], [0.75, 0.25], "the moon"]]);
  const before = await node.text();
  await node.drag([0.75, 0.25], [0.875, 0.5]);
  assert.deepEqual((await instances(node))[1].point, [0.875, 0.5]);
  await node.press("Control+z");
  assert.equal(await node.text(), before);
}

/** Stroke, stroke, words: one scribble; with a box chosen the stroke is its own. @param {Page} page */
export async function scribbleTool(page) {
  const node = await fresh(page, [{ box: [0.5, 0.5, 0.75, 0.75], caption: "owl" }]);
  await node.press("k");
  await along(node, [[0.125, 0.125], [0.25, 0.25], [0.375, 0.125]]);
  await along(node, [[0.125, 0.375], [0.375, 0.375]]);
  await page.keyboard.type("a boat");
  await node.press("Enter");
  const [, boat] = await instances(node);
  assert.deepEqual([boat.caption, boat.box], ["a boat", [0.125, 0.125, 0.375, 0.375]]);
  assert.deepEqual(boat.scribble, [[[0.125, 0.125], [0.25, 0.25], [0.375, 0.125]], [[0.125, 0.375], [0.375, 0.375]]]);
  await node.press("Tab");
  await along(node, [[0.5625, 0.625], [0.6875, 0.625]]);
  const [owl, ...rest] = await instances(node);
  assert.deepEqual([owl.scribble, rest.length], [[[[0.5625, 0.625], [0.6875, 0.625]]], 1]);
}

/** Freehand and by corners, added to, taken from, and Escape. @param {Page} page */
export async function lassoTool(page) {
  const node = await fresh(page);
  await node.press("l");
  await along(node, [[0.125, 0.125], [0.375, 0.125], [0.375, 0.375], [0.125, 0.375]]);
  await page.keyboard.type("a red fox");
  await node.press("Enter");
  for (const place of /** @type {Place[]} */ ([[0.5, 0.5], [0.75, 0.5], [0.75, 0.75], [0.9, 0.9]])) await node.click(place);
  await node.press("Control+z"); // the last corner
  await node.click([0.5, 0.75]);
  await node.press("Enter");
  await node.settle();
  await page.keyboard.type("an owl");
  await node.press("Enter");
  const both = await instances(node);
  assert.deepEqual(both.map(({ caption, box }) => [caption, box]), [["a red fox", [0.125, 0.125, 0.375, 0.375]], ["an owl", [0.5, 0.5, 0.75, 0.75]]]);
  assert.deepEqual(both[1].outline, [[0.5, 0.5], [0.75, 0.5], [0.75, 0.75], [0.5, 0.75]]);
  assert.deepEqual([both[0].mask.size, await masks(node)], [[512, 512], [[[64, 64, 192, 192], 1 / 16], [[256, 256, 384, 384], 1 / 16]]]);
  await node.press("Tab");
  await along(node, [[0.375, 0.125], [0.5, 0.125], [0.5, 0.375], [0.375, 0.375]], ["Shift"]);
  await along(node, [[0.125, 0.125], [0.25, 0.125], [0.25, 0.375], [0.125, 0.375]], ["Alt"]);
  assert.deepEqual((await masks(node))[0], [[128, 64, 256, 192], 1 / 16]);
  const before = await node.text();
  for (const place of /** @type {Place[]} */ ([[0.6, 0.1], [0.9, 0.1], [0.9, 0.4]])) await node.click(place);
  await node.press("Escape");
  assert.equal(await node.text(), before);
  assert.equal(await node.eval((n, w, e) => e.view.tool), "lasso", "Escape drops the corners first");
}

/** The brush grows the box over its edge and is as wide as the keys and a pen make it; the eraser takes away. @param {Page} page */
export async function brushAndEraser(page) {
  const node = await fresh(page, [{ box: [0.25, 0.25, 0.5, 0.5], caption: "fox" }]);
  await node.press("Tab");
  await node.press("b");
  await node.press("]");
  assert.equal((await node.layout()).editor.brush, 64);
  await along(node, [[0.375, 0.375], [0.5, 0.375]]);
  assert.deepEqual([(await masks(node))[0][0], (await instances(node))[0].box], [[160, 160, 288, 224], [0.25, 0.25, 0.5625, 0.5]]);
  const session = await page.context().newCDPSession(page);
  const [x, y] = await node.at(0.375, 0.75);
  for (const type of /** @type {const} */ (["mouseMoved", "mousePressed", "mouseReleased"])) {
    await session.send("Input.dispatchMouseEvent", { type, x, y, button: type === "mouseMoved" ? "none" : "left", buttons: type === "mousePressed" ? 1 : 0, clickCount: 1, pointerType: "pen", force: 0.5 });
  }
  await node.settle();
  assert.deepEqual((await masks(node))[0][0], [160, 160, 288, 400], "half the pressure, half the width");
  await node.press("e");
  await along(node, [[0.3, 0.75], [0.45, 0.75]]);
  assert.deepEqual((await masks(node))[0][0], [160, 160, 288, 224]);
  await node.press("b");
  await otherEnd(node, [[0.5, 0.25], [0.5, 0.5]]);
  assert.deepEqual((await masks(node))[0][0], [160, 160, 224, 224], "the pen's other end takes away with the brush in hand");
  const before = await node.text();
  await page.mouse.move(...await node.at(0.375, 0.375));
  await page.mouse.down();
  await page.mouse.move(...await node.at(0.45, 0.375), { steps: 2 });
  await node.press("Escape");
  await page.mouse.up();
  assert.equal(await node.text(), before, "Escape takes a stroke back");
}

/** Along these places with a pen's eraser end, which no browser can be made to send: its events as it would. @param {Node} node @param {Place[]} places */
const otherEnd = async (node, places) => node.eval((n, w, e, all) => {
  const send = (/** @type {string} */ type, /** @type {[number, number]} */ [clientX, clientY], /** @type {number} */ buttons) =>
    e.view.stage.dispatchEvent(new PointerEvent(type, { bubbles: true, pointerId: 1, pointerType: "pen", pressure: 1, button: type === "pointermove" ? -1 : 5, buttons, clientX, clientY }));
  send("pointerdown", all[0], 32);
  for (const place of all.slice(1)) send("pointermove", place, 32);
  send("pointerup", all.at(-1), 0);
}, await Promise.all(places.map((place) => node.at(...place))));

/** A shape belongs to one instance: why a tool is off is said; Ctrl makes a new one. @param {Page} page */
export async function toolsThatAreOff(page) {
  const node = await fresh(page, [FOX, { box: [0.5, 0.5, 0.75, 0.75], caption: "owl", locked: true }]);
  const before = await node.text();
  await node.root().locator(".roictrl-row").first().click();
  await node.root().locator(".roictrl-row").last().click({ modifiers: ["Shift"] });
  await node.press("k");
  assert.equal(await status(node), LOCALE.off.several.replace("{n}", "2"));
  await page.mouse.move(...await node.at(0.5, 0.1));
  assert.equal(await node.eval((n, w, e) => e.view.stage.style.cursor), "not-allowed");
  await along(node, [[0.5, 0.1], [0.7, 0.1]]);
  await node.root().locator(".roictrl-row").last().click();
  await along(node, [[0.5, 0.1], [0.7, 0.1]]);
  assert.equal(await status(node), LOCALE.off.locked.replace("{n}", "2"));
  assert.equal(await node.text(), before);
  await along(node, [[0.5, 0.1], [0.7, 0.1]], ["Control"]);
  assert.equal((await instances(node)).length, 3);
}

/** A finger paints; the second one zooms instead, and takes the paint back. @param {Page} page that has touch */
export async function brushByFinger(page) {
  const node = await fresh(page);
  await node.press("b");
  const session = await page.context().newCDPSession(page);
  const [x, y] = await node.at(0.5, 0.5);
  /** @param {string} type @param {number[]} by screen pixels from the middle, one for each finger */
  const fingers = (type, ...by) => session.send("Input.dispatchTouchEvent", { type: /** @type {any} */ (type), touchPoints: by.map((dx, id) => ({ x: x + dx, y, id })) });
  await fingers("touchStart", -40);
  await fingers("touchMove", -30);
  await fingers("touchStart", -30, 40);
  for (const far of [50, 80]) await fingers("touchMove", -far, far);
  await fingers("touchEnd");
  await node.settle();
  assert.deepEqual([await instances(node), await node.eval((n, w, e) => e.view.viewport.zoom > 1.5)], [[], true]);
  await node.press("0");
  await fingers("touchStart", -40);
  for (const far of [-20, 0, 20]) await fingers("touchMove", far);
  await fingers("touchEnd");
  await node.settle();
  assert.equal((await masks(node)).length, 1);
}

/** Where the editor is narrow, the tools are one button and a menu. @param {Page} page */
export async function foldedTools(page) {
  const node = await fresh(page);
  await node.eval((n, w, e) => { e.root.style.width = "400px"; });
  await node.shown();
  const tools = node.root().locator(".roictrl-tools button").filter({ visible: true });
  await node.root().locator(".roictrl-fold").click();
  await node.root().locator(".roictrl-menu button", { hasText: "Lasso" }).click();
  await node.settle();
  assert.deepEqual([await tools.count(), await node.eval((n, w, e) => e.view.tool)], [2, "lasso"]);
  const over = await node.eval((n, w, e) => e.toolbar.element.scrollWidth - e.toolbar.element.clientWidth);
  assert.ok(over <= 0, `${over} pixels too many`);
}
