// @ts-check
/** The whole picture: its prompt, its size, and what stands around the boxes. */
import assert from "node:assert/strict";
import { fresh } from "./shape_steps.mjs";

/** @typedef {import("playwright-core").Page} Page */

/** With no box selected the panel is about the whole picture, whose prompt is the layout's caption: typing is one step. @param {Page} page */
export async function wholePrompt(page) {
  const node = await fresh(page, [{ box: [0.125, 0.125, 0.5, 0.5], caption: "fox" }]);
  const before = await node.text();
  const prompt = node.root().getByLabel("Prompt", { exact: true });
  await prompt.click();
  await page.keyboard.type("a fox at night");
  await node.press("Enter");
  assert.equal((await node.layout()).caption, "a fox at night");
  await node.click([0.25, 0.25]);
  await prompt.waitFor({ state: "hidden" });
  await node.press("Escape");
  assert.equal(await prompt.inputValue(), "a fox at night");
  await node.press("Control+z");
  assert.equal(await node.text(), before);
  assert.equal(await node.eval((n) => n.outputs.at(-1).name), "prompt");
}
