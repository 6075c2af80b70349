// @ts-check
/**
 * What every drawing on the stage's canvas shares.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {{x: number, y: number, w: number, h: number}} Frame where the picture lies on the stage, in CSS pixels
 */

export const ACCENT = "#4a9eff";
const HALO = "rgba(0, 0, 0, 0.55)";

/** @param {Box} b @param {Frame} f @returns {Frame} */
export const toStage = (b, f) => ({ x: f.x + b[0] * f.w, y: f.y + b[1] * f.h, w: (b[2] - b[0]) * f.w, h: (b[3] - b[1]) * f.h });

/** A line that shows on any picture: a dark one under it. @param {CanvasRenderingContext2D} ctx @param {string} color @param {number} width
 * @param {() => void} stroke called for each of the two */
export function haloed(ctx, color, width, stroke) {
  ctx.strokeStyle = HALO;
  ctx.lineWidth = width + 2;
  stroke();
  ctx.strokeStyle = color;
  ctx.lineWidth = width;
  stroke();
}

/** A line through normalised places. @param {CanvasRenderingContext2D} ctx @param {Frame} f @param {readonly (readonly [number, number])[]} points */
export function trace(ctx, f, points) {
  points.forEach(([x, y], i) => (i ? ctx.lineTo(f.x + x * f.w, f.y + y * f.h) : ctx.moveTo(f.x + x * f.w, f.y + y * f.h)));
}
