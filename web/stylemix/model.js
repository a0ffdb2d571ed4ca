/** What is known of the model that a node's masks are for. */

import { sourcesOf, targetsOf, valueOf } from "./links.js";

/** Without a model: as many layers as the published 1024 px models have. */
const USUAL = 18;

/** The folder of models that a loader reads from. */
export const LOADERS = { StyleMixLoadGenerator: "stylegan", StyleMixLoadEncoder: "psp" };
/** Nodes that put layers of a style into codes. */
export const INJECTING = ["StyleMixInject", "StyleMixIdentityCap", "StyleMixMatrix", "StyleMixStrip"];
const SOCKETS = new Set(["STYLEMIX_LATENT", "STYLEMIX_GENERATOR", "STYLEMIX_ENCODER"]);

/** Answers of `/stylemix/inspect` by its query; null while the first one is on its way. */
const answers = new Map();
/** Queries whose file may have changed since. */
const stale = new Set();

/**
 * The model behind a node: of the loader that its latents come from, else of its last run, else the usual one.
 *
 * api: ComfyUI's; runOf: what a node's last run gave to the page; arrived: called when an answer of the server is
 * there.
 * @returns {{numWs: number, known: boolean, layers: object}}
 *   layers: by what they carry, such as "hair shape", the first and the last of a model that tells; else empty
 */
export function modelOf(node, api, runOf, arrived) {
  // A node that is being copied has links, but no graph yet to follow them in.
  for (const user of node.graph ? users(node) : []) {
    const [loader] = loadersOf(user);
    const answer = loader && inspect(loader, api, arrived);
    const numWs = answer?.num_ws ?? runOf(user)?.stylemix_num_ws?.[0];
    if (numWs > 0) return { numWs, known: true, layers: answer?.layers ?? {} };
  }
  return { numWs: USUAL, known: false, layers: {} };
}

/** To be called after a run: files may have changed since they were inspected. */
export function inspectAnew() {
  for (const query of answers.keys()) stale.add(query);
}

/** The nodes that use a node's masks on latents: itself, or those behind a Mask List. */
function users(node) {
  if (INJECTING.includes(node.comfyClass)) return [node];
  const next = (each) => (each.outputs ?? []).flatMap((_, slot) => targetsOf(each, slot));
  return walk(next(node), (each) => (INJECTING.includes(each.comfyClass) ? [] : next(each))).filter(
    ({ comfyClass }) => INJECTING.includes(comfyClass),
  );
}

/** The loaders that a node's latents come from, nearest first. */
function loadersOf(node) {
  const feeding = (each) =>
    (each.inputs ?? []).flatMap(({ type }, slot) => (SOCKETS.has(type) ? sourcesOf(each, slot) : []));
  // The style may be another model's by mistake: the source decides.
  const source = sourcesOf(node, node.findInputSlot("latent"));
  return walk(source.length ? source : feeding(node), feeding).filter(
    ({ comfyClass }) => comfyClass in LOADERS,
  );
}

/** All nodes from `places` on, breadth first. */
function walk(places, next) {
  const found = new Set(places.map(({ node }) => node));
  for (const node of found) for (const place of next(node)) found.add(place.node);
  return [...found];
}

function inspect(loader, api, arrived) {
  const checkpoint = valueOf(loader, "checkpoint");
  if (checkpoint === undefined) return null;
  const query = new URLSearchParams({ folder: LOADERS[loader.comfyClass], checkpoint }).toString();
  if (!answers.has(query) || stale.delete(query)) {
    answers.set(query, answers.get(query) ?? null);
    api
      .fetchApi(`/stylemix/inspect?${query}`)
      .then((response) => response.json())
      .catch(() => ({}))
      .then((answer) => {
        answers.set(query, answer);
        arrived();
      });
  }
  return answers.get(query);
}
