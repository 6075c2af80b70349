// @ts-check
import assert from "node:assert/strict";
import { test } from "node:test";
import { STEP, scheduled } from "../../../web/editor/schedule.js";

/** @type {["start"|"end", number, [number, number], Record<string, number>][]} */
const CASES = [
  ["end", 0.2, [0.9, 1], { start: 0.15, end: 0.2 }], ["end", 0.15, [0.9, 1], { start: 0.1, end: 0.15 }], ["end", 0.22, [0.3, 1], { start: 0.2, end: 0.22 }],
  ["start", 0.9, [0, 0.5], { start: 0.9, end: 0.95 }], ["start", 0.97, [0, 0.5], { start: 0.97, end: 1 }], ["start", 0.3, [0, 0.3], { start: 0.3, end: 0.35 }],
  ["start", 1, [0, 1], { start: 0.95 }], ["start", 1, [0, 0.5], { start: 0.95, end: 1 }], ["end", 0, [0, 1], { end: 0.05 }], ["end", 0.03, [0.5, 1], { start: 0, end: 0.03 }],
  ["start", 0.33, [0, 1], { start: 0.33 }], ["end", 0.8, [0.1, 1], { end: 0.8 }],
];
for (const [key, value, [start, end], want] of CASES) {
  test(`${key} ${value} in ${start} to ${end}`, () => assert.deepEqual(scheduled(key, value, { start, end }), want));
}

test("whatever is typed, the start stays before the end, and what is pushed is on a step", () => {
  const values = Array.from({ length: 101 }, (_, i) => i / 100);
  for (const key of /** @type {const} */ (["start", "end"])) {
    for (const value of values) for (const start of values) for (const end of values.filter((v) => v > start)) {
      const changes = /** @type {Record<string, number>} */ (scheduled(key, value, { start, end }));
      const next = { start, end, ...changes };
      const pushed = changes[key === "start" ? "end" : "start"] ?? 0;
      assert.ok(next.start < next.end && next.start >= 0 && next.end <= 1, JSON.stringify([key, value, start, end, changes]));
      assert.ok(String(pushed).length <= 4 && Math.abs(pushed / STEP - Math.round(pushed / STEP)) < 1e-9, String(pushed));
    }
  }
});
