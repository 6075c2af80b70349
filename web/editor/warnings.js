// @ts-check
/**
 * What may not work as meant, box by box, as catalogue keys: told while drawing, before a run.
 *
 * @typedef {import("./layout.js").Doc} Doc
 * @typedef {import("./layout.js").Item} Item
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {{key: string, values?: Record<string, any>}} Warning
 */
import { CELL_PX, area, overlap } from "./geometry.js";
import { field } from "./layout.js";
import { decoded } from "./masks.js";
import { isPoint } from "./shapes/index.js";
import { POINT } from "./shapes/point.js";
import { SCRIBBLE } from "./shapes/scribble.js";

/** Slots of the published adapter (docs/roictrl.md section 1). */
export const BOX_LIMIT = 30;
const ROUNDING = 2e-6;
/** Pixels of a cell at the levels of the UNet. */
export const STRIDES = [8, 16, 32, 64];

/** Cells of a UNet level along a side: the latent rounds down, each halving rounds up (as `roictrl_core/cells.py`). @param {number} side pixels @param {number} stride */
function levelSize(side, stride) {
  let cells = Math.max(1, Math.floor(side / CELL_PX));
  for (let s = CELL_PX; s < stride; s *= 2) cells = Math.ceil(cells / 2);
  return cells;
}

/** Cells whose centre lies between `lo` and `hi`. @param {number} lo @param {number} hi @param {number} cells */
const covered = (lo, hi, cells) => Math.ceil(Math.min(hi, 1) * cells - 0.5) - Math.ceil(Math.max(lo, 0) * cells - 0.5);

/** The finest level (pixels per cell) at which the box covers no cell; null where it covers some everywhere.
 * @param {number[]} box @param {Size} size */
export function missedLevel(box, size) {
  return STRIDES.find((stride) => covered(box[0], box[2], levelSize(size.width, stride)) < 1
    || covered(box[1], box[3], levelSize(size.height, stride)) < 1) ?? null;
}

/** @param {Doc} doc @param {Size} size @param {string|null} [typing] the box being drawn or captioned: its caption is not missed yet
 * @param {boolean} [unread] no method that the layout goes to reads points and scribbles
 * @returns {Map<string, Warning[]>} by id; boxes without a warning are left out */
export function warnings(doc, size, typing = null, unread = false) {
  const found = new Map();
  const twins = sameCaption(doc);
  let used = 0;
  for (const it of doc.items) {
    const list = field(it, "enabled") ? ofBox(it, used++, size, twins.get(it.id), unread).filter((w) => w.key !== "warn.caption" || it.id !== typing) : [];
    if (list.length) found.set(it.id, list);
  }
  return found;
}

/** @param {Item} it @param {number} before how many others take part before it @param {Size} size @param {number|undefined} twin @param {boolean} unread @returns {Warning[]} */
function ofBox(it, before, size, twin, unread) {
  const { box } = it.fields;
  const list = ofShapes(it.fields, size, unread);
  if (!field(it, "caption").trim()) list.unshift({ key: "warn.caption" });
  if (isPoint(it.fields)) return list; // methods that read points place it
  if (area(box) <= 0 || box[2] <= box[0]) return [{ key: "warn.area" }, ...list];
  const missed = missedLevel(box, size);
  if (missed === STRIDES[0]) list.push({ key: "warn.nothing" });
  else if (missed) list.push({ key: "warn.small", values: { px: missed } });
  if (Math.min(...box) < 0 || Math.max(...box) > 1) list.push({ key: "warn.border" });
  if (it.cut) list.push({ key: "warn.cut" });
  if (before >= BOX_LIMIT) list.push({ key: "warn.limit", values: { max: BOX_LIMIT } });
  if (twin) list.push({ key: "warn.twin", values: { n: twin } });
  return list;
}

/** @param {import("./layout.js").Fields} fields @param {Size} size @param {boolean} unread @returns {Warning[]} */
function ofShapes(fields, size, unread) {
  const [mask, point, scribble] = [decoded(fields.mask), POINT.bounds(fields), SCRIBBLE.bounds(fields)];
  const { box } = fields;
  const outside = (/** @type {import("./geometry.js").Box|null} */ shape) => shape && !isPoint(fields) && !inside(shape, box);
  const found = {
    "warn.maskEmpty": mask && !mask.bounds,
    "warn.maskOutside": mask?.bounds && !mask.touches(box),
    "warn.maskSmall": mask?.bounds && mask.share * size.width * size.height < CELL_PX ** 2,
    "warn.pointOutside": outside(point),
    "warn.scribbleOutside": outside(scribble),
    "warn.pointUnread": point && unread,
    "warn.scribbleUnread": scribble && unread,
  };
  return Object.entries(found).filter(([, is]) => is).map(([key]) => ({ key }));
}

/** @param {import("./geometry.js").Box} shape @param {import("./geometry.js").Box} box */
const inside = (shape, box) => shape.every((v, i) => (i < 2 ? v >= box[i] - ROUNDING : v <= box[i] + ROUNDING));

/** Boxes that share a caption with another and more than half of the smaller one's area: the other's number.
 * @param {Doc} doc @returns {Map<string, number>} */
function sameCaption(doc) {
  /** @type {Map<string, [Item, number][]>} */
  const groups = new Map();
  doc.items.forEach((it, i) => {
    const caption = field(it, "caption").trim().toLowerCase();
    if (caption && field(it, "enabled")) groups.set(caption, [...(groups.get(caption) ?? []), [it, i + 1]]);
  });
  const twins = new Map();
  for (const group of groups.values()) {
    for (const [a] of group) {
      const other = group.find(([b]) => b !== a && overlap(a.fields.box, b.fields.box) > 0.5);
      if (other) twins.set(a.id, other[1]);
    }
  }
  return twins;
}
