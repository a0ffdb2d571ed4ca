/** Load W+, Load Tuning, Load Directions: a button, and a file dropped on the node, put it into ComfyUI's input folder and choose it. */

/**
 * @param {Comfy.Node} node
 * @param {Comfy.Api} api
 * @param {string[]} endings of the files that are taken
 * @param {string} label what the button says
 * @param {(name: string) => void} fail called with a file's name when it cannot be taken
 */
export function addUpload(node, api, endings, label, fail) {
  const file = node.widgets?.find(({ name }) => name === "file");
  if (!file) return;
  const picker = Object.assign(document.createElement("input"), { type: "file", accept: endings.join() });

  /** @param {File} chosen */
  const take = async (chosen) => {
    const form = new FormData();
    form.append("image", chosen); // the route's name for any file
    form.append("type", "input");
    const response = endings.some((ending) => chosen.name.toLowerCase().endsWith(ending))
      ? await api.fetchApi("/upload/image", { method: "POST", body: form })
      : null;
    if (!response?.ok) return fail(chosen.name);
    const { name, subfolder } = await response.json();
    const path = subfolder ? `${subfolder}/${name}` : name;
    const { values } = file.options;
    if (Array.isArray(values) && !values.includes(path)) values.push(path);
    file.value = path;
    file.callback?.(path);
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
