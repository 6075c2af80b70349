// @ts-check
/**
 * Makes the pictures of the editor in docs/images and web/docs/images, from a real ComfyUI and a real Chromium:
 *
 *     PYTHON=.venv/bin/python node tests/web/browser/pictures.mjs
 *
 * Four stills (both renderers, dark and light), the frames of drawing three boxes and a still of every tool, which
 * `pictures.py` joins.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Node, openPage, putSettings, startBrowser, startServer } from "./harness.mjs";

const IMAGES = fileURLToPath(new URL("../../../docs/images/", import.meta.url));
const FILM = fileURLToPath(new URL("../../../web/docs/images/editor.webp", import.meta.url));
const BOXES = /** @type {[[number, number], [number, number], string][]} */ ([
  [[0.0625, 0.375], [0.375, 0.9375], "a red fox with a long fluffy tail"], [[0.4375, 0.0625], [0.71875, 0.46875], "a snowy owl in flight"],
  [[0.53125, 0.5625], [0.9375, 0.9375], "a small wooden boat on a pond"]]);

/** The node and a little ground around it. @param {Node} node */
async function clip(node) {
  const [x, y, w, h] = await node.eval((n) => [n.pos[0] - 14, n.pos[1] - 44, n.size[0] + 28, n.size[1] + 60]);
  return { x, y, width: w, height: h };
}

/** A node over a connected picture. @param {import("playwright-core").Page} page */
async function overPicture(page) {
  const node = await Node.add(page, [330, 190], { width: 512, height: 384 });
  await page.evaluate((id) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    const load = LiteGraph.createNode("LoadImage");
    load.pos = [-20, 190];
    app.graph.add(load);
    load.widgets[0].value = "scene.png";
    const target = app.graph.getNodeById(id);
    load.connect(0, target, target.inputs.findIndex((/** @type {any} */ i) => i.name === "image"));
  }, node.id);
  await page.waitForFunction((id) => /** @type {any} */ (window).app.graph.getNodeById(id).widgets
    .find((/** @type {any} */ w) => w.name === "layout").roictrl.background.image, node.id);
  return node.shown();
}

/** A pointer to follow with the eye: pictures of a page show none. @param {import("playwright-core").Page} page */
const showPointer = (page) => page.evaluate(() => {
  const pointer = document.createElement("div");
  pointer.innerHTML = '<svg width="20" height="20" viewBox="0 0 20 20"><path d="M4 1v15l4-4 3 7 3-1-3-7h6z" fill="#fff" stroke="#000"/></svg>';
  pointer.style.cssText = "position: fixed; left: -30px; z-index: 9999; pointer-events: none";
  document.body.append(pointer);
  addEventListener("pointermove", (e) => Object.assign(pointer.style, { left: `${e.clientX - 4}px`, top: `${e.clientY - 1}px` }), true);
});

/** Draws and types; `shoot` is called at every step. @param {Node} node @param {() => Promise<any>} shoot */
async function draw(node, shoot) {
  const { mouse, keyboard } = node.page;
  for (const [from, to, caption] of BOXES) {
    const [a, b] = [await node.at(...from), await node.at(...to)];
    await mouse.move(...a);
    await mouse.down();
    for (let step = 1; step <= 5; step++) {
      await mouse.move(a[0] + ((b[0] - a[0]) * step) / 5, a[1] + ((b[1] - a[1]) * step) / 5);
      await node.settle();
      await shoot();
    }
    await mouse.up();
    await node.settle();
    for (const word of caption.split(/(?<= )/)) {
      await keyboard.type(word);
      await node.settle();
      await shoot();
    }
  }
  await node.press("Enter");
  await shoot();
}

/** A still of each tool that draws shapes, and of the menu. @param {Node} node over a picture @param {string} folder */
async function tools(node, folder) {
  const { mouse, keyboard } = node.page;
  let count = 0;
  const shoot = async () => {
    await node.settle();
    await node.root().screenshot({ path: `${folder}/${count++}.png` });
  };
  const along = async (/** @type {[number, number][]} */ places, lift = true) => {
    const [first, ...rest] = await Promise.all(places.map((place) => node.at(...place)));
    await mouse.move(...first);
    await mouse.down();
    for (const place of rest) await mouse.move(...place, { steps: 4 });
    if (lift) await mouse.up();
    await node.settle();
  };
  const words = async (/** @type {string} */ caption) => {
    await node.settle();
    await keyboard.type(caption);
    await node.press("Enter");
  };
  await node.click([0.98, -0.02]); // into the editor, beside the picture
  await node.press("p");
  await node.click([0.72, 0.3]);
  await shoot();
  await words("the moon");
  await node.press("k");
  await along([[0.5, 0.85], [0.58, 0.7], [0.68, 0.85], [0.78, 0.7], [0.88, 0.85]]);
  await words("a pond");
  await shoot();
  await node.press("l");
  await along(BLOB, false);
  await shoot();
  await mouse.up();
  await words("a red fox");
  await node.press("b");
  await node.press("Tab");
  await node.press("Tab");
  await node.press("Tab");
  await along([[0.36, 0.55], [0.46, 0.5], [0.5, 0.42]], false);
  await shoot();
  await mouse.up();
  await node.press("e");
  await along([[0.12, 0.78], [0.24, 0.72]], false);
  await shoot();
  await mouse.up();
  await node.press("v");
  await node.press("Shift+F10");
  await node.root().locator(".roictrl-menu [aria-haspopup]").first().click();
  await shoot();
}

/** Around a fox. @type {[number, number][]} */
const BLOB = Array.from({ length: 40 }, (_, i) => {
  const turn = (i / 40) * 2 * Math.PI;
  const far = 1 + 0.16 * Math.sin(3 * turn) + 0.06 * Math.sin(7 * turn);
  return [0.24 + 0.14 * far * Math.cos(turn), 0.62 + 0.24 * far * Math.sin(turn)];
});

for (const folder of [IMAGES, dirname(FILM)]) mkdirSync(folder, { recursive: true });
const [frames, stills] = [0, 1].map(() => mkdtempSync(`${tmpdir()}/roictrl-`));
const join = (/** @type {string} */ folder, /** @type {string} */ file) =>
  execFileSync(process.env.PYTHON ?? "python3", [fileURLToPath(new URL("./pictures.py", import.meta.url)), folder, file], { stdio: "inherit" });
const [server, browser] = await Promise.all([startServer(process.argv[2]), startBrowser()]);
try {
  for (const vue of [false, true]) {
    for (const palette of ["dark", "light"]) {
      await putSettings(server.url, { "Comfy.VueNodes.Enabled": vue, "Comfy.ColorPalette": palette, "Comfy.EnableTooltips": false });
      const { page, context } = await openPage(browser, server.url);
      const node = await overPicture(page);
      let count = 0;
      const film = vue && palette === "dark";
      if (film) await showPointer(page);
      await draw(node, async () => film && page.screenshot({ path: `${frames}/${String(count++).padStart(3, "0")}.png`, clip: await clip(node) }));
      await page.mouse.move(5, 900);
      await page.screenshot({ path: `${IMAGES}editor-${vue ? "nodes2" : "classic"}-${palette}.png`, clip: await clip(node) });
      await context.close();
    }
  }
  join(frames, FILM);
  await putSettings(server.url, { "Comfy.ColorPalette": "dark" });
  const { page } = await openPage(browser, server.url);
  await tools(await overPicture(page), stills);
  join(stills, `${IMAGES}editor-tools.png`);
} finally {
  for (const folder of [frames, stills]) rmSync(folder, { recursive: true });
  await browser.close();
  await server.stop();
}
