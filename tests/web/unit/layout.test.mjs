// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { LayoutError, MIGRATIONS, fromData, parse, patched, stringify, toData } from "../../../web/editor/layout.js";
import { Store, initial, toText } from "../../../web/editor/state.js";

const FULL = {
  version: 1, width: 640, height: 384, caption: "a forest",
  instances: [
    { box: [0.1, 0.2, 0.5, 0.9], caption: "a red fox", negative: "blurry", strength: 1.2, start: 0.1, end: 0.8,
      enabled: false, color: "#e69f00", label: "fox", mask: { size: [4, 4], counts: "04" }, mood: { happy: true } },
    { box: [0.4, 0.4, 0.6, 0.6], hidden: true, locked: true },
  ],
  editor: { snap: false }, from: "a friend",
};

test("a layout of every field survives a round trip, unknown fields at both levels included", () => {
  assert.deepEqual(JSON.parse(toText(initial(parse(JSON.stringify(FULL))))), FULL);
  assert.deepEqual(toData(fromData(FULL)), FULL);
});

test("blank text is an empty layout; a missing version, size or list has its default", () => {
  for (const text of ["", "  \n", "{}", '{"instances": []}']) {
    assert.deepEqual(toData(parse(text)), { version: 1, width: 512, height: 512, instances: [] });
  }
});

test("defaults are left out, numbers are rounded, unknown fields stay", () => {
  const fields = patched({ box: [0, 0, 1, 1], strength: 2, mood: 1 }, {
    strength: 1, caption: "x", negative: "", enabled: true, box: [0.400000079784518, 0, 0.5, 1] });
  assert.deepEqual(fields, { box: [0.4, 0, 0.5, 1], mood: 1, caption: "x" });
});

/** @type {[string, string][]} */
const BROKEN = [
  ["{", "broken.syntax"], ["[]", "broken.object"], ["3", "broken.object"], ["null", "broken.object"],
  ['{"instances": {}}', "broken.instances"], ['{"version": 2}', "broken.newer"], ['{"version": 0}', "broken.version"],
  ['{"version": "x"}', "broken.version"], ['{"width": 0}', "broken.size"], ['{"height": "tall"}', "broken.size"],
  ['{"instances": [{}]}', "broken.box"], ['{"instances": [{"box": [0, 0, 1]}]}', "broken.box"],
  ['{"instances": [{"box": [0, 0, 1, "1"]}]}', "broken.box"], ['{"instances": [null]}', "broken.box"],
  ['{"instances": [{"box": [0, 0, 1, 1], "caption": 3}]}', "broken.field"],
  ['{"instances": [{"box": [0, 0, 1, 1], "enabled": "yes"}]}', "broken.field"],
];
for (const [text, key] of BROKEN) {
  test(`broken text is refused with a reason: ${text}`, () => {
    assert.throws(() => parse(text), (error) => error instanceof LayoutError && error.key === key);
  });
}

test("an older version is migrated step by step", () => {
  MIGRATIONS[0] = (data) => ({ ...data, version: 1, instances: data.regions });
  try {
    assert.deepEqual(toData(parse('{"version": 0, "regions": [{"box": [0, 0, 1, 1]}]}')).instances, [{ box: [0, 0, 1, 1] }]);
  } finally {
    delete MIGRATIONS[0];
  }
});

test("loading alone changes nothing: what Python wrote is written again", () => {
  const text = '{"version":1,"width":512,"height":512,"instances":[{"box":[0.123456789,0,1.2,1],"strength":1,"label":null}]}';
  assert.equal(stringify(parse(text)), text);
  assert.equal(toText(new Store(initial(parse(text))).state), text);
});
