// @ts-check
/** axe-core's word on an editor, with whatever is open in it. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const AXE = readFileSync(new URL("../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

/** It finds nothing. @param {import("./harness.mjs").Node} node @param {string} when */
export async function accessible(node, when) {
  if (!await node.page.evaluate(() => "axe" in window)) await node.page.evaluate(AXE);
  const found = await node.eval(async (n, w, e) => (await /** @type {any} */ (window).axe.run(e.root, { resultTypes: ["violations"] })).violations
    .map((/** @type {any} */ v) => `${v.id}: ${v.nodes[0].html.slice(0, 150)}`));
  assert.deepEqual(found, [], when);
}
