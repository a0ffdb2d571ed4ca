/**
 * Changes to the text of a mask list that leave everything else in it as it was written: other masks, comments,
 * separators. Every function takes a document from `parse` and returns the new text.
 */

/** @import { Cell } from "./cells.js" */
/** @import { Mask, MaskDocument } from "./grammar.js" */

import { format, formatCells } from "./format.js";
import { parse } from "./grammar.js";

/**
 * Give one mask other cells.
 *
 * @param {MaskDocument} document
 * @param {number} index
 * @param {Cell[]} cells
 * @param {number} numWs
 */
export function setCells(document, index, cells, numWs) {
  document = asText(document, numWs);
  const { terms, end } = document.masks[index];
  const gap = document.text[terms - 1] === ":" ? " " : "";
  return splice(document.text, terms, end, gap + formatCells(cells, numWs));
}

/**
 * Give one mask another label, or none. What a label cannot contain becomes a space.
 *
 * @param {MaskDocument} document
 * @param {number} index
 * @param {string} label
 * @param {number} numWs
 */
export function setLabel(document, index, label, numWs) {
  document = asText(document, numWs);
  const { start, terms } = document.masks[index];
  const clean = label
    .split(/[\s;:,#；：，、＃]+/)
    .filter(Boolean)
    .join(" ");
  return splice(document.text, start, terms, clean ? `${clean}: ` : "");
}

/**
 * Take one mask out, with its separator, or with its line and that line's comment when it stands alone there.
 *
 * @param {MaskDocument} document
 * @param {number} index
 * @param {number} numWs
 */
export function remove(document, index, numWs) {
  document = asText(document, numWs);
  const { text, source } = document;
  const mask = document.masks[index];
  const line = lineOf(document, mask);
  if (line.alone) {
    return line.end < text.length
      ? splice(text, line.start, line.end + 1, "")
      : text.slice(0, Math.max(0, line.start - 1));
  }
  const after = source.slice(mask.end, line.end).match(/^\s*;\s*/);
  if (after) return splice(text, mask.start, mask.end + after[0].length, "");
  const before = source.slice(line.start, mask.start).match(/\s*;\s*$/);
  return splice(text, mask.start - (before?.[0].length ?? 0), mask.end, "");
}

/**
 * Insert a copy behind the mask.
 *
 * @param {MaskDocument} document
 * @param {number} index
 * @param {number} numWs
 */
export function duplicate(document, index, numWs) {
  document = asText(document, numWs);
  const mask = document.masks[index];
  return insertAfter(document, mask, document.text.slice(mask.start, mask.end));
}

/**
 * Exchange a mask with the one before or behind it. Comments go with masks on lines of their own.
 *
 * @param {MaskDocument} document
 * @param {number} index
 * @param {number} by -1 or 1
 * @param {number} numWs
 */
export function move(document, index, by, numWs) {
  document = asText(document, numWs);
  const { text } = document;
  const pair = [document.masks[Math.min(index, index + by)], document.masks[Math.max(index, index + by)]];
  const lines = pair.map((mask) => lineOf(document, mask));
  const [first, second] = lines.every((line) => line.alone) ? lines : pair;
  return (
    text.slice(0, first.start) +
    text.slice(second.start, second.end) +
    text.slice(first.end, second.start) +
    text.slice(first.start, first.end) +
    text.slice(second.end)
  );
}

/**
 * Append masks, written in the grammar.
 *
 * @param {MaskDocument} document
 * @param {string} masks
 * @param {number} numWs
 */
export function append(document, masks, numWs) {
  document = asText(document, numWs);
  const { text } = document;
  const last = document.masks.at(-1);
  if (last) return insertAfter(document, last, masks);
  return text.trim() ? `${text.trimEnd()}\n${masks}` : masks;
}

/**
 * Replace all masks. Comments on lines of their own stay, above.
 *
 * @param {MaskDocument} document
 * @param {string} masks
 */
export function replaceAll(document, masks) {
  const comments = document.text.split("\n").filter((line) => /^\s*[#＃]/.test(line));
  return [...comments, masks].join("\n");
}

/**
 * A list `[[0], [1]]` in the grammar, which can say more, below its comments; other documents as they are.
 *
 * @param {MaskDocument} document
 * @param {number} numWs
 */
function asText(document, numWs) {
  if (!document.isList) return document;
  const comments = document.text.match(/[#＃][^\n]*/g) ?? [];
  const masks = document.masks.map(({ label, cells }) => ({ label, cells }));
  return parse([...comments, format(masks, numWs)].filter(Boolean).join("\n"), numWs);
}

/** @param {MaskDocument} document @param {Mask} mask @param {string} code */
function insertAfter(document, mask, code) {
  const line = lineOf(document, mask);
  if (!line.alone || document.masks.length < 2) return splice(document.text, mask.end, mask.end, `; ${code}`);
  const indent = document.text.slice(line.start).match(/^[^\S\n]*/)?.[0] ?? "";
  return splice(document.text, line.end, line.end, `\n${indent}${code.replace(/;\s*/g, `\n${indent}`)}`);
}

/**
 * The mask's line, and whether no other mask stands there.
 *
 * @param {MaskDocument} document
 * @param {Mask} mask
 */
function lineOf({ text, source }, mask) {
  const start = text.lastIndexOf("\n", mask.start - 1) + 1;
  const end = text.indexOf("\n", mask.end) < 0 ? text.length : text.indexOf("\n", mask.end);
  const alone =
    /^[\s;]*$/.test(source.slice(start, mask.start)) && /^[\s;]*$/.test(source.slice(mask.end, end));
  return { start, end, alone };
}

/** @param {string} text @param {number} start @param {number} end @param {string} insert */
function splice(text, start, end, insert) {
  return text.slice(0, start) + insert + text.slice(end);
}
