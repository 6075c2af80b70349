// @ts-check
/** What the scenarios of shapes share. */
import { readFileSync } from "node:fs";
import { decoded } from "../../../web/editor/masks.js";
import { Node, emptyGraph } from "./harness.mjs";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {[number, number]} Place */

export const LOCALE = JSON.parse(readFileSync(new URL("../../../locales/en/main.json", import.meta.url), "utf8")).roictrl;
// Cells of 32 px: columns 2 and 3, rows 2 to 5 of 16 x 16, the left half of a box from 0.125 to 0.375.
export const MASK = { size: [16, 16], counts: "R14<0n5" };
export const FOX = { box: [0.125, 0.125, 0.375, 0.375], caption: "fox", mask: MASK };

const BEFORE = 128 * 512 + 384; // pixels, column by column
/** Seven pixels of 512 x 512, in the middle of the lower left quarter. */
export const SPECK = { size: [512, 512], counts: [BEFORE, 7, 512 * 512 - BEFORE - 7] };

/** A node with these instances alone in the graph. @param {Page} page @param {any[]} [instances] */
export async function fresh(page, instances = []) {
  await emptyGraph(page);
  const node = await Node.add(page, [90, 160]);
  await node.eval((n, w, e, text) => {
    // Page 1.49.6 gives a new node the values of an old one that had its number.
    for (const side of n.widgets) if (side.name === "width" || side.name === "height") side.value = 512;
    w.value = text;
  }, JSON.stringify({ version: 1, width: 512, height: 512, instances }));
  await node.settle();
  await page.mouse.click(...await node.at(0.98, -0.01)); // into the editor, beside the picture
  return node;
}

/** Along these places with the button held. @param {Node} node @param {Place[]} places @param {string[]} [keys] */
export async function along(node, places, keys = []) {
  const { mouse, keyboard } = node.page;
  const [first, ...rest] = await Promise.all(places.map((place) => node.at(...place)));
  for (const key of keys) await keyboard.down(key);
  await mouse.move(...first);
  await mouse.down();
  for (const place of rest) await mouse.move(...place, { steps: 2 });
  await mouse.up();
  for (const key of keys) await keyboard.up(key);
  await node.settle();
  await node.settle(); // the caption's field opens a frame later
}

/** @param {Node} node */
export const instances = async (node) => /** @type {any[]} */ ((await node.layout()).instances);
/** Bounds of each mask in 512ths, and how much of the picture it is. @param {Node} node */
export const masks = async (node) => (await instances(node)).map(({ mask }) => decoded(mask))
  .map((mask) => /** @type {any} */ (mask && [mask.bounds?.map((v) => Math.round(v * 512)), mask.share]));
/** @param {Node} node */
export const status = (node) => node.root().locator(".roictrl-status").innerText();
/** @param {Node} node @param {Place} place @returns {Promise<number[]>} the colour painted there */
export const painted = (node, place) => node.eval((n, w, e, [x, y]) => {
  const { frame, ratio, canvas } = e.view;
  return [...canvas.getContext("2d").getImageData(Math.round((frame.x + x * frame.w) * ratio), Math.round((frame.y + y * frame.h) * ratio), 1, 1).data];
}, place);
