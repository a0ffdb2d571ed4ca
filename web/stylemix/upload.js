/** Load W+, Load Tuning, Load Directions: a button, and a file dropped on the node, put it into ComfyUI's input folder and choose it. */

/** Other tools' files of codes and directions. */
export const OTHERS = [".npz", ".npy", ".pt", ".pth", ".pkl"];

/**
 * Whether a file's name ends so.
 *
 * @param {string} name
 * @param {string[]} endings
 */
export function ends(name, endings) {
  return endings.some((ending) => name.toLowerCase().endsWith(ending));
}

/**
 * Put a file into ComfyUI's input folder.
 *
 * @param {Comfy.Api} api
 * @param {File} file
 * @param {string} [folder] below it
 * @returns {Promise<string | null>} its name in loaders' lists; null where the server does not take it
 */
export async function upload(api, file, folder = "") {
  const form = new FormData();
  form.append("image", file); // the route's name for any file
  form.append("type", "input");
  form.append("subfolder", folder);
  const response = await api.fetchApi("/upload/image", { method: "POST", body: form }).catch(() => null);
  if (!response?.ok) return null;
  const { name, subfolder } = await response.json();
  return subfolder ? `${subfolder}/${name}` : name;
}

/**
 * Choose a file in a loader.
 *
 * @param {Comfy.Node} node
 * @param {string} name
 */
export function chooseFile(node, name) {
  const widget = node.widgets?.find((each) => each.name === "file" || each.name === "image");
  if (!widget) return;
  const { values } = widget.options;
  if (Array.isArray(values) && !values.includes(name)) values.push(name);
  widget.value = name;
  widget.callback?.(name);
}

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
