/** Load W+, Load Tuning: a button, and a file dropped on the node, put it into ComfyUI's input folder and choose it. */

const ENDING = ".safetensors";

/**
 * api: ComfyUI's; label: what the button says; fail: called with a file's name when it cannot be taken.
 */
export function addUpload(node, api, label, fail) {
  const file = node.widgets.find(({ name }) => name === "file");
  const picker = Object.assign(document.createElement("input"), { type: "file", accept: ENDING });

  async function take(chosen) {
    const form = new FormData();
    form.append("image", chosen); // the route's name for any file
    form.append("type", "input");
    const response = chosen.name.endsWith(ENDING) && (await api.fetchApi("/upload/image", { method: "POST", body: form }));
    if (!response?.ok) return fail(chosen.name);
    const { name, subfolder } = await response.json();
    const path = subfolder ? `${subfolder}/${name}` : name;
    const { values } = file.options;
    if (Array.isArray(values) && !values.includes(path)) values.push(path);
    file.value = path;
    file.callback?.(path);
    node.graph?.setDirtyCanvas(true, true);
  }

  picker.addEventListener("change", () => {
    if (picker.files[0]) take(picker.files[0]);
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
