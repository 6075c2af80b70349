// @ts-check
/**
 * What the server says, as data: a code, the instance it is about and values (`roictrl_core/notes.py`), made into
 * sentences of the page's language here.  English, and what a catalogue does not know, comes with the note.
 *
 * @typedef {{code: string, instance: number|null, values: Record<string, any>, text: string}} Note
 * @typedef {import("./i18n.js").Translate} Translate
 */

/** Codes of what the page itself foresees while a box is drawn, and its own key for it (`warnings.js`). @type {Record<string, string>} */
export const FORESEEN = {
  "layout.caption_empty": "warn.caption", "layout.box_without_area": "warn.area",
  "cells.none": "warn.nothing", "cells.few": "warn.small", "layout.over_border": "warn.border", "layout.twins": "warn.twin",
  "layout.mask_empty": "warn.maskEmpty", "apply.mask_outside": "warn.maskOutside",
};

/** Notes for the editor of a layout that has come to the speaker like this: where other boxes were put before its own they
 * are about none of them by number.  What every editor foresees is not said again for boxes of others.
 * @param {Note[]} notes @param {{direct: boolean, indexed: boolean}} way @returns {Note[]} */
export function cameBy(notes, { direct, indexed }) {
  const news = direct ? notes : notes.filter((note) => !FORESEEN[note.code]);
  return indexed ? news : news.map((note) => ({ ...note, instance: null }));
}

/** @param {Note} note @param {Translate} t */
export function sentence(note, t) {
  const key = `note.${note.code}`;
  const text = t(key, Object.fromEntries(Object.entries(note.values).map(([name, value]) => [name, shown(value, t)])));
  return text === key ? note.text : text;
}

/** A value in a sentence: text, a number, a subject ("box 2 (“a fox”)"), or several of them. @param {any} value @param {Translate} t @returns {string} */
function shown(value, t) {
  if (Array.isArray(value)) return value.map((v) => shown(v, t)).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  const name = t(`item.${value.item}`, { n: value.number });
  return value.title ? `${name} (“${value.title}”)` : name;
}
