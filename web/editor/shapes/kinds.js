// @ts-check
/**
 * What an instance can be drawn as: each kind of shape is an object.
 *
 * @typedef {import("../geometry.js").Box} Box
 * @typedef {import("../geometry.js").Point} Point
 * @typedef {import("../layout.js").Fields} Fields
 * @typedef {import("../canvas.js").Frame} Frame
 * @typedef {import("../raster.js").Axis} Axis
 * @typedef {[number, number]} Pair x and y, normalised
 * @typedef {{x: Axis, y: Axis, to: Box}} Move the map that carries the instance's box to another
 * @typedef {{color: string, selected: boolean, muted: boolean, move: Move|null}} Look `move`: what the fields still wait for
 * @typedef {object} Kind
 * @property {string} name of its words in the catalogue, and of its field
 * @property {string} [icon] its mark in the list; the box has none
 * @property {string[]} fields of an instance that it is kept in
 * @property {(fields: Fields) => Box|null} bounds normalised; null where an instance has none of this kind
 * @property {(fields: Fields, p: Point, reach: Point) => boolean} hit whether a place is on it
 * @property {(fields: Fields, move: Move) => {changes: Record<string, any>, cut: boolean}} move undefined takes a field away;
 *   cut: the picture's border cuts something off
 * @property {(ctx: CanvasRenderingContext2D, fields: Fields, frame: Frame, look: Look) => void} draw
 */
import { BOX } from "./box.js";
import { MASK } from "./mask.js";
import { POINT } from "./point.js";
import { SCRIBBLE } from "./scribble.js";

/** The lower ones first. @type {Kind[]} */
export const KINDS = [BOX, MASK, SCRIBBLE, POINT];
