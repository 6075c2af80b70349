// @ts-check
/**
 * Box colours: the palette of Okabe and Ito (2008), which stays apart in the common kinds of colour blindness; a pale mint
 * takes the place of their black, which does not show on dark grounds.  Numbers and captions carry the same meaning.
 */

export const PALETTE = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#c3f5c3"];

/** Of boxes that take no part. */
export const MUTED = "#9a9a9a";

/** The palette colour used least so far, earlier ones first. @param {string[]} used */
export function nextColor(used) {
  const counts = PALETTE.map((color) => used.filter((c) => c.toLowerCase() === color).length);
  return PALETTE[counts.indexOf(Math.min(...counts))];
}

/** The colour of the instance at `index` (from 0): its own where it is a valid "#rrggbb". @param {any} own @param {number} index */
export const colorOf = (own, index) => (/^#[0-9a-f]{6}$/i.test(own ?? "") ? own : PALETTE[index % PALETTE.length]);

/** Black or white, whichever contrasts more with `color` (WCAG relative luminance). @param {string} color "#rrggbb" */
export function inkOn(color) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const v = parseInt(color.slice(i, i + 2), 16) / 255;
    return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000000" : "#ffffff";
}

/** @param {string} color "#rrggbb" @param {number} alpha 0..1 */
export const withAlpha = (color, alpha) => `${color}${Math.round(alpha * 255).toString(16).padStart(2, "0")}`;
