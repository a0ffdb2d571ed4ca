/**
 * Where links lead when a workflow runs: into and out of subgraphs, through reroutes and bypassed nodes. A subgraph
 * may be used several times; then one of its inputs leads to several places.
 */

/** @typedef {{ node: Comfy.LinkedNode, slot: number }} Place a node and the number of an input or an output */

/** Ids that a subgraph's links have where they begin at its inputs and end at its outputs. */
const INPUTS = -10;
const OUTPUTS = -20;
const MUTED = 2;
const BYPASSED = 4;

/**
 * The nodes that feed an input, as `{node, slot}` with the slot of the output.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} slot
 * @param {Set<string>} [seen]
 * @returns {Place[]}
 */
export function sourcesOf(node, slot, seen = new Set()) {
  const link = linkOf(node.graph, node.inputs[slot]?.link);
  return link && fresh(seen, node, slot) ? originsOf(node.graph, link, seen) : [];
}

/**
 * The nodes that an output feeds, as `{node, slot}` with the slot of the input.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} slot
 * @param {Set<string>} [seen]
 * @returns {Place[]}
 */
export function targetsOf(node, slot, seen = new Set()) {
  if (!fresh(seen, node, slot)) return [];
  return (node.outputs[slot]?.links ?? []).flatMap((id) =>
    endsOf(node.graph, linkOf(node.graph, id), seen),
  );
}

/**
 * What a widget holds when the workflow runs: its own value, or the one of the widget that is linked to it. Undefined
 * where only a run can tell.
 *
 * @param {Comfy.LinkedNode} node
 * @param {string} name
 * @returns {unknown}
 */
export function valueOf(node, name) {
  const slot = node.inputs.findIndex(({ widget }) => widget?.name === name);
  const link = linkOf(node.graph, node.inputs[slot]?.link);
  if (!link) return node.widgets?.find((widget) => widget.name === name)?.value;
  if (Number(link.origin_id) === INPUTS) {
    const [use] = usesOf(node.graph);
    const input = use?.inputs[link.origin_slot];
    return input && valueOf(use, input.widget?.name ?? input.name);
  }
  const [source] = originsOf(node.graph, link, new Set());
  return source?.node.isVirtualNode ? source.node.widgets?.[0]?.value : undefined;
}

/**
 * @param {Comfy.Graph | null} graph
 * @param {Comfy.Link | null | undefined} link
 * @param {Set<string>} seen
 * @returns {Place[]}
 */
function originsOf(graph, link, seen) {
  if (!graph || !link) return [];
  if (Number(link.origin_id) === INPUTS)
    return usesOf(graph).flatMap((use) => sourcesOf(use, link.origin_slot, seen));
  const node = graph.getNodeById(link.origin_id);
  const slot = link.origin_slot;
  if (!node || node.mode === MUTED) return [];
  if (node.mode === BYPASSED) return sourcesOf(node, passing(node, slot), seen);
  const { subgraph } = node;
  if (subgraph) {
    const inner = subgraph.outputs[slot]?.linkIds ?? [];
    return inner.flatMap((id) => originsOf(subgraph, linkOf(subgraph, id), seen));
  }
  const before = node.isVirtualNode && node.inputs.length ? node.getInputLink(slot) : null;
  if (before) return fresh(seen, node, slot) ? originsOf(graph, before, seen) : [];
  return [{ node, slot }];
}

/**
 * @param {Comfy.Graph | null} graph
 * @param {Comfy.Link | null | undefined} link
 * @param {Set<string>} seen
 * @returns {Place[]}
 */
function endsOf(graph, link, seen) {
  if (!graph || !link) return [];
  if (Number(link.target_id) === OUTPUTS)
    return usesOf(graph).flatMap((use) => targetsOf(use, link.target_slot, seen));
  const node = graph.getNodeById(link.target_id);
  const slot = link.target_slot;
  if (!node || node.mode === MUTED) return [];
  if (node.mode === BYPASSED)
    return node.outputs.flatMap((_, out) => (passing(node, out) === slot ? targetsOf(node, out, seen) : []));
  const { subgraph } = node;
  if (subgraph) {
    const inner = subgraph.inputs[slot]?.linkIds ?? [];
    return inner.flatMap((id) => endsOf(subgraph, linkOf(subgraph, id), seen));
  }
  if (node.isVirtualNode) return node.outputs.flatMap((_, out) => targetsOf(node, out, seen));
  return [{ node, slot }];
}

/**
 * The input that stands for an output of a bypassed node: the one of its type in the same place, or the first.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} slot
 */
function passing(node, slot) {
  const { type } = node.outputs[slot];
  return node.inputs[slot]?.type === type ? slot : node.inputs.findIndex((input) => input.type === type);
}

/**
 * The node that runs under an id: `5:1` is node 1 of the subgraph that node 5 is.
 *
 * @param {Pick<Comfy.App, "graph" | "rootGraph">} app
 * @param {Comfy.NodeId} id
 */
export function nodeAt(app, id) {
  /** @type {Comfy.Graph | undefined} */
  let graph = app.rootGraph ?? app.graph;
  let node;
  for (const part of `${id}`.split(":")) {
    node = graph?.getNodeById(part);
    graph = node?.subgraph;
  }
  return node;
}

/**
 * The nodes that a subgraph is used as, in the whole workflow.
 *
 * @param {Comfy.Graph | null} graph
 */
export function usesOf(graph) {
  if (!graph) return [];
  const root = graph.rootGraph;
  return [root, ...root.subgraphs.values()]
    .flatMap(({ nodes }) => nodes)
    .filter(({ subgraph }) => subgraph === graph);
}

/** @param {Comfy.Graph | null} graph @param {number | null | undefined} id */
function linkOf(graph, id) {
  return id == null ? null : graph?.getLink(id);
}

/**
 * Whether a place is met for the first time: links can be wired in circles.
 *
 * @param {Set<string>} seen
 * @param {Comfy.LinkedNode} node
 * @param {number} slot
 */
function fresh(seen, node, slot) {
  const place = `${node.graph?.id} ${node.id} ${slot}`;
  return !seen.has(place) && Boolean(seen.add(place));
}
