// @ts-check
/**
 * Words: keys to sentences of the catalogue in `locales/<language>/main.json`, which ComfyUI serves.
 *
 * @typedef {(key: string, values?: Record<string, any>) => string} Translate
 */

/** @param {any} catalogue @param {string} key @returns {string|undefined} */
function lookUp(catalogue, key) {
  const found = key.split(".").reduce((node, part) => node?.[part], catalogue);
  return typeof found === "string" ? found : undefined;
}

/** The first of `catalogues` that knows a key speaks; an unknown key stands for itself. `{name}` is replaced by its value.
 * @param {...any} catalogues @returns {Translate} */
export function translator(...catalogues) {
  return (key, values = {}) => {
    const text = catalogues.map((c) => lookUp(c, key)).find((found) => found !== undefined) ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
  };
}

/** The catalogues to ask, the nearest first: "zh-TW" asks zh-TW, then zh, then English. @param {Record<string, any>} all by language @param {string} language */
export const chain = (all, language) =>
  [language, language.split("-")[0], "en"].map((name) => all[name]?.roictrl).filter(Boolean);
