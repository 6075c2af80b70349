// @ts-check
/**
 * Where the picture lies on the stage: fitted, zoomed, panned. Pure numbers, in CSS pixels of the stage.
 *
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./canvas.js").Frame} Frame
 * @typedef {{zoom: number, x: number, y: number}} Viewport zoom 1 fits; x, y shift the picture's centre
 */
import { clamp } from "./geometry.js";

const MARGIN = 10;
const MAX_ZOOM = 16;

/** @type {Viewport} */
export const FITTED = { zoom: 1, x: 0, y: 0 };

/** @param {Size} stage @param {Size} size the picture @param {Viewport} view @returns {Frame} */
export function frameOf(stage, size, view) {
  const scale = Math.max(0.001, Math.min((stage.width - 2 * MARGIN) / size.width, (stage.height - 2 * MARGIN) / size.height));
  const [w, h] = [size.width * scale * view.zoom, size.height * scale * view.zoom];
  return { x: (stage.width - w) / 2 + view.x, y: (stage.height - h) / 2 + view.y, w, h };
}

/** Zoom by `factor` around a point of the stage that stays where it is. @param {Viewport} view @param {number} factor @param {{x: number, y: number}} at @param {Size} stage @returns {Viewport} */
export function zoomed(view, factor, at, stage) {
  const zoom = clamp(view.zoom * factor, 1, MAX_ZOOM);
  if (zoom === 1) return FITTED;
  const k = zoom / view.zoom;
  const [cx, cy] = [at.x - stage.width / 2, at.y - stage.height / 2];
  return { zoom, x: cx - (cx - view.x) * k, y: cy - (cy - view.y) * k };
}

/** Shifted, but never so far that the picture leaves the stage. @param {Viewport} view @param {number} dx @param {number} dy @param {Size} stage @returns {Viewport} */
export function panned(view, dx, dy, stage) {
  const reach = (/** @type {number} */ side) => (side * view.zoom) / 2;
  return {
    zoom: view.zoom, x: clamp(view.x + dx, -reach(stage.width), reach(stage.width)),
    y: clamp(view.y + dy, -reach(stage.height), reach(stage.height)),
  };
}
