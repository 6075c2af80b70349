// @ts-check
/** Making elements: the editor's only way to the DOM's constructors. Text goes in as text, never as markup. */

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag @param {Record<string, any>} [attributes] `on*` are listeners, `class` and the rest attributes;
 *   false, null and undefined leave one out @param {(Node|string|null|undefined|false)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else set(element, name, value);
  }
  element.append(...children.filter((c) => c !== null && c !== undefined && c !== false && c !== "").map((c) => /** @type {Node|string} */ (c)));
  return element;
}

/** One attribute, touched only where it changes. @param {Element} element @param {string} name @param {any} value */
export function set(element, name, value) {
  const text = value === true ? "" : value;
  if (value === false || value === null || value === undefined) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(text)) element.setAttribute(name, String(text));
}

/** Outlines on a 16 x 16 grid, drawn for this editor. @type {Record<string, string>} */
const ICONS = {
  undo: "M6 3L2.5 6.5 6 10M2.5 6.5H10a3.5 3.5 0 010 7H7",
  redo: "M10 3l3.5 3.5L10 10M13.5 6.5H6a3.5 3.5 0 000 7h3",
  template: "M2.5 2.5h11v11h-11zM6.2 2.5v11M9.8 2.5v11",
  picture: "M2.5 3h11v10h-11zM2.5 11l3.5-4 3 3.2 1.8-1.7 2.7 2.5M10.5 6h.01",
  fit: "M2.5 3h11v10h-11zM5 8h6M6.5 6.5L5 8l1.5 1.5M9.5 6.5L11 8l-1.500 1.500", // no corners alone: those say full screen
  large: "M9.5 2.5h4v4M13.5 2.5L9 7M6.5 13.500h-4v-4M2.500 13.500L7 9",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  fold: "M5 6.500l3 3 3-3",
  help: "M5.8 6a2.2 2.2 0 114 1.2c-.8.8-1.8 1-1.8 2.3M8 12.4h.01",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 100 3.6 1.8 1.8 0 000-3.6",
  eyeOff: "M2.5 2.5l11 11M4.2 5C2.5 6.2 1.5 8 1.5 8S4 12.2 8 12.2c1.2 0 2.300-.4 3.200-.9M7 3.900A6 6 0 018 3.800C12 3.800 14.500 8 14.500 8s-.6 1-1.700 2.100",
  lock: "M4 7.500h8v6H4zM5.500 7.500V5.200a2.500 2.500 0 015 0v2.300",
  unlock: "M4 7.500h8v6H4zM5.500 7.500V5.200a2.500 2.500 0 014.700-1.200",
  on: "M8 2v5.500M4.600 4.200a5 5 0 106.800 0",
  solo: "M8 3l1.500 3.200 3.500.4-2.600 2.400.7 3.500L8 10.800l-3.100 1.700.7-3.500L3 6.600l3.500-.4z",
  trash: "M3 4.500h10M6 4.500V3h4v1.500M4.500 4.500l.6 9h5.800l.6-9",
  close: "M4 4l8 8M12 4l-8 8",
};

/** @param {string} name or an outline, as the tools bring theirs */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  for (const [key, value] of Object.entries({ viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" })) {
    svg.setAttribute(key, String(value));
  }
  path.setAttribute("d", ICONS[name] ?? name);
  svg.append(path);
  return svg;
}

/** @param {string} name @param {string} label @param {(e: MouseEvent) => void} onclick @param {Record<string, any>} [attributes] */
export const iconButton = (name, label, onclick, attributes = {}) =>
  h("button", { type: "button", title: label, "aria-label": label, onclick, ...attributes }, icon(name));
