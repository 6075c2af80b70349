// @ts-check
/**
 * A mask's pixels, column by column: what is painted, outlined, grown and carried.
 *
 * Works on runs of set pixels and never on single ones, so that the cost follows a mask's outline and not its area.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {readonly (readonly number[])[]} Columns of each column the set rows as [from, to, from, to, ...]: from the top,
 *   apart, `to` not included
 * @typedef {[number, number]} Grid height and width in the mask's own pixels
 * @typedef {{scale: number, shift: number}} Axis an affine map of one normalised coordinate: v -> v * scale + shift
 * @typedef {[number, number]} Pair x and y
 * @typedef {{x: number, y: number, rx: number, ry: number}} Dab of a brush, in the mask's pixels
 */

/** The longer side of a mask that is made here. */
const LONGEST = 512;
/** In pixels: a centre this near to a boundary lies on it. */
const TIE = 1e-6;

/** The grid of a mask in the picture's shape. @param {import("./geometry.js").Size} size of the picture @returns {Grid} */
export function gridOf({ width, height }) {
  const scale = Math.min(1, LONGEST / Math.max(width, height));
  return /** @type {Grid} */ ([height, width].map((side) => Math.max(1, Math.round(side * scale))));
}

/** @param {Grid} grid @returns {number[][]} */
export const blank = ([, width]) => Array.from({ length: width }, () => []);

/** The rows whose centres lie between two heights. @param {number} from @param {number} to @param {number} height @returns {number[]} */
function rowsBetween(from, to, height) {
  const rows = [from, to].map((y) => Math.min(Math.max(Math.ceil(y - 0.5 - TIE), 0), height));
  return rows[0] < rows[1] ? rows : [];
}

/** Two masks as one, pixel by pixel. @param {Columns} a @param {Columns} b
 * @param {(inA: boolean, inB: boolean) => boolean} keep leaves a pixel outside `b` as it is in `a` @returns {Columns} */
const combined = (a, b, keep) => a.map((rows, i) => (b[i].length ? combinedRows(rows, b[i], keep) : rows));

/** @param {readonly number[]} a @param {readonly number[]} b @param {(inA: boolean, inB: boolean) => boolean} keep */
function combinedRows(a, b, keep) {
  /** @type {number[]} */
  const rows = [];
  let [i, j] = [0, 0];
  for (const edge of [...new Set([...a, ...b])].sort((p, q) => p - q)) {
    while (a[i] <= edge) i++;
    while (b[j] <= edge) j++;
    if (keep(i % 2 === 1, j % 2 === 1) !== (rows.length % 2 === 1)) rows.push(edge);
  }
  return rows;
}

/** @param {Columns} a @param {Columns} b */
export const joined = (a, b) => combined(a, b, (inA, inB) => inA || inB);

/** @param {Columns} a @param {Columns} b what is taken away */
export const without = (a, b) => combined(a, b, (inA, inB) => inA && !inB);

/** @param {Columns} a @param {Columns} b where set and unset change places */
export const inverted = (a, b) => combined(a, b, (inA, inB) => inA !== inB);

/** The pixels whose centres lie in a box. @param {Box} box @param {Grid} grid @returns {Columns} */
export function boxColumns([x1, y1, x2, y2], [height, width]) {
  const rows = rowsBetween(y1 * height, y2 * height, height);
  const [from = 0, to = 0] = rowsBetween(x1 * width, x2 * width, width);
  return Array.from({ length: width }, (_, x) => (x >= from && x < to ? rows : []));
}

/** The largest ellipse in a box. @param {Box} box @param {Grid} grid @returns {Columns} */
export function ellipseColumns([x1, y1, x2, y2], [height, width]) {
  const dab = { x: ((x1 + x2) / 2) * width, y: ((y1 + y2) / 2) * height, rx: ((x2 - x1) / 2) * width, ry: ((y2 - y1) / 2) * height };
  return strokeColumns(dab, dab, [height, width]);
}

/** What a polygon encloses, however its sides cross. @param {Pair[]} points normalised @param {Grid} grid @returns {Columns} */
export function polygonColumns(points, [height, width]) {
  /** @type {[number, number][][]} of each column where its middle line is crossed, and in which direction */
  const crossings = Array.from({ length: width }, () => []);
  points.forEach(([x1, y1], i) => {
    const [x2, y2] = points[(i + 1) % points.length];
    const [left, right] = [Math.min(x1, x2) * width, Math.max(x1, x2) * width];
    for (let c = Math.max(0, Math.ceil(left - 0.5)); c < width && c + 0.5 < right; c++) {
      crossings[c].push([(y1 + ((y2 - y1) * ((c + 0.5) / width - x1)) / (x2 - x1)) * height, Math.sign(x2 - x1)]);
    }
  });
  return crossings.map((list) => insideOf(list, height));
}

/** @param {[number, number][]} crossings of one column @param {number} height */
function insideOf(crossings, height) {
  /** @type {number[][]} */
  const spans = [];
  let [turns, from] = [0, 0];
  for (const [y, direction] of crossings.sort((a, b) => a[0] - b[0])) {
    if (turns === 0) from = y;
    turns += direction;
    if (turns === 0) spans.push(rowsBetween(from, y, height));
  }
  return merged(spans);
}

/** Spans of rows in any order as rows that lie apart. @param {(readonly number[])[]} spans */
export function merged(spans) {
  /** @type {number[]} */
  const rows = [];
  const pairs = spans.flatMap((span) => Array.from({ length: span.length / 2 }, (_, i) => [span[2 * i], span[2 * i + 1]]));
  for (const [from, to] of pairs.filter(([a, b]) => a < b).sort((a, b) => a[0] - b[0])) {
    if (rows.length && from <= rows[rows.length - 1]) rows[rows.length - 1] = Math.max(rows[rows.length - 1], to);
    else rows.push(from, to);
  }
  return rows;
}

/** What a brush covers on its way from one dab to the next. @param {Dab} a @param {Dab} b @param {Grid} grid @returns {Columns} */
export function strokeColumns(a, b, [height, width]) {
  const [top, bottom] = [new Float64Array(width).fill(Infinity), new Float64Array(width).fill(-Infinity)];
  const steps = Math.max(1, Math.ceil(Math.hypot(b.x - a.x, b.y - a.y)));
  for (let step = 0; step <= steps; step++) {
    const [x, y, rx, ry] = /** @type {const} */ (["x", "y", "rx", "ry"]).map((key) => a[key] + ((b[key] - a[key]) * step) / steps);
    for (let c = Math.max(0, Math.ceil(x - rx - 0.5)); c < width && c + 0.5 <= x + rx; c++) {
      const half = ry * Math.sqrt(Math.max(0, 1 - ((c + 0.5 - x) / rx) ** 2));
      top[c] = Math.min(top[c], y - half);
      bottom[c] = Math.max(bottom[c], y + half);
    }
  }
  return Array.from(top, (y, c) => (y < bottom[c] ? rowsBetween(y, bottom[c], height) : []));
}

/** Larger by an ellipse's radii all around. @param {Columns} columns @param {Grid} grid @param {number} rx pixels of the mask @param {number} ry @returns {Columns} */
export function grown(columns, [height], rx, ry) {
  const far = Math.floor(rx);
  const reach = Array.from({ length: 2 * far + 1 }, (_, i) => Math.round(ry * Math.sqrt(1 - ((i - far) / rx) ** 2)));
  return columns.map((_, c) => merged(reach.map((half, i) => (columns[c + i - far] ?? [])
    .map((row, at) => Math.min(Math.max(at % 2 ? row + half : row - half, 0), height)))));
}

/** Smaller all around; at the picture's border it stays, as what lies beyond it is not known. @param {Columns} columns @param {Grid} grid @param {number} rx @param {number} ry */
export function shrunk(columns, grid, rx, ry) {
  const all = boxColumns([0, 0, 1, 1], grid);
  return inverted(grown(inverted(columns, all), grid, rx, ry), all);
}

/** The normalised box around all that is set; null where nothing is. @param {Columns} columns @param {Grid} grid @returns {Box|null} */
export function boundsOf(columns, [height, width]) {
  const left = columns.findIndex((rows) => rows.length);
  if (left < 0) return null;
  const right = columns.findLastIndex((rows) => rows.length) + 1;
  const top = columns.reduce((y, rows) => (rows.length ? Math.min(y, rows[0]) : y), height);
  const bottom = columns.reduce((y, rows) => (rows.length ? Math.max(y, rows[rows.length - 1]) : y), 0);
  return [left / width, top / height, right / width, bottom / height];
}

/** How many pixels are set. @param {Columns} columns */
export const areaOf = (columns) => columns.reduce((sum, rows) => sum + rows.reduce((s, row, i) => s + (i % 2 ? row : -row), 0), 0);

/**
 * For each boundary between pixels along a side, the first pixel of the result that lies at or behind it, from below 0 to
 * over the side's end where the picture ends before: a pixel of the result takes what lies under its centre (nearest).
 * @param {number} side @param {Axis} axis @param {number} to the result's side @returns {number[]} [side + 1]
 */
const boundaries = (side, { scale, shift }, to) => Array.from({ length: side + 1 }, (_, edge) =>
  Math.ceil((edge / side) * to * scale + shift * to - 0.5 - TIE));

/**
 * A mask carried by a map of x and one of y, both with a scale over 0, onto a grid and cut at the picture's border; and
 * whether anything was cut.
 * @param {Columns} columns @param {Grid} from @param {Axis} x @param {Axis} y @param {Grid} to @returns {{columns: Columns, cut: boolean}}
 */
export function carriedColumns(columns, from, x, y, [height, width]) {
  const [across, down] = [boundaries(from[1], x, width), boundaries(from[0], y, height)];
  const result = Array.from({ length: width }, () => /** @type {readonly number[]} */ ([]));
  let cut = false;
  columns.forEach((rows, c) => {
    const carried = rows.map((row) => down[row]).filter((_, i, all) => all[i & ~1] < all[i | 1]); // what has become empty is left out
    if (!carried.length || across[c] === across[c + 1]) return;
    cut ||= across[c] < 0 || across[c + 1] > width || carried[0] < 0 || carried[carried.length - 1] > height;
    const seen = merged([carried.map((row) => Math.min(Math.max(row, 0), height))]);
    result.fill(seen, Math.min(Math.max(across[c], 0), width), Math.min(Math.max(across[c + 1], 0), width));
  });
  return { columns: result, cut };
}
