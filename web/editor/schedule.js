// @ts-check
/** The share of the sampling in which a box acts: its start lies before its end. */

/** Of the fields `start` and `end`. */
export const STEP = 0.05;

/** On the fields' steps, without the noise that sums of floats bring along. @param {number} steps */
const at = (steps) => Number((steps * STEP).toFixed(2));
/** Steps to the last one below a value, and to the first one above. @param {number} value */
const below = (value) => Math.max(0, Math.ceil(Number((value / STEP).toFixed(6))) - 1);
/** @param {number} value */
const above = (value) => Math.min(1 / STEP, Math.floor(Number((value / STEP).toFixed(6))) + 1);

/** What changes where one of the two is set: it pushes the other before it, and at the very end stops a step short.
 * @param {"start"|"end"} key @param {number} value 0..1 @param {{start: number, end: number}} now */
export function scheduled(key, value, now) {
  if (key === "start") {
    const start = value < 1 ? value : at(below(1));
    return start < now.end ? { start } : { start, end: at(above(start)) };
  }
  const end = value > 0 ? value : at(above(0));
  return end > now.start ? { end } : { start: at(below(end)), end };
}
