// @ts-check
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { chain, translator } from "../../../web/editor/i18n.js";
import { BROKEN_KEYS } from "./keys.mjs";
import { POINTER, SHORTCUTS, keyName, shortcutFor, written } from "../../../web/editor/shortcuts.js";
import { BUILT_IN } from "../../../web/editor/templates.js";
import { TOOLS } from "../../../web/editor/tools/index.js";

const locale = (/** @type {string} */ name) => JSON.parse(readFileSync(new URL(`../../../locales/${name}/main.json`, import.meta.url), "utf8")).roictrl;
const [en, zh] = [locale("en"), locale("zh")];
/** @param {any} node @param {string} [path] @returns {[string, string][]} */
const leaves = (node, path = "") => Object.entries(node).flatMap(([key, value]) =>
  typeof value === "string" ? [[`${path}${key}`, value]] : leaves(value, `${path}${key}.`));
const keys = new Map(leaves(en));

test("English and Chinese say the same things with the same values", () => {
  const said = leaves(zh).filter(([key]) => !/^(note|item)\./.test(key)); // of the server's, English comes with them (tests/unit/test_notes.py)
  assert.deepEqual([...new Map(said).keys()].sort(), [...keys.keys()].sort());
  for (const [key, text] of said) {
    const names = (/** @type {string} */ s) => (s.match(/\{\w+\}/g) ?? []).sort();
    assert.deepEqual(names(text), names(keys.get(key) ?? ""), key);
    assert.notEqual(text, "");
  }
});

test("every key in the code is in the catalogue, and every line of the catalogue is used", () => {
  const folder = new URL("../../../web/editor/", import.meta.url);
  const code = readdirSync(folder, { recursive: true }).map(String).filter((f) => f.endsWith(".js")).map((f) => readFileSync(new URL(f, folder), "utf8")).join("\n");
  const used = new Set([...code.matchAll(/["'`]((?:[a-z]+\.)+[A-Za-z0-9]+)["'`]/g)].map((m) => m[1]).filter((k) => !/\.(m?js|css|json|md)$/.test(k)));
  const made = [...code.matchAll(/`([a-z]+)\.\$\{/g)].map((m) => `${m[1]}.`);
  for (const key of keys.keys()) {
    assert.ok(used.has(key) || made.some((start) => key.startsWith(start)) || key.startsWith("keys.pointer"), `${key} is used`);
  }
  const groups = new Set([...keys.keys()].map((k) => k.split(".")[0]));
  for (const key of used) if (groups.has(key.split(".")[0])) assert.ok(keys.has(key) || keys.has(`keys.${key}`), `${key} is in the catalogue`);
  for (const key of BROKEN_KEYS) assert.ok(keys.has(key), key);
  for (const { say } of SHORTCUTS) if (say) assert.ok(keys.has(`keys.${say}`), say);
  for (const [how, what] of POINTER) assert.ok(keys.has(`keys.${how}`) && keys.has(`keys.${what}`), how);
  for (const { name } of TOOLS) assert.ok(keys.has(`tools.${name}`) && keys.has(`how.${name}`), name);
  for (const { name } of BUILT_IN) assert.ok(keys.has(`template.${name}`), name);
});

test("a language falls back to its family, then to English, then to the key", () => {
  const all = { en: { roictrl: { a: "A {n}", b: "B" } }, zh: { roictrl: { a: "甲 {n}" } } };
  const t = translator(...chain(all, "zh-TW"));
  assert.deepEqual([t("a", { n: 3 }), t("b"), t("c.d")], ["甲 3", "B", "c.d"]);
  assert.equal(translator(...chain(all, "fr"))("a", { n: "<b>" }), "A <b>");
});

for (const shortcut of SHORTCUTS) {
  test(`shortcut ${shortcut.key} is heard as ${shortcut.command}`, () => {
    const parts = shortcut.key === "+" ? ["+"] : shortcut.key.split("+");
    const key = parts.at(-1) ?? "";
    const event = { key: parts.includes("Shift") && /^[a-z]$/.test(key) ? key.toUpperCase() : key, ctrlKey: parts.includes("Ctrl"),
      shiftKey: parts.includes("Shift") || key === "?" || key === "+", altKey: parts.includes("Alt") };
    assert.equal(keyName(event), shortcut.key);
    assert.equal(shortcutFor(event)?.command, shortcut.command);
    assert.deepEqual(shortcutFor(event)?.args, shortcut.args);
  });
}

test("Command stands for Ctrl; unknown keys are nobody's; no key is taken twice", () => {
  assert.equal(shortcutFor({ key: "z", metaKey: true })?.command, "undo");
  assert.equal(shortcutFor({ key: "Enter", ctrlKey: true }), null);
  assert.equal(new Set(SHORTCUTS.map((s) => s.key)).size, SHORTCUTS.length);
  assert.equal(written({ key: "Ctrl+d", command: "duplicate" }), "Ctrl+D");
});
