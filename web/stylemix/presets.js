/** The mask lists of the presets menu. */

/** @import { Layers } from "./model.js" */
/** @import { TextKey } from "./texts.js" */

import { BANDS } from "./cells.js";

/**
 * @typedef {object} Preset
 * @property {TextKey} id of the text that names it
 * @property {TextKey} tip of the text that explains it
 * @property {string} of the model that it is published for, if that may be another than the connected one; else ""
 * @property {string} masks
 * @property {boolean} usable whether the model has the layers that it needs
 */

/** The study project's experiment, also the nodes' default. */
export const STUDY_SWEEP = "0; 1; 2; 3; 4; 5; 0-6";

/**
 * What is published of the FFHQ model: first and last layer.
 *
 * @type {Record<"hair shape" | "colour", Layers[string]>}
 */
const FFHQ = { "hair shape": [2, 6], colour: [7, 9] };

/**
 * Presets for a model with `numWs` layers.
 *
 * @param {number} numWs
 * @param {Layers} [layers] the first and last layer of what the model itself tells of
 */
export function presets(numWs, layers = {}) {
  /**
   * @param {"sweep" | "each" | "bands" | "all" | "one" | "hairShape" | "hairColour"} id
   * @param {string} masks
   * @param {number} needed how many layers a model must have
   * @param {TextKey} tip
   * @returns {Preset}
   */
  const preset = (id, masks, needed = 1, tip = `${id}Tip`, of = "") => ({
    id,
    tip,
    of,
    masks,
    usable: needed <= numWs,
  });
  /**
   * @param {"hairShape" | "hairColour"} id
   * @param {string} label
   * @param {keyof typeof FFHQ} part
   */
  const hair = (id, label, part) => {
    const own = layers[part];
    const [first, last] = own ?? FFHQ[part];
    return preset(id, `${label}: ${first}-${last}`, last + 1, own ? `${id}OwnTip` : `${id}Tip`, own ? "" : "FFHQ");
  };
  const bands = BANDS.filter(({ first }) => first < numWs);
  return [
    preset("sweep", STUDY_SWEEP, 7),
    preset("each", Array.from({ length: numWs }, (_, layer) => layer).join("; ")),
    preset("bands", bands.map(({ name }) => name).join("; ")),
    preset("all", "all"),
    preset("one", "random"),
    hair("hairShape", "hair shape", "hair shape"),
    hair("hairColour", "hair colour", "colour"),
  ];
}
