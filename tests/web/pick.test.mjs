/** What becomes of a mask list when a sheet is pressed. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { withMask } from "../../web/stylemix/pick.js";

test("a mask comes below the others, whatever they end with", () => {
  assert.equal(withMask("", "4"), "4");
  assert.equal(withMask(" \n", "4"), "4");
  assert.equal(withMask("0; hair: 4-5 ; ", "3@0.5, 7"), "0; hair: 4-5; 3@0.5, 7");
  assert.equal(withMask("0\n1\n", "4"), "0\n1; 4");
});
