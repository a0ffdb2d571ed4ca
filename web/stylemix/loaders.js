/** Files that go into ComfyUI's input folder, and loaders of them on the canvas. */

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
 * A free place in the upper middle of what is seen of the canvas.
 *
 * @param {Comfy.App} app
 * @returns {[x: number, y: number]}
 */
export function freePlace(app) {
  const { left, top, width, height } = app.canvas.canvas.getBoundingClientRect();
  let [x, y] = placeOf(app, left + width / 2, top + height / 3);
  while (app.canvas.graph.getNodeOnPos(x, y)) [x, y] = [x + 40, y + 40];
  return [x, y];
}

/**
 * A place of the page on the canvas.
 *
 * @param {Comfy.App} app
 * @param {number} x
 * @param {number} y
 * @returns {[x: number, y: number]}
 */
export function placeOf({ canvas: { canvas, ds } }, x, y) {
  const { left, top } = canvas.getBoundingClientRect();
  return [(x - left) / ds.scale - ds.offset[0], (y - top) / ds.scale - ds.offset[1]];
}

/**
 * Put a loader of a file onto the canvas, the middle of its upper edge at a place.
 *
 * @param {Comfy.App} app
 * @param {string} type
 * @param {string} file
 * @param {[x: number, y: number]} place
 * @returns {boolean} whether the host has such a node
 */
export function addLoader(app, type, file, [x, y]) {
  const node = LiteGraph.createNode(type);
  if (!node) return false;
  node.pos = [x - node.size[0] / 2, y];
  app.canvas.graph.add(node);
  chooseFile(node, file);
  app.canvas.setDirty(true, true);
  return true;
}
