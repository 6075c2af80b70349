// @ts-check
/** A real ComfyUI and a real Chromium for the browser tests, and words for what a person does in them. */
import { spawn } from "node:child_process";
import { chromium } from "playwright-core";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];
const START_MS = 900_000;
/** How long a run of ComfyUI may take on a busy machine: nothing is timed by it. */
export const RUN = { timeout: 240_000 };

/** @param {string} [frontend] version of the page; the one that ComfyUI pins when left out @returns {Promise<{url: string, stop: () => Promise<void>}>} */
export async function startServer(frontend) {
  const script = new URL("./serve.py", import.meta.url).pathname;
  const child = spawn(process.env.PYTHON ?? "python3", [script, ...(frontend ? [frontend] : [])], { stdio: ["pipe", "pipe", "inherit"] });
  const url = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill();
      reject(new Error("ComfyUI did not start in time"));
    }, START_MS);
    let said = "";
    child.stdout.on("data", (data) => {
      said += data;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(said);
      if (found) {
        clearTimeout(timer);
        resolve(found[0]);
      }
    });
    child.on("exit", (code) => {
      clearTimeout(timer);
      reject(new Error(`ComfyUI ended while starting (${code}).`));
    });
  });
  return { url, stop: () => new Promise((resolve) => {
    child.removeAllListeners("exit").on("exit", () => resolve());
    child.stdin.end();
  }) };
}

export const startBrowser = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** Settings as a returning user has them. @param {string} url @param {Record<string, any>} settings */
export async function putSettings(url, settings) {
  await fetch(`${url}/api/settings`, { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ "Comfy.TutorialCompleted": true, "Comfy.Workflow.ShowMissingNodesWarning": false,
      "Comfy.Workflow.ShowMissingModelsWarning": false, ...settings }) });
}

/** A page with an empty graph. @param {import("playwright-core").Browser} browser @param {string} url @param {Record<string, any>} [options] of the context */
export async function openPage(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  /** @type {string[]} */
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error.stack ?? error)));
  await page.goto(url, { waitUntil: "domcontentloaded", timeout: 180_000 });
  await ready(page);
  await emptyGraph(page);
  return { page, context, errors };
}

/** @param {import("playwright-core").Page} page */
export async function ready(page) {
  await page.waitForFunction(() => {
    const app = /** @type {any} */ (window).app;
    return app?.graph && app.canvas && app.extensionManager && /** @type {any} */ (window).LiteGraph?.registered_node_types?.ROICtrlInstanceBoxPrompt;
  }, null, { timeout: 240_000 });
}

/** An empty graph, shown at a zoom. @param {import("playwright-core").Page} page @param {number} [scale] */
export async function emptyGraph(page, scale = 1) {
  await page.evaluate((zoom) => {
    const { app } = /** @type {any} */ (window);
    app.canvas.setGraph(app.rootGraph ?? app.graph);
    app.graph.clear();
    app.canvas.ds.scale = zoom;
    app.canvas.ds.offset = [0, 0];
    app.canvas.setDirty(true, true);
  }, scale);
}

/** The editor that is seen; a promoted one's original is in the page as well. @param {import("playwright-core").Page} page */
export const shownStage = (page) => page.locator(".roictrl-stage").filter({ visible: true });

/** A drag over an element, in shares of its size. @param {import("playwright-core").Locator} element @param {[number, number]} from @param {[number, number]} to */
export async function dragOver(element, from, to) {
  const { mouse } = element.page();
  const rect = await element.boundingBox();
  if (!rect) throw new Error("nothing to drag over");
  const at = (/** @type {number} */ share) => /** @type {[number, number]} */ ([0, 1].map((i) =>
    [rect.x, rect.y][i] + [rect.width, rect.height][i] * (from[i] + (to[i] - from[i]) * share)));
  await mouse.move(...at(0));
  await mouse.down();
  for (const share of [0.3, 1]) await mouse.move(...at(share), { steps: 3 });
  await mouse.up();
}

/** One Instance Box Prompt and what drives it. */
export class Node {
  /** @param {import("playwright-core").Page} page @param {any} id */
  constructor(page, id) {
    this.page = page;
    this.id = id;
  }

  /** @param {import("playwright-core").Page} page @param {[number, number]} [at] @param {Record<string, any>} [values] of widgets */
  static async add(page, at = [120, 60], values = {}) {
    const id = await page.evaluate(([pos, set]) => {
      const { app, LiteGraph } = /** @type {any} */ (window);
      const node = LiteGraph.createNode("ROICtrlInstanceBoxPrompt");
      // The classic renderer cuts a selected node's shape out of what is added, before that has its place.
      app.canvas.deselectAll?.();
      node.pos = pos;
      for (const [name, value] of Object.entries(set)) node.widgets.find((/** @type {any} */ w) => w.name === name).value = value;
      app.graph.add(node);
      return node.id;
    }, /** @type {const} */ ([at, values]));
    return new Node(page, id).shown();
  }

  /** The node's editor is on the page and has come to rest there. */
  async shown() {
    const element = await this.stage();
    await element.waitFor({ state: "visible" });
    let place = "";
    for (let still = 0; still < 3;) {
      await this.settle();
      const now = JSON.stringify(await element.boundingBox());
      still = now === place ? still + 1 : 0;
      place = now;
    }
    return this;
  }

  /** Runs in the page with the node, its layout widget and its editor. @param {(n: any, w: any, e: any, arg: any) => any} run @param {any} [arg] */
  eval(run, arg) {
    return this.page.evaluate(({ id, code, arg }) => {
      const { app } = /** @type {any} */ (window);
      const node = app.canvas.graph.getNodeById(id);
      const widget = node.widgets.find((/** @type {any} */ w) => w.name === "layout");
      return new Function("n", "w", "e", "arg", `return (${code})(n, w, e, arg)`)(node, widget, widget.roictrl, arg);
    }, { id: this.id, code: run.toString(), arg });
  }

  /** The node's editor has left the page: what shows the graph has caught up. */
  async gone() {
    await this.root().waitFor({ state: "hidden" });
    await this.settle();
  }

  /** Put into a subgraph of its own, as a person sees it from outside. @returns {Promise<any>} the id of the subgraph's node */
  async wrap() {
    const id = await this.page.evaluate((inner) => {
      const { app } = /** @type {any} */ (window);
      return app.graph.convertToSubgraph(new Set([app.graph.getNodeById(inner)])).node.id;
    }, this.id);
    await this.gone();
    return id;
  }

  /** The only node inside a subgraph, entered. @param {import("playwright-core").Page} page @param {any} wrapper id of the subgraph's node */
  static async inside(page, wrapper) {
    const id = await page.evaluate((outer) => {
      const { app } = /** @type {any} */ (window);
      app.canvas.setGraph(app.graph.getNodeById(outer).subgraph);
      return app.canvas.graph.nodes[0].id;
    }, wrapper);
    const node = await new Node(page, id).shown();
    await page.evaluate(() => /** @type {any} */ (window).app.canvas.ds.fitToBounds?.(/** @type {any} */ (window).app.canvas.graph.nodes[0].boundingRect));
    return node.shown();
  }

  /** Two animation frames: whatever was due has been painted. */
  settle() {
    return this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }

  /** The stage's element of this node: elements carry no node id, so it is marked. */
  async stage() {
    const mark = `box-editor-${this.id}`;
    await this.eval((n, w, e, name) => {
      document.getElementById(name)?.removeAttribute("id");
      e.root.id = name;
    }, mark);
    return this.page.locator(`#${mark} .roictrl-stage`);
  }

  root() {
    return this.page.locator(`#box-editor-${this.id}`);
  }

  /** The layout that the widget holds. @returns {Promise<any>} */
  async layout() {
    return JSON.parse(await this.text() || '{"instances": []}');
  }

  /** @returns {Promise<string>} */
  text() {
    return this.eval((n, w) => w.value);
  }

  /** Page coordinates of a normalised place in the picture. @param {number} x @param {number} y @returns {Promise<[number, number]>} */
  at(x, y) {
    return this.eval((n, w, e, [px, py]) => {
      const rect = e.view.stage.getBoundingClientRect();
      const scale = rect.width / e.view.stage.clientWidth;
      const f = e.view.frame;
      return [rect.left + (f.x + px * f.w) * scale, rect.top + (f.y + py * f.h) * scale];
    }, [x, y]);
  }

  /** A drag as a hand does it, in normalised places. @param {[number, number]} from @param {[number, number]} to @param {{button?: "left"|"middle", keys?: string[]}} [options] */
  async drag(from, to, { button = "left", keys = [] } = {}) {
    const { mouse, keyboard } = this.page;
    const [a, b] = [await this.at(...from), await this.at(...to)];
    for (const key of keys) await keyboard.down(key);
    await mouse.move(...a);
    await mouse.down({ button });
    await mouse.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, { steps: 3 });
    await mouse.move(...b, { steps: 3 });
    await mouse.up({ button });
    for (const key of keys) await keyboard.up(key);
    await this.settle();
  }

  /** @param {[number, number]} place @param {string[]} [keys] */
  async click(place, keys = []) {
    for (const key of keys) await this.page.keyboard.down(key);
    await this.page.mouse.click(...await this.at(...place));
    for (const key of keys) await this.page.keyboard.up(key);
    await this.settle();
  }

  /** @param {string} key */
  async press(key) {
    await this.page.keyboard.press(key);
    await this.settle();
  }
}
