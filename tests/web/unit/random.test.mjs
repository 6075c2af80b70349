// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { bounds, minimum } from "../../../web/editor/geometry.js";
import { decoded } from "../../../web/editor/masks.js";
import { KINDS } from "../../../web/editor/shapes/kinds.js";
import { isPoint } from "../../../web/editor/shapes/index.js";
import { TOOLS } from "../../../web/editor/tools/index.js";
import { SIZE, random, surface } from "./helpers.mjs";

/** @typedef {ReturnType<typeof surface>} Surface */
/** @typedef {import("../../../web/editor/layout.js").Item} Item */

const MIN = minimum(SIZE);
const ROUNDING = 2e-6;

/** @param {Surface} surface @param {string} when */
function check({ store }, when) {
  const { doc, selection } = store.state;
  const ids = doc.items.map((it) => it.id);
  assert.equal(new Set(ids).size, ids.length, `ids are unique ${when}`);
  assert.ok(selection.every((id) => ids.includes(id)), `the selection exists ${when}`);
  for (const { fields } of doc.items) {
    const { box } = fields;
    for (const kind of KINDS) {
      const shape = kind.bounds(fields);
      assert.ok(!shape || (Math.min(...shape) >= 0 && Math.max(...shape) <= 1), `the ${kind.name} ${shape} is in the picture ${when}`);
    }
    assert.ok(isPoint(fields) || (box[2] - box[0] >= MIN.width - ROUNDING && box[3] - box[1] >= MIN.height - ROUNDING), `${box} is large enough ${when}`);
  }
}

/** The bounds of a mask lie in its box as they did before, to a pixel and a half of what it is carried from. What the border cuts, or cut before, is not asked. @param {Item} it @param {Item} [before] */
function together({ fields, cut, source = fields }, before) {
  if (cut || !before || before.cut) return;
  const [now, then] = [fields, before.fields].map(({ box, mask }) => ({ box, bounds: decoded(mask)?.bounds }));
  if (!now.bounds || !then.bounds) return;
  now.bounds.forEach((v, i) => {
    const [side, end] = [i % 2, (i % 2) + 2];
    const scale = (now.box[end] - now.box[side]) / (then.box[end] - then.box[side]);
    const from = (now.box[end] - now.box[side]) / (source.box[end] - source.box[side]);
    if (Math.min(scale, from) < 0.99) return; // what becomes thinner than a pixel goes
    const want = now.box[side] + (/** @type {number[]} */ (then.bounds)[i] - then.box[side]) * scale;
    assert.ok(Math.abs(v - want) <= 1.5 * Math.max(1, scale, from) / 512, `${now.bounds} of a mask in ${now.box} were ${then.bounds} in ${then.box}`);
    together.seen++;
  });
}
together.seen = 0;

/** What goes on between presses is gone on with, and ended in one of its ways. @param {Surface} s @param {() => number} rnd @param {() => any} place */
function corners({ gestures }, rnd, place) {
  for (let n = Math.floor(rnd() * 4); n > 0 && gestures.name !== "idle"; n--) {
    gestures.down(place());
    gestures.up(place());
    if (rnd() < 0.3) gestures.back();
  }
  if (rnd() < 0.7) gestures.finish();
  else gestures.cancel();
}

/** One random thing a person might do. @param {Surface} s @param {() => number} rnd */
function act(s, rnd) {
  const { store, gestures, at } = s;
  const any = () => s.ids()[Math.floor(rnd() * s.ids().length)];
  const keys = { shift: rnd() < 0.2, alt: rnd() < 0.15, ctrl: rnd() < 0.15, button: rnd() < 0.05 ? 1 : 0 };
  const place = () => at(rnd() * 640 - 64, rnd() * 640 - 64, keys);
  s.log.tool = rnd() < 0.4 ? "select" : TOOLS[Math.floor(rnd() * TOOLS.length)].name;
  s.log.snapping = rnd() < 0.5;
  const kind = rnd();
  if (kind < 0.6) {
    const before = new Map(store.state.doc.items.map((it) => [it.id, it]));
    gestures.down(place());
    for (let n = Math.floor(rnd() * 4); n > 0; n--) gestures.move(place());
    const carries = ["moving", "resizing"].includes(gestures.name) && !keys.alt;
    if (rnd() < 0.15) gestures.cancel();
    else gestures.up(place());
    if (carries) for (const it of store.state.doc.items) together(it, before.get(it.id));
    corners(s, rnd, place);
  } else if (kind < 0.7) store.dispatch({ type: rnd() < 0.6 ? "undo" : "redo" });
  else if (kind < 0.76) store.dispatch({ type: "remove", ids: [any()] });
  else if (kind < 0.82) store.dispatch({ type: "order", ids: [any()], to: Math.floor(rnd() * 5) });
  else if (kind < 0.88) store.dispatch({ type: "patch", ids: [any()], changes: { locked: rnd() < 0.3 } });
  else if (kind < 0.92) store.dispatch({ type: "patch", ids: [any()], changes: { caption: "x".repeat(rnd() * 9) }, merge: "typing" });
  else if (kind < 0.96) store.dispatch({ type: "select", ids: s.ids().filter(() => rnd() < 0.5) });
  else store.dispatch({ type: "solo", ids: [any()] });
}

test("500 random sequences keep the invariants, undo to the start and redo to the end", () => {
  let edits = 0;
  for (let seed = 1; seed <= 500; seed++) {
    const rnd = random(seed);
    const s = surface();
    const start = JSON.stringify(s.store.state.doc);
    for (let step = 0; step < 12; step++) {
      act(s, rnd);
      assert.equal(s.gestures.name, "idle");
      assert.equal(s.store.state.open, null);
      check(s, `after step ${step} of sequence ${seed}`);
    }
    while (s.store.state.future.length) s.store.dispatch({ type: "redo" });
    const end = JSON.stringify(s.store.state.doc);
    edits += s.store.state.past.length;
    while (s.store.state.past.length) s.store.dispatch({ type: "undo" });
    assert.equal(JSON.stringify(s.store.state.doc), start, `sequence ${seed} undoes to the start`);
    while (s.store.state.future.length) s.store.dispatch({ type: "redo" });
    assert.equal(JSON.stringify(s.store.state.doc), end, `sequence ${seed} redoes to the end`);
  }
  assert.ok(edits > 2000, `the sequences did something: ${edits} edits`);
  assert.ok(together.seen > 200, `masks were carried: ${together.seen / 4}`);
});
