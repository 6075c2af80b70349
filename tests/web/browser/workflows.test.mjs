// @ts-check
/** The example workflows open in the page, and our graph-to-API converter says of each what the page itself says. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { plain } from "../../../web/editor/sent.js";
import { dragOver, openPage, putSettings, shownStage, startBrowser, startServer } from "./harness.mjs";
import { queued } from "./more_scenarios.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const ODD = fileURLToPath(new URL("./data/odd_workflow.json", import.meta.url)); // bypassed, muted, rerouted, primitive, notes
const BLUEPRINT = `${ROOT}subgraphs/Box prompt to picture.json`;
const TEMPLATES = readdirSync(`${ROOT}workflows`).filter((name) => name.endsWith(".json"));

describe("workflows", () => {
  /** @type {Awaited<ReturnType<typeof startServer>>} */
  let server;
  /** @type {import("playwright-core").Browser} */
  let browser;
  /** @type {import("playwright-core").Page} */
  let page;
  before(async () => {
    server = await startServer();
    await putSettings(server.url, {}); // no dialog over what is drawn on
    browser = await startBrowser();
    page = (await openPage(browser, server.url)).page;
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  /** What the page makes of a workflow, and the node types that it does not know. @param {any} workflow */
  const inPage = (workflow) => page.evaluate(async (graph) => {
    const { app, LiteGraph } = /** @type {any} */ (window);
    await app.loadGraphData(graph);
    const unknown = app.graph.nodes.filter((/** @type {any} */ node) => !LiteGraph.registered_node_types[node.type]).map((/** @type {any} */ node) => node.type);
    return { prompt: (await app.graphToPrompt()).output, unknown };
  }, workflow);

  /** What our converter makes of it. @param {string} file */
  const converted = (file) => JSON.parse(execFileSync(process.env.PYTHON ?? "python3", ["-m", "devtools.workflow", file, server.url],
    { env: { ...process.env, PYTHONPATH: `${ROOT}scripts` }, encoding: "utf-8", maxBuffer: 1 << 26 }));

  for (const name of TEMPLATES)
    test(name, async () => {
      const workflow = await (await fetch(`${server.url}/api/workflow_templates/ComfyUI-ROICtrl/${encodeURIComponent(name)}`)).json();
      const { prompt, unknown } = await inPage(workflow);
      assert.deepEqual(unknown, []);
      assert.deepEqual(plain(converted(`${ROOT}workflows/${name}`)), prompt); // the converter sends layouts whole
    });

  test("the blueprint is one node, which runs what is inside with the widgets that it shows", async () => {
    const { prompt, unknown } = await inPage(JSON.parse(readFileSync(BLUEPRINT, "utf-8")));
    assert.deepEqual(unknown, []);
    const entry = (/** @type {string} */ kind) => Object.values(prompt).find((/** @type {any} */ it) => it.class_type === kind);
    assert.deepEqual(JSON.parse(entry("ROICtrlInstanceBoxPrompt").inputs.layout).instances, []);
    assert.deepEqual([entry("KSampler").inputs.steps, entry("ROICtrlInstanceBoxPrompt").inputs.width], [25, 512]);
    const shown = await page.evaluate(() => /** @type {any} */ (window).app.graph.nodes[0].widgets.map((/** @type {any} */ w) => w.name.replace(/^.*: /, "")));
    assert.deepEqual(shown, ["layout", "width", "height", "suffix", "seed", "steps", "cfg"]);
    await shownStage(page).waitFor();
    await dragOver(shownStage(page), [0.3, 0.3], [0.6, 0.6]);
    await page.keyboard.press("Enter");
    const [drawn] = await queued(page);
    assert.equal(drawn.instances.length, 1, "what is drawn on the node around is what runs inside");
  });

  test("a graph with everything that the converter has to see through", async () => {
    const { prompt } = await inPage(JSON.parse(readFileSync(ODD, "utf-8")));
    assert.deepEqual(converted(ODD), prompt);
    assert.equal(prompt[8].inputs.seed, 77);
  });
});
