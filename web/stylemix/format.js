/** Masks in words: the shortest text of the grammar that says them. */

/** @import { Cell } from "./cells.js" */

import { ALPHA } from "./cells.js";

/**
 * One text of all masks, each as short as it can be.
 *
 * @param {{ label: string, cells?: Cell[], text?: string }[]} masks with their cells, or with a text that stays as it is
 * @param {number} numWs
 */
export function format(masks, numWs) {
  return masks
    .map(({ label, cells = [], text }) => (label ? `${label}: ` : "") + (text ?? formatCells(cells, numWs)))
    .join("; ");
}

/**
 * The shortest terms that give these cells: "all, 5@0" rather than "0-4, 6-17".
 *
 * @param {Cell[]} cells
 * @param {number} numWs
 */
export function formatCells(cells, numWs) {
  /** @type {Map<string, string[]>} */
  const known = new Map();

  /**
   * A term covers the layers from its first to its last visible one; later terms repaint parts of it. So the best
   * text of i … j, where all cells show `under` already, is found from shorter spans.
   *
   * @param {number} i
   * @param {number} j
   * @param {Cell} under
   * @returns {string[]}
   */
  function best(i, j, under) {
    while (i <= j && cells[i] === under) i++;
    if (i > j) return [];
    const key = `${i} ${j} ${under}`;
    const found = known.get(key);
    if (found) return found;
    const candidates = [];
    for (let k = i; k <= j; k++) {
      if (cells[k] !== cells[i]) continue;
      candidates.push([term(i, k, cells[i], numWs), ...best(i + 1, k - 1, cells[i]), ...best(k + 1, j, under)]);
    }
    const shortest = candidates.reduce((one, other) => (size(other) < size(one) ? other : one));
    known.set(key, shortest);
    return shortest;
  }

  return best(0, cells.length - 1, 0).join(", ") || "none";
}

/**
 * A strength in the grammar's form, which has no exponents.
 *
 * @param {number} strength
 */
export function formatStrength(strength) {
  const text = String(strength);
  return text.includes("e") ? strength.toFixed(20).replace(/\.?0+$/, "") : text;
}

/**
 * The layers of a mask without a label, as Python names it: "0-2, 5".
 *
 * @param {Cell[]} cells
 */
export function formatLayers(cells) {
  const found = [];
  for (let first = 0; first < cells.length; first++) {
    if (cells[first] === 0) continue;
    let last = first;
    while (last + 1 < cells.length && cells[last + 1] !== 0) last++;
    found.push(range(first, last));
    first = last;
  }
  return found.join(", ") || "none";
}

/** @param {string[]} terms */
function size(terms) {
  return terms.reduce((sum, text) => sum + text.length + 2, 0);
}

/**
 * @param {number} first
 * @param {number} last
 * @param {Cell} cell
 * @param {number} numWs
 */
function term(first, last, cell, numWs) {
  const numbers = range(first, last);
  const end = last === numWs - 1;
  // Names that are no longer than the range: they hold for other models, too.
  const name = end && first === 0 ? "all" : end && first === 8 ? "fine" : "";
  const layers = name && name.length <= numbers.length ? name : numbers;
  if (cell === ALPHA) return layers;
  return `${layers}@${typeof cell === "number" ? formatStrength(cell) : cell}`;
}

/**
 * @param {number} first
 * @param {number} last
 */
function range(first, last) {
  return first === last ? `${first}` : `${first}-${last}`;
}
