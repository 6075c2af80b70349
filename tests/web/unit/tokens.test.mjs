// @ts-check
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import "./page_stub.mjs";
import { TokenCount } from "../../../web/editor/tokens.js";

test("a text is asked for once, a while after it was last typed, and only where CLIP reads it", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const asked = /** @type {string[]} */ ([]);
  const editor = /** @type {any} */ ({ readByClip: true, t: (/** @type {string} */ key, /** @type {any} */ values = {}) => [key, ...Object.values(values)].join(" "), host: {
    fetchApi: async (/** @type {string} */ path, /** @type {any} */ { body }) => {
      const { text } = JSON.parse(body);
      asked.push(text);
      return { ok: text !== "refused", json: async () => ({ tokens: text.length, chunks: text.length > 75 ? 2 : 1 }) };
    } } });
  const count = new TokenCount(editor);
  const after = async (/** @type {string} */ text) => {
    count.show(text);
    mock.timers.tick(1000);
    await new Promise((done) => setImmediate(done));
    return count.element.hidden ? "" : count.element.textContent;
  };
  for (const text of ["a", "a f", "a fo"]) count.show(text);
  assert.equal(await after("a fox"), "tokens.count 5 1");
  assert.equal(await after("x".repeat(80)), "tokens.chunks 80 2");
  assert.equal(await after("a fox"), "tokens.count 5 1");
  assert.equal(await after("refused"), "");
  assert.equal(await after("  "), "");
  editor.readByClip = false;
  assert.equal(await after("an owl"), "");
  assert.deepEqual(asked, ["a fox", "x".repeat(80), "refused"]);
  mock.timers.reset();
});
