// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { MAX_BYTES, ROUTE, boundingBoxText, copyText, aside, read, readHere } from "../../../web/editor/io.js";
import { LayoutError } from "../../../web/editor/layout.js";
import { docOf } from "./helpers.mjs";

const SIZE = { width: 512, height: 256 };
const SQUARE = { width: 512, height: 512 };
const unasked = async () => assert.fail("the server was asked");
/** @param {any} body @param {boolean} ok */
const server = (body, ok = true) => async (/** @type {string} */ path, /** @type {any} */ init) => {
  asked.push([path, JSON.parse(init.body)]);
  return /** @type {any} */ ({ ok, statusText: "Unprocessable", json: async () => body });
};
/** @type {any[]} */
const asked = [];

test("our own JSON is read here, with the picture's size where it names none", async () => {
  const { doc } = await read('{"instances": [{"box": [0, 0, 0.5, 0.5], "caption": "fox", "mood": 1}]}', SIZE, unasked);
  assert.deepEqual(doc.items[0].fields, { box: [0, 0, 0.5, 0.5], caption: "fox", mood: 1 });
  assert.deepEqual([doc.head.width, doc.head.height], [512, 256]);
});

const ONE = { x: 51.2, y: 25.6, width: 256, height: 128 };
for (const [form, data] of /** @type {[string, any][]} */ ([["one", ONE], ["a list", [ONE]], ["one frame", [[ONE]]]])) {
  test(`BOUNDING_BOX is read here: ${form}`, async () => {
    const { doc, notes } = await read(JSON.stringify(data), SIZE, unasked);
    assert.deepEqual(doc.items.map((it) => it.fields), [{ box: [0.1, 0.1, 0.6, 0.6] }]);
    assert.deepEqual(notes, []);
  });
}

test("BOUNDING_BOX: caption from metadata.desc, else the label; colour, score and the rest are kept", () => {
  const found = readHere(JSON.stringify([[
    { ...ONE, label: "fox", score: 0.9 },
    { ...ONE, label: "fox", metadata: { type: "obj", text: "", desc: "a red fox", palette: ["#E69F00"] } },
  ]]), SIZE);
  assert.deepEqual(found?.doc.items.map((it) => it.fields), [
    { box: [0.1, 0.1, 0.6, 0.6], caption: "fox", label: "fox", imported: { score: 0.9 } },
    { box: [0.1, 0.1, 0.6, 0.6], caption: "a red fox", label: "fox", color: "#E69F00" },
  ]);
});

test("what may not be pixels goes to the server: shares, percent, another tool's middle, another encoding", () => {
  const big = { width: 1024, height: 768 };
  for (const data of [{ x: 0.1, y: 0.4, width: 0.3, height: 0.5 }, { x: 5, y: 10, width: 60, height: 80 }, { ...ONE, class: "fox", confidence: 0.9 }, { ...ONE, label: "f\ufffdx" }]) {
    assert.equal(readHere(JSON.stringify([data]), big), null, JSON.stringify(data));
  }
  assert.ok(readHere(JSON.stringify([{ x: 5, y: 10, width: 60, height: 80 }]), SIZE));
  assert.ok(readHere(JSON.stringify([{ x: 5, y: 10, width: 60, height: 80 }, { x: 500, y: 10, width: 60, height: 80 }]), big));
  assert.equal(readHere('{"instances": [{"box": [0, 0, 1, 1], "caption": "caf\ufffd"}]}', SIZE), null);
});

test("what needs a sentence goes to the server: no area, over the border, several frames", () => {
  for (const data of [{ ...ONE, width: 0 }, { ...ONE, x: -3 }, { ...ONE, width: 600 }, [[ONE], [ONE]], []]) {
    assert.equal(readHere(JSON.stringify(data), SIZE), null, JSON.stringify(data));
  }
});

const FORMATS = ["elements.json", "instancediffusion.json", "migc.yaml", "omost_conds.json", "coco.json", "labelme.json", "yolo.txt"];
test("every foreign format goes to the server's route, text and size", async () => {
  const samples = { "elements.json": '[{"bbox": [0, 0, 9, 9]}]', "yolo.txt": "0 0.5 0.5 1 1", "migc.yaml": "a park:\n  a dog: [[0, 0, 1, 1]]" };
  for (const name of FORMATS) {
    const text = /** @type {any} */ (samples)[name] ?? `{"made": "for ${name}"}`;
    const { doc, notes } = await read(text, SIZE, server({ layout: { instances: [{ box: [0, 0, 1, 1] }] }, notes: ["One was left out."] }));
    assert.equal(doc.items.length, 1);
    assert.deepEqual(notes, ["One was left out."]);
    assert.deepEqual(asked.at(-1), [ROUTE, { text, ...SIZE }]);
  }
});

test("refusals and a silent server become sentences", async () => {
  await assert.rejects(read("hello", SIZE, server({ error: "In no known format." }, false)),
    (e) => e instanceof LayoutError && e.key === "import.refused" && e.values.reason === "In no known format.");
  await assert.rejects(read("hello", SIZE, async () => { throw new TypeError("offline"); }),
    (e) => e instanceof LayoutError && e.key === "import.server");
  await assert.rejects(read("x".repeat(MAX_BYTES + 1), SIZE, unasked), (e) => e instanceof LayoutError && e.key === "import.large");
  await assert.rejects(read('{"instances": 3}', SIZE, unasked), (e) => e instanceof LayoutError && e.key === "broken.instances");
});

test("copied boxes paste as they were; pasted on top of themselves they step aside", () => {
  const doc = docOf({ box: [0.1, 0.1, 0.4, 0.4], caption: "fox", mood: 1 }, [0.5, 0.5, 1, 1]);
  const text = copyText(doc, [doc.items[0].id]);
  const fields = readHere(text, SIZE)?.doc.items.map((it) => it.fields) ?? [];
  assert.deepEqual(fields, [doc.items[0].fields]);
  assert.deepEqual(aside(fields, docOf(), SIZE), [fields[0].box]);
  assert.deepEqual(aside(fields, doc, SQUARE), [[0.115625, 0.115625, 0.415625, 0.415625]]);
  for (const box of aside(doc.items.map((it) => it.fields), doc, SIZE)) assert.ok(Math.max(...box) <= 1);
});

test("copies step aside together, turn round at the border, and never cover another box exactly while there is room", () => {
  const px = (/** @type {any[]} */ list) => list.map((box) => box.map((/** @type {number} */ v) => Math.round(v * 512)));
  const box = (/** @type {number[]} */ b) => /** @type {any} */ ({ box: b.map((v) => v / 512) });
  const group = [box([0, 0, 64, 64]), box([448, 448, 508, 508])];
  assert.deepEqual(px(aside(group, docOf(...group), SQUARE, 1)), [[4, 4, 68, 68], [452, 452, 512, 512]], "as far as there is room for all");
  const corner = box([448, 448, 512, 512]);
  const found = [corner.box];
  for (let n = 0; n < 40; n++) found.push(...aside([{ box: found[found.length - 1] }], docOf(...found), SQUARE, 1));
  assert.deepEqual(px(found.slice(0, 3)), [[448, 448, 512, 512], [440, 440, 504, 504], [424, 424, 488, 488]]);
  assert.equal(new Set(px(found).map(String)).size, found.length);
  for (const b of px(found)) assert.ok(Math.min(...b) >= 0 && Math.max(...b) <= 512, String(b));
});

test("BOUNDING_BOX out is BOUNDING_BOX in, whole pixels, muted boxes left out", () => {
  const doc = docOf({ box: [0.25, 0.25, 0.5, 0.75], caption: "fox", color: "#e69f00" }, { box: [0, 0, 1, 1], enabled: false });
  const text = boundingBoxText(doc, SIZE);
  assert.deepEqual(JSON.parse(text)[0].length, 1);
  assert.deepEqual(readHere(text, SIZE)?.doc.items[0].fields, { box: [0.25, 0.25, 0.5, 0.75], caption: "fox", label: "fox", color: "#e69f00" });
});

test("the pack's own example workflow texts are layouts", () => {
  const help = readFileSync(new URL("../../../web/docs/ROICtrlInstanceBoxPrompt.md", import.meta.url), "utf8");
  const example = /```json\n([\s\S]*?)```/.exec(help);
  assert.equal(readHere(example?.[1] ?? "", SIZE)?.doc.items.length, 2);
});
