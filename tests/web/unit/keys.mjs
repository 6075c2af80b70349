// @ts-check
/** Catalogue keys that reach the translator through a LayoutError. */
export const BROKEN_KEYS = ["syntax", "object", "instances", "many", "size", "newer", "version", "box", "field"].map((key) => `broken.${key}`);
