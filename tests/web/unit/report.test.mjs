// @ts-check
/** What the server says finds the boxes that it is about, however the layout came to the speaker, and leaves with its cause. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "./page_stub.mjs";
import { makersOf } from "../../../web/editor/graph.js";
import { toData } from "../../../web/editor/layout.js";
import { cameBy } from "../../../web/editor/notes.js";
import { Notices } from "../../../web/editor/notices.js";
import { Report } from "../../../web/editor/report.js";
import { initial, Store } from "../../../web/editor/state.js";
import { docOf } from "./helpers.mjs";

/** @param {string} code @param {number|null} [instance] @returns {import("../../../web/editor/notes.js").Note} */
const note = (code, instance = null) => ({ code, instance, values: {}, text: `${code} of ${instance ?? "all"}` });
const MASK = { size: [4, 4], counts: "`0" };
const BOXES = [{ box: [0, 0, 0.5, 0.5], caption: "a fox", mask: MASK, color: "#e69f00" }, { box: [0.5, 0.5, 1, 1], caption: "an owl" }];

/** A report in an editor without a page, which has these boxes. */
function reporting() {
  const store = new Store(initial(docOf(...BOXES)));
  const t = (/** @type {string} */ key) => key;
  const notices = new Notices(t);
  const editor = { store, t, notices, warnings: new Map(), view: { stage: document.createElement("div") }, invalidate() {}, host: { linked: () => false },
    get state() { return store.state; }, find: (/** @type {string} */ id) => store.state.doc.items.find((it) => it.id === id) };
  const report = new Report(/** @type {any} */ (editor));
  const said = () => store.state.doc.items.map((it) => report.of(it.id).map((n) => n.code).join());
  const shown = () => /** @type {any} */ (notices.element).text.trim();
  /** The boxes as the server gives them back. */
  const ran = () => JSON.parse(JSON.stringify(toData({ ...store.state.doc, items: store.state.doc.items.map((it) => ({ ...it, fields: { ...it.fields, mask: undefined } })) })));
  const patch = (/** @type {number} */ i, /** @type {any} */ changes) => store.dispatch({ type: "patch", ids: [store.state.doc.items[i].id], changes });
  return { store, report, notices, said, shown, ran, patch };
}

test("a look does not take back what was said of a box, nor a later word of another node; what acts does", () => {
  const { report, said, ran, patch, store } = reporting();
  report.take({ layout: ran(), notes: [note("layout.point_alone", 1)] });
  for (const change of [{ color: "#000000" }, { locked: true }, { hidden: true }, { label: "pet" }, { caption: "a fox " }]) {
    patch(0, change);
    assert.deepEqual(said(), ["layout.point_alone", ""], JSON.stringify(change));
  }
  report.takeFrom("7", [note("apply.box_alone", 2)]);
  assert.deepEqual(said(), ["layout.point_alone", "apply.box_alone"]);
  patch(0, { caption: "a wolf" });
  assert.deepEqual(said(), ["", "apply.box_alone"]);
  store.dispatch({ type: "undo" });
  assert.deepEqual(said(), ["layout.point_alone", "apply.box_alone"]);
});

test("what was drawn, moved or deleted while the run was going costs the others nothing", () => {
  const { report, said, shown, ran, store } = reporting();
  const layout = ran();
  store.dispatch({ type: "add", list: [{ box: [0.2, 0.2, 0.3, 0.3] }] });
  store.dispatch({ type: "order", ids: [store.state.doc.items[0].id], to: 2 });
  report.take({ layout, notes: [note("one", 1), note("two", 2)] });
  assert.deepEqual([said(), shown()], [["two", "", "one"], ""]);
  store.dispatch({ type: "remove", ids: [store.state.doc.items[0].id] });
  report.take({ layout, notes: [note("one", 1), note("two", 2)] });
  assert.deepEqual(said(), ["", "one"]);
  assert.match(shown(), /two of 2/, "of a box that is gone it is said below all");
  report.take({ layout, notes: [note("layout.caption_empty", 2)] });
  assert.equal(shown(), "", "what is foreseen here is not said of a box that has changed");
});

test("of boxes in the same place each keeps its own", () => {
  const { report, store, said, ran } = reporting();
  store.dispatch({ type: "add", list: [{ box: [0, 0, 0.5, 0.5], caption: "a dog" }, { box: [0, 0, 0.5, 0.5], caption: "a dog" }] });
  report.take({ layout: ran(), notes: [1, 3, 4].map((i) => note(`of ${i}`, i)) });
  assert.deepEqual(said(), ["of 1", "", "of 3", "of 4"]);
});

test("a notice goes with its cause, and with no one else's", () => {
  const { report, notices, shown, ran } = reporting();
  report.take({ layout: ran() });
  report.takeFrom("7", [note("apply.strength_zero")]);
  assert.match(shown(), /apply\.strength_zero/);
  notices.show([], "import");
  assert.match(shown(), /apply\.strength_zero/, "an import has nothing to do with it");
  report.takeFrom("7", []);
  assert.equal(shown(), "");
  notices.show(["It is over 10 MB."], "import");
  report.takeFrom("7", []);
  assert.match(shown(), /10 MB/, "a run has nothing to do with it");
});

/** A graph of nodes by id and links as [origin, slot]; 0 as origin is the subgraph's own input. @param {Record<number, any>} nodes @param {[number, number][]} links */
function graphOf(nodes, links) {
  const graph = { nodes: Object.values(nodes), getNodeById: (/** @type {number} */ id) => nodes[id] ?? null,
    links: new Map(links.map(([origin_id, origin_slot], id) => [id, { origin_id, origin_slot }])) };
  for (const node of graph.nodes) node.graph = graph;
  return graph;
}
/** @param {string} type @param {Record<string, number>} [inputs] name -> link @param {any} [more] @returns {any} */
const made = (type, inputs = {}, more = {}) => ({ comfyClass: type, type, inputs: Object.entries(inputs).map(([name, link]) => ({ name, link })), ...more });

test("the makers of a layout are found through nodes that hand it on, reroutes and subgraphs, both ways", () => {
  const [first, second, hidden] = [1, 2, 3].map(() => made("ROICtrlInstanceBoxPrompt"));
  const inner = made("ROICtrlApply", { layout: 0 });
  const within = graphOf({ 1: inner }, [[0, 1]]);
  const behind = Object.assign(graphOf({ 1: hidden, 2: made("ROICtrlEditInstance", { layout: 0 }) }, [[1, 0], [2, 0]]), { outputs: [{ linkIds: [1] }] });
  const apply = made("ROICtrlApply", { layout: 0 });
  const root = graphOf({
    1: first, 2: second, 3: made("Reroute", { "": 3 }), 4: made("ROICtrlMergeLayouts", { layout_1: 1, layout_2: 2 }), 5: apply,
    6: made("within", { model: 9, layout: 0 }, { subgraph: within }), 7: made("behind", {}, { subgraph: behind }), 8: made("ROICtrlMergeLayouts", { layout_1: 4, layout_2: 5 }),
    9: made("ROICtrlApply", { layout: 5 }), 10: made("ROICtrlApply", { layout: 6 }), 11: made("ROICtrlApply", {}),
  }, [[8, 0], [3, 0], [2, 0], [1, 0], [4, 0], [7, 0], [1, 0]]);
  const found = (/** @type {any} */ node) => makersOf(node, "layout", root).map((way) => [way.node, way.direct, way.indexed]);
  const merged = [[first, false, true], [second, false, false], [hidden, false, false]];
  assert.deepEqual(found(apply), merged);
  assert.deepEqual(found(inner), merged, "out of the subgraph by the slot that it comes in at");
  assert.deepEqual(found(root.getNodeById(9)), [[hidden, false, true]]);
  assert.deepEqual(found(root.getNodeById(10)), [[first, true, true]]);
  assert.deepEqual(found(root.getNodeById(11)), []);
});

test("what is said of boxes behind others is not put to a box by its number", () => {
  const notes = [note("apply.box_alone", 1), note("layout.caption_empty", 2)];
  assert.deepEqual(cameBy(notes, { direct: true, indexed: true }), notes);
  assert.deepEqual(cameBy(notes, { direct: false, indexed: true }), [notes[0]], "every editor foresees the other");
  assert.deepEqual(cameBy(notes, { direct: false, indexed: false }), [{ ...notes[0], instance: null }]);
});
