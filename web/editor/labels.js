// @ts-check
/**
 * Text on the canvas: number, caption and marks of a box on a dark plate, which reads well over any picture.
 *
 * @typedef {import("./canvas.js").Frame} Frame
 * @typedef {{number: number, text: string, color: string, muted: boolean, warned: boolean, hovered: boolean, room: Frame}} Plate
 */
import { inkOn } from "./palette.js";

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif";
const LINE = 15;
const PAD = 5;
/** Room between a box's corner and its plate: half a handle. */
const INSET = 5;
/** A narrower box shows its number alone, and its caption, this wide at most, while the pointer is on it. CSS pixels. */
export const NARROW = 64;
const HOVERED_WIDTH = 200;
const MAX_LINES = 4;
/** The scripts that are written from right to left. */
const LEFTWARDS = /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** @type {Map<string, string[]>} */
const wrapped = new Map();

/** @param {CanvasRenderingContext2D} ctx @param {Frame} r the box on the stage @param {Plate} plate */
export function drawPlate(ctx, r, plate) {
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  const tag = plate.warned ? `${plate.number} !` : `${plate.number}`;
  const tagWidth = Math.max(18, ctx.measureText(tag).width + 2 * PAD);
  const lines = linesOf(ctx, r, plate, tagWidth);
  const textWidth = lines.length ? Math.max(...lines.map((l) => ctx.measureText(l).width)) + 2 * PAD : 0;
  const height = Math.max(1, lines.length) * LINE + 4;
  const x = Math.min(Math.max(r.x + INSET, plate.room.x), Math.max(plate.room.x, plate.room.x + plate.room.w - tagWidth - textWidth));
  const y = Math.min(Math.max(r.y + INSET, plate.room.y), plate.room.y + plate.room.h - height);
  ctx.globalAlpha = plate.muted ? 0.65 : 1;
  if (textWidth) {
    ctx.fillStyle = "rgba(18, 20, 24, 0.84)";
    rounded(ctx, x, y, tagWidth + textWidth, height);
    ctx.fillStyle = "#ffffff";
    drawLines(ctx, lines, x + tagWidth + PAD, y + 2.5 + LINE / 2, textWidth - 2 * PAD);
  }
  ctx.fillStyle = plate.color;
  rounded(ctx, x, y, tagWidth, LINE + 4);
  ctx.fillStyle = inkOn(plate.color);
  ctx.fillText(tag, x + (tagWidth - ctx.measureText(tag).width) / 2, y + 2.5 + LINE / 2);
  ctx.globalAlpha = 1;
}

/** What a box of this size has room for. @param {CanvasRenderingContext2D} ctx @param {Frame} r @param {Plate} plate @param {number} tagWidth */
function linesOf(ctx, r, plate, tagWidth) {
  const narrow = r.w < NARROW;
  if (!plate.text || (narrow && !plate.hovered)) return [];
  const width = (narrow ? HOVERED_WIDTH : r.w - 2 * INSET) - tagWidth - 2 * PAD;
  const rows = narrow ? MAX_LINES : Math.max(1, Math.min(MAX_LINES, Math.floor((r.h - 2 * INSET - 4) / LINE)));
  return wrap(ctx, plate.text.replace(/\s+/g, " "), width, rows);
}

/** Whether a text begins from the right: by its first letter, as `dir="auto"` has it. @param {string} text */
export const leftwards = (text) => LEFTWARDS.test(/\p{L}/u.exec(text)?.[0] ?? "");

/** @param {CanvasRenderingContext2D} ctx @param {string[]} lines @param {number} x @param {number} y @param {number} width */
function drawLines(ctx, lines, x, y, width) {
  const rtl = leftwards(lines[0]);
  ctx.direction = rtl ? "rtl" : "ltr";
  ctx.textAlign = rtl ? "right" : "left";
  lines.forEach((line, i) => ctx.fillText(line, rtl ? x + width : x, y + LINE * i));
  ctx.direction = "ltr";
  ctx.textAlign = "left";
}

/** @param {CanvasRenderingContext2D} ctx @param {number} x @param {number} y @param {number} w @param {number} h */
function rounded(ctx, x, y, w, h) {
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, 4);
  ctx.fill();
}

/** Lines of at most `width` pixels; the last ends in an ellipsis where there is more. @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} width @param {number} rows @returns {string[]} */
function wrap(ctx, text, width, rows) {
  const key = `${Math.round(width)} ${rows} ${text}`;
  const known = wrapped.get(key);
  if (known) return known;
  if (wrapped.size > 2000) wrapped.clear();
  const lines = broken(ctx, text, width, rows);
  wrapped.set(key, lines);
  return lines;
}

/** Breaks after spaces, and anywhere in words that are too long or written without spaces (Chinese). @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} width @param {number} rows */
function broken(ctx, text, width, rows) {
  /** @type {string[]} */
  const lines = [];
  let rest = text.trim();
  while (rest && lines.length < rows) {
    let n = fitting(ctx, rest, width);
    if (n < rest.length && lines.length < rows - 1) {
      const space = rest.lastIndexOf(" ", n);
      if (space > 0) n = space;
    }
    const last = n < rest.length && lines.length === rows - 1;
    lines.push(last ? `${rest.slice(0, Math.max(1, fitting(ctx, rest, width - 9)))}…` : rest.slice(0, n).trim());
    rest = rest.slice(n).trim();
  }
  return lines;
}

/** How many characters of `text` fit, at least one. @param {CanvasRenderingContext2D} ctx @param {string} text @param {number} width */
function fitting(ctx, text, width) {
  let [lo, hi] = [1, text.length];
  while (lo < hi) {
    const mid = Math.ceil((lo + hi) / 2);
    if (ctx.measureText(text.slice(0, mid)).width <= width) lo = mid;
    else hi = mid - 1;
  }
  return lo;
}

/** Numbers beside what is being dragged. @param {CanvasRenderingContext2D} ctx @param {Frame} r @param {string} text @param {Frame} room */
export function drawReadout(ctx, r, text, room) {
  ctx.font = FONT;
  ctx.textBaseline = "middle";
  const width = ctx.measureText(text).width + 12;
  const x = Math.min(Math.max(r.x + r.w / 2 - width / 2, room.x), room.x + room.w - width);
  const below = r.y + r.h + 8;
  const y = below + 20 > room.y + room.h ? r.y + r.h - 26 : below;
  ctx.fillStyle = "rgba(18, 20, 24, 0.88)";
  rounded(ctx, x, y, width, 20);
  ctx.fillStyle = "#ffffff";
  ctx.fillText(text, x + 6, y + 10.5);
}
