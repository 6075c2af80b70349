// @ts-check
/**
 * Text from outside to instances, and instances to text.
 *
 * The browser reads our own JSON, and ComfyUI's BOUNDING_BOX where nothing needs to be said about it.  Everything else goes
 * to the pack's route on the server, which reads it by `roictrl_core/formats`.
 *
 * @typedef {import("./geometry.js").Box} Box
 * @typedef {import("./geometry.js").Size} Size
 * @typedef {import("./layout.js").Doc} Doc
 * @typedef {import("./layout.js").Fields} Fields
 * @typedef {Record<string, string>} How `box_order`, `box_unit`, `pick`, `class_names`, as far as a person says them
 * @typedef {{doc: Doc, notes: import("./notes.js").Note[], choices: import("./choices.js").Choices}} Imported
 * @typedef {(path: string, init: any) => Promise<Response>} Fetch
 */
import { CELL_PX, bounds, roundBox, shift, toPixels } from "./geometry.js";
import { LayoutError, VERSION, field, fromData, toData } from "./layout.js";
import { extent } from "./shapes.js";

export const ROUTE = "/roictrl/import";
export const MAX_BYTES = 10 * 1024 * 1024;
/** Numbers up to this may be shares of the picture. */
export const TINY = 2;
/** Pixels of the shorter side from which numbers up to 100 may be percent. */
export const WIDE = 400;

/**
 * Any text to a document. Throws a LayoutError whose values say why it could not be read.
 * @param {string} text @param {Size} size pixels of the picture, for boxes in pixels @param {Fetch} fetchApi @param {How} [how]
 * @returns {Promise<Imported>}
 */
export async function read(text, size, fetchApi, how = {}) {
  if (new Blob([text]).size > MAX_BYTES) throw new LayoutError("import.large");
  const here = Object.keys(how).length ? null : readHere(text, size);
  return here ?? readThere({ text, ...size, ...how }, fetchApi);
}

/** What the browser reads itself; null for anything else. @param {string} text @param {Size} size @returns {Imported|null} */
export function readHere(text, size) {
  if (text.includes("\ufffd")) return null; // another encoding, which the server has a sentence for
  let data;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  if (data && !Array.isArray(data) && typeof data === "object" && "instances" in data) {
    return { doc: fromData({ ...size, ...data }), notes: [], choices: {} };
  }
  const frame = boundingBoxes(data, size);
  return frame && { doc: fromBoundingBoxes(frame, size), notes: [], choices: {} };
}

/** One frame of BOUNDING_BOX: a dict, a list of them, or a list that holds one list. @param {any} data @param {Size} size @returns {any[]|null} */
function boundingBoxes(data, size) {
  if (Array.isArray(data) && data.length === 1 && Array.isArray(data[0])) data = data[0];
  const frame = Array.isArray(data) ? data : [data];
  const sides = ["x", "y", "width", "height"];
  const whole = frame.length && frame.every((b) => b && sides.every((key) => Number.isFinite(b[key])) && sound(b, size));
  return whole && pixels(frame, size) ? frame : null;
}

/**
 * Whether the numbers can only be pixels: not shares of the picture, not percent, not another tool's middle of the box.
 * @param {any[]} frame @param {Size} size
 */
const pixels = (frame, size) => !frame.some((b) => "class" in b) && frame.some((b) => Math.max(b.x + b.width, b.y + b.height) > (Math.min(size.width, size.height) < WIDE ? TINY : 100));

/** Whatever needs a sentence (no area, over the border) is left to the server. @param {any} b @param {Size} size */
const sound = (b, size) => b.width > 0 && b.height > 0 && b.x >= 0 && b.y >= 0
  && b.x + b.width <= size.width && b.y + b.height <= size.height;

/** @param {any[]} frame @param {Size} size @returns {Doc} */
function fromBoundingBoxes(frame, size) {
  const instances = frame.map(({ x, y, width, height, label, metadata, ...rest }) => {
    const { desc, palette, ...meta } = metadata && typeof metadata === "object" ? metadata : {};
    const imported = Object.fromEntries(Object.entries({ ...rest, ...meta })
      .filter(([key, value]) => value !== "" && value !== null && !(key === "type" && value === "obj")));
    const [color] = Array.isArray(palette) ? palette : [];
    return {
      box: roundBox([x / size.width, y / size.height, (x + width) / size.width, (y + height) / size.height]), ...text("caption", desc || label), ...text("label", label),
      ...(/^#[0-9a-f]{6}$/i.test(color) ? { color } : {}), ...(Object.keys(imported).length ? { imported } : {}),
    };
  });
  return fromData({ version: VERSION, ...size, instances });
}

/** @param {string} key @param {any} value */
const text = (key, value) => (typeof value === "string" && value.trim() ? { [key]: value.trim() } : {});

/** @param {Record<string, any>} request @param {Fetch} fetchApi @returns {Promise<Imported>} */
async function readThere(request, fetchApi) {
  let response, answer;
  try {
    response = await fetchApi(ROUTE, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request),
    });
    answer = await response.json();
  } catch (error) {
    throw new LayoutError("import.server", { reason: String(error) });
  }
  if (!response.ok) throw new LayoutError("import.refused", { reason: answer.error ?? response.statusText });
  return { doc: fromData(answer.layout), notes: answer.notes, choices: answer.choices };
}

/** Instances as text for the clipboard: a Layout of their own. @param {Doc} doc @param {string[]} ids */
export function copyText(doc, ids) {
  const items = doc.items.filter((it) => ids.includes(it.id));
  return JSON.stringify(toData({ head: { version: VERSION, width: doc.head.width, height: doc.head.height }, items }), null, 1);
}

/** The same boxes as ComfyUI's BOUNDING_BOX, for other nodes. @param {Doc} doc @param {Size} size */
export function boundingBoxText(doc, size) {
  const frame = doc.items.filter((it) => field(it, "enabled")).map((it) => {
    const { x, y, w, h } = toPixels(it.fields.box, size);
    const caption = field(it, "caption");
    return {
      x, y, width: w, height: h, label: field(it, "label") || caption,
      metadata: { type: "obj", text: "", desc: caption, palette: it.fields.color ? [it.fields.color] : [] },
    };
  });
  return JSON.stringify([frame], null, 1);
}

/**
 * Where copies go: all shifted alike until none covers exactly a box that is there already, to the right and down by latent
 * cells, and the other way where the picture ends.
 * @param {Fields[]} list @param {Doc} doc @param {Size} size @param {number} [first] step to begin with; 0 leaves them where they are if that is free
 * @returns {Box[]}
 */
export function aside(list, doc, size, first = 0) {
  const key = (/** @type {Box} */ box) => box.map((v) => v.toFixed(4)).join();
  const taken = new Set(doc.items.map((it) => key(extent(it.fields))));
  const here = list.map((fields) => extent(fields));
  const group = bounds(here);
  for (let n = first; group && n <= first + taken.size + 1; n++) {
    const [dx, dy] = [within(group[0], group[2], (n * CELL_PX) / size.width), within(group[1], group[3], (n * CELL_PX) / size.height)];
    const boxes = n ? here.map((box) => roundBox(shift(box, dx, dy))) : here;
    if (!boxes.some((box) => taken.has(key(box)))) return boxes;
  }
  return here;
}

/** A shift that keeps `lo` to `hi` in the picture: `by`, else back by as much, else as far as there is room.
 * @param {number} lo @param {number} hi @param {number} by */
function within(lo, hi, by) {
  if (hi + by <= 1) return by;
  if (lo - by >= 0) return -by;
  return 1 - hi >= lo ? Math.max(0, 1 - hi) : -lo;
}
