// @ts-check
/** Masks, points and scribbles go where their boxes go. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { createCommands } from "../../../web/editor/commands.js";
import { carriedColumns } from "../../../web/editor/raster.js";
import { columnsOf, maskOf as maskOfColumns, pack, runsOf, unpack } from "../../../web/editor/rle.js";
import { Store, initial, toText } from "../../../web/editor/state.js";
import { arrange } from "../../../web/editor/templates.js";
import { warnings } from "../../../web/editor/warnings.js";
import { SIZE, docOf, random, surface } from "./helpers.mjs";

/** @typedef {import("../../../web/editor/rle.js").Mask} Mask */

const CASES = JSON.parse(readFileSync(new URL("../../unit/data/masks.json", import.meta.url), "utf8"));

for (const { size, runs, counts } of CASES) {
  test(`run-length text as Python writes it: ${counts}`, () => {
    assert.equal(pack(runs), counts);
    assert.deepEqual(unpack(counts), runs);
    assert.deepEqual(runsOf({ size, counts }), runs);
    assert.deepEqual(runsOf({ size, counts: runs }), runs, "COCO's list of runs as well");
  });
}

test("what is no mask, or a damaged one, has no runs", () => {
  for (const mask of [null, 3, {}, { size: [2, 2] }, { size: [2, 2], counts: "1" }, { size: [2, 2], counts: "13é" }, { size: [2, 2], counts: "1o" },
    { size: [2, 2], counts: "oooooooooooo0" }, { size: [2, -2], counts: "13" }, { size: [2, 2], counts: [5, -1] }, { size: [2, 2], counts: "5O" }]) {
    assert.equal(runsOf(mask), null, JSON.stringify(mask));
  }
});

/** [height][width] of 0 and 1 @param {Mask} mask */
function pixels(mask) {
  const [height, width] = mask.size;
  const flat = (runsOf(mask) ?? []).flatMap((run, i) => Array(run).fill(i % 2));
  return Array.from({ length: height }, (_, y) => Array.from({ length: width }, (_, x) => flat[x * height + y]));
}

/** @param {number[][]} rows @returns {Mask} */
function maskOf(rows) {
  const flat = rows[0].flatMap((_, x) => rows.map((row) => row[x]));
  const runs = [0];
  for (const value of flat) {
    if (value !== (runs.length - 1) % 2) runs.push(0);
    runs[runs.length - 1]++;
  }
  return { size: [rows.length, rows[0].length], counts: pack(runs) };
}

test("a mask is carried as the slow way does it: each pixel takes what lies under its centre", () => {
  const rnd = random(7);
  for (let n = 0; n < 300; n++) {
    const [height, width] = [1 + Math.floor(rnd() * 12), 1 + Math.floor(rnd() * 12)];
    const rows = Array.from({ length: height }, () => Array.from({ length: width }, () => (rnd() < 0.6 ? 1 : 0)));
    const [x, y] = [0, 1].map(() => ({ scale: 0.3 + rnd() * 2, shift: rnd() * 1.6 - 0.8 }));
    const back = (/** @type {number} */ i, /** @type {number} */ cells, /** @type {any} */ axis) => Math.floor(((i + 0.5) / cells - axis.shift) / axis.scale * cells);
    const want = rows.map((row, i) => row.map((_, j) => rows[back(i, height, y)]?.[back(j, width, x)] ?? 0));
    const mask = maskOf(rows);
    const { columns } = carriedColumns(columnsOf(runsOf(mask) ?? [], mask.size), mask.size, x, y, mask.size);
    assert.deepEqual(pixels(maskOfColumns(columns, mask.size)), want, JSON.stringify([rows, x, y]));
  }
});

// A ring of one in the box from 64 to 192 px: a mask of 64 x 64 cells of 8 px, a stroke and a point.
const A = [0.125, 0.125, 0.375, 0.375];
const cells = (/** @type {number[]} */ [x1, y1, x2, y2]) => maskOf(Array.from({ length: 64 }, (_, y) => Array.from({ length: 64 }, (_, x) =>
  Number(x >= x1 * 64 && x < x2 * 64 && y >= y1 * 64 && y < y2 * 64))));
const FOX = { box: A, caption: "fox", mask: cells(A), point: [0.25, 0.25], scribble: [[[0.125, 0.125], [0.375, 0.25]], [[0.2, 0.3]]] };
const shapes = (/** @type {any} */ { box, mask, point, scribble }) => ({ box, mask, point, scribble });
/** FOX where its box is `to`. @param {number[]} to */
const foxAt = (to) => {
  const at = (/** @type {number[]} */ [x, y]) => [x, y].map((v, i) => Math.round((to[i] + ((v - 0.125) / 0.25) * (to[i + 2] - to[i])) * 1e6) / 1e6);
  return { box: to, mask: cells(to), point: at(FOX.point), scribble: FOX.scribble.map((stroke) => stroke.map(at)) };
};
const RIGHT = [0.25, 0.1875, 0.5, 0.4375];   // 64 px right, 32 px down
const WIDE = [0.125, 0.125, 0.625, 0.3125];  // twice as wide, three quarters as high
const SHAPED = /** @type {any} */ (FOX);

/** @type {[string, (s: ReturnType<typeof surface>) => void, number[], number?][]} what is done, the box it gives, and the instance looked at */
const WAYS = [
  ["a drag", (s) => s.drag([100, 100], [164, 132]), RIGHT],
  ["a drag of a group", (s) => { s.store.dispatch({ type: "select", ids: s.ids() }); s.drag([100, 100], [164, 132]); }, RIGHT],
  ["a handle", (s) => { s.click(100, 100); s.drag([192, 192], [320, 160]); }, WIDE],
  ["a copy by Alt", (s) => s.drag([100, 100], [164, 132], { alt: true }), RIGHT, 2],
  ["a number typed", (s) => s.store.dispatch({ type: "boxes", boxes: { [s.ids()[0]]: RIGHT } }), RIGHT],
  ["a template", (s) => s.store.dispatch({ type: "replace", doc: arrange(s.store.state.doc, /** @type {any} */ ([WIDE])) }), WIDE],
];

for (const [name, act, box, which = 0] of WAYS) {
  test(`${name} takes mask, point and scribble along, as one entry`, () => {
    const s = surface(docOf(SHAPED, { box: [0.5, 0.5, 0.75, 0.75] }));
    act(s);
    assert.deepEqual(shapes(s.store.state.doc.items[which].fields), foxAt(box));
    assert.equal(s.store.state.past.length, 1);
    s.store.dispatch({ type: "undo" });
    assert.deepEqual(s.store.state.doc.items[0].fields, FOX);
    s.store.dispatch({ type: "redo" });
    assert.deepEqual(shapes(s.store.state.doc.items[which].fields), foxAt(box), "and again");
  });
}

/** @param {any} [store] */
const commandsOf = (store) => createCommands(/** @type {any} */ ({
  store, size: SIZE, insert: (/** @type {any[]} */ list, /** @type {any[]} */ boxes) => store.dispatch({ type: "add", list, boxes }),
}));

test("arrow keys, 64 times one pixel, take them along as one entry and without wearing the mask away", () => {
  const store = new Store(initial(docOf(SHAPED)));
  const commands = commandsOf(store);
  store.dispatch({ type: "select", ids: [store.state.doc.items[0].id] });
  for (let n = 0; n < 64; n++) commands.nudge(1, n % 2);
  const { mask, point } = store.state.doc.items[0].fields;
  assert.deepEqual(mask, foxAt(RIGHT).mask);
  assert.deepEqual(point.map((/** @type {number} */ v) => v.toFixed(4)), ["0.3750", "0.3125"]);
  assert.equal(store.state.past.length, 1);
  for (const dy of [64, -64, 128, -128]) commands.grow(0, dy);
  for (const by of [-8, 8]) for (let n = 0; n < 3; n++) commands.nudge(by, 0);
  assert.deepEqual(store.state.doc.items[0].fields.mask, foxAt(RIGHT).mask, "back where it was, it is what it was");
});

test("Ctrl+D takes them along, and says what the border cuts of the copy", () => {
  const store = new Store(initial(docOf(SHAPED)));
  store.dispatch({ type: "select", ids: [store.state.doc.items[0].id] });
  commandsOf(store).duplicate();
  const by = 8 / 512;
  const next = foxAt(A.map((v) => v + by));
  assert.deepEqual(shapes(store.state.doc.items[1].fields), next);
  assert.equal(store.state.past.length, 1);
  const beyond = new Store(initial(docOf(/** @type {any} */ ({ box: A, caption: "fox", mask: cells([0, 0, 1, 1]) }))));
  beyond.dispatch({ type: "select", ids: [beyond.state.doc.items[0].id] });
  commandsOf(beyond).duplicate();
  assert.deepEqual([...warnings(beyond.state.doc, SIZE).values()].flat().map((w) => w.key).filter((key) => key !== "warn.twin"), ["warn.cut"]);
});

test("the mask waits for the end of a drag, point and scribble do not; a cancelled drag leaves all as it was", () => {
  const s = surface(docOf(SHAPED));
  s.gestures.down(s.at(100, 100));
  s.gestures.move(s.at(164, 132));
  const { fields } = s.store.state.doc.items[0];
  assert.equal(fields.mask, FOX.mask);
  assert.deepEqual(fields.point, foxAt(RIGHT).point);
  s.gestures.cancel();
  assert.deepEqual(s.store.state.doc.items[0].fields, FOX);
  assert.equal(s.store.state.past.length, 0);
});

test("an undo in the middle of a drag, and the redo after it, leave no mask behind", () => {
  const s = surface(docOf(SHAPED));
  s.gestures.down(s.at(100, 100));
  s.gestures.move(s.at(164, 132));
  s.store.dispatch({ type: "undo" });
  s.gestures.up(s.at(164, 132));
  assert.deepEqual(s.store.state.doc.items[0].fields, FOX);
  s.store.dispatch({ type: "redo" });
  assert.deepEqual(shapes(s.store.state.doc.items[0].fields), foxAt(RIGHT));
});

test("what the border cuts is said, keeps to the picture, and is there again when the box comes back", () => {
  const beyond = { box: A, caption: "fox", mask: cells([0.0625, 0.125, 0.375, 0.375]), point: [0.0625, 0.25], scribble: [[[0.0625, 0.2], [0.3, 0.2]]] };
  const s = surface(docOf(/** @type {any} */ (beyond)));
  const said = () => [...warnings(s.store.state.doc, SIZE).values()].flat().map((w) => w.key);
  s.drag([100, 100], [36, 100]);
  const { fields } = s.store.state.doc.items[0];
  assert.deepEqual(shapes(fields), { box: [0, 0.125, 0.25, 0.375], mask: cells([0, 0.125, 0.25, 0.375]), point: [0, 0.25], scribble: [[[0, 0.2], [0.175, 0.2]]] });
  assert.deepEqual(said(), ["warn.cut"]);
  s.drag([36, 100], [100, 100]);
  assert.deepEqual(shapes(s.store.state.doc.items[0].fields), shapes(beyond));
  assert.deepEqual(said(), ["warn.pointOutside", "warn.scribbleOutside"], "and no cut");
});

test("a mask set anew is carried from then on; a damaged or unknown shape stays as it is", () => {
  const store = new Store(initial(docOf(SHAPED, { box: A, mask: { size: [2, 2], counts: "9" }, point: "here", scribble: [3] })));
  const [a, b] = store.state.doc.items.map((it) => it.id);
  store.dispatch({ type: "boxes", boxes: { [a]: RIGHT, [b]: RIGHT } });
  assert.deepEqual(shapes(store.state.doc.items[1].fields), { box: RIGHT, mask: { size: [2, 2], counts: "9" }, point: "here", scribble: [3] });
  store.dispatch({ type: "patch", ids: [a], changes: { mask: cells([0.25, 0.1875, 0.375, 0.4375]) } });
  store.dispatch({ type: "boxes", boxes: { [a]: A } });
  assert.deepEqual(store.state.doc.items[0].fields.mask, cells([0.125, 0.125, 0.25, 0.375]));
  assert.equal(JSON.parse(toText(store.state)).instances[0].source, undefined, "what the editor remembers is not written");
});

// An instance without a box: its point.
const DOT = { box: [0.5, 0.5, 0.5, 0.5], point: [0.5, 0.5], caption: "a star" };

test("a point without an area is not broken: no warning; it can be selected, framed, moved and typed to another place", () => {
  const s = surface(docOf(/** @type {any} */ (DOT)));
  const it = () => s.store.state.doc.items[0];
  assert.deepEqual([...warnings(s.store.state.doc, SIZE)], []);
  s.click(260, 252);
  assert.deepEqual(s.store.state.selection, s.ids());
  s.click(270, 256);
  assert.deepEqual(s.store.state.selection, []);
  s.drag([200, 200], [300, 300], { shift: true });
  assert.deepEqual(s.store.state.selection, s.ids());
  s.drag([257, 257], [321, 225]);
  assert.deepEqual([it().fields.box, it().fields.point], [[0.625, 0.4375, 0.625, 0.4375], [0.625, 0.4375]]);
  assert.equal(s.store.state.past.length, 1);
  commandsOf(s.store).nudge(8, 0);
  assert.deepEqual([it().fields.box, it().fields.point], [[0.640625, 0.4375, 0.640625, 0.4375], [0.640625, 0.4375]]);
  s.store.dispatch({ type: "boxes", boxes: { [it().id]: [0.6, 0.4, 0.8, 0.5] } });
  assert.deepEqual(it().fields.point, [0.640625, 0.4375], "a box drawn around it leaves it in its place");
});

test("a group with a point is resized as one", () => {
  const s = surface(docOf([0.125, 0.125, 0.25, 0.25], /** @type {any} */ (DOT)));
  s.store.dispatch({ type: "select", ids: s.ids() });
  s.drag([256, 256], [160, 160]);
  assert.deepEqual(s.px(), [[64, 64, 96, 96], [160, 160, 160, 160]]);
  assert.deepEqual(s.store.state.doc.items[1].fields.point, [0.3125, 0.3125]);
});
