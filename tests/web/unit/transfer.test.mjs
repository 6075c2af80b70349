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

/** An editor without a page that holds these boxes. @param {any[]} boxes */
function editor(...boxes) {
  const store = new Store(initial(docOf(...boxes)));
  const t = (/** @type {string} */ key) => key;
  const notices = new Notices(t);
  const nothing = { addEventListener() {} };
  const around = { store, t, notices, size: SIZE, say() {}, root: nothing, view: { focus: nothing }, host: {}, get state() { return store.state; },
    insert: (/** @type {any[]} */ list, /** @type {any} */ to) => store.dispatch({ type: "add", list, boxes: to }) };
  const transfer = new Transfer(/** @type {any} */ (around));
  const copy = () => {
    let text = "";
    store.dispatch({ type: "select", ids: store.state.doc.items.map((it) => it.id) });
    const clipboardData = { setData: (/** @type {string} */ _, /** @type {string} */ value) => { text = value; } };
    transfer.copyEvent(/** @type {any} */ ({ preventDefault() {}, stopPropagation() {}, clipboardData }));
    return text;
  };
  return { transfer, copy, said: () => /** @type {any} */ (notices.element).text.trim(), boxes: () => store.state.doc.items.map((it) => it.fields.box) };
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
