// @ts-check
/**
 * The shapes of an instance together: where it is, what lies under the pointer, and how all of it goes along when its box
 * is moved or resized.
 *
 * @typedef {import("../geometry.js").Box} Box
 * @typedef {import("../layout.js").Fields} Fields
 */
import { area } from "../geometry.js";
import { KINDS } from "./kinds.js";
import { isStill, moveOf } from "./maps.js";
import { pointOf } from "./point.js";

/** The fields that hold shapes. */
export const SHAPES = KINDS.flatMap((kind) => kind.fields);
/** What is carried only at the end of a drag: what costs most. */
export const LATE = ["mask", "outline"];

/** Whether an instance is placed by its point alone. @param {Fields} fields */
export const isPoint = (fields) => area(fields.box) <= 0 && !!pointOf(fields);

/** Where an instance is on the picture: its box, or its point where the box has no area. @param {Fields} fields @returns {Box} */
export function extent(fields) {
  const point = pointOf(fields);
  return point && area(fields.box) <= 0 ? [...point, ...point] : fields.box;
}

/** The kinds of shape that an instance has. @param {Fields} fields */
export const kindsOf = (fields) => KINDS.filter((kind) => kind.fields[0] in fields && kind.bounds(fields));

/** Whether a place is on an instance. @param {Fields} fields @param {import("../geometry.js").Point} p @param {import("../geometry.js").Point} reach normalised */
export const isOn = (fields, p, reach) => KINDS.some((kind) => kind.hit(fields, p, reach));

/**
 * An instance with its box at `to`, its shapes carried along and cut at the picture's border; and whether anything was cut.
 * @param {Fields} fields @param {Box} to @param {boolean} [masks] false leaves them for later
 * @returns {{fields: Fields, cut: boolean}}
 */
export function carried(fields, to, masks = true) {
  const move = moveOf(extent(fields), to);
  if (isStill(move)) return { fields: { ...fields, box: to }, cut: false };
  /** @type {Fields} */
  const next = { ...fields };
  let cut = false;
  for (const kind of kindsOf(fields)) {
    if (!masks && LATE.includes(kind.fields[0])) continue;
    const carry = kind.move(fields, move);
    cut ||= carry.cut;
    for (const [key, value] of Object.entries(carry.changes)) {
      if (value === undefined) delete next[key];
      else next[key] = value;
    }
  }
  return { fields: { ...next, box: to }, cut };
}
