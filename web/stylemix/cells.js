/**
 * The cells of masks: what a mask does with one W+ layer.
 *
 * @typedef {number | string} Cell 0 (keeps the source), a strength, ALPHA, or a course as `course.js` reads it
 */

export const MIN_STRENGTH = -2;
export const MAX_STRENGTH = 3;

/** The node's own strength, written as a term without `@`. */
export const ALPHA = "alpha";

/** Most columns that can be shown. The largest models have 20 layers. */
export const MAX_COLUMNS = 32;

/**
 * Names of layers: the first one, and the one behind the last.
 *
 * @type {{ name: "coarse" | "middle" | "fine", first: number, end: number }[]}
 */
export const BANDS = [
  { name: "coarse", first: 0, end: 4 }, // 4–8 pixels
  { name: "middle", first: 4, end: 8 }, // 16–32 pixels
  { name: "fine", first: 8, end: Infinity }, // 64 pixels and up
];

/**
 * A cell's number, given the node's own strength; of a course that of the first frame.
 *
 * @param {Cell} cell
 */
export function cellStrength(cell, alpha = 1) {
  if (typeof cell === "number") return cell;
  return cell === ALPHA ? alpha : parseFloat(cell) || 0;
}

/**
 * Change one of a mask's cells; layers that have none so far get 0.
 *
 * @param {Cell[]} cells
 * @param {number} layer
 * @param {Cell} cell
 */
export function setCell(cells, layer, cell) {
  while (cells.length <= layer) cells.push(0);
  cells[layer] = cell;
}

/**
 * Pixels of the feature maps that a layer acts on. The last one is the last to-RGB, at the model's own size.
 *
 * @param {number} layer
 * @param {number} numWs
 */
export function pixels(layer, numWs) {
  return 4 * 2 ** Math.min(Math.ceil(layer / 2), Math.floor((numWs - 1) / 2));
}

/** @param {number} value @param {number} low @param {number} high */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}
