/** Arrows are read from text and written to it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readArrows, withArrow } from "../../web/stylemix/drag.js";

const TEXT = "0.5, 0.58 > 0.5, 0.58; nose > chin\n\n.1,1>0,0";

test("arrows are lines of the text, one that stays among them", () => {
  assert.deepEqual(readArrows(TEXT), [
    [0.5, 0.58, 0.5, 0.58],
    [0.1, 1, 0, 0],
  ]);
  assert.deepEqual(readArrows(""), []);
});

test("one arrow is changed, and the other lines stay as they are", () => {
  assert.equal(withArrow(TEXT, 1, [0, 0, 1, 0.25]), "0.5, 0.58 > 0.5, 0.58\nnose > chin\n0.000, 0.000 > 1.000, 0.250");
  assert.equal(withArrow(TEXT, 0, null), "nose > chin\n.1,1>0,0");
  assert.equal(withArrow("nose", 0, [0.5, 0.5, 0.6, 0.5]), "nose\n0.500, 0.500 > 0.600, 0.500");
  assert.equal(withArrow("", 0, [0.5, 0.5, 0.6, 0.5]), "0.500, 0.500 > 0.600, 0.500");
});
