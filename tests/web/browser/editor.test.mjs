// @ts-check
/** The editor in every renderer of both pages: the one that ComfyUI 0.3.75 pins, and a newer one. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { looksRunNothing } from "./cached.mjs";
import { Node, openPage, putSettings, startBrowser, startServer } from "./harness.mjs";
import * as more from "./more_scenarios.mjs";
import * as rows from "./rows.mjs";
import { notesReachTheirBoxes } from "./said.mjs";
import * as scenario from "./scenario.mjs";

/** undefined: the page that the ComfyUI under test asks for. */
for (const frontend of [undefined, "1.58.1"]) {
  describe(`page ${frontend ?? "pinned by ComfyUI"}`, () => {
    /** @type {Awaited<ReturnType<typeof startServer>>} */
    let server;
    /** @type {import("playwright-core").Browser} */
    let browser;
    before(async () => {
      server = await startServer(frontend);
      browser = await startBrowser();
    });
    after(async () => {
      await browser?.close();
      await server?.stop();
    });

    for (const vue of [false, true]) {
      test(vue ? "Nodes 2.0" : "classic renderer", async (t) => {
        await putSettings(server.url, { "Comfy.VueNodes.Enabled": vue });
        const { page, context, errors } = await openPage(browser, server.url, { hasTouch: true });
        const step = (/** @type {string} */ name, /** @type {() => Promise<any>} */ run) => t.test(name, run);
        /** @type {Node} */
        let node;
        await step("draw three captioned boxes", async () => { node = await scenario.drawThree(page, [90, 160]); });
        await step("undo and redo", () => scenario.undoRedo(node));
        await step("move, resize, multi-select", () => scenario.moveResizeSelect(node));
        await step("keyboard only, said aloud", () => scenario.keyboardOnly(node));
        await step("copy and paste between two nodes", () => scenario.copyPaste(node, page));
        await step("import through the server", () => scenario.importForeign(node));
        await step("save, reload, reopen", () => scenario.saveReloadReopen(node, page));
        await step("subgraph and back", async () => { node = await scenario.subgraph(node, page); });
        await step("queue, connected boxes, last result", () => scenario.queue(node, page));
        await step("another width", () => scenario.resizePicture(node));
        await step("graph zoom 0.5 and 2", () => scenario.graphZoom(page));
        await step("paints", () => scenario.paints(page));
        for (const [name, run] of Object.entries(rows)) await step(name, () => run(page));
        await step("what the server says reaches its box", async () => { node = await notesReachTheirBoxes(page); });
        await step("a colour, a label, a lock run nothing again", () => looksRunNothing(page, node));
        await step("promoted out of a subgraph", () => more.promoted(page));
        await step("with a finger", () => more.touch(page));
        await step("workflows of the plain text widget", () => scenario.oldWorkflow(page));
        assert.deepEqual(errors.filter((error) => error.includes("/extensions/ComfyUI-ROICtrl/")), []);
        await context.close();
      });
    }

    for (const vue of [false, true]) {
      test(`device pixel ratio 2, in Chinese, ${vue ? "Nodes 2.0" : "classic renderer"}`, async () => {
        await putSettings(server.url, { "Comfy.VueNodes.Enabled": vue, "Comfy.Locale": "zh" });
        const { page, context } = await openPage(browser, server.url, { deviceScaleFactor: 2 });
        const node = await scenario.drawThree(page, [90, 160]);
        const { pixels, css } = await node.eval((n, w, e) => ({ pixels: e.view.canvas.width, css: e.view.stage.clientWidth }));
        assert.equal(pixels, css * 2);
        assert.match(await node.root().locator(".roictrl-status").innerText(), /\p{Script=Han}/u);
        await context.close();
        await putSettings(server.url, { "Comfy.Locale": "en" });
      });
    }
  });
}
