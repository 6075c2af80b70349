// @ts-check
/**
 * The keyboard: one table, read by the editor and by the "?" overlay.
 *
 * A key is written as "Ctrl+Shift+z"; Ctrl stands for Command on a Mac.  `say` names the line of the overlay below
 * `keys.` in the message catalogue; entries without one share the line above them.
 *
 * @typedef {{key: string, command: string, args?: any[], say?: string, shown?: string}} Shortcut
 */

import { TOOLS } from "./tools/index.js";

/** @type {Shortcut[]} */
export const SHORTCUTS = [
  ...TOOLS.map(({ key, name }) => ({ key, command: "tool", args: [name] })), // lines of their own in the overlay
  { key: "n", command: "newBox", say: "new" },
  { key: "Enter", command: "enter", say: "caption", shown: "Enter, F2" },
  { key: "F2", command: "editCaption" },
  { key: "Tab", command: "walk", args: [1], say: "walk", shown: "Tab, Shift+Tab" },
  { key: "Shift+Tab", command: "walk", args: [-1] },
  { key: "ArrowLeft", command: "nudge", args: [-1, 0], say: "nudge", shown: "← ↑ → ↓" },
  { key: "ArrowRight", command: "nudge", args: [1, 0] },
  { key: "ArrowUp", command: "nudge", args: [0, -1] },
  { key: "ArrowDown", command: "nudge", args: [0, 1] },
  { key: "Shift+ArrowLeft", command: "nudge", args: [-8, 0], say: "nudge8", shown: "Shift+← ↑ → ↓" },
  { key: "Shift+ArrowRight", command: "nudge", args: [8, 0] },
  { key: "Shift+ArrowUp", command: "nudge", args: [0, -8] },
  { key: "Shift+ArrowDown", command: "nudge", args: [0, 8] },
  { key: "Alt+ArrowLeft", command: "grow", args: [-8, 0], say: "grow", shown: "Alt+← ↑ → ↓" },
  { key: "Alt+ArrowRight", command: "grow", args: [8, 0] },
  { key: "Alt+ArrowUp", command: "grow", args: [0, -8] },
  { key: "Alt+ArrowDown", command: "grow", args: [0, 8] },
  { key: "Delete", command: "remove", say: "remove", shown: "Delete" },
  { key: "Backspace", command: "remove" },
  { key: "Ctrl+z", command: "undo", say: "undo" },
  { key: "Ctrl+Shift+z", command: "redo", say: "redo", shown: "Ctrl+Shift+Z, Ctrl+Y" },
  { key: "Ctrl+y", command: "redo" },
  { key: "Ctrl+d", command: "duplicate", say: "duplicate" },
  { key: "Ctrl+a", command: "selectAll", say: "all" },
  { key: "Escape", command: "escape", say: "escape" },
  { key: "[", command: "brush", args: [-1], say: "brush", shown: "[ ]" },
  { key: "]", command: "brush", args: [1] },
  { key: "m", command: "toggle", args: ["enabled"], say: "mute" },
  { key: "s", command: "solo", say: "solo" },
  { key: "Shift+l", command: "toggle", args: ["locked"], say: "lock" },
  { key: "h", command: "toggle", args: ["hidden"], say: "hide" },
  { key: "PageUp", command: "raise", args: [1], say: "raise", shown: "PageUp, PageDown" },
  { key: "PageDown", command: "raise", args: [-1] },
  { key: "Shift+PageUp", command: "raise", args: [Infinity], say: "front", shown: "Shift+PageUp, Shift+PageDown" },
  { key: "Shift+PageDown", command: "raise", args: [-Infinity] },
  { key: "g", command: "pref", args: ["grid"], say: "grid" },
  { key: "Shift+g", command: "pref", args: ["snap"], say: "snap" },
  { key: "+", command: "zoom", args: [1.25], say: "zoom", shown: "+, −, 0" },
  { key: "=", command: "zoom", args: [1.25] },
  { key: "-", command: "zoom", args: [0.8] },
  { key: "0", command: "fit" },
  { key: "f", command: "large", say: "large" },
  { key: "Ctrl+ArrowLeft", command: "pan", args: [40, 0], say: "pan", shown: "Ctrl+← ↑ → ↓" },
  { key: "Ctrl+ArrowRight", command: "pan", args: [-40, 0] },
  { key: "Ctrl+ArrowUp", command: "pan", args: [0, 40] },
  { key: "Ctrl+ArrowDown", command: "pan", args: [0, -40] },
  { key: "Shift+F10", command: "menu", say: "menu" },
  { key: "ContextMenu", command: "menu" },
  { key: "?", command: "help", say: "help" },
];

/** What the pointer does, for the overlay: how it is written and its catalogue key below `keys.`. */
export const POINTER = [
  ["pointer.drag", "pointerDraw"], ["pointer.ctrlDrag", "pointerInside"], ["pointer.shiftDrag", "pointerMarquee"],
  ["pointer.shiftClick", "pointerAdd"], ["pointer.altClick", "pointerCycle"], ["pointer.altDrag", "pointerCopy"],
  ["pointer.double", "pointerCaption"], ["pointer.wheel", "pointerZoom"], ["pointer.middle", "pointerPan"],
  ["pointer.pinch", "pointerPinch"],
  ["pointer.copyPaste", "pointerClipboard"],
];

/** The name of a pressed key in the table's spelling. @param {{key: string, ctrlKey?: boolean, metaKey?: boolean, shiftKey?: boolean, altKey?: boolean}} e */
export function keyName(e) {
  const printable = e.key.length === 1;
  const letter = printable && /\p{L}/u.test(e.key);
  const ctrl = e.ctrlKey || e.metaKey ? "Ctrl+" : "";
  const alt = e.altKey ? "Alt+" : "";
  const shift = e.shiftKey && (!printable || letter) ? "Shift+" : "";
  return ctrl + alt + shift + (letter ? e.key.toLowerCase() : e.key);
}

/** @param {Parameters<typeof keyName>[0]} e */
export const shortcutFor = (e) => SHORTCUTS.find((s) => s.key === keyName(e)) ?? null;

/** How a key is written for people. @param {Partial<Shortcut> & {key: string}} s */
export const written = (s) => s.shown ?? s.key.replace(/\b[a-z]$/, (c) => c.toUpperCase()).replace("Escape", "Esc");
