// @ts-check
/** What the unit tests share: a drawn surface of 512 x 512 pixels shown 1:1, and a pointer to drive it. */
import { Gestures } from "../../../web/editor/gestures.js";
import { fromData } from "../../../web/editor/layout.js";
import { initial, Store } from "../../../web/editor/state.js";

export const SIZE = { width: 512, height: 512 };

/** @param {any[]} instances boxes or instances */
export const docOf = (...instances) => fromData({
  version: 1, ...SIZE, instances: instances.map((it) => (Array.isArray(it) ? { box: it } : it)),
});

/** @param {import("../../../web/editor/layout.js").Doc} [doc] @param {Record<string, any>} [options] */
export function surface(doc = docOf(), { snapping = false, tool = "select" } = {}) {
  const store = new Store(initial(doc));
  const log = /** @type {any} */ ({ drawn: [], said: [], panned: [0, 0], tool, snapping, brush: 40 });
  const gestures = new Gestures({
    store, size: () => SIZE, unit: () => ({ x: 1 / 512, y: 1 / 512 }), snapping: () => log.snapping, brush: () => log.brush,
    tool: () => log.tool, pan: (dx, dy) => { log.panned = [log.panned[0] + dx, log.panned[1] + dy]; },
    drawn: (id) => log.drawn.push(id), changed: () => {}, say: (key, values) => log.said.push([key, values]),
  });
  /** @param {number} px @param {number} py @param {Record<string, any>} [keys] */
  const at = (px, py, keys = {}) => ({ x: px / 512, y: py / 512, cx: px, cy: py, button: 0, ...keys });
  /** @param {number[]} from @param {number[]} to @param {Record<string, any>} [keys] */
  const drag = (from, to, keys = {}) => {
    gestures.down(at(from[0], from[1], keys));
    gestures.move(at((from[0] + to[0]) / 2, (from[1] + to[1]) / 2, keys));
    gestures.move(at(to[0], to[1], keys));
    gestures.up(at(to[0], to[1], keys));
  };
  /** @param {number} px @param {number} py @param {Record<string, any>} [keys] */
  const click = (px, py, keys = {}) => {
    gestures.down(at(px, py, keys));
    gestures.up(at(px, py, keys));
  };
  const ids = () => store.state.doc.items.map((it) => it.id);
  const px = () => store.state.doc.items.map((it) => it.fields.box.map((v) => Math.round(v * 512)));
  return { store, gestures, log, at, drag, click, ids, px };
}

/** A repeatable generator of numbers 0..1 (mulberry32). @param {number} seed */
export function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
