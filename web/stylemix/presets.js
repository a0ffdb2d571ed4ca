/** The mask lists of the presets menu. */

/** The study project's experiment, also the nodes' default. */
export const STUDY_SWEEP = "0; 1; 2; 3; 4; 5; 0-6";

/** What is published of the FFHQ model: first and last layer. */
const FFHQ = { "hair shape": [2, 6], colour: [7, 9] };

/**
 * Presets for a model with `numWs` layers: `{id, tip, of, masks, usable}`. The texts of `id` and `tip` name and explain
 * each; `of` is the model that it is published for, if it may be another than the connected one; one that needs
 * layers that the model does not have is not usable.
 *
 * layers: the first and last layer of what the model itself tells of, as `modelOf` gives them
 */
export function presets(numWs, layers = {}) {
  const bands = [
    ["coarse", 0],
    ["middle", 4],
    ["fine", 8],
  ].filter(([, first]) => first < numWs);
  const hair = (id, part, label) => {
    const [first, last] = layers[part] ?? FFHQ[part];
    const tip = layers[part] ? `${id}OwnTip` : `${id}Tip`;
    return { id, tip, masks: `${label}: ${first}-${last}`, layers: last + 1, of: layers[part] ? "" : "FFHQ" };
  };
  return [
    { id: "sweep", masks: STUDY_SWEEP, layers: 7 },
    { id: "each", masks: Array.from({ length: numWs }, (_, layer) => layer).join("; "), layers: 1 },
    { id: "bands", masks: bands.map(([name]) => name).join("; "), layers: 1 },
    { id: "all", masks: "all", layers: 1 },
    { id: "one", masks: "random", layers: 1 },
    hair("hairShape", "hair shape", "hair shape"),
    hair("hairColour", "colour", "hair colour"),
  ].map(({ id, tip = `${id}Tip`, masks, layers, of = "" }) => ({ id, tip, of, masks, usable: layers <= numWs }));
}
