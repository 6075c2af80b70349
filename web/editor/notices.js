// @ts-check
/** Sentences below the stage, one notice at a time. */
import { h, iconButton } from "./dom.js";

export class Notices {
  /** @param {import("./i18n.js").Translate} t */
  constructor(t) {
    this.t = t;
    this.element = h("div", { class: "roictrl-notices", role: "alert" });
  }

  /** They stay until they are dismissed, or until the same matter is spoken of again: with no sentence its notice goes.
   * @param {string[]} sentences @param {string} matter @param {HTMLElement[]} [rows] what a person can do about it, below them
   * @returns {HTMLElement|undefined} */
  show(sentences, matter, rows = []) {
    if (!sentences.length && !rows.length) return void this.element.querySelector(`[data-matter="${matter}"]`)?.remove();
    const close = iconButton("close", this.t("notice.close"), () => note.remove());
    const note = h("div", { class: "roictrl-notice", "data-matter": matter }, h("div", {}, ...sentences.map((s) => h("p", {}, s)), ...rows), close);
    this.element.replaceChildren(note);
    return note;
  }

  /** One line of text. @param {string} question @param {(answer: string|null) => void} done null: nothing was typed to its end */
  ask(question, done) {
    const end = (/** @type {boolean} */ ok) => {
      line.remove();
      done(ok ? input.value.trim() || null : null);
    };
    const input = h("input", { type: "text", maxlength: 60, onkeydown: (/** @type {KeyboardEvent} */ e) => {
      if (e.key !== "Enter" && e.key !== "Escape") return;
      e.preventDefault(); // Escape ends nothing around this
      end(e.key === "Enter");
    } });
    const line = h("label", { class: "roictrl-notice" }, question, input);
    this.element.replaceChildren(line);
    input.focus();
  }
}
