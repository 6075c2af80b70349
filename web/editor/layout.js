// @ts-check
/**
 * The Layout's JSON (version 1): text to a document and back.
 *
 * The same format as `roictrl_core/layout.py`: defaults are left out, unknown fields survive at both levels.  The
 * editor's own fields (`locked`, `hidden`, `solo_muted` of an instance, `editor` of the layout) are such unknown fields
 * for Python.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {Record<string, any> & {box: Box}} Fields one instance as it stands in the JSON
 * @typedef {{id: string, fields: Fields, source?: Fields, late?: boolean, cut?: boolean}} Item an instance with a name that lives
 *   as long as the editor; `source` are the fields before its shapes were first carried along with the box, so that moving it
 *   back and forth costs them nothing; `late`: the mask still waits to be carried; `cut`: the picture's border cuts a shape
 * @typedef {{head: Record<string, any>, items: readonly Item[]}} Doc `head` is the layout without its instances
 */
import { roundBox } from "./geometry.js";

export const VERSION = 1;
export const MAX_INSTANCES = 10000;
export const DEFAULT_SIDE = 512;
export const MAX_STRENGTH = 2;

/** @type {Record<string, any>} */
export const DEFAULTS = {
  caption: "", negative: "", strength: 1, start: 0, end: 1, enabled: true, color: "", label: "",
  locked: false, hidden: false, solo_muted: false,
};

/** Old version -> function that turns its data into the next version's. Version 1 is the first.
 * @type {Record<number, (data: any) => any>} */
export const MIGRATIONS = {};

/** What is wrong with a text: a key of the message catalogue and its values. */
export class LayoutError extends Error {
  /** @param {string} key @param {Record<string, any>} [values] */
  constructor(key, values = {}) {
    super(key);
    this.key = key;
    this.values = values;
  }
}

let counter = 0;
/** @param {Fields} fields @returns {Item} */
export const item = (fields) => ({ id: `b${++counter}`, fields });

/** @returns {Doc} */
export const emptyDoc = () => ({ head: { version: VERSION, width: DEFAULT_SIDE, height: DEFAULT_SIDE }, items: [] });

/** Text to a document; blank text is an empty one. @param {string} text @returns {Doc} @throws {LayoutError} */
export function parse(text) {
  if (!text.trim()) return emptyDoc();
  let data;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new LayoutError("broken.syntax", { reason: /** @type {Error} */ (error).message });
  }
  return fromData(data);
}

/** @param {any} data @returns {Doc} @throws {LayoutError} */
export function fromData(data) {
  if (!isObject(data)) throw new LayoutError("broken.object");
  const { instances = [], ...head } = migrated(data);
  if (!Array.isArray(instances)) throw new LayoutError("broken.instances");
  if (instances.length > MAX_INSTANCES) throw new LayoutError("broken.many", { n: instances.length, max: MAX_INSTANCES });
  for (const side of ["width", "height"]) {
    head[side] ??= DEFAULT_SIDE;
    if (!Number.isInteger(head[side]) || head[side] < 1) throw new LayoutError("broken.size", { side });
  }
  return { head: { ...head, version: VERSION }, items: instances.map((fields, i) => item(checked(fields, i + 1))) };
}

/** @param {any} data */
function migrated(data) {
  let version = data.version ?? VERSION;
  if (!Number.isInteger(version)) throw new LayoutError("broken.version", { version });
  if (version > VERSION) throw new LayoutError("broken.newer", { version, max: VERSION });
  while (version < VERSION) {
    if (!MIGRATIONS[version]) throw new LayoutError("broken.version", { version });
    data = MIGRATIONS[version++](data);
  }
  return data;
}

/** @param {any} fields @param {number} n index from 1 @returns {Fields} */
function checked(fields, n) {
  const box = isObject(fields) ? fields.box : null;
  if (!Array.isArray(box) || box.length !== 4 || !box.every((v) => Number.isFinite(v))) {
    throw new LayoutError("broken.box", { n });
  }
  for (const [key, standard] of Object.entries(DEFAULTS)) {
    const value = fields[key];
    if (value !== undefined && value !== null && typeof value !== typeof standard) {
      throw new LayoutError("broken.field", { n, key });
    }
  }
  return fields;
}

/** @param {any} v */
const isObject = (v) => typeof v === "object" && v !== null && !Array.isArray(v);

/** The layout as plain data, in the order in which Python writes it. @param {Doc} doc */
export function toData({ head, items }) {
  const { version, width, height, caption, ...rest } = head;
  return {
    version: version ?? VERSION, width, height, ...(caption ? { caption } : {}),
    instances: items.map((it) => it.fields), ...rest,
  };
}

/** @param {Doc} doc */
export const stringify = (doc) => JSON.stringify(toData(doc));

/** A field of an instance, its default where it is absent. @param {Item} it @param {string} key */
export const field = (it, key) => it.fields[key] ?? DEFAULTS[key];

/** Fields changed by `changes`; what equals its default is left out. @param {Fields} fields @param {Record<string, any>} changes @returns {Fields} */
export function patched(fields, changes) {
  /** @type {Fields} */
  const next = { ...fields };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined || value === DEFAULTS[key]) delete next[key];
    else next[key] = key === "box" ? roundBox(value) : value;
  }
  return next;
}
