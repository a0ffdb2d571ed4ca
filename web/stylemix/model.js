/** What is known of the model that a node's masks are for. */

/** @import { RunOf } from "./given.js" */
/** @import { Place } from "./links.js" */

import { sourcesOf, targetsOf, valueOf } from "./links.js";

/** @typedef {Record<string, [first: number, last: number]>} Layers by what they carry, such as "hair shape" */

/**
 * @typedef {object} Model
 * @property {number} numWs how many layers it has
 * @property {boolean} known false for the usual one
 * @property {Layers} layers of a model that tells; else empty
 * @property {number[]} pixels of every layer's maps, of a model that tells; else empty
 * @property {boolean} poses whether layer 0 turns and shifts the picture and does nothing else
 */

/**
 * What `/stylemix/inspect` says of a checkpoint; nothing when no answer came.
 *
 * @typedef {object} Answer
 * @property {string} [summary]
 * @property {string} [error] why it cannot be loaded
 * @property {number} [num_ws]
 * @property {Layers} [layers]
 * @property {number[]} [pixels]
 * @property {boolean} [poses]
 */

/** Without a model: as many layers as the published 1024 px models have. */
const USUAL = 18;

/**
 * The folder of models that a loader reads from, by its class. Nodes that the page makes by itself have no class.
 *
 * @type {Map<string | undefined, string>}
 */
export const LOADERS = new Map([
  ["StyleMixLoadGenerator", "stylegan"],
  ["StyleMixLoadEncoder", "psp"],
]);
/**
 * Nodes that put layers of a style into codes.
 *
 * @type {Set<string | undefined>}
 */
export const INJECTING = new Set(["StyleMixInject", "StyleMixIdentityCap", "StyleMixMatrix", "StyleMixStrip"]);
/** Nodes with a mask list of their own. */
export const MASKED = new Set([...INJECTING, "StyleMixMaskList"]);
const SOCKETS = new Set(["STYLEMIX_LATENT", "STYLEMIX_GENERATOR", "STYLEMIX_ENCODER"]);

/**
 * Answers by the query for them; null while the first one is on its way.
 *
 * @type {Map<string, Answer | null>}
 */
const answers = new Map();
/**
 * Queries whose file may have changed since.
 *
 * @type {Set<string>}
 */
const stale = new Set();

/**
 * The model behind a node: of the loader that its latents come from, else of its last run, else the usual one.
 *
 * @param {Comfy.LinkedNode} node
 * @param {Pick<Comfy.Api, "fetchApi">} api
 * @param {RunOf} runOf
 * @param {() => void} arrived called when an answer of the server is there
 * @returns {Model}
 */
export function modelOf(node, api, runOf, arrived) {
  // A node that is being copied has links, but no graph yet to follow them in.
  for (const user of node.graph ? users(node) : []) {
    const [loader] = loadersOf(user);
    const answer = loader && inspect(loader, api, arrived);
    const numWs = answer?.num_ws ?? runOf(user)?.stylemix_num_ws?.[0];
    const { layers = {}, pixels = [], poses = false } = answer ?? {};
    if (numWs) return { numWs, known: true, layers, pixels, poses };
  }
  return { numWs: USUAL, known: false, layers: {}, pixels: [], poses: false };
}

/** To be called after a run: files may have changed since they were inspected. */
export function inspectAnew() {
  for (const query of answers.keys()) stale.add(query);
}

/**
 * The nodes that use a node's masks on latents: itself, or those behind a Mask List.
 *
 * @param {Comfy.LinkedNode} node
 */
function users(node) {
  if (INJECTING.has(node.comfyClass)) return [node];
  /** @param {Comfy.LinkedNode} each */
  const next = (each) => each.outputs.flatMap((_, slot) => targetsOf(each, slot));
  return walk(next(node), (each) => (INJECTING.has(each.comfyClass) ? [] : next(each))).filter(
    ({ comfyClass }) => INJECTING.has(comfyClass),
  );
}

/**
 * The loaders that a node's latents come from, nearest first.
 *
 * @param {Comfy.LinkedNode} node
 */
function loadersOf(node) {
  /** @param {Comfy.LinkedNode} each */
  const feeding = (each) =>
    each.inputs.flatMap(({ type }, slot) => (SOCKETS.has(type) ? sourcesOf(each, slot) : []));
  // The style may be another model's by mistake: the source decides.
  const source = sourcesOf(node, node.findInputSlot("latent"));
  return walk(source.length ? source : feeding(node), feeding).filter(({ comfyClass }) =>
    LOADERS.has(comfyClass),
  );
}

/**
 * All nodes from `places` on, breadth first.
 *
 * @param {Place[]} places
 * @param {(node: Comfy.LinkedNode) => Place[]} next
 */
function walk(places, next) {
  const found = new Set(places.map(({ node }) => node));
  for (const node of found) for (const place of next(node)) found.add(place.node);
  return [...found];
}

/**
 * @param {Comfy.LinkedNode} loader
 * @param {Pick<Comfy.Api, "fetchApi">} api
 * @param {() => void} arrived
 */
function inspect(loader, api, arrived) {
  const checkpoint = valueOf(loader, "checkpoint");
  if (checkpoint === undefined) return null;
  const query = queryOf(LOADERS.get(loader.comfyClass) ?? "", checkpoint);
  if (!answers.has(query) || stale.delete(query)) {
    answers.set(query, answers.get(query) ?? null);
    ask(api, query).then((answer) => {
      if (!Object.keys(answer).length) return void stale.add(query); // nobody answered: asked again later
      answers.set(query, answer);
      arrived();
    });
  }
  return answers.get(query);
}

/**
 * What `ask` takes for a checkpoint of a folder of models.
 *
 * @param {string} folder
 * @param {unknown} checkpoint
 */
export function queryOf(folder, checkpoint) {
  return new URLSearchParams({ folder, checkpoint: String(checkpoint) }).toString();
}

/**
 * What a checkpoint is; empty where nobody answers.
 *
 * @param {Pick<Comfy.Api, "fetchApi">} api
 * @param {string} query of `queryOf`
 * @returns {Promise<Answer>}
 */
export function ask(api, query) {
  return api
    .fetchApi(`/stylemix/inspect?${query}`)
    .then((response) => response.json())
    .catch(() => ({}));
}
