// @ts-check
/**
 * The tools.  Adding one means a file of its own and its line here: button, key, help and menu are made from this list.
 *
 * @typedef {object} Tool
 * @property {string} name of its words in the catalogue, below `tools.` and `how.`
 * @property {string} key as in the table of `shortcuts.js`
 * @property {string} icon an outline on a grid of 16 x 16
 * @property {boolean} [once] Select is back after one drawing
 * @property {(store: import("../state.js").Store) => import("./target.js").Target} [off] what it would be about, or why nothing
 * @property {(g: import("../gestures.js").Gestures, e: import("../gestures.js").Pointer) => string} cursor what CSS shows
 * @property {(g: import("../gestures.js").Gestures, e: import("../gestures.js").Pointer) => void} down a press: enters a state
 *   that gets all that follows
 * @property {import("../gestures.js").State["paint"]} [hover] what is seen of it where the pointer is, before a press
 */
import { BOX_TOOL } from "./box.js";
import { BRUSH } from "./brush.js";
import { ERASER } from "./eraser.js";
import { LASSO } from "./lasso.js";
import { POINT_TOOL } from "./point.js";
import { SCRIBBLE_TOOL } from "./scribble.js";
import { SELECT } from "./select.js";

/** As they stand in the toolbar. @type {Tool[]} */
export const TOOLS = [SELECT, BOX_TOOL, POINT_TOOL, SCRIBBLE_TOOL, LASSO, BRUSH, ERASER];

/** @param {string} name */
export const toolNamed = (name) => TOOLS.find((tool) => tool.name === name) ?? SELECT;

/** "Lasso: drag around ...". @param {string} name @param {import("../i18n.js").Translate} t */
export const toolSentence = (name, t) => t("tool.sentence", { tool: t(`tools.${name}`), how: t(`how.${name}`) });
