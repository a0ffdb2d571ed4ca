/**
 * Mask lists in the page: the grammar of `stylemix_core/masks/grammar.py`, kept close to it on purpose. Both are tested
 * with `tests/mask_cases.json`. Nothing here touches the page.
 *
 * A cell is what a mask does with one layer: 0 (keeps the source), a strength, or ALPHA (the node's own
 * strength, written as a term without `@`).
 */

export const MIN_STRENGTH = -2;
export const MAX_STRENGTH = 3;
export const ALPHA = "alpha";

/** Most columns that can be shown. The largest models have 20 layers. */
export const MAX_COLUMNS = 32;

const NAMES = {
  all: [0, Infinity],
  none: [0, 0],
  coarse: [0, 4], // 4–8 pixels
  middle: [4, 8], // 16–32 pixels
  fine: [8, Infinity], // 64 pixels and up
};

const MASK = /[^;\n]+/g;
const COMMENT = /#[^\n]*/g;
/** What stands for a hyphen or a minus sign: en dashes and their like. */
const DASHES = /[\u2010-\u2015\u2212]/g;
/** The full-width forms of all of ASCII's signs. */
const FULL_WIDTH = /[\uff01-\uff5e]/g;
const LAYERS =
  /([0-9]+)(\s*[-~]\s*([0-9]+))?|(random)([ \t\r\f\v]*\([ \t\r\f\v]*([0-9]+)[ \t\r\f\v]*\))?|([a-z]+)/iy;
const AT = /\s*@\s*/y;
/** What follows the first number where a range is written in another way: `0..6`. */
const OTHER_RANGE = /\s*(?:\.\.+|…|to\b)\s*([0-9]+)/iy;
const STRENGTH = /[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)/y;
const SPACE = /\s*/y;
// A bracket opens a list, unless it belongs to a label as in "[old] hair: 2-6".
const LIST = /^\s*\[(?![^;:,\n]*:)/;
const LIST_ITEM = /[^\s[\],]+/g;
const TRAILING_COMMA = /,(?=\s*\])/g;
const SCALAR =
  /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity|true|false|null|"(?:[^"\\\n]|\\.)*"/y;
const JSON_SPACE = /[ \t\n\r]*/y;

/**
 * Read a mask list for a model with `numWs` layers.
 *
 * Unlike Python's parser this one goes on after an error: `errors` holds all of them, and every mask that could
 * be read is there. Errors that depend on the model, such as layers that it does not have, are of `kind` "range";
 * such layers are in their mask's cells all the same.
 *
 * @returns {{text, source, isList, readable, masks, errors}}
 *   source: the `plain` text with comments blanked out; isList: it is `[[0], [1]]`; readable: false for a broken list;
 *   masks: `{label, name, cells, locked, error, start, terms, end}` with the span `start … end` in the text and
 *   its terms from `terms` on. `locked` says why cells cannot stand for it: "random", "range" or "error".
 *   errors: `{code, values, kind, position, line, column, mask}` with positions from 0, line and column from 1.
 */
export function parse(text, numWs) {
  text = text.replaceAll("\r\n", "\n");
  // Comments become spaces, which keeps every position.
  const source = plain(text).replace(COMMENT, (comment) => " ".repeat(comment.length));
  const document = { text, source, isList: LIST.test(source), readable: true, masks: [], errors: [] };
  const parser = new Parser(document, numWs);
  if (document.isList) parser.lists();
  else for (const found of source.matchAll(MASK)) if (found[0].trim()) parser.mask(found.index, found[0]);
  if (!document.masks.length && !document.errors.length) parser.note("empty", 0);
  return document;
}

/** The text with ASCII's own signs instead of full-width ones and typographic dashes; every position stays. */
export function plain(text) {
  return text
    .replace(FULL_WIDTH, (sign) => String.fromCharCode(sign.charCodeAt(0) - 0xfee0))
    .replace(DASHES, "-")
    .replaceAll("〜", "~")
    .replaceAll("、", ",");
}

/** The error that Python reports: what is wrong for every model comes before what is wrong for this one. */
export function firstError({ errors }) {
  return errors.find(({ kind }) => kind === "syntax") ?? errors[0] ?? null;
}

/** One text of all masks, each as short as it can be. Masks: `{label, cells}`, or `{label, text}` as it is. */
export function format(masks, numWs) {
  return masks
    .map(({ label, cells, text }) => (label ? `${label}: ` : "") + (text ?? formatCells(cells, numWs)))
    .join("; ");
}

/** The shortest terms that give these cells: "all, 5@0" rather than "0-4, 6-17". */
export function formatCells(cells, numWs) {
  const known = new Map();
  const last = cells.length - 1;

  // A term covers the layers from its first to its last visible one; later terms repaint parts of it. So the
  // best text of i … j, where all cells show `under` already, is found from shorter spans.
  function best(i, j, under) {
    while (i <= j && cells[i] === under) i++;
    if (i > j) return [];
    const key = `${i} ${j} ${under}`;
    if (!known.has(key)) {
      let shortest = null;
      for (let k = i; k <= j; k++) {
        if (cells[k] !== cells[i]) continue;
        const terms = [
          term(i, k, cells[i], numWs),
          ...best(i + 1, k - 1, cells[i]),
          ...best(k + 1, j, under),
        ];
        if (!shortest || size(terms) < size(shortest)) shortest = terms;
      }
      known.set(key, shortest);
    }
    return known.get(key);
  }

  return best(0, last, 0).join(", ") || "none";
}

/** A strength in the grammar's form, which has no exponents. */
export function formatStrength(strength) {
  const text = String(strength);
  return text.includes("e") ? strength.toFixed(20).replace(/\.?0+$/, "") : text;
}

/** A cell's number, given the node's own strength. */
export function cellStrength(cell, alpha = 1) {
  return cell === ALPHA ? alpha : cell;
}

/** Pixels of the feature maps that a layer acts on. The last one is the last to-RGB, at the model's own size. */
export function pixels(layer, numWs) {
  return 4 * 2 ** Math.min(Math.ceil(layer / 2), Math.floor((numWs - 1) / 2));
}

function size(terms) {
  return terms.reduce((sum, text) => sum + text.length + 2, 0);
}

function term(first, last, cell, numWs) {
  const range = first === last ? `${first}` : `${first}-${last}`;
  const end = last === numWs - 1;
  // Names that are no longer than the range: they hold for other models, too.
  const name = end && first === 0 ? "all" : end && first === 8 ? "fine" : "";
  const layers = name && name.length <= range.length ? name : range;
  return cell === ALPHA ? layers : `${layers}@${formatStrength(cell)}`;
}

/** Thrown where a mask cannot be read any further. */
class Unreadable extends Error {}

class Parser {
  constructor(document, numWs) {
    this.document = document;
    this.source = document.source;
    this.numWs = numWs;
  }

  /** Read one mask, `text` at `from` of the source. */
  mask(from, text) {
    const to = from + text.length;
    const start = to - text.trimStart().length;
    const end = from + text.trimEnd().length;
    const mask = {
      label: "",
      name: "",
      cells: Array(this.numWs).fill(0),
      locked: "",
      start,
      terms: start,
      end,
    };
    this.current = mask;
    this.document.masks.push(mask);
    const names = [];
    try {
      const colon = this.source.slice(0, to).indexOf(":", from);
      if (colon >= 0) {
        mask.label = words(this.document.text.slice(from, colon)).join(" "); // as it was written
        mask.terms = Math.min(this.skip(SPACE, colon + 1, to), end);
        if (!mask.label) this.fail("noLabel", colon);
        const comma = this.source.slice(0, colon).indexOf(",", from);
        if (comma >= 0) this.fail("labelComma", comma);
      }
      let position = colon >= 0 ? colon + 1 : from;
      for (const term of this.source.slice(position, to).split(",")) {
        this.term(mask, position, position + term.length);
        names.push(words(term).join("").replaceAll("~", "-").toLowerCase());
        position += term.length + 1;
      }
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      mask.locked = "error";
    }
    mask.name = mask.label || names.join(", ");
    this.current = null;
  }

  term(mask, start, end) {
    start = this.skip(SPACE, start, end);
    const found = this.match(LAYERS, start, end);
    if (!found) this.fail("expectedLayer", start, { found: this.quote(start, end) });
    if (found[7] !== undefined && !Object.hasOwn(NAMES, found[7].toLowerCase()))
      this.fail("unknownName", start, { found: repr(found[7].toLowerCase().slice(0, 40)) });

    let amount = null;
    let position = found.index + found[0].length;
    const at = this.match(AT, position, end);
    if (at) {
      position += at[0].length;
      amount = this.match(STRENGTH, position, end);
      if (!amount) this.fail("expectedStrength", position, { found: this.quote(position, end) });
      position += amount[0].length;
    }
    position = this.skip(SPACE, position, end);
    if (position < end) this.failRest(found, position, start, end);

    // What a term means is looked at when all of it is understood.
    const layers = this.layers(mask, found);
    const strength = amount ? Number(amount[0]) + 0 : ALPHA; // + 0: -0 is 0
    if (amount && !(MIN_STRENGTH <= strength && strength <= MAX_STRENGTH)) {
      const written = this.document.text.slice(amount.index, amount.index + amount[0].length);
      this.fail("strengthRange", amount.index, { strength: written.slice(0, 20) });
    }
    for (const layer of layers) set(mask.cells, layer, strength);
  }

  /** For the term at `start … end`, which goes on at `position`, after the layers that were `found`. */
  failRest(found, position, start, end) {
    const written = this.quote(start, end);
    const after = this.match(OTHER_RANGE, found.index + found[0].length, end);
    if (!after || found[1] === undefined || found[3] !== undefined)
      this.fail("notUnderstood", position, { found: written });
    this.fail("otherRange", position, { found: written, first: number(found[1]), last: number(after[1]) });
  }

  /** The layers that a match of LAYERS means, those that can be shown. */
  layers(mask, found) {
    const start = found.index;
    if (found[1] !== undefined) {
      const first = number(found[1]);
      const last = found[3] === undefined ? first : number(found[3]);
      const inside = this.index(first, start);
      if (last !== first && inside) this.index(last, start + found[0].length - found[3].length);
      if (last < first) this.fail("backwards", start, { first, last });
      if (last >= MAX_COLUMNS) mask.locked = "range";
      return mask.locked ? [] : range(first, last + 1);
    }
    if (found[4] !== undefined) {
      const count = number(found[6] ?? "1");
      if (count < 1 || count > this.numWs) {
        const position = found[6] === undefined ? start : start + found[0].search(/[0-9]/);
        this.note("randomCount", position, { numWs: this.numWs }, "range");
      }
      mask.locked ||= "random";
      return [];
    }
    const name = found[7].toLowerCase();
    const [first, end] = NAMES[name];
    const layers = range(first, Math.min(end, this.numWs));
    if (!layers.length && name !== "none") {
      this.note("nameBeyond", start, { name, first, last: this.numWs - 1 }, "range");
      mask.locked ||= "range";
    }
    return layers;
  }

  /** Whether the model has that layer; an error of kind "range" if not. */
  index(layer, position) {
    const inside = 0 <= layer && layer < this.numWs;
    if (!inside) this.note("noLayer", position, { layer, last: this.numWs - 1 }, "range");
    return inside;
  }

  /** Read `[0, 2, 5]` or `[[0], [1]]`. */
  lists() {
    const { document } = this;
    try {
      const value = readJson(this.source.replace(TRAILING_COMMA, " "), (position) =>
        this.fail("list", position),
      );
      const masks = value.some(Array.isArray) ? value : value.length ? [value] : [];
      // The text's items come in the order in which the loops below meet them.
      const items = this.source.matchAll(LIST_ITEM);
      const next = () => items.next().value ?? { index: 0, 0: "" };
      for (const layers of masks) {
        if (!Array.isArray(layers)) this.fail("mixed", next().index);
        const cells = Array(this.numWs).fill(0);
        for (const layer of layers) {
          const { index, 0: found } = next();
          if (Array.isArray(layer)) this.fail("nested", index);
          if (typeof layer !== "number")
            this.fail("wholeNumbers", index, { found: this.quote(index, index + found.length) });
          this.index(layer, index);
          if (0 <= layer && layer < MAX_COLUMNS) set(cells, layer, ALPHA);
          else document.readable = false;
        }
        document.masks.push({
          label: "",
          name: runs(cells),
          cells,
          locked: "",
          start: 0,
          terms: 0,
          end: document.text.length,
        });
      }
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      document.readable = false;
    }
    if (!document.readable) document.masks = [];
  }

  /** A sticky pattern's match at `start`, or null. */
  match(pattern, start, end) {
    pattern.lastIndex = start;
    return pattern.exec(this.source.slice(0, end));
  }

  skip(pattern, start, end) {
    return start + this.match(pattern, start, end)[0].length;
  }

  /** What stands there as it was written, without the comment that may end it. */
  quote(start, end) {
    const length = this.source.slice(start, end).trimEnd().length;
    const found = [...this.document.text.slice(start, start + length).trim()];
    return found.length
      ? repr((found.length <= 40 ? found : [...found.slice(0, 39), "…"]).join(""))
      : "nothing";
  }

  note(code, position, values = {}, kind = "syntax") {
    const before = this.document.text.slice(0, position);
    const line = before.slice(before.lastIndexOf("\n") + 1);
    this.document.errors.push({
      code,
      values,
      kind,
      position,
      line: before.split("\n").length,
      column: [...line].length + 1, // as Python counts
      mask: this.current ?? null,
    });
  }

  fail(code, position, values) {
    this.note(code, position, values);
    throw new Unreadable();
  }
}

/** Nested arrays of whole numbers, with null for everything else. `fail(position)` must throw. */
function readJson(source, fail) {
  const at = (pattern, position) => {
    pattern.lastIndex = position;
    return pattern.exec(source);
  };
  const skip = (position) => position + at(JSON_SPACE, position)[0].length;
  const open = [];
  let position = skip(0);
  let value;
  for (;;) {
    // A value starts here.
    if (source[position] === "[") {
      open.push([]);
      position = skip(position + 1);
      if (source[position] !== "]") continue;
      value = open.pop();
      position++;
    } else {
      const scalar = at(SCALAR, position);
      if (!scalar) fail(position);
      const whole = scalar[1] !== undefined && scalar[2] === undefined && scalar[3] === undefined;
      value = whole ? Number(scalar[0]) + 0 : null;
      position += scalar[0].length;
    }
    // A value has ended here; so may have the arrays around it.
    for (;;) {
      position = skip(position);
      if (!open.length) {
        if (position < source.length) fail(position);
        return value;
      }
      open.at(-1).push(value);
      if (source[position] === ",") break;
      if (source[position] !== "]") fail(position);
      value = open.pop();
      position++;
    }
    position = skip(position + 1);
  }
}

/** The layers as Python labels them: "0-2, 5". */
function runs(cells) {
  const found = [];
  for (let first = 0; first < cells.length; first++) {
    if (cells[first] === 0) continue;
    let last = first;
    while (last + 1 < cells.length && cells[last + 1] !== 0) last++;
    found.push(first === last ? `${first}` : `${first}-${last}`);
    first = last;
  }
  return found.join(", ") || "none";
}

function set(cells, layer, cell) {
  while (cells.length <= layer) cells.push(0);
  cells[layer] = cell;
}

function range(first, end) {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/** Nine digits are enough to be out of range. */
function number(digits) {
  return Number(digits.replace(/^0+/, "").slice(0, 9));
}

function words(text) {
  return text.split(/\s+/).filter(Boolean);
}

/** As Python quotes strings. */
function repr(text) {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replaceAll("\\", "\\\\")
    .replaceAll("\t", "\\t")
    .replace(/(?! )[\p{Z}\p{C}]/gu, (sign) => {
      const code = sign.codePointAt(0).toString(16);
      return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
    });
  return quote + (quote === "'" ? escaped.replaceAll("'", "\\'") : escaped) + quote;
}
