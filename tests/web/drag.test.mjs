/** Arrows are read from text and written to it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readArrows, writeArrows } from "../../web/stylemix/drag.js";

test("arrows are lines of the text, and come back as they were", () => {
  const arrows = readArrows("0.5, 0.58 > 0.54, 0.58; .1,1>0,0\n\nnose > chin\n");
  assert.deepEqual(arrows, [
    [0.5, 0.58, 0.54, 0.58],
    [0.1, 1, 0, 0],
  ]);
  assert.equal(writeArrows(arrows), "0.500, 0.580 > 0.540, 0.580\n0.100, 1.000 > 0.000, 0.000");
  assert.deepEqual(readArrows(writeArrows(arrows)), arrows);
  assert.deepEqual(readArrows(""), []);
});
