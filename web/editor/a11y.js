// @ts-check
/**
 * What is said aloud: a sentence for every change that matters, and how each box is called.
 *
 * @typedef {import("./state.js").State} State
 * @typedef {import("./i18n.js").Translate} Translate
 * @typedef {import("./geometry.js").Size} Size
 */
import { toPixels } from "./geometry.js";
import { field } from "./layout.js";
import { extent, kindsOf } from "./shapes/index.js";

/** "2: a red fox". @param {import("./layout.js").Item} it @param {number} i from 0 @param {Translate} t */
export const boxName = (it, i, t) => `${i + 1}: ${field(it, "caption").trim() || field(it, "label") || t("list.noCaption")}`;

/** A box in full, for its option in the list. @param {import("./layout.js").Item} it @param {number} i @param {Size} size @param {Translate} t */
export function boxSentence(it, i, size, t) {
  const marks = [["enabled", false, "state.muted"], ["locked", true, "state.locked"], ["hidden", true, "state.hidden"]]
    .filter(([key, when]) => field(it, /** @type {string} */ (key)) === when).map(([, , say]) => t(/** @type {string} */ (say)));
  const shapes = kindsOf(it.fields).filter((kind) => kind.name !== "box").map((kind) => t(`shape.${kind.name}`));
  return [boxName(it, i, t), t("say.place", toPixels(extent(it.fields), size)), ...shapes, ...marks].join(", ");
}

/** What changed between two states, in one sentence; "" for nothing worth saying. @param {State} now @param {State} before @param {Size} size @param {Translate} t */
export function saidChange(now, before, size, t) {
  if (now.open || (before.open && now.doc === before.open.doc)) return "";
  const was = (before.open ?? before).doc;
  if (now.doc !== was) {
    const by = now.doc.items.length - was.items.length;
    if (by > 0) return t("say.added", { n: by, total: now.doc.items.length });
    if (by < 0) return t("say.removed", { n: -by, total: now.doc.items.length });
    const seen = (/** @type {import("./layout.js").Item} */ it) => (now.merge ? it.fields.box : it.fields); // words are said when typed to the end
    const other = now.doc.items.findIndex((it) => was.items.every((old) => old.id !== it.id || seen(old) !== seen(it)));
    if (other >= 0) return boxSentence(now.doc.items[other], other, size, t);
  }
  const typed = /^(caption|label) /.test(before.merge ?? "") && !now.merge && now.selection.length > 0;
  if (!typed && now.selection.join() === before.selection.join()) return "";
  if (now.selection.length > 1) return t("say.selected", { n: now.selection.length });
  const i = now.doc.items.findIndex((it) => it.id === now.selection[0]);
  return i < 0 ? t("say.none") : boxSentence(now.doc.items[i], i, size, t);
}
