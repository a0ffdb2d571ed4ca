/** The mask lists of the presets menu. */

/** The study project's experiment, also the nodes' default. */
export const STUDY_SWEEP = "0; 1; 2; 3; 4; 5; 0-6";

/**
 * Presets for a model with `numWs` layers: `{id, masks, usable}`. The texts of `id` and `id + "Tip"` name and
 * explain each; one that needs layers that the model does not have is not usable.
 */
export function presets(numWs) {
  const bands = [
    ["coarse", 0],
    ["middle", 4],
    ["fine", 8],
  ].filter(([, first]) => first < numWs);
  return [
    { id: "sweep", masks: STUDY_SWEEP, layers: 7 },
    { id: "each", masks: Array.from({ length: numWs }, (_, layer) => layer).join("; "), layers: 1 },
    { id: "bands", masks: bands.map(([name]) => name).join("; "), layers: 1 },
    { id: "all", masks: "all", layers: 1 },
    { id: "one", masks: "random", layers: 1 },
    { id: "hairShape", masks: "hair shape: 2-6", layers: 7 },
    { id: "hairColour", masks: "hair colour: 7-9", layers: 10 },
  ].map(({ id, masks, layers }) => ({ id, masks, usable: layers <= numWs }));
}
