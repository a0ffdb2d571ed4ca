/** Where two pictures differ. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { paintDifference } from "../../web/stylemix/compare.js";

test("differences are painted from black over red and yellow to white, and counted", () => {
  const one = new Uint8ClampedArray([0, 0, 0, 255, 90, 90, 90, 255, 200, 200, 200, 255, 255, 0, 0, 255]);
  const other = new Uint8ClampedArray([0, 0, 0, 255, 90, 90, 175, 255, 72, 72, 72, 255, 0, 255, 255, 255]);
  const map = new Uint8ClampedArray(16);
  const { mean, most } = paintDifference(one, other, map);
  assert.deepEqual([...map], [0, 0, 0, 255, 170, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255]);
  assert.equal(most, 1);
  assert.ok(Math.abs(mean - (1 / 9 + 128 / 255 + 1) / 4) < 1e-9);
});
