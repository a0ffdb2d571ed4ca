// Which model and which masks a node's grid is for: links through subgraphs, reroutes and bypassed nodes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { givenMasks, ownInForce } from "../../web/stylemix/given.js";
import { nodeAt, sourcesOf, targetsOf, valueOf } from "../../web/stylemix/links.js";
import { inspectAnew, modelOf } from "../../web/stylemix/model.js";
import { presets } from "../../web/stylemix/presets.js";

const LATENT = "STYLEMIX_LATENT";
const MASKS = "STYLEMIX_MASKS";
const GENERATOR = "STYLEMIX_GENERATOR";
const BYPASSED = 4;
const MUTED = 2;

/** @import { RunOf } from "../../web/stylemix/given.js" */

/** @typedef {Comfy.LinkedNode & { widgets: Comfy.Widget[] }} Node */
/** @typedef {Record<string, string>} Types of slots by their names */

/** As much of LiteGraph's graph as links need. */
class Graph {
  /** @type {Node[]} */
  nodes = [];
  /** @type {Map<number, Comfy.Link>} */
  links = new Map();
  /** @type {Map<string, Graph>} */
  subgraphs = new Map();
  /** @type {{ linkIds: number[] }[]} */
  inputs = [];
  /** @type {{ linkIds: number[] }[]} */
  outputs = [];

  /** @param {Graph | null} root */
  constructor(root = null) {
    /** @type {Graph} */
    this.rootGraph = root ?? this;
    this.id = root ? `sub ${root.subgraphs.size}` : "root";
    root?.subgraphs.set(this.id, this);
  }

  setDirtyCanvas() {}

  /** @param {number} id */
  getLink(id) {
    return this.links.get(id);
  }

  /** @param {Comfy.NodeId} id */
  getNodeById(id) {
    return this.nodes.find((node) => `${node.id}` === `${id}`);
  }

  /**
   * @param {string} comfyClass
   * @param {Types} inputs
   * @param {Types} outputs
   * @param {Record<string, unknown>} widgets their values by name, which have an input each
   * @param {Partial<Node>} more
   */
  add(comfyClass, inputs = {}, outputs = {}, widgets = {}, more = {}) {
    const slots = Object.entries(inputs).map(([name, type]) => ({ name, type, link: null }));
    const fields = Object.keys(widgets).map((name) => ({ name, type: "*", link: null, widget: { name } }));
    /** @type {Node} */
    const node = {
      graph: this,
      id: this.nodes.length + 1,
      comfyClass,
      title: comfyClass.replace("StyleMix", ""),
      mode: 0,
      inputs: [...slots, ...fields],
      outputs: Object.entries(outputs).map(([name, type]) => ({ name, type, links: [] })),
      widgets: Object.entries(widgets).map(([name, value]) => ({ name, value, options: {} })),
      findInputSlot: (name) => node.inputs.findIndex((input) => input.name === name),
      getInputLink: (slot) => this.links.get(node.inputs[slot]?.link ?? 0) ?? null,
      ...more,
    };
    this.nodes.push(node);
    return node;
  }

  /**
   * Link an output to an input by its name. Numbers in place of nodes are a subgraph's own slots.
   *
   * @param {Node | number} source
   * @param {number} slot
   * @param {Node | number} target
   */
  link(source, slot, target, input = "") {
    const id = this.links.size + 1;
    const target_slot = typeof target === "number" ? target : target.findInputSlot(input);
    this.links.set(id, {
      origin_id: typeof source === "number" ? -10 : source.id,
      origin_slot: typeof source === "number" ? source : slot,
      target_id: typeof target === "number" ? -20 : target.id,
      target_slot,
    });
    if (typeof source === "number") (this.inputs[source] ??= { linkIds: [] }).linkIds.push(id);
    else source.outputs[slot].links?.push(id);
    if (typeof target === "number") (this.outputs[target] ??= { linkIds: [] }).linkIds.push(id);
    else target.inputs[target_slot].link = id;
  }

  loader(checkpoint = "demo") {
    return this.add("StyleMixLoadGenerator", {}, { generator: GENERATOR }, { checkpoint });
  }

  sampler() {
    return this.add("StyleMixSampler", { generator: GENERATOR }, { image: "IMAGE", latent: LATENT });
  }

  inject(text = "all") {
    const inputs = { latent: LATENT, style: LATENT, masks: MASKS };
    return this.add("StyleMixInject", inputs, { latent: LATENT }, { mask_list: text, alpha: 1 });
  }

  /** @param {string} text */
  list(text, alpha = 1) {
    const outputs = { masks: MASKS, mask_list: "STRING" };
    return this.add("StyleMixMaskList", { masks: MASKS }, outputs, { mask_list: text, alpha });
  }

  /**
   * A node that stands for a graph inside.
   *
   * @param {Graph} subgraph
   * @param {Types} inputs
   * @param {Types} outputs
   */
  use(subgraph, inputs = {}, outputs = {}, widgets = {}) {
    return this.add("subgraph", inputs, outputs, widgets, { subgraph });
  }
}

/** A server that knows two files. */
const api = {
  /** @param {string} query */
  async fetchApi(query) {
    const demo = query.includes("checkpoint=demo");
    const answer = demo ? { num_ws: 14, layers: { "hair shape": [4, 5], colour: [8, 10] } } : { num_ws: 16, pixels: [16, 32], poses: true };
    return { ok: true, json: async () => answer };
  },
};

/** @type {RunOf} */
const noRun = () => undefined;

/**
 * What is known once the server has answered.
 *
 * @param {Node} node
 */
async function model(node, runOf = noRun) {
  inspectAnew();
  await new Promise((/** @type {(value?: unknown) => void} */ arrived) => {
    modelOf(node, api, runOf, arrived);
    setTimeout(arrived, 5);
  });
  return modelOf(node, api, runOf, () => {});
}

/** A loader, a sampler and an InjectW+ node, linked up to the sampler. */
function started(graph = new Graph()) {
  const loader = graph.loader();
  const sampler = graph.sampler();
  graph.link(loader, 0, sampler, "generator");
  return { graph, loader, sampler };
}

test("the model is that of the loader the latents come from", async () => {
  const { graph, sampler, loader } = started();
  const inject = graph.inject();
  assert.deepEqual(await model(inject), { numWs: 18, known: false, layers: {}, pixels: [], poses: false });
  graph.link(sampler, 1, inject, "latent");
  assert.deepEqual((await model(inject)).numWs, 14);
  loader.widgets[0].value = "other.pkl";
  assert.deepEqual(await model(inject), { numWs: 16, known: true, layers: {}, pixels: [16, 32], poses: true });
});

test("a model stays known while the server is asked anew", async () => {
  const { graph, sampler } = started();
  const inject = graph.inject();
  graph.link(sampler, 1, inject, "latent");
  await model(inject);
  inspectAnew();
  assert.equal(modelOf(inject, api, noRun, () => {}).numWs, 14);
});

test("the last run tells where no loader does", async () => {
  const inject = new Graph().inject();
  assert.equal((await model(inject, () => ({ stylemix_num_ws: [10] }))).numWs, 10);
});

test("into a subgraph and out of it, however deep", async () => {
  const { graph, sampler } = started();
  const outer = new Graph(graph);
  const inner = new Graph(graph);
  const use = graph.use(outer, { latent: LATENT });
  const innerUse = outer.use(inner, { latent: LATENT });
  const inject = inner.inject();
  graph.link(sampler, 1, use, "latent");
  outer.link(0, 0, innerUse, "latent");
  inner.link(0, 0, inject, "latent");
  assert.equal((await model(inject)).numWs, 14);
});

test("a node is found under the id that it runs under", () => {
  const graph = new Graph();
  const inner = new Graph(graph);
  const use = graph.use(inner);
  const inject = inner.inject();
  assert.equal(nodeAt({ graph }, `${use.id}:${inject.id}`), inject);
  assert.equal(nodeAt({ graph }, `${use.id}`), use);
  assert.equal(nodeAt({ graph }, "99:1"), undefined);
});

test("a loader and a sampler inside of a subgraph", async () => {
  const graph = new Graph();
  const { graph: inside, sampler } = started(new Graph(graph));
  const use = graph.use(inside, {}, { latent: LATENT });
  inside.link(sampler, 1, 0);
  const inject = graph.inject();
  graph.link(use, 0, inject, "latent");
  assert.equal((await model(inject)).numWs, 14);
});

test("a checkpoint that is chosen on the subgraph", async () => {
  const graph = new Graph();
  const inside = new Graph(graph);
  const { loader, sampler } = started(inside);
  inside.link(0, 0, loader, "checkpoint");
  inside.link(sampler, 1, 0);
  const use = graph.use(inside, {}, { latent: LATENT }, { checkpoint: "other.pkl" });
  const inject = graph.inject();
  graph.link(use, 0, inject, "latent");
  assert.equal(valueOf(loader, "checkpoint"), "other.pkl");
  assert.equal((await model(inject)).numWs, 16);
});

test("through reroutes and bypassed nodes, not through muted ones", async () => {
  const { graph, sampler } = started();
  const reroute = graph.add("Reroute", { in: "*" }, { out: "*" }, {}, { isVirtualNode: true });
  const blend = graph.add("StyleMixBlendLatent", { weight: "FLOAT", a: LATENT }, { latent: LATENT });
  const inject = graph.inject();
  graph.link(sampler, 1, reroute, "in");
  graph.link(reroute, 0, blend, "a");
  graph.link(blend, 0, inject, "latent");
  for (const mode of [0, BYPASSED]) {
    blend.mode = mode;
    assert.equal((await model(inject)).numWs, 14);
  }
  assert.deepEqual(sourcesOf(inject, 0), [{ node: sampler, slot: 1 }]);
  assert.deepEqual(targetsOf(sampler, 1), [{ node: inject, slot: 0 }]);
  blend.mode = MUTED;
  assert.deepEqual(sourcesOf(inject, 0), []);
  assert.equal((await model(inject)).known, false);
});

test("links in a circle come to an end", () => {
  const graph = new Graph();
  const nodes = [0, 1].map(() => graph.add("Reroute", { in: "*" }, { out: "*" }, {}, { isVirtualNode: true }));
  graph.link(nodes[0], 0, nodes[1], "in");
  graph.link(nodes[1], 0, nodes[0], "in");
  assert.deepEqual(sourcesOf(nodes[0], 0), []);
  assert.deepEqual(targetsOf(nodes[0], 0), []);
});

test("a subgraph's slot whose link is gone leads nowhere", () => {
  const graph = new Graph();
  const inside = new Graph(graph);
  const use = graph.use(inside, {}, { latent: LATENT });
  const inject = graph.inject();
  graph.link(use, 0, inject, "latent");
  inside.link(inside.sampler(), 1, 0);
  inside.links.clear();
  assert.deepEqual(sourcesOf(inject, 0), []);
});

test("a Mask List is for the model of the nodes that use it", async () => {
  const { graph, sampler } = started();
  const first = graph.list("0");
  const second = graph.list("1");
  const inside = new Graph(graph);
  const inject = inside.inject();
  const use = graph.use(inside, { latent: LATENT, masks: MASKS });
  graph.link(first, 0, second, "masks");
  graph.link(second, 0, use, "masks");
  graph.link(sampler, 1, use, "latent");
  inside.link(0, 0, inject, "latent");
  inside.link(1, 0, inject, "masks");
  assert.equal((await model(first)).numWs, 14);
  assert.equal((await model(second)).numWs, 14);
});

test("figures tell their own model", async () => {
  const { graph, loader } = started();
  const matrix = graph.add("StyleMixMatrix", { generator: GENERATOR, latent: LATENT, style: LATENT });
  graph.link(loader, 0, matrix, "generator");
  assert.equal((await model(matrix)).numWs, 14);
});

test("masks of Mask Lists are in force at once, with their strengths", () => {
  const graph = new Graph();
  const inject = graph.inject("9");
  assert.equal(givenMasks(inject, 14, noRun), null);
  assert.equal(ownInForce(inject, "mask_list"), true);
  const first = graph.list("hair: 4-5; 2@0.2", 0.5);
  const second = graph.list("random(2), 3");
  graph.link(first, 0, second, "masks");
  graph.link(second, 0, inject, "masks");
  const text = "hair: 4-5@0.5; 2@0.2; random(2), 3";
  assert.deepEqual(givenMasks(inject, 14, noRun), { key: "fromMasks", text, name: "MaskList" });
  assert.deepEqual([inject, second].map((each) => ownInForce(each, "mask_list")), [false, true]);
  assert.equal(givenMasks(second, 14, noRun), null); // its own come behind those of the first
  graph.link(second, 0, first, "masks");
  assert.equal(givenMasks(inject, 14, noRun)?.text, null); // no run could tell, either
});

test("a Mask List that is muted or bypassed leaves a node its own masks", () => {
  for (const mode of [2, 4]) {
    const graph = new Graph();
    const inject = graph.inject("9");
    const list = graph.list("hair: 4-5", 1);
    graph.link(list, 0, inject, "masks");
    list.mode = mode;
    assert.equal(givenMasks(inject, 14, noRun), null);
    assert.equal(ownInForce(inject, "mask_list"), true);
  }
});

test("a server that does not answer is asked again", async () => {
  const { graph, sampler } = started();
  const inject = graph.inject("9");
  graph.link(sampler, 1, inject, "latent");
  inspectAnew();
  const silent = { fetchApi: async () => { throw new Error("it is gone"); } };
  modelOf(inject, silent, noRun, () => {});
  await new Promise((later) => setTimeout(later, 5));
  assert.equal((await model(inject)).numWs, 14);
});

test("masks of other nodes are those of the last run", () => {
  const graph = new Graph();
  const inject = graph.inject("9");
  const find = graph.add("StyleMixFindLayers", {}, { masks: MASKS, mask_list: "STRING" });
  graph.link(find, 0, inject, "masks");
  assert.deepEqual(givenMasks(inject, 14, noRun), {
    key: "fromMasksLater",
    text: null,
    name: "FindLayers",
  });
  const run = () => ({ stylemix_masks: ["hair: 4-5"] });
  assert.deepEqual(givenMasks(inject, 14, run), { key: "fromMasksRun", text: "hair: 4-5", name: "FindLayers" });
});

test("a linked text is shown: that of a primitive at once, others after a run", () => {
  const graph = new Graph();
  const inject = graph.inject("9");
  const primitive = graph.add("PrimitiveNode", {}, { out: "STRING" }, {}, { isVirtualNode: true });
  primitive.inputs = [];
  primitive.widgets = [{ name: "value", value: "2-6", options: {} }];
  graph.link(primitive, 0, inject, "mask_list");
  assert.deepEqual(givenMasks(inject, 14, noRun), { key: "linked", text: "2-6", name: "PrimitiveNode" });
  graph.link(graph.list("4-5; 6@0.5", 1), 1, inject, "mask_list");
  inject.widgets[1].value = 0.3; // the strength of terms that have none, also of linked ones
  assert.equal(givenMasks(inject, 14, noRun)?.text, "4-5@0.3; 6@0.5");
  const find = graph.add("StyleMixFindLayers", {}, { masks: MASKS, mask_list: "STRING" });
  graph.link(find, 1, inject, "mask_list");
  assert.equal(givenMasks(inject, 14, noRun)?.key, "linkedLater");
  assert.equal(givenMasks(inject, 14, () => ({ stylemix_masks: ["0"] }))?.text, "0");
});

test("presets for hair fit the model", () => {
  /** @param {Parameters<typeof presets>} model */
  const hair = (...model) =>
    presets(...model)
      .filter(({ id }) => id.startsWith("hair"))
      .map(({ masks, tip, of, usable }) => [masks, tip, of, usable]);
  assert.deepEqual(hair(18), [
    ["hair shape: 2-6", "hairShapeTip", "FFHQ", true],
    ["hair colour: 7-9", "hairColourTip", "FFHQ", true],
  ]);
  assert.deepEqual(hair(14, { "hair shape": [4, 5], colour: [8, 10] }), [
    ["hair shape: 4-5", "hairShapeOwnTip", "", true],
    ["hair colour: 8-10", "hairColourOwnTip", "", true],
  ]);
  assert.deepEqual(hair(8).map(([, , , usable]) => usable), [true, false]);
});
