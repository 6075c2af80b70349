// @ts-check
/** A mask from a picture: what is white and not transparent is set. */
import { h } from "./dom.js";

/** Of 255: what is brighter is set. */
const HALF = 127.5;

/** @param {() => Promise<Blob|null>} source @param {import("./raster.js").Grid} grid
 * @returns {Promise<{columns?: import("./raster.js").Columns, why?: string}>} why: a key of the catalogue, where there is none */
export async function maskFromPicture(source, grid) {
  try {
    const file = await source();
    if (!file) return { why: "mask.none" };
    const columns = columnsOf(await pixelsOf(file, grid), grid);
    return columns.some((rows) => rows.length) ? { columns } : { why: "mask.black" };
  } catch {
    return { why: "mask.unreadable" };
  }
}

/** RGBA of the picture on a grid. @param {Blob} file @param {import("./raster.js").Grid} grid */
async function pixelsOf(file, [height, width]) {
  const picture = await createImageBitmap(file);
  const ctx = /** @type {CanvasRenderingContext2D} */ (h("canvas", { width, height }).getContext("2d", { willReadFrequently: true }));
  ctx.drawImage(picture, 0, 0, width, height);
  return ctx.getImageData(0, 0, width, height).data;
}

/** @param {ArrayLike<number>} rgba @param {import("./raster.js").Grid} grid @returns {number[][]} */
export function columnsOf(rgba, [height, width]) {
  const isSet = (/** @type {number} */ x, /** @type {number} */ y) => {
    const at = 4 * (y * width + x);
    return y >= 0 && y < height && ((0.299 * rgba[at] + 0.587 * rgba[at + 1] + 0.114 * rgba[at + 2]) * rgba[at + 3]) / 255 > HALF;
  };
  return Array.from({ length: width }, (_, x) => {
    /** @type {number[]} */
    const rows = [];
    for (let y = 0; y <= height; y++) if (isSet(x, y) !== isSet(x, y - 1)) rows.push(y);
    return rows;
  });
}

/** A picture of the person's choice; null where none was chosen. @returns {Promise<Blob|null>} */
export const chosenFile = () => new Promise((resolve) => {
  const input = h("input", { type: "file", accept: "image/*", onchange: () => resolve(input.files?.[0] ?? null) });
  input.click();
});

/** The picture on the system's clipboard; null for none. @returns {Promise<Blob|null>} */
export async function clipboardPicture() {
  const items = await navigator.clipboard.read();
  const found = items.flatMap((it) => it.types.filter((type) => type.startsWith("image/")).map((type) => ({ it, type })))[0];
  return found ? found.it.getType(found.type) : null;
}
