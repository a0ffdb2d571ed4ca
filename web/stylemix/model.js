/** How many W+ layers the model has that a node's masks are for. */

/** Without a model: as many as the published 1024 px models have. */
const USUAL = 18;

/** The folder of models that a loader reads from. */
export const LOADERS = { StyleMixLoadGenerator: "stylegan", StyleMixLoadEncoder: "psp" };
const SOCKETS = new Set(["STYLEMIX_LATENT", "STYLEMIX_GENERATOR", "STYLEMIX_ENCODER"]);
const INJECT = "StyleMixInject";

/** Answers of `/stylemix/inspect` by its query: a number of layers, null for none, a promise while asking. */
const inspected = new Map();

/** What runs have told, by node. */
const measured = new WeakMap();

/**
 * The model behind a node: of the loader that its latents come from, else of its last run, else the usual one.
 *
 * api: ComfyUI's; arrived: called when an answer of the server is there.
 * @returns {{numWs: number, known: boolean}}
 */
export function modelOf(node, api, arrived) {
  // A node that is being copied has links, but no graph yet to follow them in.
  for (const user of node.graph ? users(node) : []) {
    const loader = loaderOf(user);
    const numWs = (loader && layersOf(loader, api, arrived)) ?? measured.get(user);
    if (numWs) return { numWs, known: true };
  }
  return { numWs: USUAL, known: false };
}

/** Note what a node's run has told. A file may have changed since it was inspected, so forget those. */
export function noteRun(node, output) {
  const numWs = output?.stylemix_num_ws?.[0];
  if (numWs > 0) measured.set(node, numWs);
  inspected.clear();
}

/** The nodes that use a node's masks on latents: itself, or those behind a Mask List. */
function users(node) {
  if (node.comfyClass === INJECT) return [node];
  return walk(node, (each) =>
    (each.outputs ?? []).flatMap((_, slot) => each.getOutputNodes?.(slot) ?? []),
  ).filter(({ comfyClass }) => comfyClass === INJECT);
}

/** The loader that a node's latents come from, nearest first. */
function loaderOf(node) {
  const feeding = (each) =>
    (each.inputs ?? []).flatMap((input, slot) =>
      input.link != null && (SOCKETS.has(input.type) || each.type === "Reroute")
        ? [each.getInputNode(slot)]
        : [],
    );
  // The style may be another model's by mistake: the source decides.
  const slot = node.findInputSlot("latent");
  const source = slot >= 0 && node.inputs[slot].link != null ? node.getInputNode(slot) : null;
  return walk(source ?? node, feeding).find(({ comfyClass }) => comfyClass in LOADERS);
}

/** All nodes from `start` on, breadth first. Ends of links outside of this graph are left out. */
function walk(start, next) {
  const found = [start];
  for (const node of found) {
    for (const other of next(node)) if (other && !found.includes(other)) found.push(other);
  }
  return found;
}

function layersOf(loader, api, arrived) {
  const checkpoint = loader.widgets?.find(({ name }) => name === "checkpoint")?.value;
  const query = new URLSearchParams({ folder: LOADERS[loader.comfyClass], checkpoint }).toString();
  if (!inspected.has(query)) {
    const question = api
      .fetchApi(`/stylemix/inspect?${query}`)
      .then((response) => response.json())
      .catch(() => ({}))
      .then(({ num_ws }) => {
        inspected.set(query, num_ws ?? null);
        arrived();
      });
    inspected.set(query, question);
  }
  const answer = inspected.get(query);
  return typeof answer === "number" ? answer : null;
}
