// @ts-check
/**
 * Binary masks as run-length text: COCO's compressed RLE, as `roictrl_core/masks.py` writes it.
 *
 * A mask covers the whole picture.  Its pixels are read column by column; the runs alternate, beginning with a possibly
 * empty run of zeros.  From the fourth run on, the text holds the difference to the run two before, in groups of five
 * bits, the lowest first: 48 + bits, plus 32 while more follow; the top bit of the last group is the sign.
 *
 * @typedef {{size: [number, number], counts: string|number[]}} Mask `size` is [height, width] in the mask's own pixels
 */

/** @param {number[]} runs @returns {string} */
export function pack(runs) {
  let text = "";
  runs.forEach((run, i) => {
    let number = i > 2 ? run - runs[i - 2] : run;
    for (let more = true; more;) {
      const bits = number & 31;
      number >>= 5;
      more = number !== (bits & 16 ? -1 : 0);
      text += String.fromCharCode(48 + (more ? bits | 32 : bits));
    }
  });
  return text;
}

/** @param {string} counts @returns {number[]|null} null: the text is damaged */
export function unpack(counts) {
  /** @type {number[]} */
  const runs = [];
  let [number, shift] = [0, 0];
  for (let i = 0; i < counts.length; i++) {
    const bits = counts.charCodeAt(i) - 48;
    if (bits < 0 || bits > 63 || shift > 45) return null;
    number += (bits & 31) * 2 ** shift;
    shift += 5;
    if (bits & 32) continue;
    if (bits & 16) number -= 2 ** shift;
    runs.push(runs.length > 2 ? number + (runs.at(-2) ?? 0) : number);
    number = shift = 0;
  }
  return shift ? null : runs;
}

/** A mask's runs, zeros first; null where it is no mask or a damaged one. @param {any} mask @returns {number[]|null} */
export function runsOf(mask) {
  const { size, counts } = mask ?? {};
  if (!Array.isArray(size) || size.length !== 2 || !size.every((side) => Number.isInteger(side) && side > 0)) return null;
  const runs = Array.isArray(counts) ? counts : typeof counts === "string" ? unpack(counts) : null;
  if (!runs?.every((run) => Number.isInteger(run) && run >= 0)) return null;
  return runs.reduce((sum, run) => sum + run, 0) === size[0] * size[1] ? runs : null;
}

/** The set pixels of each column. @param {number[]} runs @param {[number, number]} size @returns {number[][]} */
export function columnsOf(runs, [height, width]) {
  const columns = Array.from({ length: width }, () => /** @type {number[]} */ ([]));
  let at = 0;
  runs.forEach((run, i) => {
    const end = at + run;
    for (let from = at; i % 2 && from < end;) {
      const column = Math.floor(from / height);
      const to = Math.min(end, (column + 1) * height);
      columns[column].push(from - column * height, to - column * height);
      from = to;
    }
    at = end;
  });
  return columns;
}

/** The inverse of `columnsOf`. @param {import("./raster.js").Columns} columns @param {[number, number]} size @returns {Mask} */
export function maskOf(columns, size) {
  const [height, width] = size;
  const runs = [0]; // zeros, ones, zeros ...
  let at = 0;
  const extend = (/** @type {boolean} */ ones, /** @type {number} */ end) => {
    if (end <= at) return;
    if (ones !== (runs.length % 2 === 0)) runs.push(0);
    runs[runs.length - 1] += end - at;
    at = end;
  };
  columns.forEach((rows, x) => {
    for (let i = 0; i < rows.length; i += 2) {
      extend(false, x * height + rows[i]);
      extend(true, x * height + rows[i + 1]);
    }
  });
  extend(false, height * width);
  return { size, counts: pack(runs) };
}
