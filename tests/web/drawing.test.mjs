import assert from "node:assert/strict";
import { test } from "node:test";

import { takeOneFinger } from "../../web/stylemix/drawing.js";

test("a second finger does nothing", () => {
  const element = new EventTarget();
  /** @type {string[]} */
  const heard = [];
  takeOneFinger(/** @type {Element} */ (element));
  for (const name of ["pointerdown", "pointermove", "pointerup"])
    element.addEventListener(name, () => heard.push(name));
  for (const [name, isPrimary] of [["pointerdown", true], ["pointerdown", false], ["pointermove", false], ["pointerup", true]])
    element.dispatchEvent(Object.assign(new Event(String(name)), { isPrimary }));
  assert.deepEqual(heard, ["pointerdown", "pointerup"]);
});
