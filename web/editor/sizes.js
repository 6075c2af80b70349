// @ts-check
/**
 * Sizes of pictures that models were trained for, in pixels, lying; standing ones are the same turned.
 *
 * @typedef {import("./geometry.js").Size} Size
 */

/** By the name of the family in the catalogue, below `sizes.`; those of 1 MP are multiples of 16, as most such models ask.
 * @type {Record<string, [number, number][]>} */
const LYING = {
  sd15: [[512, 512], [640, 512], [768, 512]],
  sdxl: [[1024, 1024], [1152, 896], [1216, 832], [1344, 768], [1536, 640]],
  megapixel: [[1024, 1024], [1152, 864], [1248, 832], [1360, 768]],
};

/** @param {Size} size @returns {Size} */
export const swapped = ({ width, height }) => ({ width: height, height: width });

/** The families with their sizes, lying or standing as the picture is now. @param {Size} now @returns {[string, Size[]][]} */
export const presets = (now) => Object.entries(LYING).map(([family, sizes]) => [family, sizes.map(([width, height]) =>
  (now.height > now.width ? swapped({ width, height }) : { width, height }))]);
