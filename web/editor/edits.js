// @ts-check
/**
 * What can be done to a document: each function takes one and returns another.  Locked instances keep their place.  Where a
 * box goes, the instance's mask, point and scribble go along.
 *
 * @typedef {import("./layout.js").Doc} Doc
 * @typedef {import("./layout.js").Item} Item
 * @typedef {import("./layout.js").Fields} Fields
 * @typedef {import("./geometry.js").Box} Box
 */
import { area, roundBox } from "./geometry.js";
import { DEFAULTS, MAX_INSTANCES, field, item, patched } from "./layout.js";
import { colorOf, nextColor } from "./palette.js";
import { LATE, SHAPES, carried } from "./shapes/index.js";

/** New instances on top, each with a colour, one not in use while there is one; `[document, their ids]`.  At most as many as a
 * layout may hold.
 * @param {Doc} doc @param {Fields[]} list @returns {[Doc, string[]]} */
export function add(doc, list) {
  const used = doc.items.map((it, i) => colorOf(field(it, "color"), i));
  const added = list.slice(0, Math.max(0, MAX_INSTANCES - doc.items.length)).map((fields) => {
    const color = fields.color || nextColor(used);
    used.push(color);
    return item(patched({ ...fields }, { ...withoutDefaults(fields), box: fields.box, color }));
  });
  return [{ ...doc, items: [...doc.items, ...added] }, added.map((it) => it.id)];
}

/** @param {Fields} fields */
const withoutDefaults = (fields) => Object.fromEntries(Object.entries(fields).filter(([key]) => key in DEFAULTS));

/** @param {Doc} doc @param {string[]} ids @returns {Doc} */
export function remove(doc, ids) {
  const items = doc.items.filter((it) => !ids.includes(it.id) || field(it, "locked"));
  return items.length === doc.items.length ? doc : { ...doc, items };
}

/** @param {Doc} doc @param {(it: Item) => Record<string, any>|null} change null leaves the instance @returns {Doc} */
function patchEach(doc, change) {
  let touched = false;
  const items = doc.items.map((it) => {
    const changes = change(it);
    if (!changes) return it;
    const fields = patched(it.fields, changes);
    if (same(fields, it.fields)) return it;
    touched = true;
    return SHAPES.some((key) => key in changes) ? { id: it.id, fields } : { ...it, fields };
  });
  return touched ? { ...doc, items } : doc;
}

/** Whether two instances say the same. What is the same object, or the same text, is not looked into: masks are long.
 * @param {Record<string, any>} a @param {Record<string, any>} b */
export function same(a, b) {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => key in b
    && (a[key] === b[key] || JSON.stringify(a[key]) === JSON.stringify(b[key])));
}

/** @param {Doc} doc @param {(it: Item) => Item} change @returns {Doc} */
function changeEach(doc, change) {
  const items = doc.items.map(change);
  return items.every((it, i) => it === doc.items[i]) ? doc : { ...doc, items };
}

/** @param {Doc} doc @param {Record<string, Box>} boxes by id @param {boolean} [underway] more follow at once: masks wait for `settled`
 * @returns {Doc} */
export const setBoxes = (doc, boxes, underway = false) => changeEach(doc, (it) =>
  boxes[it.id] && !field(it, "locked") ? placed(it, roundBox(boxes[it.id]), underway) : it);

/** @param {Item} it @param {Box} box @param {boolean} underway @returns {Item} */
function placed(it, box, underway) {
  const source = it.source ?? it.fields;
  const { fields: there, cut } = carried(source, box, !underway);
  const keys = underway ? SHAPES.filter((key) => !LATE.includes(key)) : SHAPES;
  const fields = { ...it.fields, ...picked(there, keys) };
  for (const key of keys) if (!(key in there)) delete fields[key];
  if (same(fields, it.fields) && !it.late) return it;
  const late = underway && "mask" in fields;
  return { id: it.id, fields, ...(late || area(source.box) > 0 ? { source } : {}), ...(late ? { late } : {}), ...(cut ? { cut } : {}) };
}

/** As `setBoxes`, but all that is in the boxes stays where it is. @param {Doc} doc @param {Record<string, Box>} boxes @returns {Doc} */
export const setBoxesAlone = (doc, boxes) => patchEach(doc, (it) => (boxes[it.id] && !field(it, "locked") ? { box: boxes[it.id] } : null));

/** The masks that waited are where their boxes are. @param {Doc} doc @returns {Doc} */
export const settled = (doc) => changeEach(doc, (it) => (it.late ? placed(it, it.fields.box, false) : it));

/** @param {Fields} fields @param {string[]} keys */
const picked = (fields, keys) => Object.fromEntries(keys.filter((key) => key in fields).map((key) => [key, fields[key]]));

/** @param {Doc} doc @param {string[]} ids @param {Record<string, any>} changes @returns {Doc} */
export const patch = (doc, ids, changes) => patchEach(doc, (it) => (ids.includes(it.id) ? changes : null));

/** The instances `ids`, in their present order, moved so that the first stands at `to` among the others.
 * @param {Doc} doc @param {string[]} ids @param {number} to @returns {Doc} */
export function order(doc, ids, to) {
  const moving = doc.items.filter((it) => ids.includes(it.id));
  const rest = doc.items.filter((it) => !ids.includes(it.id));
  const at = Math.min(Math.max(to, 0), rest.length);
  const items = [...rest.slice(0, at), ...moving, ...rest.slice(at)];
  return items.every((it, i) => it === doc.items[i]) ? doc : { ...doc, items };
}

/** One step up (+1) or down (-1), or all the way (Infinity). @param {Doc} doc @param {string[]} ids @param {number} by @returns {Doc} */
export function raise(doc, ids, by) {
  const places = doc.items.flatMap((it, i) => (ids.includes(it.id) ? [i] : []));
  if (!places.length) return doc;
  const first = places[0];
  return order(doc, ids, by > 0 ? (by === Infinity ? doc.items.length : first + by) : Math.max(0, first + by));
}

/** Whether `ids` alone take part. @param {Doc} doc @param {string[]} ids */
export const isSolo = (doc, ids) => doc.items.length > ids.length &&
  doc.items.every((it) => field(it, "enabled") === ids.includes(it.id));

/** Mute all but `ids`, or undo that: what was muted before stays muted. @param {Doc} doc @param {string[]} ids @returns {Doc} */
export function solo(doc, ids) {
  if (isSolo(doc, ids)) {
    return patchEach(doc, (it) => ({ enabled: !field(it, "solo_muted"), solo_muted: false }));
  }
  const before = doc.items.some((it) => field(it, "solo_muted"));
  return patchEach(doc, (it) => ({
    enabled: ids.includes(it.id),
    solo_muted: before ? field(it, "solo_muted") : !field(it, "enabled"),
  }));
}

/** Fields of the layout itself; undefined takes one away. @param {Doc} doc @param {Record<string, any>} changes @returns {Doc} */
export function setHead(doc, changes) {
  const head = { ...doc.head };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete head[key];
    else head[key] = value;
  }
  return JSON.stringify(head) === JSON.stringify(doc.head) ? doc : { ...doc, head };
}
