// @ts-check
/** The example workflows open in the page, and our graph-to-API converter says of each what the page itself says. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { plain } from "../../../web/editor/sent.js";
import { openPage, startBrowser, startServer } from "./harness.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const ODD = fileURLToPath(new URL("./data/odd_workflow.json", import.meta.url)); // bypassed, muted, rerouted, primitive, notes
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
      const workflow = await (await fetch(`${server.url}/api/workflow_templates/ComfyUI-ROICtrl/${name}`)).json();
      const { prompt, unknown } = await inPage(workflow);
      assert.deepEqual(unknown, []);
      assert.deepEqual(plain(converted(`${ROOT}workflows/${name}`)), prompt); // the converter sends layouts whole
    });

  test("a graph with everything that the converter has to see through", async () => {
    const { prompt } = await inPage(JSON.parse(readFileSync(ODD, "utf-8")));
    assert.deepEqual(converted(ODD), prompt);
    assert.equal(prompt[8].inputs.seed, 77);
  });
});
