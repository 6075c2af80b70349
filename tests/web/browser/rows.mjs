// @ts-check
/** The rows of the feature table that scenario.mjs does not walk through: each starts from a node of its own. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Node, emptyGraph } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */

const FORMATS = new URL("../../unit/data/formats/", import.meta.url);

/** @param {number[]} box @param {string} [caption] @param {Record<string, any>} [more] */
const instance = (box, caption, more) => ({ box, ...(caption ? { caption } : {}), ...more });

/** A node with these boxes alone in the graph. @param {Page} page @param {any[]} instances */
async function fresh(page, instances) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.eval((n, w, e, text) => { w.value = text; }, JSON.stringify({ version: 1, width: 512, height: 512, instances }));
  await node.settle();
  return node;
}

/** @param {Node} node @returns {Promise<string[]>} captions of the selected boxes */
const selected = (node) => node.eval((n, w, e) => e.store.selected.map((/** @type {any} */ it) => it.fields.caption ?? ""));
/** @param {Node} node @param {string} [key] */
const each = async (node, key = "caption") => (await node.layout()).instances.map((/** @type {any} */ it) => it[key]);

/** Ctrl-drag and the Box tool draw inside boxes; Alt-click walks through what overlaps; right-click opens the menu. @param {Page} page */
export async function overlapping(page) {
  const node = await fresh(page, [instance([0.0625, 0.0625, 0.9375, 0.9375], "sky"), instance([0.25, 0.25, 0.75, 0.75], "moon")]);
  await node.drag([0.375, 0.375], [0.625, 0.625], { keys: ["Control"] });
  await page.keyboard.type("crater");
  await node.press("Enter");
  await node.press("r");
  await node.drag([0.125, 0.8125], [0.375, 0.90625]);
  await page.keyboard.type("hill");
  await node.press("Enter");
  assert.deepEqual(await each(node), ["sky", "moon", "crater", "hill"]);
  assert.equal(await node.eval((n, w, e) => e.view.tool), "select");
  const walked = [];
  for (let n = 0; n < 4; n++) {
    await node.click([0.5, 0.5], ["Alt"]);
    walked.push(...await selected(node));
  }
  assert.deepEqual(walked, ["crater", "moon", "sky", "crater"]);
  await page.mouse.click(...await node.at(0.2, 0.86), { button: "right" });
  await node.root().locator(".roictrl-menu button").last().click();
  assert.deepEqual(await each(node), ["sky", "moon", "crater"]);
}

/** Ctrl+D, Alt-drag, a group's handles, Escape in the middle of a drag, Delete. @param {Page} page */
export async function copiesAndGroups(page) {
  const node = await fresh(page, [instance([0.125, 0.125, 0.25, 0.25], "cup")]);
  await node.click([0.1875, 0.1875]);
  await node.drag([0.1875, 0.1875], [0.6875, 0.1875], { keys: ["Alt"] });
  assert.deepEqual(await each(node), ["cup", "cup"]);
  await node.press("Control+a");
  await node.drag([0.75, 0.25], [0.625, 0.375]);
  const [first, second] = await each(node, "box");
  assert.ok(first[3] > 0.3 && second[2] < 0.7 && first[0] === 0.125, "a group is resized as one");
  const before = await node.text();
  const [from, to] = [await node.at(0.2, 0.2), await node.at(0.6, 0.7)];
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(...to, { steps: 4 });
  await node.press("Escape");
  await page.mouse.up();
  assert.equal(await node.text(), before, "Escape leaves everything as it was");
  await node.press("Control+d");
  const boxes = await each(node, "box");
  assert.equal(boxes.length, 4);
  boxes.slice(2).forEach((/** @type {number[]} */ box, /** @type {number} */ i) => box.forEach((v, side) =>
    assert.ok(Math.abs(v - boxes[i][side] - 8 / 512) < 1e-5, "a copy lies 8 pixels off")));
  await node.press("Delete");
  assert.equal(await node.text(), before);
}

/** Ctrl+A takes what is seen and not locked; a new box has a colour of its own. @param {Page} page */
export async function allThatIsSeen(page) {
  const boxes = [0, 1, 2, 3].map((i) => [i / 4 + 0.01, 0.01, i / 4 + 0.2, 0.2]);
  const node = await fresh(page, [instance(boxes[0], "hidden", { hidden: true }), instance(boxes[1], "locked", { locked: true }), instance(boxes[2], "free"), instance(boxes[3], "also free")]);
  await node.drag([0.25, 0.5], [0.5, 0.75]);
  await node.press("Enter");
  assert.equal((await each(node, "color"))[4], "#0072b2", "the colours by index of the others are in use");
  await node.press("Control+a");
  assert.deepEqual(await selected(node), ["free", "also free", ""]);
  await node.press("Delete");
  assert.deepEqual(await each(node), ["hidden", "locked"]);
  await node.root().locator(".roictrl-row", { hasText: "hidden" }).click();
  await node.press("Delete");
  assert.deepEqual(await each(node), ["locked"], "one that is chosen in the list is");
}

/** Mask, point and scribble go where their box goes: by drag, handle, arrow key, number and copy. @param {Page} page */
export async function shapesGoAlong(page) {
  // Cells of 32 px; the mask is the box's left half: columns 2 and 3, rows 2 to 5 of 16 x 16.
  const shapes = { mask: { size: [16, 16], counts: "R14<0n5" }, point: [0.25, 0.25], scribble: [[[0.125, 0.125], [0.375, 0.375]]] };
  const node = await fresh(page, [instance([0.125, 0.125, 0.375, 0.375], "fox", shapes)]);
  const drawn = await node.text();
  const now = async (i = 0) => {
    const { box, mask, point, scribble } = (await node.layout()).instances[i];
    return { box, mask: mask.counts, point, scribble };
  };
  await node.drag([0.25, 0.25], [0.5, 0.3125]);
  const right = { box: [0.375, 0.1875, 0.625, 0.4375], mask: "S34<0m3", point: [0.5, 0.3125], scribble: [[[0.375, 0.1875], [0.625, 0.4375]]] };
  assert.deepEqual(await now(), right);
  await node.press("Control+z");
  assert.equal(await node.text(), drawn, "one step takes all of it back");
  await node.press("Control+Shift+z");
  await node.drag([0.625, 0.4375], [0.875, 0.9375]);
  assert.deepEqual(await now(), { box: [0.375, 0.1875, 0.875, 0.9375], mask: "S3<400000m2", point: [0.625, 0.5625], scribble: [[[0.375, 0.1875], [0.875, 0.9375]]] });
  await node.press("Control+z");
  for (let n = 0; n < 4; n++) await node.press("Shift+ArrowLeft");
  assert.deepEqual((await now()).point, [0.4375, 0.3125]);
  await node.press("Control+z");
  await node.root().locator("summary").click();
  await node.root().getByLabel("Left", { exact: true }).fill("64");
  await node.root().getByLabel("Left", { exact: true }).press("Tab");
  assert.deepEqual((await now()).scribble, [[[0.125, 0.1875], [0.375, 0.4375]]]);
  await node.click([0.25, 0.3125]);
  await node.press("Control+z");
  assert.deepEqual(await now(), right);
  await node.press("Control+d");
  assert.deepEqual((await now(1)).point, [0.515625, 0.328125]);
  await node.root().locator("summary").click();
}

/** A point without a box is shown, is no mistake, and is moved like a box. @param {Page} page */
export async function pointAlone(page) {
  const node = await fresh(page, [instance([0.5, 0.5, 0.5, 0.5], "a star", { point: [0.5, 0.5] })]);
  assert.equal(await node.root().locator(".roictrl-warn").count(), 0);
  await node.click([0.5, 0.5]);
  const painted = await node.eval((n, w, e) => {
    const { frame, ratio, canvas } = e.view;
    const at = [frame.x + frame.w / 2, frame.y + frame.h / 2].map((v) => Math.round(v * ratio));
    return [...canvas.getContext("2d").getImageData(...at, 1, 1).data];
  });
  assert.deepEqual(painted, [0xe6, 0x9f, 0, 255], "a dot of the box's colour");
  await node.drag([0.505, 0.495], [0.755, 0.245]);
  const [it] = (await node.layout()).instances;
  assert.deepEqual([it.box, it.point], [[0.75, 0.25, 0.75, 0.25], [0.75, 0.25]]);
  assert.deepEqual(await selected(node), ["a star"]);
}

/** Undo and Delete right after a box was drawn, while its caption is waited for; once something is or was there they are the text's. @param {Page} page */
export async function secondThoughts(page) {
  const node = await fresh(page, []);
  for (const [key, left] of /** @type {[string, number][]} */ ([["Control+z", 0], ["Delete", 0], ["Backspace", 1]])) {
    await node.drag([0.25, 0.25], [0.5, 0.5]);
    await node.press(key);
    assert.equal((await each(node)).length, left, key);
  }
  await page.keyboard.type("cat");
  await node.press("Control+z");
  assert.equal((await each(node)).length, 1);
  await node.press("Control+a");
  await page.keyboard.type("a black cat");
  await node.press("Escape");
  assert.deepEqual(await each(node), ["a black cat"], "Escape keeps what was typed");
  await node.press("Control+z");
  assert.deepEqual(await each(node), [undefined], "and one step takes it away");
  for (const words of ["", "a fox"]) {
    await node.press("Enter");
    await page.keyboard.type(words || "x");
    if (words) for (const key of ["Enter", "Enter"]) await node.press(key); // opened again, with a caption
    for (const key of ["Control+a", "Delete", "Delete"]) await node.press(key);
    assert.deepEqual(await each(node), [undefined], "the box stays, however often Delete is pressed");
    await node.press("Enter");
  }
}

/** The list: drag a row, its four switches, double-click for the caption. @param {Page} page */
export async function list(page) {
  const node = await fresh(page, [instance([0, 0, 0.25, 0.25], "one"), instance([0.25, 0, 0.5, 0.25], "two"), instance([0.5, 0, 0.75, 0.25], "three")]);
  const row = (/** @type {string} */ name) => node.root().locator(".roictrl-row", { hasText: name });
  const [a, b] = [await row("one").boundingBox(), await row("three").boundingBox()];
  assert.ok(a && b);
  await page.mouse.move(a.x + 40, a.y + a.height / 2);
  await page.mouse.down();
  await page.mouse.move(b.x + 40, b.y + b.height - 3, { steps: 4 });
  await page.mouse.up();
  await node.settle();
  assert.deepEqual(await each(node), ["two", "three", "one"]);
  for (const [what, key, value] of [["enabled", "enabled", false], ["locked", "locked", true], ["hidden", "hidden", true]]) {
    for (const wanted of [value, undefined]) {
      await row("two").hover();
      await row("two").locator(`[data-what=${what}]`).click();
      await node.settle();
      assert.equal((await each(node, String(key)))[0], wanted, String(what));
    }
  }
  await row("three").hover();
  await row("three").locator("[data-what=solo]").click();
  assert.deepEqual(await each(node, "enabled"), [false, undefined, false]);
  await node.settle();
  await row("two").dblclick();
  await node.settle();
  await page.keyboard.type("second");
  assert.deepEqual(await each(node), ["second", "three", "one"]);
}

/** Enter and Escape end typing in a field beside the stage as on it; one undo takes the words away. @param {Page} page */
export async function fieldKeys(page) {
  const node = await fresh(page, [instance([0.25, 0.25, 0.5, 0.5], "cat")]);
  await node.eval((n, w, e) => e.setPref("more", true));
  await node.click([0.375, 0.375]);
  for (const [label, field] of [["Caption", "caption"], ["Negative caption", "negative"], ["Label", "label"]]) {
    const [before] = await each(node, field);
    for (const key of ["Enter", "Escape"]) {
      await node.root().getByLabel(label, { exact: true }).focus();
      await page.keyboard.type(" words");
      await node.press(key);
      assert.ok(await node.eval((n, w, e) => document.activeElement === e.view.focus), `${key} in ${label} ends typing`);
      const [typed] = await each(node, field);
      assert.ok(typed.includes("words") && !typed.includes("\n"), JSON.stringify(typed));
      await node.press("Control+z");
      assert.deepEqual(await each(node, field), [before], `${label}, ${key}`);
    }
  }
  const caption = node.root().getByLabel("Caption", { exact: true });
  await caption.focus();
  await node.press("Control+a");
  await page.keyboard.type("one");
  await node.press("Shift+Enter");
  await page.keyboard.type("two");
  assert.deepEqual(await each(node), ["one\ntwo"]);
}

/** The start that the end pushes is on a step, and it is said; of several boxes each keeps its order. @param {Page} page */
export async function schedules(page) {
  const node = await fresh(page, [instance([0, 0, 0.25, 0.25], "cat"), instance([0.5, 0, 0.75, 0.25], "dog", { end: 0.3 })]);
  await node.eval((n, w, e) => e.setPref("more", true));
  await node.click([0.125, 0.125]);
  const set = async (/** @type {string} */ label, /** @type {string} */ value) => {
    await node.root().getByLabel(label, { exact: true }).fill(value);
    await node.root().getByLabel(label, { exact: true }).press("Tab");
  };
  const times = async () => [await each(node, "start"), await each(node, "end")];
  const before = await times();
  await set("Start", "0.9");
  await set("End", "0.2");
  assert.deepEqual(await times(), [[0.15, undefined], [0.2, 0.3]]);
  assert.match(await node.root().locator(".roictrl-status").innerText(), /^Start is now 0\.15/);
  await node.eval((n, w, e) => e.focus());
  for (let n = 0; n < 2; n++) await node.press("Control+z");
  assert.deepEqual(await times(), before, "each is one step");
  await node.press("Control+a");
  await set("Start", "0.5");
  assert.deepEqual(await times(), [[0.5, 0.5], [undefined, 0.55]]);
}

/** The fields of the selected box. @param {Page} page */
export async function fields(page) {
  const node = await fresh(page, [instance([0.25, 0.25, 0.5, 0.5], "cat"), instance([0.5, 0.5, 1, 1], "many words ".repeat(40))]);
  const root = node.root();
  const place = async () => JSON.stringify(await root.locator(".roictrl-stage").boundingBox());
  const empty = await place();
  await node.click([0.75, 0.75]);
  assert.ok(!await root.getByLabel("Strength").isVisible(), "what has a default is out of the way");
  await root.locator("summary").click();
  await node.shown();
  assert.equal(await place(), empty, "the stage stays as large as it was, whatever is shown around it");
  await node.click([0.375, 0.375]);
  for (const [label, value] of [["Negative caption", "dog"], ["Strength", "0.5"], ["Start", "0.1"], ["End", "0.8"], ["Label", "pet"], ["Left", "64"], ["Width", "256"]]) {
    await root.getByLabel(label, { exact: true }).fill(value);
    await root.getByLabel(label, { exact: true }).press("Tab");
  }
  await root.locator(".roictrl-unit").click();
  await root.getByLabel("Top", { exact: true }).fill("50");
  await root.getByLabel("Top", { exact: true }).press("Tab");
  await root.locator(".roictrl-colors button").nth(4).click();
  const { instances: [it] } = await node.layout();
  assert.deepEqual(it, { box: [0.125, 0.5, 0.625, 0.75], caption: "cat", color: "#0072b2", negative: "dog", strength: 0.5, start: 0.1, end: 0.8, label: "pet" });
}

/** Zoom and pan are the picture's, not the graph's. @param {Page} page */
export async function zoomAndPan(page) {
  const node = await fresh(page, [instance([0.25, 0.25, 0.5, 0.5], "cat")]);
  const graph = () => page.evaluate(() => JSON.stringify([/** @type {any} */ (window).app.canvas.ds.scale, [.../** @type {any} */ (window).app.canvas.ds.offset]]));
  const view = () => node.eval((n, w, e) => e.view.viewport);
  const before = await graph();
  await node.click([0.9, 0.9]); // Nodes 2.0 gives the wheel to what has the focus
  const wheel = async (/** @type {string} */ key) => {
    await page.mouse.move(...await node.at(0.25, 0.25));
    await page.keyboard.down(key);
    await page.mouse.wheel(0, -300);
    await page.keyboard.up(key);
    await node.shown();
  };
  await wheel("Control");
  const passed = await graph() !== before; // newer Nodes 2.0 keep Ctrl-wheel for the graph, wherever it is turned
  assert.equal((await view()).zoom > 2, !passed);
  assert.ok(!passed || await node.eval((n, w, e) => !!e.root.closest("[data-node-id]")), "the classic renderer keeps nothing");
  if (passed) await wheel("Alt");
  const zoomed = await view();
  assert.ok(zoomed.zoom > 2);
  await node.drag([0.3, 0.3], [0.35, 0.35], { button: "middle" });
  assert.equal((await view()).x === zoomed.x, passed, "as with the middle button");
  await node.shown();
  const [kept, there] = [await graph(), await view()];
  await node.click([0.3, 0.3]); // where the graph was panned, it has the focus
  await node.press("Control+ArrowRight");
  assert.equal((await view()).x, there.x - 40);
  assert.equal(await graph(), kept);
  assert.equal(await node.root().locator(".roictrl-notice").count(), 0, "the middle button pastes nothing");
  await node.drag([0.25, 0.25], [0.28125, 0.28125]);
  assert.deepEqual(await each(node, "box"), [[0.28125, 0.28125, 0.5, 0.5]]);
  await node.press("0");
  assert.equal(await node.eval((n, w, e) => e.view.viewport.zoom), 1);
  await page.mouse.wheel(0, -100);
  await page.waitForFunction((scale) => /** @type {any} */ (window).app.canvas.ds.scale > scale, JSON.parse(kept)[0]);
  await node.shown();
  const { sharp, scale } = await node.eval((n, w, e) => ({ sharp: e.view.ratio, scale: e.view.sharpness }));
  assert.ok(scale > 1 && sharp === scale, `as many pixels as are shown: ${sharp} of ${scale}`);
}

/** Arrangements from the menu, one's own, and what is kept on the server. @param {Page} page */
export async function templates(page) {
  const node = await fresh(page, [instance([0, 0, 0.25, 0.25], "left"), instance([0.5, 0, 0.75, 0.25], "middle")]);
  const choose = async (/** @type {string} */ label) => {
    await node.root().getByLabel("Layout templates").click();
    await node.root().locator(".roictrl-menu button", { hasText: label }).first().click();
    await node.settle();
  };
  await choose("Thirds");
  assert.deepEqual(await each(node), ["left", "middle", undefined]);
  const thirds = await each(node, "box");
  await choose("Save this");
  await page.keyboard.type("mine");
  await page.keyboard.press("Enter");
  await choose("Two rows");
  assert.notDeepEqual(await each(node, "box"), thirds);
  await choose("mine");
  assert.deepEqual(await each(node, "box"), thirds);
  await page.waitForFunction(async () => (await (await /** @type {any} */ (window).app.api.getUserData("roictrl/templates.json")).text()).includes('"mine"'));
  await choose("Forget");
  await page.waitForFunction(async () => !(await (await /** @type {any} */ (window).app.api.getUserData("roictrl/templates.json")).text()).includes('"mine"'));
}

/** A picture: of a connected node before any run, dropped as a file, darkened. @param {Page} page */
export async function background(page) {
  const node = await fresh(page, []);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const load = LiteGraph.createNode("LoadImage");
    load.pos = [820, 160];
    app.graph.add(load);
    load.widgets[0].value = "scene.png";
    const target = app.graph.getNodeById(id);
    load.connect(0, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "image"));
  }, node.id);
  const shown = (/** @type {number} */ width) => page.waitForFunction(([id, w]) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ it) => it.name === "layout").roictrl.background.image?.naturalWidth === w, /** @type {const} */ ([node.id, width]));
  await shown(512);
  assert.deepEqual(await node.eval((n, w, e) => e.size), { width: 512, height: 384 });
  await node.settle();
  const words = () => node.eval((n, w, e) => (({ color, backgroundColor }) => `${color} on ${backgroundColor}`)(getComputedStyle(e.view.empty)));
  assert.equal(await words(), "rgb(255, 255, 255) on rgba(18, 20, 24, 0.72)", "readable over any picture");
  await node.eval(async (n, w, e) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 32, height: 32 });
    canvas.getContext("2d")?.fillRect(0, 0, 32, 32);
    const blob = await new Promise((done) => canvas.toBlob(done));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([/** @type {any} */ (blob)], "dropped.png", { type: "image/png" }));
    e.view.stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });
  await shown(32);
  await node.root().getByLabel("Background picture").click();
  assert.equal(await node.root().locator(".roictrl-menu-range input").inputValue(), "0.35");
  await node.root().locator(".roictrl-menu-range input").fill("0.6");
  assert.equal((await node.layout()).editor.dim, 0.6);
  await node.root().locator(".roictrl-menu button", { hasText: "Nothing" }).click();
  assert.equal(await node.eval((n, w, e) => e.background.image), null);
}

/** Every format, pasted as text or dropped as a file. @param {Page} page */
export async function formats(page) {
  /** @type {[string, string, any[]][]} */
  const samples = [["bounding_box.json", "paste", ["fox", "a blue owl"]], ["elements.json", "drop", ["a red fox", "a sign"]], ["coco.json", "drop", ["fox"]],
    ["labelme.json", "paste", ["a red fox", "a pond"]], ["instancediffusion.json", "drop", ["a red fox sitting", "a blue owl"]],
    ["migc.yaml", "paste", ["a blue owl", "a red fox", "a red fox"]], ["omost_conds.json", "paste", ["a red fox."]], ["yolo.txt", "drop", ["class 0", "class 1"]]];
  const node = await fresh(page, []);
  for (const [name, way, captions] of samples) {
    const text = readFileSync(new URL(name, FORMATS), "utf-8");
    await node.eval((n, w, e) => { w.value = ""; });
    await node.click([0.5, 0.98]);
    if (way === "paste") {
      await page.evaluate((content) => navigator.clipboard.writeText(content), text);
      await node.press("Control+v");
    } else {
      await node.eval((n, w, e, [file, content]) => {
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([content], file));
        e.view.stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      }, [name, text]);
    }
    await page.waitForFunction(([id, n]) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
      .find((/** @type {any} */ it) => it.name === "layout").roictrl.state.doc.items.length === n, /** @type {const} */ ([node.id, captions.length]));
    const found = await each(node);
    captions.forEach((caption, i) => assert.ok(found[i]?.startsWith(caption), `${name}: ${found[i]} is not ${caption}`));
  }
  await node.eval((n, w, e) => {
    const dataTransfer = new DataTransfer();
    for (const [name, text] of [["one.json", '[{"x": 0, "y": 0, "width": 64, "height": 64, "label": "cup"}]'], ["two.txt", "neither boxes nor a picture"]]) dataTransfer.items.add(new File([text], name));
    e.view.stage.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  });
  await node.root().locator(".roictrl-notice", { hasText: "two.txt: " }).waitFor();
  assert.equal((await each(node)).at(-1), "cup", "of several files each is read or named");
}

/** Marks on boxes that may not work as meant, before a run and by the server after it. @param {Page} page */
export async function warnings(page) {
  const many = Array.from({ length: 31 }, (_, i) => instance([(i % 8) / 8, Math.floor(i / 8) / 4, (i % 8) / 8 + 0.12, Math.floor(i / 8) / 4 + 0.24], `thing ${i}`));
  const node = await fresh(page, many);
  const marks = () => node.root().locator(".roictrl-row:has(.roictrl-warn)").evaluateAll((rows) => rows.map((row) => row.getAttribute("title") ?? ""));
  assert.match((await marks()).join(), /^[^,]*takes 30 boxes/);
  await node.eval((n, w, e, text) => { w.value = text; }, JSON.stringify({ version: 1, width: 512, height: 512, instances: [
    instance([0, 0, 0.5, 0.5]), instance([0.5, 0.5, 0.52, 0.52], "dot"), instance([0.5, 0, 1, 0.4], "twin"), instance([0.5, 0, 0.9, 0.4], "twin")] }));
  await node.settle();
  const told = await marks();
  assert.equal(told.length, 4);
  [/No caption/, /smaller than one feature cell/, /Overlaps box 4/, /Overlaps box 3/].forEach((what, i) => assert.match(told[i], what));
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const preview = LiteGraph.createNode("ROICtrlPreviewLayout");
    preview.pos = [820, 160];
    app.graph.add(preview);
    app.graph.getNodeById(id).connect(0, preview, preview.inputs.findIndex((/** @type {any} */ i) => i.name === "layout"));
  }, node.id);
  // A point alone is no mistake here, as long as no method is connected; what the server says of it is.
  await node.eval((n, w, e, text) => { w.value = text; }, JSON.stringify({ version: 1, width: 512, height: 512, instances: [
    instance([0.25, 0.25, 0.25, 0.25], `fox ${Date.now()}`, { point: [0.25, 0.25] }), instance([0.5, 0, 1, 0.5], "owl")] }));
  await node.settle();
  assert.deepEqual(await marks(), []);
  await page.getByTestId("queue-button").first().click();
  await node.root().locator(".roictrl-row[title*='box of instance 1']:has(.roictrl-warn)").waitFor();
  await node.click([0.25, 0.25]);
  await node.press("ArrowRight");
  assert.deepEqual(await marks(), [], "said of a box that is another one by now");
}

/** The picture's size through a link. @param {Page} page */
export async function linkedSize(page) {
  const node = await fresh(page, [instance([0.25, 0.25, 0.5, 0.5], "cat")]);
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const side = LiteGraph.createNode("PrimitiveInt");
    side.pos = [820, 160];
    app.graph.add(side);
    side.widgets[0].value = 1024;
    const target = app.graph.getNodeById(id);
    side.connect(0, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "width"));
  }, node.id);
  await node.settle();
  assert.deepEqual(await node.eval((n, w, e) => e.size), { width: 1024, height: 512 });
}
