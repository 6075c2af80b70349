// @ts-check
/** What comes in by paste, drop and file: where it goes, and that something is said where nothing comes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import "./page_stub.mjs";
import { toData } from "../../../web/editor/layout.js";
import { Notices } from "../../../web/editor/notices.js";
import { initial, Store } from "../../../web/editor/state.js";
import { Transfer } from "../../../web/editor/transfer.js";
import { SIZE, docOf } from "./helpers.mjs";

const BOX = [0, 0, 0.25, 0.25];
const OTHER = [0.5, 0.5, 0.75, 0.75];
const ASIDE = [0.015625, 0.015625, 0.265625, 0.265625];

/** What the server answers, the last first, and what it was asked: @type {any[]} */
const answers = [];
/** @type {any[]} */
const asked = [];
const fetchApi = async (/** @type {string} */ _, /** @type {any} */ init) => {
  asked.push(JSON.parse(init.body));
  const answer = answers.pop();
  return /** @type {any} */ ({ ok: !answer.error, json: async () => answer });
};

/** An editor without a page that holds these boxes. @param {any[]} boxes */
function editor(...boxes) {
  const store = new Store(initial(docOf(...boxes)));
  const t = (/** @type {string} */ key) => key;
  const notices = new Notices(t);
  const nothing = { addEventListener() {} };
  const around = { store, t, notices, size: SIZE, say() {}, root: nothing, view: { focus: nothing }, host: { captureUndo() {}, fetchApi }, get state() { return store.state; },
    insert: (/** @type {any[]} */ list, /** @type {any} */ to) => store.dispatch({ type: "add", list, boxes: to }) };
  const transfer = new Transfer(/** @type {any} */ (around));
  const copy = () => {
    let text = "";
    store.dispatch({ type: "select", ids: store.state.doc.items.map((it) => it.id) });
    const clipboardData = { setData: (/** @type {string} */ _, /** @type {string} */ value) => { text = value; } };
    transfer.copyEvent(/** @type {any} */ ({ preventDefault() {}, stopPropagation() {}, clipboardData }));
    return text;
  };
  return { transfer, copy, store, notices, said: () => /** @type {any} */ (notices.element).text.trim(), boxes: () => store.state.doc.items.map((it) => it.fields.box) };
}
/** @param {any[]} boxes */
const layoutText = (...boxes) => JSON.stringify(toData(docOf(...boxes)));
/** @param {string} text */
const file = (text) => new File([text], "boxes.json");

test("copies stand aside of what they were copied from, whatever the clipboard does to line ends", async () => {
  for (const ends of ["\n", "\r\n"]) {
    const { transfer, copy, boxes } = editor(BOX);
    await transfer.takeText(copy().replaceAll("\n", ends));
    assert.deepEqual(boxes(), [BOX, ASIDE]);
  }
  const [from, to] = [editor(BOX), editor(BOX)];
  await to.transfer.takeText(from.copy());
  assert.deepEqual(to.boxes(), [BOX, ASIDE], "in another node as well");
});

test("what comes from elsewhere stays where it says, also on a box that is there", async () => {
  const pixels = JSON.stringify([{ x: 0, y: 0, width: 128, height: 128, label: "same" }, { x: 256, y: 256, width: 128, height: 128, label: "other" }]);
  for (const text of [pixels, layoutText(BOX, OTHER)]) {
    const { transfer, boxes } = editor(BOX);
    await transfer.takeText(text);
    assert.deepEqual(boxes(), [BOX, BOX, OTHER]);
  }
  const { transfer, copy, boxes } = editor(BOX);
  await transfer.takeFiles([file(copy())]);
  assert.deepEqual(boxes(), [BOX, BOX], "a file is no copy");
});

test("blank text, an empty file and a layout without boxes are spoken of", async () => {
  const { transfer, said } = editor(BOX);
  await transfer.takeText("  \n");
  assert.match(said(), /import\.blank/);
  await transfer.takeText(layoutText());
  assert.match(said(), /import\.none/);
  await transfer.takeFiles([file("")]);
  assert.match(said(), /boxes\.json: import\.blank/);
});

test("what was said of an import goes with the next one", async () => {
  const { transfer, said } = editor(BOX);
  await transfer.takeText('{"instances": 3}');
  assert.match(said(), /broken\.instances/);
  await transfer.takeText(layoutText(OTHER));
  assert.equal(said(), "");
});

const UNIT = { now: "pixels", options: [{ value: "pixels", title: "pixels" }, { value: "percent", title: "percent" }] };
const PICK = { now: "1", options: Array.from({ length: 9 }, (_, n) => ({ value: String(n + 1), title: `picture ${n + 1}` })) };
/** @param {any[]} boxes @param {any} choices @param {string} [caption] */
const readAs = (boxes, choices, caption) => ({ layout: { instances: boxes.map((box) => ({ box })), ...(caption ? { caption } : {}) }, notes: [], choices });

/** What can be pressed, chosen or typed in a notice, but for its cross. @param {any} element @returns {any[]} */
const controls = (element) => element.children.flatMap((/** @type {any} */ c) =>
  (["select", "input"].includes(c.tag) || c.getAttribute?.("aria-pressed") ? [c] : c.children ? controls(c) : []));

test("what may be read otherwise is a button; one press reads the text anew, in the place of what it was", async () => {
  const { transfer, notices, boxes, store } = editor(BOX);
  answers.push(readAs([OTHER], { box_unit: UNIT }));
  await transfer.takeText("[[1, 2, 3, 4]]");
  assert.deepEqual(boxes(), [BOX, OTHER]);
  const [now, other] = controls(notices.element);
  assert.deepEqual([now, other].map((button) => [button.text, button.getAttribute("aria-pressed")]), [["reading.pixels", "true"], ["reading.percent", "false"]]);
  answers.push(readAs([ASIDE, OTHER], { box_unit: { ...UNIT, now: "percent" } }));
  await other.heard.click();
  assert.deepEqual(asked.slice(-2).map(({ text, box_unit }) => [text, box_unit]), [["[[1, 2, 3, 4]]", undefined], ["[[1, 2, 3, 4]]", "percent"]]);
  assert.deepEqual(boxes(), [BOX, ASIDE, OTHER]);
  assert.equal(controls(notices.element)[1].getAttribute("aria-pressed"), "true");
  store.dispatch({ type: "undo" });
  assert.deepEqual(boxes(), [BOX, OTHER], "one step");
  store.dispatch({ type: "undo" });
  assert.deepEqual(boxes(), [BOX]);
});

test("choices add up, and a refusal leaves what was read and its buttons", async () => {
  const { transfer, notices, boxes, said } = editor();
  answers.push(readAs([BOX], { box_unit: UNIT, pick: PICK }));
  await transfer.takeText("several");
  const [, percent] = controls(notices.element);
  answers.push(readAs([OTHER], { box_unit: { ...UNIT, now: "percent" }, pick: PICK }));
  await percent.heard.click();
  const list = controls(notices.element).find((control) => control.tag === "select");
  answers.push({ error: "There is no picture 3." });
  list.value = "3";
  await list.heard.change();
  assert.deepEqual([asked.at(-1).pick, asked.at(-1).box_unit], ["3", "percent"]);
  assert.match(said(), /import\.refused/);
  assert.deepEqual(boxes(), [OTHER]);
  answers.push(readAs([BOX], { box_unit: UNIT, pick: PICK }));
  await controls(notices.element)[0].heard.click();
  assert.equal(asked.at(-1).pick, undefined, "what was refused is not asked for again");
  assert.deepEqual(boxes(), [BOX]);
});

test("another prompt of a file brings its own words for the whole picture, but not over those of a person", async () => {
  const { transfer, notices, store } = editor();
  answers.push(readAs([BOX], { pick: PICK }, "a park"));
  await transfer.takeText("prompts");
  const pick = async (/** @type {string} */ caption) => {
    answers.push(readAs([BOX], { pick: PICK }, caption));
    await controls(notices.element)[0].heard.change();
    return store.state.doc.head.caption;
  };
  assert.equal(store.state.doc.head.caption, "a park");
  assert.equal(await pick("a beach"), "a beach");
  store.dispatch({ type: "head", changes: { caption: "my own" } });
  assert.equal(await pick("a park"), "my own");
});

test("the buttons of boxes that another text has replaced do nothing but go", async () => {
  const { transfer, notices, boxes, store } = editor();
  answers.push(readAs([BOX], { box_unit: UNIT }));
  await transfer.takeText("numbers");
  store.dispatch({ type: "load", doc: docOf(BOX) });
  await controls(notices.element)[1].heard.click();
  assert.deepEqual([boxes(), controls(notices.element)], [[BOX], []]);
});

test("several files are read without questions", async () => {
  const { transfer, notices } = editor();
  answers.push(readAs([BOX], { box_unit: UNIT }), readAs([OTHER], { box_unit: UNIT }));
  await transfer.takeFiles([file("one"), file("two")]);
  assert.deepEqual(controls(notices.element), []);
  answers.push(readAs([BOX], { class_names: { now: "", options: [] } }));
  await transfer.takeFiles([file("one")]);
  assert.equal(controls(notices.element)[0].tag, "input");
});
