/** What of dropped files becomes nodes. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { fitting, hasWorkflow } from "../../web/stylemix/drops.js";

test("of a folder, pictures and codes in the order of their numbers", () => {
  const names = ["face 10.png", ".DS_Store", "notes.txt", "face 9.PNG", "anna.safetensors", ".hidden.png", "w.npz"];
  assert.deepEqual(
    fitting(names.map((name) => ({ name }))).map(({ name }) => name),
    ["anna.safetensors", "face 9.PNG", "face 10.png", "w.npz"],
  );
});

/** @param {string} header */
function file(header) {
  const text = new TextEncoder().encode(header);
  const size = new DataView(new ArrayBuffer(8));
  size.setBigUint64(0, BigInt(text.length), true);
  return new Blob([size, text, new Uint8Array(16)]);
}

test("a workflow inside a safetensors file is seen", async () => {
  assert.equal(await hasWorkflow(file('{"__metadata__": {"workflow": "{}"}}')), true);
  assert.equal(await hasWorkflow(file('{"__metadata__": {"kind": "latents"}}')), false);
  assert.equal(await hasWorkflow(file("no JSON")), false);
  assert.equal(await hasWorkflow(new Blob([new Uint8Array(3)])), false);
  assert.equal(await hasWorkflow(new Blob([new Uint8Array(64).fill(255)])), false);
});
