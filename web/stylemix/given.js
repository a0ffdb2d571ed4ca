/** The masks that act on a node and are not its own: of its `masks` input, or of what is linked to its text. */

/** @import { Cell } from "./cells.js" */

import { ALPHA } from "./cells.js";
import { format } from "./format.js";
import { parse } from "./grammar.js";
import { sourcesOf, usesOf, valueOf } from "./links.js";

/** @typedef {(node: Comfy.LinkedNode) => Comfy.Output | undefined} RunOf what a node's last run gave to the page */

/**
 * Masks that a node gets from elsewhere.
 *
 * @typedef {object} GivenMasks
 * @property {`${"fromMasks" | "linked"}${"" | "Run" | "Later"}`} key of the text that says where they come from
 * @property {string | null} text null until a run tells
 * @property {string} name the title of the node that makes them
 */

const LIST = "StyleMixMaskList"; // whose own masks come behind those of `masks`
const TEXT = "mask_list";

/**
 * Masks that a node gets from elsewhere, with every strength in the text; null where its own text is in force.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} numWs
 * @param {RunOf} runOf
 */
export function givenMasks(node, numWs, runOf) {
  if (ownInForce(node, TEXT)) return null;
  const slot = node.findInputSlot("masks");
  const [source] = sourcesOf(node, slot);
  if (node.comfyClass !== LIST && source) return given(node, "fromMasks", slot, listText(source.node, numWs), runOf);
  return given(node, "linked", widgetSlot(node, TEXT), ownText(node, numWs), runOf);
}

/**
 * Whether what a node's own widget says is in force: nothing is linked to it, nor masks that take its place.
 *
 * @param {Comfy.LinkedNode} node
 * @param {string} name of the widget
 */
export function ownInForce(node, name) {
  if (linked(node, widgetSlot(node, name))) return false;
  // A Mask List that is bypassed or muted gives nothing, and the node's own masks run.
  return name !== TEXT || node.comfyClass === LIST || !sourcesOf(node, node.findInputSlot("masks")).length;
}

/**
 * @param {Comfy.LinkedNode} node
 * @param {"fromMasks" | "linked"} key
 * @param {number} slot
 * @param {string | null | undefined} text
 * @param {RunOf} runOf
 * @returns {GivenMasks}
 */
function given(node, key, slot, text, runOf) {
  // Where nothing is linked to a subgraph's input, the subgraph's own widget gives the value.
  const [source = usesOf(node.graph)[0]] = sourcesOf(node, slot).map((place) => place.node);
  const name = source?.title ?? "";
  if (text) return { key, text, name };
  const last = runOf(node)?.stylemix_masks?.[0];
  return last ? { key: `${key}Run`, text: last, name } : { key: `${key}Later`, text: null, name };
}

/**
 * All masks of a Mask List; null where only a run can tell, or none, because lists are wired in a circle.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} numWs
 * @param {Set<Comfy.LinkedNode>} [seen]
 * @returns {string | null}
 */
function listText(node, numWs, seen = new Set()) {
  if (node.comfyClass !== LIST || seen.has(node)) return null;
  seen.add(node);
  const own = ownText(node, numWs, seen);
  const slot = node.findInputSlot("masks");
  if (!own || !linked(node, slot)) return own;
  const [source] = sourcesOf(node, slot);
  const before = source && listText(source.node, numWs, seen);
  return before ? `${before}; ${own}` : null;
}

/**
 * A node's own masks with `alpha` written out; null where only a run can tell. A broken text stays as it is.
 *
 * @param {Comfy.LinkedNode} node
 * @param {number} numWs
 * @param {Set<Comfy.LinkedNode>} [seen]
 */
function ownText(node, numWs, seen) {
  const [linkedTo] = sourcesOf(node, widgetSlot(node, TEXT));
  const text = valueOf(node, TEXT) ?? (linkedTo && listText(linkedTo.node, numWs, seen));
  const alpha = valueOf(node, "alpha");
  if (typeof text !== "string" || typeof alpha !== "number") return null;
  const document = parse(text, numWs);
  if (!document.masks.length) return text;
  /** @param {Cell} cell */
  const written = (cell) => (cell === ALPHA && alpha !== 1 ? alpha : cell);
  const masks = document.masks.map(({ label, cells, locked, terms, end }) =>
    locked ? { label, text: document.text.slice(terms, end) } : { label, cells: cells.map(written) },
  );
  return format(masks, numWs);
}

/**
 * The input that a widget has, for those who link to it.
 *
 * @param {Comfy.LinkedNode} node
 * @param {string} name
 */
function widgetSlot(node, name) {
  return node.inputs.findIndex(({ widget }) => widget?.name === name);
}

/** @param {Comfy.LinkedNode} node @param {number} slot */
function linked(node, slot) {
  return node.inputs[slot]?.link != null;
}
