// @ts-check
/** As much of a browser's document as it takes to make elements, for modules that keep a few of them. */

class Element {
  constructor(/** @type {string} */ tag) {
    this.tag = tag;
    this.hidden = false;
    this.textContent = "";
    /** @type {(Element|string)[]} */
    this.children = [];
    /** @type {Element|null} */
    this.parent = null;
    /** @type {Map<string, string>} */
    this.attributes = new Map();
    this.value = "";
    /** @type {Record<string, (e?: any) => any>} listeners, by what they hear */
    this.heard = {};
  }

  get text() {
    return this.textContent + this.children.map((/** @type {any} */ c) => c.text ?? c).join(" ");
  }

  /** @param {string} name @param {(e?: any) => any} listener */
  addEventListener(name, listener) { this.heard[name] = listener; }
  /** @param {string} name @param {string} value */
  setAttribute(name, value) { this.attributes.set(name, value); }
  /** @param {string} name */
  getAttribute(name) { return this.attributes.get(name) ?? null; }
  removeAttribute() {}
  /** @param {(Element|string)[]} list */
  append(...list) {
    for (const child of list) if (child instanceof Element) child.parent = this;
    this.children.push(...list);
  }
  /** @param {(Element|string)[]} list */
  replaceChildren(...list) {
    this.children = [];
    this.append(...list);
  }
  remove() {
    if (this.parent) this.parent.children = this.parent.children.filter((child) => child !== this);
  }
  /** @param {string} selector `[name="value"]` among the children */
  querySelector(selector) {
    const [, name, value] = /^\[(.*)="(.*)"\]$/.exec(selector) ?? [];
    return this.children.find((child) => child instanceof Element && child.getAttribute(name) === value) ?? null;
  }
}

Object.assign(globalThis, { document: { createElement: (/** @type {string} */ tag) => new Element(tag), createElementNS: (/** @type {string} */ _, /** @type {string} */ tag) => new Element(tag) } });
