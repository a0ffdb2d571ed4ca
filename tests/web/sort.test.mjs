/** What Sort Faces keeps as text, and which face it asks for. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { readChoices, restOf, writeChoices } from "../../web/stylemix/sort.js";

test("choices are read and written in their order, a later one replacing an earlier one of the same face", () => {
  const chosen = readChoices("+3, -1 +12;-3");
  assert.deepEqual([...chosen], [[1, false], [12, true], [3, false]]);
  assert.equal(writeChoices(chosen), "-1 +12 -3");
  assert.deepEqual([...readChoices("")], []);
});

test("faces are asked for in the run's order, and others after them", () => {
  assert.deepEqual(restOf(5, [3, 0], readChoices("+1")), [4, 2, 3, 5]);
  assert.deepEqual(restOf(2, [3, 0, 1], readChoices("")), [1, 2]);
});
