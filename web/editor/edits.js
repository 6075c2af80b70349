// @ts-check
/**
 * What can be done to a document: each function takes one and returns another.  Locked instances keep their place.
 *
 * @typedef {import("./layout.js").Doc} Doc
 * @typedef {import("./layout.js").Item} Item
 * @typedef {import("./layout.js").Fields} Fields
 * @typedef {import("./geometry.js").Box} Box
 */
import { DEFAULTS, MAX_INSTANCES, field, item, patched } from "./layout.js";
import { nextColor } from "./palette.js";

/** New instances on top, each with a colour; `[document, their ids]`.  At most as many as a layout may hold.
 * @param {Doc} doc @param {Fields[]} list @returns {[Doc, string[]]} */
export function add(doc, list) {
  const used = doc.items.map((it) => field(it, "color"));
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
    if (JSON.stringify(fields) === JSON.stringify(it.fields)) return it;
    touched = true;
    return { ...it, fields };
  });
  return touched ? { ...doc, items } : doc;
}

/** @param {Doc} doc @param {Record<string, Box>} boxes by id @returns {Doc} */
export const setBoxes = (doc, boxes) => patchEach(doc, (it) =>
  boxes[it.id] && !field(it, "locked") ? { box: boxes[it.id] } : null);

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
