// @ts-check
/** What of a layout goes to the server: nothing that cannot change the picture, unless a connected node shows it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { actAlike, plain, sendPlain } from "../../../web/editor/sent.js";

const BOX = [0.1, 0.2, 0.5, 0.9];
const LAYOUT = { version: 1, width: 512, height: 384, caption: "a forest", instances: [
  { box: BOX, caption: "a fox", strength: 0.8, color: "#e69f00", label: "fox", locked: true, hidden: true, mask: { size: [1, 1], counts: "01" }, outline: [[0, 0]], mood: 1 },
  { box: BOX, enabled: false, solo_muted: true, caption: "an owl" }, { box: BOX, label: "rock" },
], editor: { snap: false, dim: 0.5, background: "none" }, from: "a friend" };
/** What can change the picture, its keys in order. */
const ACTS = { caption: "a forest", from: "a friend", version: 1, instances: [
  { box: BOX, caption: "a fox", mask: { size: [1, 1], counts: "01" }, mood: 1, strength: 0.8 },
  { box: BOX, caption: "an owl", enabled: false }, { box: BOX, label: "rock" }] };

/** @param {any} layout an object, or text @param {Record<string, [string, Record<string, any>]>} others id -> type and inputs @returns {any} */
const prompt = (layout, others = {}) => ({
  4: { class_type: "ROICtrlInstanceBoxPrompt", inputs: { width: 512, height: 384, layout: typeof layout === "string" ? layout : JSON.stringify(layout) } },
  ...Object.fromEntries(Object.entries(others).map(([id, [type, inputs]]) => [id, { class_type: type, inputs }])),
});
/** @param {Record<string, any>} inputs @returns {[string, Record<string, any>]} */
const apply = (inputs) => ["ROICtrlApply", { strength: 1, ...inputs }];
/** @param {any} sent @param {string} [id] */
const layoutOf = (sent, id = "4") => JSON.parse(sent[id].inputs.layout);

test("what only the editor reads stays at home, and the rest is written in one way", () => {
  const before = prompt(LAYOUT, { 7: apply({ layout: ["4", 0] }) });
  const kept = JSON.stringify(before);
  const sent = plain(before);
  assert.equal(sent[4].inputs.layout, JSON.stringify(ACTS));
  assert.equal(JSON.stringify(before), kept, "what was given is left alone");
  assert.deepEqual([sent[7], sent[4].inputs.width], [before[7], 512]);
});

test("nothing that cannot change the picture changes what is sent; all else does", () => {
  const sent = (/** @type {any} */ layout) => JSON.stringify(plain(prompt(layout, { 7: apply({ layout: ["4", 0] }) })));
  const edited = (/** @type {any} */ changes, head = {}) => ({ ...LAYOUT, ...head, instances: [{ ...LAYOUT.instances[0], ...changes }, ...LAYOUT.instances.slice(1)] });
  const [first] = LAYOUT.instances;
  const backwards = Object.fromEntries(Object.entries(first).reverse());
  for (const [changes, head] of /** @type {[any, any][]} */ ([[{ color: "#000000" }, {}], [{ color: "" }, {}], [{ label: "dog" }, {}], [{ locked: false }, {}], [{ hidden: false }, {}],
    [{ negative: "" }, {}], [{ start: 0, end: 1, enabled: true }, {}], [{ point: null }, {}], [{}, { editor: {} }], [{}, { editor: { grid: true, percent: true } }], [{}, { width: 64, height: 64 }]])) {
    assert.equal(sent(edited(changes, head)), sent(LAYOUT), JSON.stringify([changes, head]));
  }
  for (const text of [JSON.stringify(LAYOUT, null, 2), JSON.stringify({ ...LAYOUT, instances: [backwards, ...LAYOUT.instances.slice(1)] })]) assert.equal(sent(text), sent(LAYOUT));
  for (const changes of [{ caption: "a wolf" }, { box: [0, 0, 1, 1] }, { strength: 1 }, { enabled: false }, { mask: null }, { point: [0.2, 0.3] }, { mood: 2 }]) {
    assert.notEqual(sent(edited(changes)), sent(LAYOUT), JSON.stringify(changes));
  }
});

test("captions go out as the server trims them; one of white space alone is none", () => {
  const sent = (/** @type {string} */ caption) => plain(prompt({ ...LAYOUT, instances: [{ box: BOX, caption, label: "fox" }] }, { 7: apply({ layout: ["4", 0] }) }))[4].inputs.layout;
  assert.equal(sent(" a fox \n"), sent("a fox"));
  assert.notEqual(sent("a  fox"), sent("a fox"));
  assert.deepEqual(JSON.parse(sent("  ")).instances, [{ box: BOX, label: "fox" }]);
});

test("boxes act alike whatever they look like, and only then", () => {
  const [fox] = LAYOUT.instances;
  for (const change of [{ color: "#000000" }, { label: "dog" }, { locked: false }, { hidden: false }, { caption: "a fox " }]) assert.ok(actAlike(fox, { ...fox, ...change }), JSON.stringify(change));
  for (const change of [{ caption: "an owl" }, { box: [0, 0, 1, 1] }, { enabled: false }, { mask: null }]) assert.ok(!actAlike(fox, { ...fox, ...change }), JSON.stringify(change));
});

test("colours and labels go along where a connected node shows them", () => {
  const withLabels = { ...ACTS, instances: [{ box: BOX, caption: "a fox", label: "fox", mask: { size: [1, 1], counts: "01" }, mood: 1, strength: 0.8 }, ...ACTS.instances.slice(1)] };
  const edit = /** @type {[string, any]} */ (["ROICtrlEditInstance", { layout: ["4", 0], instance: "fox" }]);
  const withLooks = { ...ACTS, instances: [{ box: BOX, caption: "a fox", color: "#e69f00", label: "fox", mask: { size: [1, 1], counts: "01" }, mood: 1, strength: 0.8 }, ...ACTS.instances.slice(1)] };
  const merged = /** @type {[string, any]} */ (["ROICtrlMergeLayouts", { layout_1: ["4", 0], layout_2: ["9", 0] }]);
  /** @type {[Record<string, [string, any]>, any][]} */
  const cases = [
    [{ 7: ["AnyNode", { boxes: ["4", 1] }] }, withLooks], [{ 7: ["SaveImage", { images: ["4", 3] }] }, withLooks],
    [{ 7: ["AnyNode", { mask: ["4", 2], width: ["4", 4] }] }, ACTS], [{}, ACTS],
    [{ 7: edit }, withLabels], [{ 6: edit, 7: apply({ layout: ["6", 0] }) }, withLabels], [{ 6: edit, 7: ["ROICtrlPreviewLayout", { layout: ["6", 0] }] }, withLabels],
    [{ 6: merged, 7: apply({ layout: ["6", 0] }) }, ACTS], [{ 6: merged, 7: ["ROICtrlPreviewLayout", { layout: ["6", 0] }] }, ACTS],
    [{ 6: ["ROICtrlMergeLayouts", { layout_1: ["9", 0], layout_2: ["4", 0] }], 7: ["ROICtrlPreviewLayout", { layout: ["6", 0] }] }, withLooks],
    [{ 6: merged, 7: ["AnotherPacksNode", { layout: ["6", 0] }] }, LAYOUT],
    [{ 7: ["ROICtrlExportLayout", { layout: ["4", 0] }] }, LAYOUT], [{ 5: ["ROICtrlInstanceBoxPrompt", { layout: "", boxes: ["4", 0] }] }, LAYOUT],
    [{ 6: ["ROICtrlMergeLayouts", { layout_1: ["4", 0], layout_2: ["6", 0] }] }, ACTS], // round in a circle
  ];
  for (const [others, want] of cases) assert.deepEqual(layoutOf(plain(prompt(LAYOUT, others))), want, JSON.stringify(others));
});

test("Layout to Prompt is told colours only where it writes them", () => {
  const colored = (/** @type {any} */ sent) => layoutOf(sent).instances[0].color === "#e69f00";
  const of = (/** @type {any} */ inputs, others = {}) => colored(plain(prompt(LAYOUT, { 7: ["ROICtrlLayoutToPrompt", { layout: ["4", 0], ...inputs }], ...others })));
  for (const style of [undefined, "captions", "places in words", "background only"]) assert.ok(!of({ style }, { 8: ["CLIPTextEncode", { text: ["7", 0] }] }), style);
  for (const style of ["elements JSON", "JSON caption", ["9", 0]]) assert.ok(of({ style }), String(style));
  assert.ok(of({ style: "captions" }, { 8: ["BuildJsonPromptIdeogram", { element: ["7", 1] }] }));
});

test("Preview Layout is told the colours beside the layout, so that only it runs again", () => {
  const preview = (/** @type {any} */ more = {}) => /** @type {[string, any]} */ (["ROICtrlPreviewLayout", { layout: ["4", 0], table: true, ...more }]);
  const sent = plain(prompt(LAYOUT, { 7: apply({ layout: ["4", 0] }), 8: preview(), 9: preview({ colors: ["3", 0] }) }));
  assert.deepEqual(layoutOf(sent), ACTS);
  assert.equal(sent[8].inputs.colors, "#e69f00 #56b4e9 #009e73");
  assert.deepEqual(sent[9].inputs.colors, ["3", 0], "a link of one's own comes first");
  assert.equal(plain(prompt(ACTS, { 8: preview() }))[8].inputs.colors, undefined);
  const edit = /** @type {[string, any]} */ (["ROICtrlEditInstance", { layout: ["4", 0], instance: "fox" }]);
  const merge = (/** @type {string} */ name, /** @type {string} */ from) => /** @type {[string, any]} */ (["ROICtrlMergeLayouts", { [name]: [from, 0] }]);
  /** @type {Record<string, [string, any]>[]} */
  const cases = [{ 6: edit, 8: preview() }, { 6: edit, 8: preview({ layout: ["6", 0] }) }, { 6: edit, 7: merge("layout_1", "6"), 8: preview({ layout: ["7", 0] }) }];
  for (const others of cases) {
    assert.equal(plain(prompt(LAYOUT, others))[8].inputs.colors, "#e69f00 #56b4e9 #009e73", "also behind a node that keeps the boxes' order");
  }
  assert.equal(plain(prompt(LAYOUT, { 7: merge("layout_2", "4"), 8: preview({ layout: ["7", 0] }) }))[8].inputs.colors, undefined, "there other boxes come first");
});

test("what is no layout, or comes through a link, goes out as it is", () => {
  for (const text of ["", "  ", "{", "0 0.5 0.5 1 1", '[{"x": 1, "y": 1, "width": 5, "height": 5}]', '{"version": 9}']) {
    assert.equal(plain(prompt(text))[4].inputs.layout, text);
  }
  const linked = { 4: { class_type: "ROICtrlInstanceBoxPrompt", inputs: { layout: ["3", 0] } } };
  assert.deepEqual(plain(linked), linked);
});

test("the page's prompt is gone over whoever asks for it, and its workflow keeps all", async () => {
  const app = /** @type {any} */ ({ layout: LAYOUT, async graphToPrompt(/** @type {any} */ layout) {
    const text = JSON.stringify(layout ?? app.layout);
    return { workflow: { nodes: [text] }, output: prompt(text) };
  } });
  sendPlain(app);
  const { workflow, output } = await app.graphToPrompt();
  assert.deepEqual([workflow.nodes[0], output[4].inputs.layout], [JSON.stringify(LAYOUT), JSON.stringify(ACTS)]);
  assert.deepEqual(layoutOf((await app.graphToPrompt(ACTS)).output), ACTS);
});
