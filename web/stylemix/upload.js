/** Load W+, Load Tuning, Load Directions: a button, and a file dropped on the node, put it into ComfyUI's input folder and choose it. */

import { chooseFile, ends, upload } from "./loaders.js";

/**
 * @param {Comfy.Node} node
 * @param {Comfy.Api} api
 * @param {string[]} endings of the files that are taken
 * @param {string} label what the button says
 * @param {(name: string) => void} fail called with a file's name when it cannot be taken
 */
export function addUpload(node, api, endings, label, fail) {
  const picker = Object.assign(document.createElement("input"), { type: "file", accept: endings.join() });

  /** @param {File} chosen */
  const take = async (chosen) => {
    const path = ends(chosen.name, endings) ? await upload(api, chosen) : null;
    if (path === null) return fail(chosen.name);
    chooseFile(node, path);
    node.graph?.setDirtyCanvas(true, true);
  };

  picker.addEventListener("change", () => {
    if (picker.files?.[0]) take(picker.files[0]);
    picker.value = ""; // the same file may be chosen again
  });
  const button = node.addWidget("button", "upload", null, () => picker.click(), { serialize: false });
  button.label = label;
  button.serialize = false;
  node.onDragOver = (event) => [...(event.dataTransfer?.items ?? [])].some(({ kind }) => kind === "file");
  node.onDragDrop = (event) => {
    const [dropped] = event.dataTransfer?.files ?? [];
    if (dropped) take(dropped);
    return Boolean(dropped);
  };
}
