/** What the gallery finds, and what it calls it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { found, titleOf } from "../../web/stylemix/gallery.js";

const files = ["bob haircut (bundled)", "latents/Anna smiling_1.safetensors [output]", "anna.npz"].map((name) => ({
  name,
  kinds: [/** @type {const} */ ("latent")],
  picture: null,
  bundled: false,
  changed: false,
}));

test("every word must be in the name, and favourites come first", () => {
  assert.deepEqual(found(files, "ANNA", ["anna.npz"]).map(({ name }) => name), [files[2].name, files[1].name]);
  assert.deepEqual(found(files, " smil  anna ", []), [files[1]]);
  assert.deepEqual(found(files, "", []), files);
  assert.deepEqual(found(files, "nobody", []), []);
});

test("folders, endings and marks are left out of titles", () => {
  assert.deepEqual(files.map(({ name }) => titleOf(name)), ["bob haircut (bundled)", "Anna smiling_1", "anna"]);
});
