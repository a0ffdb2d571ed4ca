/** What the checkpoint of a loader is, or why it cannot be loaded, below the loader's settings. */

import { chain } from "./chain.js";
import { addElement } from "./element.js";
import { ask, queryOf } from "./model.js";

/** Of the nodes that have one. */
let count = 0;

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
    const query = queryOf(folder, checkpoint.value);
    asked = query;
    const answer = await ask(api, query);
    if (asked !== query) return; // another file was chosen meanwhile
    element.textContent = answer.summary ?? answer.error ?? "";
    element.classList.toggle("stylemix-wrong", "error" in answer);
  };

  // A type of its own for each, as the mask grid's.
  addElement(node, "info", `STYLEMIX_INFO_${++count}`, element, () => HEIGHT);
  chain(checkpoint, "callback", refresh);
  chain(node, "onConfigure", refresh);
  refresh();
}
