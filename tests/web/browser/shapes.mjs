// @ts-check
/** What the menu does to masks, points and scribbles, and what is seen and said of them. */
import assert from "node:assert/strict";
import { FOX, fresh, instances, LOCALE, MASK, masks, painted, SPECK } from "./shape_steps.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** All that the menu does to shapes, the first of it without a mouse; masks from a file and from the clipboard. @param {Page} page */
export async function shapeMenu(page) {
  const node = await fresh(page, [{ box: [0.25, 0.25, 0.75, 0.75], caption: "fox", scribble: [[[0.3, 0.3]]] }]);
  await node.press("Tab");
  await node.press("Shift+F10");
  for (const key of ["ArrowDown", "ArrowDown", "Enter", "Enter"]) await page.keyboard.press(key); // Shape, and its first entry
  assert.deepEqual((await masks(node))[0], [[128, 128, 384, 384], 0.25]);
  const choose = async (/** @type {string} */ name) => {
    await page.keyboard.press("Shift+F10");
    for (const label of [LOCALE.menu.shape, LOCALE.shaping[name].replace("{px}", "8")]) await node.root().locator(".roictrl-menu button", { hasText: label }).click();
    await node.settle();
    return (await masks(node))[0];
  };
  assert.deepEqual((await choose("ellipse"))[0], [128, 128, 384, 384]);
  const [bounds, share] = await choose("invert");
  assert.ok(Math.abs(share - 0.25 * (1 - Math.PI / 4)) < 0.001 && bounds[0] === 128, `the corners: ${share}`);
  await choose("box");
  assert.deepEqual((await choose("shrink"))[0], [136, 136, 376, 376]);
  assert.deepEqual((await choose("grow"))[0], [128, 128, 384, 384]);
  await choose("clearScribble");
  assert.equal((await instances(node))[0].scribble, undefined);
  assert.equal(await choose("clearMask"), null);
  const chooser = page.waitForEvent("filechooser");
  await choose("file");
  await (await chooser).setFiles({ name: "half.png", mimeType: "image/png", buffer: await halfWhite(page) });
  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.state.doc.items[0].fields.mask, node.id);
  assert.deepEqual(await masks(node), [[[0, 0, 256, 512], 0.5]]);
  await choose("bounds");
  assert.deepEqual((await instances(node))[0].box, [0, 0, 0.5, 1]);
  await page.evaluate(() => navigator.clipboard.writeText("no picture"));
  await choose("clipboard");
  await node.root().locator(".roictrl-notice", { hasText: "no picture on the clipboard" }).waitFor();
}

/** A picture whose left half is white. @param {Page} page */
async function halfWhite(page) {
  const data = await page.evaluate(() => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
    const ctx = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    ctx.fillRect(0, 0, 64, 64);
    ctx.fillStyle = "#ffffff";
    ctx.fillRect(0, 0, 32, 64);
    return canvas.toDataURL("image/png").split(",")[1];
  });
  return Buffer.from(data, "base64");
}

/** While it is dragged a mask is drawn where its box is and resampled only at the end; with Alt a handle moves the box alone. @param {Page} page */
export async function masksInDrags(page) {
  const node = await fresh(page, [FOX]);
  await node.click([0.2, 0.25]);
  assert.notDeepEqual(await painted(node, [0.22, 0.3]), await painted(node, [0.62, 0.3]));
  const filled = await painted(node, [0.17, 0.3]);
  await page.mouse.move(...await node.at(0.25, 0.25));
  await page.mouse.down();
  await page.mouse.move(...await node.at(0.65, 0.25), { steps: 3 });
  await node.settle();
  assert.deepEqual(await painted(node, [0.57, 0.3]), filled, "drawn along");
  assert.equal((await node.eval((n, w, e) => e.state.doc.items[0].fields.mask.counts)), MASK.counts, "not resampled yet");
  await page.mouse.up();
  await node.settle();
  const [moved] = await masks(node);
  assert.ok(moved[0][0] > 250 && moved[1] === 1 / 32, JSON.stringify(moved));
  await node.press("Control+z");
  assert.deepEqual((await instances(node))[0].mask, MASK);
  await node.drag([0.375, 0.375], [0.5, 0.5], { keys: ["Alt"] });
  const [fox] = await instances(node);
  assert.deepEqual([fox.mask, fox.box.map((/** @type {number} */ v) => Math.round(v * 8))], [MASK, [1, 1, 4, 4]]);
}

/** Mask and box stay together in a resize, an arrangement, a copy and a paste. @param {Page} page */
export async function masksGoAlong(page) {
  const fine = { size: [64, 64], counts: [8 * 64 + 8, ...Array.from({ length: 7 }, () => [16, 48]).flat(), 16, 64 * 64 - 15 * 64 - 24] }; // FOX's, cells of 8 px
  const node = await fresh(page, [{ ...FOX, mask: fine }, { box: [0.5, 0.5, 0.75, 0.75], caption: "owl" }]);
  /** Each mask's bounds, and its box, in 512ths. */
  const now = async () => {
    const found = await masks(node);
    return (await instances(node)).map(({ box }, i) => [found[i]?.[0], box.map((/** @type {number} */ v) => Math.round(v * 512))]);
  };
  const half = [[64, 64, 128, 192], [64, 64, 192, 192]];
  assert.deepEqual((await now())[0], half);
  await node.click([0.2, 0.25]);
  await node.drag([0.375, 0.375], [0.625, 0.5]);
  assert.deepEqual((await now())[0], [[64, 64, 192, 256], [64, 64, 320, 256]], "resized");
  await node.press("Control+z");
  await node.press("Control+d");
  assert.deepEqual((await now())[2], [[72, 72, 136, 200], [72, 72, 200, 200]], "a copy");
  await node.press("Control+z");
  await node.press("Control+a");
  await node.eval((n, w, e) => e.commands.align("right"));
  assert.deepEqual((await now())[0], [[256, 64, 320, 192], [256, 64, 384, 192]], "in line with the other");
  await node.press("Control+z");
  assert.deepEqual((await now())[0], half);
  for (const key of ["Escape", "Tab", "Control+c", "Control+v"]) await node.press(key);
  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets.find((/** @type {any} */ w) => w.name === "layout").roictrl.state.doc.items.length === 3, node.id);
  const [mask, box] = (await now())[2];
  assert.deepEqual(mask.map((/** @type {number} */ v, /** @type {number} */ i) => v - box[i]), [0, 0, -64, 0], "pasted");
}

/** Marks in the list, warnings on the box, and where no connected method reads points. @param {Page} page */
export async function marksAndWarnings(page) {
  const node = await fresh(page, [{ ...FOX, point: [0.9, 0.9], scribble: [[[0.9, 0.1], [0.8, 0.1]]] }, { ...FOX, caption: "gone", box: [0.5, 0.5, 0.75, 0.75] },
    { box: [0.5, 0, 0.75, 0.25], caption: "empty", mask: { size: [8, 8], counts: "P2" } },
    { box: [0, 0.5, 0.5, 1], caption: "speck", mask: SPECK }]);
  const rows = node.root().locator(".roictrl-row");
  assert.deepEqual(await rows.evaluateAll((all) => all.map((row) => [...row.querySelectorAll(".roictrl-mark")].map((mark) => mark.getAttribute("title")).join())), ["mask,scribble,point", "mask", "", "mask"]);
  assert.match(await rows.first().getAttribute("aria-label") ?? "", /mask, scribble, point/);
  const told = await rows.evaluateAll((all) => all.map((row) => row.getAttribute("title") ?? ""));
  [/point lies outside.*scribble reaches outside/, /do not meet/, /mask is empty/, /mask is smaller than one feature cell/].forEach((what, i) => assert.match(told[i], what));
  assert.doesNotMatch(told[0], /No method/);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const apply = LiteGraph.createNode("ROICtrlApply");
    apply.pos = [820, 160];
    app.graph.add(apply);
    app.graph.getNodeById(id).connect(0, apply, apply.inputs.findIndex((/** @type {any} */ i) => i.name === "layout"));
  }, node.id);
  await node.root().locator(".roictrl-row[title*='No method that this layout goes to reads points']").waitFor();
}

/** With 200 boxes and 20 masks: one paint a frame while one is dragged, and no look at the page's layout. @param {Page} page */
export async function manyMasks(page) {
  const boxes = Array.from({ length: 200 }, (_, i) => {
    const [x, y] = [(i % 20) / 20, Math.floor(i / 20) / 10];
    return { box: [x + 0.005, y + 0.005, x + 0.045, y + 0.095], caption: `thing ${i}`, ...(i % 10 ? {} : { mask: MASK }) };
  });
  const node = await fresh(page, boxes);
  await node.eval((n, w, e) => {
    e.store.dispatch({ type: "select", ids: e.state.doc.items.filter((/** @type {any} */ it) => it.fields.mask).map((/** @type {any} */ it) => it.id) });
    e.commands.maskFromEllipse();
    e.store.dispatch({ type: "select", ids: [] });
  });
  const [from, to] = [await node.at(0.025, 0.05), await node.at(0.5, 0.5)];
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(from[0] + 20, from[1], { steps: 2 });
  await node.settle();
  await node.eval((n, w, e) => {
    const count = { frames: 0, reads: 0, paints: e.view.paints, ms: 0 };
    Object.assign(window, { count });
    const frame = () => {
      count.frames++;
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
    const inside = (/** @type {any} */ element) => e.root.contains(element);
    for (const [proto, name] of /** @type {[any, string][]} */ ([[Element.prototype, "clientWidth"], [Element.prototype, "clientHeight"], [Element.prototype, "scrollHeight"], [HTMLElement.prototype, "offsetWidth"], [HTMLElement.prototype, "offsetHeight"], [HTMLElement.prototype, "offsetTop"]])) {
      const { get } = /** @type {any} */ (Object.getOwnPropertyDescriptor(proto, name));
      Object.defineProperty(proto, name, { configurable: true, get() {
        if (inside(this)) count.reads++;
        return get.call(this);
      } });
    }
    const { getBoundingClientRect } = Element.prototype;
    Element.prototype.getBoundingClientRect = function () {
      if (inside(this)) count.reads++;
      return getBoundingClientRect.call(this);
    };
    const paint = e.view.paint.bind(e.view);
    e.view.paint = () => {
      const begun = performance.now();
      paint();
      count.ms += performance.now() - begun;
    };
  });
  await page.mouse.move(...to, { steps: 12 });
  const { frames, reads, paints, ms } = await node.eval((n, w, e) => ({ .../** @type {any} */ (window).count, paints: e.view.paints - /** @type {any} */ (window).count.paints }));
  await page.mouse.up();
  assert.ok(paints > 2 && paints <= frames + 1, `${paints} paints in ${frames} frames`);
  assert.equal(reads, 0, "looks at the layout");
  return `${(ms / paints).toFixed(1)} ms a paint of 200 boxes and 20 masks`;
}
