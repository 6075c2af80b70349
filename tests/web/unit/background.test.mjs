// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { Background } from "../../../web/editor/background.js";

test("the sampler's frames show while it runs, by choice, and the picture that was made takes their place", () => {
  /** @type {any[]} */
  const images = [];
  Object.assign(globalThis, { Image: class { constructor() { images.push(this); } } });
  const prefs = /** @type {Record<string, any>} */ ({});
  const editor = /** @type {any} */ ({ state: { prefs }, invalidate() {}, host: { resultImage: () => "/view?result", connectedImage: () => "" }, t: () => "", notices: { show: () => assert.fail("nothing is said of a frame") } });
  const background = new Background(editor);
  background.preview(new Blob(["1"]));
  assert.equal(images.length, 0, "not chosen");
  prefs.background = "live";
  background.refresh();
  assert.equal(images[0].src, "/view?result", "the last result until a sampler runs");
  for (const frame of ["1", "2"]) background.preview(new Blob([frame]));
  assert.match(images[2].src, /^blob:/);
  images[1].onload();
  assert.equal(background.image, null, "a frame that came too late");
  images[2].onload();
  assert.equal(background.image, images[2]);
  background.preview(new Blob(["3"]));
  images[3].onerror();
  assert.equal(background.image, images[2], "a frame that cannot be read leaves the one before");
  background.made();
  background.refresh();
  assert.equal(images[4].src, "/view?result");
});
