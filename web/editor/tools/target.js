// @ts-check
/**
 * The instance that a shape tool's gesture is about: the selected one, or with none selected (or Ctrl) a new one.
 *
 * @typedef {import("../gestures.js").Gestures} Gestures
 * @typedef {import("../gestures.js").Pointer} Pointer
 * @typedef {import("../geometry.js").Box} Box
 * @typedef {import("../layout.js").Fields} Fields
 * @typedef {import("../layout.js").Item} Item
 * @typedef {{it?: Item, why?: string, values?: Record<string, any>}} Target neither: a new one; why: there is none
 */
import { area, bounds, fit, minimum } from "../geometry.js";
import { field } from "../layout.js";
import { extent, isPoint } from "../shapes/index.js";

/** @param {import("../state.js").Store} store @param {{ctrl?: boolean}} [e] @returns {Target} */
export function targetOf(store, e = {}) {
  const chosen = e.ctrl ? [] : store.selected;
  const [it] = chosen;
  if (chosen.length > 1) return { why: "off.several", values: { n: chosen.length } };
  const off = it && ["locked", "hidden"].find((key) => field(it, key));
  return off ? { why: `off.${off}`, values: { n: store.state.doc.items.indexOf(it) + 1 } } : { it };
}

/** @param {Gestures} g @param {Pointer} e */
export const cursor = (g, e) => (targetOf(g.around.store, e).why ? "not-allowed" : "crosshair");

/** Opens a gesture; null, and it is said why, where it can be about nothing.
 * @param {Gestures} g @param {Pointer} e @param {Fields} fields to begin a new instance with
 * @returns {{id: string, fields: Fields, made: string|null, before: string[]}|null} */
export function open({ around: { store, say } }, e, fields) {
  const { it, why, values } = targetOf(store, e);
  if (why) {
    say(why, values);
    return null;
  }
  const before = store.state.selection;
  store.dispatch({ type: "begin" });
  if (it) return { id: it.id, fields: it.fields, made: null, before };
  store.dispatch({ type: "add", list: [fields] });
  const [id] = store.state.selection;
  return { id, fields, made: id, before };
}

/** Gives the gesture's instance other shapes; undefined takes one away. @param {Gestures} g @param {Record<string, any>} changes */
export const reshape = ({ around: { store }, data }, changes) => store.dispatch({ type: "patch", ids: [data.id], changes });

/** The gesture is done; words are asked for as long as there are none.  Where it has made no shape, it has made nothing. @param {Gestures} g */
export function close(g) {
  const { around: { store, drawn }, data: { id, fields, made } } = g;
  const it = store.state.doc.items.find((other) => other.id === id);
  if (!it || (made && !isPoint(it.fields) && area(it.fields.box) <= 0)) return void g.cancel();
  store.dispatch({ type: "commit" });
  if (!fields.caption?.trim()) drawn(id);
}

/** An instance's box, large enough for a shape. @param {Fields} fields @param {Box} shape @param {import("../geometry.js").Size} size of the picture @returns {Box} */
export function holding(fields, shape, size) {
  const box = /** @type {Box} */ (bounds([extent(fields), shape]));
  const { width, height } = minimum(size);
  return box[2] - box[0] < width || box[3] - box[1] < height ? fit(box, { width, height }) : box;
}
