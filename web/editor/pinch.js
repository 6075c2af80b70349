// @ts-check
/**
 * Two fingers on the stage: they zoom around the place between them and shift the picture with it.  From the second finger
 * until the last one is lifted, none of them draws, selects or opens the menu.
 *
 * @typedef {import("./geometry.js").Point} Point
 * @typedef {import("./viewport.js").Viewport} Viewport
 */
import { panned, zoomed } from "./viewport.js";

export class Pinch {
  constructor() {
    /** @type {Map<number, Point>} where each finger is, in the stage's CSS pixels */
    this.fingers = new Map();
    /** @type {{viewport: Viewport, middle: Point, distance: number}|null} as the two fingers came down */
    this.start = null;
    /** Two fingers were down, and not all are lifted. */
    this.busy = false;
  }

  /** @param {number} id of the finger @param {Point} p @param {Viewport} viewport */
  down(id, p, viewport) {
    this.fingers.set(id, p);
    this.busy ||= this.fingers.size > 1;
    this.start = this.fingers.size === 2 ? { viewport, ...spread([...this.fingers.values()]) } : null;
  }

  /** What the picture's place becomes; null where nothing changes it. @param {number} id @param {Point} p
   * @param {import("./geometry.js").Size} stage @returns {Viewport|null} */
  move(id, p, stage) {
    if (!this.fingers.has(id)) return null;
    this.fingers.set(id, p);
    if (!this.start) return null;
    const { viewport, middle, distance } = this.start;
    const now = spread([...this.fingers.values()]);
    const closer = zoomed(viewport, now.distance / Math.max(distance, 1), middle, stage);
    return panned(closer, now.middle.x - middle.x, now.middle.y - middle.y, stage);
  }

  /** @param {number} id */
  up(id) {
    if (!this.fingers.delete(id)) return;
    this.start = null;
    if (!this.fingers.size) this.busy = false;
  }
}

/** @param {Point[]} two */
const spread = ([a, b]) => ({ middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 }, distance: Math.hypot(a.x - b.x, a.y - b.y) });
