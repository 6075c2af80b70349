// @ts-check
/** A page's pointer event as the gestures know it: in shares of the picture. */

/** Of `PointerEvent.buttons`: a pen's other end touches. */
const ERASER_END = 32;

/** @param {PointerEvent} e @param {(e: PointerEvent) => {x: number, y: number}} local its place on the stage @param {import("./canvas.js").Frame} f
 * @returns {import("./gestures.js").Pointer} */
export function pointerOf(e, local, f) {
  const place = (/** @type {PointerEvent} */ at) => {
    const p = local(at);
    const pressure = at.pointerType === "pen" && at.buttons ? at.pressure : undefined;
    return { x: (p.x - f.x) / f.w, y: (p.y - f.y) / f.h, cx: p.x, cy: p.y, pressure };
  };
  const trail = e.type === "pointermove" ? e.getCoalescedEvents?.() : null;
  const eraser = (e.buttons & ERASER_END) > 0;
  return {
    ...place(e), button: eraser ? 0 : e.button, shift: e.shiftKey, ctrl: e.ctrlKey || e.metaKey, alt: e.altKey,
    coarse: e.pointerType === "touch", eraser, trail: trail?.length ? trail.map(place) : undefined,
  };
}
