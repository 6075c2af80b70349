// @ts-check
/**
 * What may be read otherwise in a text that came in, as buttons: the order and the unit of its numbers, which of its pictures,
 * the names of its classes.  The server says what was taken and what else there is (`roictrl_core/formats/choices.py`).
 *
 * @typedef {{now: string, options: {value: string, title: string}[]}} Choice
 * @typedef {Record<string, Choice>} Choices by the key of the import route's request
 */
import { h } from "./dom.js";

/** Options that are buttons; more are a list to choose from. */
const MOST_BUTTONS = 6;
/** Whose options have words in the catalogue; a picture's or a prompt's name is its own. */
const WORDED = ["box_order", "box_unit"];

/** @param {Choices} choices @param {import("./i18n.js").Translate} t @param {(key: string, value: string) => void} take @returns {HTMLElement[]} */
export const choiceRows = (choices, t, take) => Object.entries(choices).map(([key, choice]) => {
  const name = t(`ask.${key}`);
  const titled = choice.options.map(({ value, title }) => ({ value, title: WORDED.includes(key) ? t(`reading.${value}`) : title }));
  const chosen = (/** @type {string} */ value) => take(key, value);
  const make = !titled.length ? typed : titled.length > MOST_BUTTONS ? listed : pressed;
  return h("div", { class: "roictrl-choices", role: "group", "aria-label": name, "data-choice": key },
    h("span", {}, name), ...make({ now: choice.now, options: titled }, name, chosen));
});

/** @typedef {(choice: Choice, name: string, take: (value: string) => void) => HTMLElement[]} Maker */

/** @type {Maker} */
const pressed = ({ now, options }, _, take) => options.map(({ value, title }) =>
  h("button", { type: "button", "aria-pressed": String(value === now), onclick: () => value === now || take(value) }, title));

/** @type {Maker} */
function listed({ now, options }, name, take) {
  const select = h("select", { "aria-label": name, onchange: () => take(select.value) },
    ...options.map(({ value, title }) => h("option", { value }, `${value}  ${title}`)));
  select.value = now;
  return [select];
}

/** @type {Maker} */
function typed({ now }, name, take) {
  const input = h("input", { type: "text", value: now, "aria-label": name, onchange: () => take(input.value.trim()) });
  return [input];
}
