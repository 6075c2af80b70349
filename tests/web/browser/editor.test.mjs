// @ts-check
/** The editor in every renderer of three pages: the one that ComfyUI 0.3.75 pins, a newer one, and one between them. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { looksRunNothing } from "./cached.mjs";
import { Node, openPage, putSettings, startBrowser, startServer } from "./harness.mjs";
import * as more from "./more_scenarios.mjs";
import * as room from "./room.mjs";
import * as rows from "./rows.mjs";
import { notesReachTheirBoxes, noticesComeAndGo } from "./said.mjs";
import * as scenario from "./scenario.mjs";
import * as shapes from "./shapes.mjs";
import * as sight from "./sight.mjs";
import * as surroundings from "./surroundings.mjs";
import * as tools from "./tools.mjs";

/** Goes only through what pages do in their own way; all else the other two show. */
const BETWEEN = "1.49.6";
const { axe, ...own } = surroundings;
const DIFFERENT = new Set([rows.background, rows.linkedSize, rows.zoomAndPan, sight.smallCaption, sight.fromTheImage, ...Object.values(own)]);

/** undefined: the page that the ComfyUI under test asks for.  The others cost minutes: with ALL_PAGES set. */
const PAGES = [undefined, ...(process.env.ALL_PAGES ? [BETWEEN, "1.58.1"] : [])];

for (const frontend of PAGES) {
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
        const shared = (/** @type {string} */ name, /** @type {() => Promise<any>} */ run) => (frontend === BETWEEN ? undefined : step(name, run));
        /** @type {Node} */
        let node;
        await step("draw three captioned boxes", async () => { node = await scenario.drawThree(page, [90, 160]); });
        await shared("undo and redo", () => scenario.undoRedo(node));
        await shared("move, resize, multi-select", () => scenario.moveResizeSelect(node));
        await shared("keyboard only, said aloud", () => scenario.keyboardOnly(node));
        await shared("copy and paste between two nodes", () => scenario.copyPaste(node, page));
        await shared("import through the server", () => scenario.importForeign(node));
        await shared("save, reload, reopen", () => scenario.saveReloadReopen(node, page));
        await step("subgraph and back", async () => { node = await scenario.subgraph(node, page); });
        await step("queue, connected boxes, last result", () => scenario.queue(node, page));
        await shared("another width", () => scenario.resizePicture(node));
        await step("graph zoom 0.5 and 2", () => scenario.graphZoom(page));
        await shared("paints", () => scenario.paints(page));
        for (const [name, run] of Object.entries({ ...rows, ...sight, ...surroundings })) {
          await (DIFFERENT.has(run) ? step : shared)(name, () => run(page));
        }
        for (const [name, run] of Object.entries({ ...tools, ...shapes, ...room })) await step(name, async () => { t.diagnostic(await run(page) ?? name); });
        await shared("what the server says reaches its box", async () => { node = await notesReachTheirBoxes(page); });
        await shared("a colour, a label, a lock run nothing again", () => looksRunNothing(page, node));
        await shared("what is said of the whole layout comes and goes", () => noticesComeAndGo(page, node));
        await step("promoted out of a subgraph", () => more.promoted(page));
        await step("with a finger", () => more.touch(page));
        await shared("an import that asks", () => more.importAsks(page));
        await shared("which picture, and the classes' names", () => more.importPicks(page));
        await step("workflows of the plain text widget", () => scenario.oldWorkflow(page));
        assert.deepEqual(errors.filter((error) => error.includes("/extensions/ComfyUI-ROICtrl/")), []);
        await context.close();
      });
    }

    // Each renderer once, as each costs a page that is opened anew.
    for (const vue of frontend === BETWEEN ? [] : [frontend !== undefined]) {
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
