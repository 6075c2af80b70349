// @ts-check
/** Eraser: the brush that takes away, from the mask or, without one, from all of the box. */
import { erasable, move, paint, press } from "./brush.js";
import { close } from "./target.js";

/** @type {import("./index.js").Tool & import("../gestures.js").State} */
export const ERASER = {
  name: "eraser",
  key: "e",
  icon: "M9.300 3.200l3.900 3.900-5.500 5.600H5.300L2.800 10.200zM6 6.600l3.800 3.900M7.700 12.700h5.800",
  cursor: (g) => (erasable(g.around.store).why ? "not-allowed" : "crosshair"),
  off: erasable,
  down: (g, e) => press(ERASER, g, e, true),
  move,
  up: close,
  paint,
  hover: paint,
};
