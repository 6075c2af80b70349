// @ts-check
/** What the fields of the panel have in common, whatever they are about. */
import { h } from "./dom.js";
import { endsTyping } from "./typing.js";

/** A field under its name. @param {string} key @param {HTMLElement} input @param {import("./i18n.js").Translate} t */
export const labelled = (key, input, t) =>
  h("label", { class: `roictrl-field ${key}` }, h("span", { title: t(`tip.${key}`) }, t(`field.${key}`)), input);

/** A field for words: what ends typing gives the focus back to the stage, as in the field on the box.
 * @template {"textarea"|"input"} K
 * @param {K} tag @param {import("./editor.js").Editor} editor @param {() => void} typed @param {Record<string, any>} [attributes]
 * @returns {HTMLElementTagNameMap[K]} */
export const wordField = (tag, editor, typed, attributes = {}) => h(tag, {
  dir: "auto", ...attributes, oninput: typed, onkeydown: (/** @type {KeyboardEvent} */ e) => {
    if (!endsTyping(e)) return;
    e.preventDefault();
    e.stopPropagation();
    editor.focus();
  },
});
