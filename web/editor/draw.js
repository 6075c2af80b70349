// @ts-check
/**
 * One picture of the editor's state on a 2D canvas. Reads, never changes.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./layout.js").Item} Item
 * @typedef {import("./canvas.js").Frame} Frame
 * @typedef {object} Scene
 * @property {Frame} frame
 * @property {Size} size the picture in pixels
 * @property {readonly Item[]} items
 * @property {string[]} selection
 * @property {string|null} editing the box whose caption is being typed
 * @property {string|null} hovered the box that shows its caption because the pointer is on it
 * @property {Map<string, any[]>} warnings
 * @property {Box[]} ghosts
 * @property {CanvasImageSource|null} background
 * @property {number} dim 0..1, how much of the background is darkened
 * @property {boolean} grid
 * @property {import("./gestures.js").Gestures} gestures
 */
import { ACCENT, toStage } from "./canvas.js";
import { CELL_PX, HANDLES, area, bounds, handlePoints, toPixels } from "./geometry.js";
import { drawPlate, drawReadout } from "./labels.js";
import { field } from "./layout.js";
import { MUTED, colorOf, withAlpha } from "./palette.js";
import { BOX } from "./shapes/box.js";
import { LATE, extent, isPoint, kindsOf } from "./shapes/index.js";
import { moveOf } from "./shapes/maps.js";
import { RING } from "./shapes/point.js";

/** How clear the shapes of what is not selected are. */
const UNSELECTED = 0.6;

/** @param {CanvasRenderingContext2D} ctx scaled to CSS pixels @param {Scene} scene */
export function drawScene(ctx, scene) {
  drawGround(ctx, scene);
  for (const box of scene.ghosts) drawGhost(ctx, toStage(box, scene.frame));
  scene.items.forEach((it, i) => {
    if (!field(it, "hidden")) drawInstance(ctx, scene, it, i);
  });
  const plates = scene.items.map((it, i) => ({ it, i })).filter(({ it }) => !field(it, "hidden") && it.id !== scene.editing);
  plates.sort((a, b) => Number(a.it.id === scene.hovered) - Number(b.it.id === scene.hovered)); // that one over the others
  for (const { it, i } of plates) drawPlate(ctx, plateRoom(it.fields, scene.frame), plate(scene, it, i));
  drawSelection(ctx, scene);
  drawOverlay(ctx, scene);
}

/** A point's plate stands beside its ring. @param {import("./layout.js").Fields} fields @param {Frame} f @returns {Frame} */
function plateRoom(fields, f) {
  const r = toStage(extent(fields), f);
  return isPoint(fields) ? { ...r, x: r.x + RING, y: r.y - 2 * RING } : r;
}

/** @param {Scene} scene @param {Item} it @param {number} i @returns {import("./labels.js").Plate} */
const plate = (scene, it, i) => ({
  number: i + 1, text: field(it, "caption") || field(it, "label"), color: shade(it, i), muted: !field(it, "enabled"),
  warned: scene.warnings.has(it.id), hovered: it.id === scene.hovered, room: scene.frame,
});

/** @param {Item} it @param {number} i */
const shade = (it, i) => (field(it, "enabled") ? colorOf(field(it, "color"), i) : MUTED);

/** @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function drawGround(ctx, { frame: f, background, dim, grid, size }) {
  ctx.fillStyle = "rgba(127, 127, 127, 0.16)";
  ctx.fillRect(f.x, f.y, f.w, f.h);
  if (background) {
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(background, f.x, f.y, f.w, f.h);
    ctx.fillStyle = `rgba(0, 0, 0, ${dim})`;
    ctx.fillRect(f.x, f.y, f.w, f.h);
  }
  if (grid) drawGrid(ctx, f, size);
  ctx.strokeStyle = "rgba(127, 127, 127, 0.5)";
  ctx.lineWidth = 1;
  ctx.strokeRect(f.x - 0.5, f.y - 0.5, f.w + 1, f.h + 1);
}

/** Latent cells, coarser while they would blur into a grey; and the thirds. @param {CanvasRenderingContext2D} ctx @param {Frame} f @param {Size} size */
function drawGrid(ctx, f, size) {
  let step = CELL_PX;
  while ((step * f.w) / size.width < 7) step *= 2;
  ctx.beginPath();
  for (let x = step; x < size.width; x += step) line(ctx, f, x / size.width, "x");
  for (let y = step; y < size.height; y += step) line(ctx, f, y / size.height, "y");
  ctx.strokeStyle = "rgba(127, 127, 127, 0.22)";
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.beginPath();
  for (const at of [1 / 3, 2 / 3]) {
    line(ctx, f, at, "x");
    line(ctx, f, at, "y");
  }
  ctx.strokeStyle = "rgba(127, 127, 127, 0.6)";
  ctx.stroke();
}

/** @param {CanvasRenderingContext2D} ctx @param {Frame} f @param {number} at normalised @param {"x"|"y"} axis */
function line(ctx, f, at, axis) {
  const x = Math.round(f.x + at * f.w) + 0.5;
  const y = Math.round(f.y + at * f.h) + 0.5;
  ctx.moveTo(axis === "x" ? x : f.x, axis === "x" ? f.y : y);
  ctx.lineTo(axis === "x" ? x : f.x + f.w, axis === "x" ? f.y + f.h : y);
}

/** @param {CanvasRenderingContext2D} ctx @param {Frame} r */
function drawGhost(ctx, r) {
  ctx.setLineDash([5, 4]);
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = ACCENT;
  ctx.strokeRect(r.x, r.y, r.w, r.h);
  ctx.fillStyle = withAlpha(ACCENT, 0.07);
  ctx.fillRect(r.x, r.y, r.w, r.h);
  ctx.setLineDash([]);
}

/** All that an instance is. @param {CanvasRenderingContext2D} ctx @param {Scene} scene @param {Item} it @param {number} i */
function drawInstance(ctx, { frame, selection }, it, i) {
  const selected = selection.includes(it.id);
  // What waits for the end of a drag is drawn from where it was before.
  const fields = it.late && it.source ? { ...it.fields, ...picked(it.source, LATE) } : it.fields;
  const move = it.late && it.source ? moveOf(extent(it.source), extent(it.fields)) : null;
  for (const kind of kindsOf(fields)) {
    ctx.globalAlpha = kind === BOX || selected ? 1 : UNSELECTED;
    kind.draw(ctx, fields, frame, { color: shade(it, i), selected, muted: !field(it, "enabled"), move });
  }
  ctx.globalAlpha = 1;
}

/** Frame of a group, and the handles of what can be resized. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function drawSelection(ctx, { items, selection, frame, gestures }) {
  const chosen = items.filter((it) => selection.includes(it.id) && !field(it, "hidden"));
  const movable = chosen.filter((it) => !field(it, "locked"));
  const group = bounds(movable.map((it) => extent(it.fields)));
  if (!group) return;
  if (movable.length > 1) {
    const r = toStage(group, frame);
    ctx.setLineDash([4, 3]);
    ctx.strokeStyle = ACCENT;
    ctx.lineWidth = 1.25;
    ctx.strokeRect(r.x - 3, r.y - 3, r.w + 6, r.h + 6);
    ctx.setLineDash([]);
  }
  if (gestures.name === "drawing" || area(group) <= 0) return;
  const points = handlePoints(group);
  const r = toStage(group, frame);
  for (const handle of HANDLES) {
    if (handle.length === 1 && (("ns".includes(handle) ? r.w : r.h) < 40)) continue;
    const [x, y] = [frame.x + points[handle].x * frame.w, frame.y + points[handle].y * frame.h];
    ctx.fillStyle = "#ffffff";
    ctx.strokeStyle = "#1b1b1b";
    ctx.lineWidth = 1.25;
    ctx.beginPath();
    ctx.rect(x - 4, y - 4, 8, 8);
    ctx.fill();
    ctx.stroke();
  }
}

/** What exists only while a gesture lasts. @param {CanvasRenderingContext2D} ctx @param {Scene} scene */
function drawOverlay(ctx, { gestures, frame, items, selection, size }) {
  if (gestures.guides.length) {
    ctx.beginPath();
    for (const guide of gestures.guides) line(ctx, frame, guide.at, guide.axis);
    ctx.strokeStyle = "#ff4fa3";
    ctx.lineWidth = 1;
    ctx.stroke();
  }
  const { readout } = gestures.state;
  gestures.paint?.(ctx, gestures, frame);
  const group = readout && bounds(items.filter((it) => selection.includes(it.id)).map((it) => extent(it.fields)));
  if (!group) return;
  const { x, y, w, h } = toPixels(group, size);
  drawReadout(ctx, toStage(group, frame), readout === "place" ? `x ${x}  y ${y}` : `${w} × ${h}`, frame);
}

/** @param {import("./layout.js").Fields} fields @param {string[]} keys */
const picked = (fields, keys) => Object.fromEntries(keys.filter((key) => key in fields).map((key) => [key, fields[key]]));
