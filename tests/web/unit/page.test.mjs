// @ts-check
/** What the page shares with ComfyUI and all other packs, we leave alone: its head and body, its globals, its class names. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

const ROOT = new URL("../../../", import.meta.url);
const read = (/** @type {string} */ name) => readFileSync(new URL(name, ROOT), "utf8");
/** Our modules without their comments, by name. */
const code = readdirSync(new URL("web/", ROOT), { recursive: true }).map(String).filter((name) => name.endsWith(".js"))
  .map((name) => [name, read(`web/${name}`).replace(/\/\*[^]*?\*\/|\/\/.*$/gm, "")]);

test("nothing is put into the shared document, nor written to globals", () => {
  for (const [name, text] of code) {
    assert.doesNotMatch(text, /\bdocument\s*\.\s*(head|body|documentElement|adoptedStyleSheets|cookie|addEventListener|querySelector)\b/, name);
    assert.doesNotMatch(text, /\b(window|globalThis)\)?\s*(\.\w+|\[[^\]]+\])\s*(\?\?|\|\|)?=[^=]/, name);
    assert.doesNotMatch(text, /\b(localStorage|sessionStorage|BroadcastChannel|postMessage|insertRule|CSSStyleSheet)\b/, name);
  }
});

test("the extension's name is under the pack's DisplayName: small letters and digits", () => {
  const [, shown] = /^DisplayName = "(.+)"$/m.exec(read("pyproject.toml")) ?? [];
  const names = code.flatMap(([, text]) => [...text.matchAll(/registerExtension\(\{\s*name: "([^"]+)"/g)].map((m) => m[1]));
  const space = shown.toLowerCase().replace(/[^a-z0-9]/g, "");
  assert.equal(names.length, 1);
  assert.ok(names[0].startsWith(`${space}.`), `${names[0]} is not under ${space}`);
});

test("every rule of the style sheet is for our own elements", () => {
  const rules = read("web/editor/style.css").replace(/\/\*[^]*?\*\//g, "").match(/[^{}]+(?=\{)/g) ?? [];
  const selectors = rules.map((rule) => rule.trim()).filter((rule) => !rule.startsWith("@")).flatMap((rule) => rule.split(/,(?![^(]*\))/));
  assert.ok(selectors.length > 50);
  for (const selector of selectors) assert.match(selector, /^\s*(\.isLOD )?\.roictrl/);
});
