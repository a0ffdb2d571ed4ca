/** What the checkpoint of a loader is, or why it cannot be loaded, below the loader's settings. */

/** @import { Answer } from "./model.js" */

import { chain } from "./chain.js";
import { addElement } from "./element.js";

/** Five lines; longer texts scroll. */
const HEIGHT = 76;

/**
 * @param {Comfy.Node} node
 * @param {Comfy.Api} api
 * @param {string} folder of models that the loader reads from
 */
export function addInfo(node, api, folder) {
  const checkpoint = node.widgets?.find(({ name }) => name === "checkpoint");
  if (!checkpoint) return;
  const element = document.createElement("div");
  element.className = "stylemix-info";
  let asked = "";

  const refresh = async () => {
    const query = new URLSearchParams({ folder, checkpoint: String(checkpoint.value) }).toString();
    asked = query;
    /** @type {Answer} */
    const answer = await api
      .fetchApi(`/stylemix/inspect?${query}`)
      .then((response) => response.json())
      .catch(() => ({}));
    if (asked !== query) return; // another file was chosen meanwhile
    element.textContent = answer.summary ?? answer.error ?? "";
    element.classList.toggle("stylemix-wrong", "error" in answer);
  };

  addElement(node, "info", "STYLEMIX_INFO", element, () => HEIGHT);
  chain(checkpoint, "callback", refresh);
  chain(node, "onConfigure", refresh);
  refresh();
}
