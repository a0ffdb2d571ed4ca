/**
 * Mask lists in the page: the grammar of `stylemix_core/masks/grammar.py`, kept close to it on purpose. Both are tested
 * with `tests/mask_cases.json`. Nothing here touches the page.
 */

/** @import { Cell } from "./cells.js" */
/** @import { TextKey } from "./texts.js" */

import { ALPHA, BANDS, MAX_COLUMNS, MAX_STRENGTH, MIN_STRENGTH, setCell } from "./cells.js";
import { formatLayers } from "./format.js";
import { readLists } from "./lists.js";
import { plain, repr } from "./signs.js";

/**
 * A text and what was read from it. Positions count from 0.
 *
 * @typedef {object} MaskDocument
 * @property {string} text
 * @property {string} source the text with ASCII's own signs and with comments blanked out
 * @property {boolean} isList whether it is `[[0], [1]]`
 * @property {boolean} readable false for a broken list
 * @property {Mask[]} masks every mask that could be read
 * @property {MaskError[]} errors in the text's order
 */

/**
 * @typedef {object} Mask
 * @property {string} label as written, "" where there is none
 * @property {string} name the label, or the layers in words
 * @property {Cell[]} cells one for each layer of the model, and more for layers beyond it
 * @property {"" | "random" | "range" | "error"} locked why cells cannot stand for it, if they cannot
 * @property {number} start where its label or its first term begins
 * @property {number} terms where its first term begins
 * @property {number} end
 */

/**
 * @typedef {object} MaskError
 * @property {TextKey} code of the text that says it
 * @property {Record<string, string | number>} values for that text
 * @property {"syntax" | "range"} kind "range" if it depends on the model
 * @property {number} position
 * @property {number} line from 1
 * @property {number} column from 1, in characters
 * @property {Mask | null} mask
 */

const MOST_WAVES = 1000;

/** @type {Record<string, { first: number, end: number }>} */
const NAMES = {
  all: { first: 0, end: Infinity },
  none: { first: 0, end: 0 },
  pose: { first: 0, end: 1 },
  ...Object.fromEntries(BANDS.map((band) => [band.name, band])),
};

const MASK = /[^;\n]+/g;
const COMMENT = /#[^\n]*/g;
const LAYERS =
  /([0-9]+)(\s*[-~]\s*([0-9]+))?|(random)([ \t\r\f\v]*\([ \t\r\f\v]*([0-9]+)[ \t\r\f\v]*\))?|([a-z]+)/iy;
const AT = /\s*@\s*/y;
/** What follows the first number where a range is written in another way: `0..6`. */
const OTHER_RANGE = /\s*(?:\.\.+|…|to\b)\s*([0-9]+)/iy;
const KEY = /([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))(?:\s*\/\s*([0-9]+\.?[0-9]*|\.[0-9]+)\s*%)?/y;
const ARROW = /\s*(>>?)\s*/y;
const WAVE = /sin(?:\s*\(\s*([0-9]+)\s*\))?/iy;
const SPACE = /\s*/y;
// A bracket opens a list, unless it belongs to a label as in "[old] hair: 2-6".
const LIST = /^\s*\[(?![^;:,\n]*:)/;
const LIST_ITEM = /[^\s[\],]+/g;
const TRAILING_COMMA = /,(?=\s*\])/g;

/**
 * Read a mask list for a model with `numWs` layers.
 *
 * Unlike Python's parser this one goes on after an error: `errors` holds all of them, and every mask that could
 * be read is there. Layers that the model does not have are errors, and in their mask's cells all the same.
 *
 * @param {string} text
 * @param {number} numWs
 */
export function parse(text, numWs) {
  text = text.replaceAll("\r\n", "\n");
  // Comments become spaces, which keeps every position.
  const source = plain(text).replace(COMMENT, (comment) => " ".repeat(comment.length));
  /** @type {MaskDocument} */
  const document = { text, source, isList: LIST.test(source), readable: true, masks: [], errors: [] };
  const parser = new Parser(document, numWs);
  if (document.isList) parser.lists();
  else for (const found of source.matchAll(MASK)) if (found[0].trim()) parser.mask(found.index, found[0]);
  if (!document.masks.length && !document.errors.length) parser.note("empty", 0);
  return document;
}

/**
 * The error that Python reports: what is wrong for every model comes before what is wrong for this one.
 *
 * @param {Pick<MaskDocument, "errors">} document
 */
export function firstError({ errors }) {
  return errors.find(({ kind }) => kind === "syntax") ?? errors[0] ?? null;
}

/** Thrown where a mask cannot be read any further. */
class Unreadable extends Error {}

class Parser {
  /**
   * The mask that is being read.
   *
   * @type {Mask | null}
   */
  current = null;

  /**
   * @param {MaskDocument} document to be filled
   * @param {number} numWs
   */
  constructor(document, numWs) {
    this.document = document;
    this.source = document.source;
    this.numWs = numWs;
  }

  /**
   * Read one mask, `text` at `from` of the source.
   *
   * @param {number} from
   * @param {string} text
   */
  mask(from, text) {
    const to = from + text.length;
    const start = to - text.trimStart().length;
    const end = from + text.trimEnd().length;
    /** @type {Mask} */
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
        mask.terms = Math.min(this.skipSpace(colon + 1, to), end);
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

  /** @param {Mask} mask @param {number} start @param {number} end */
  term(mask, start, end) {
    start = this.skipSpace(start, end);
    const found = this.match(LAYERS, start, end);
    if (!found) this.fail("expectedLayer", start, { found: this.quote(start, end) });
    if (found[7] !== undefined && !Object.hasOwn(NAMES, found[7].toLowerCase()))
      this.fail("unknownName", start, { found: repr(found[7].toLowerCase().slice(0, 40)) });

    let position = found.index + found[0].length;
    const at = this.match(AT, position, end);
    /** @type {RegExpExecArray[]} */
    let keys = [];
    if (at) {
      keys = this.strength(position + at[0].length, end);
      position = endOf(keys[keys.length - 1]);
    }
    position = this.skipSpace(position, end);
    if (position < end) this.failRest(found, position, start, end);

    // What a term means is looked at when all of it is understood.
    const layers = this.layers(mask, found);
    const strength = keys.length ? this.meant(keys) : ALPHA;
    for (const layer of layers) setCell(mask.cells, layer, strength);
  }

  /**
   * What stands behind an at sign: matches of one key or of several, or of a wave.
   *
   * @param {number} start
   * @param {number} end
   */
  strength(start, end) {
    const wave = this.match(WAVE, start, end);
    if (wave) return [wave];
    const keys = [];
    for (let after = "@"; ; ) {
      const key = this.match(KEY, start, end);
      if (!key) this.fail("expectedStrength", start, { after, found: this.quote(start, end) });
      keys.push(key);
      const arrow = this.match(ARROW, endOf(key), end);
      if (!arrow) return keys;
      after = arrow[1];
      start = endOf(arrow);
    }
  }

  /**
   * The strength, or the course, that matches of `strength` mean.
   *
   * @param {RegExpExecArray[]} keys
   */
  meant(keys) {
    const [first] = keys;
    const text = this.source.slice(first.index, endOf(keys[keys.length - 1]));
    const course = words(text).join("").toLowerCase();
    if (course.startsWith("sin")) {
      const waves = number(first[1] ?? "1");
      if (waves < 1 || waves > MOST_WAVES)
        this.fail("waves", first.index + first[0].search(/[0-9]/), { most: MOST_WAVES });
      return course;
    }
    for (const { 1: strength, index } of keys)
      if (!(MIN_STRENGTH <= Number(strength) && Number(strength) <= MAX_STRENGTH)) {
        const written = this.document.text.slice(index, index + strength.length);
        this.fail("strengthRange", index, { strength: written.slice(0, 20) });
      }
    if (keys.length === 1) {
      if (first[2] !== undefined) this.fail("oneKey", placeOf(first));
      return Number(first[1]) + 0; // + 0: -0 is 0
    }
    let least = 0;
    for (const key of keys) {
      if (key[2] === undefined) continue;
      const place = Number(key[2]) / 100;
      if (!(least <= place && place <= 1)) this.fail("places", placeOf(key), { place: key[2].slice(0, 20) });
      least = place;
    }
    return course;
  }

  /**
   * For the term at `start … end`, which goes on at `position`, after the layers that were `found`.
   *
   * @param {RegExpExecArray} found
   * @param {number} position
   * @param {number} start
   * @param {number} end
   * @returns {never}
   */
  failRest(found, position, start, end) {
    const written = this.quote(start, end);
    const after = this.match(OTHER_RANGE, found.index + found[0].length, end);
    if (!after || found[1] === undefined || found[3] !== undefined)
      this.fail("notUnderstood", position, { found: written });
    this.fail("otherRange", position, { found: written, first: number(found[1]), last: number(after[1]) });
  }

  /**
   * The layers that a match of LAYERS means, those that can be shown.
   *
   * @param {Mask} mask
   * @param {RegExpExecArray} found
   */
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
    const { first, end } = NAMES[name];
    const layers = range(first, Math.min(end, this.numWs));
    if (!layers.length && name !== "none") {
      this.note("nameBeyond", start, { name, first, last: this.numWs - 1 }, "range");
      mask.locked ||= "range";
    }
    return layers;
  }

  /**
   * Whether the model has that layer; an error of kind "range" if not.
   *
   * @param {number} layer
   * @param {number} position
   */
  index(layer, position) {
    const inside = 0 <= layer && layer < this.numWs;
    if (!inside) this.note("noLayer", position, { layer, last: this.numWs - 1 }, "range");
    return inside;
  }

  /** Read `[0, 2, 5]` or `[[0], [1]]`. */
  lists() {
    const { document } = this;
    try {
      const value = readLists(this.source.replace(TRAILING_COMMA, " "), (position) =>
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
          if (0 <= layer && layer < MAX_COLUMNS) setCell(cells, layer, ALPHA);
          else document.readable = false;
        }
        document.masks.push({
          label: "",
          name: formatLayers(cells),
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

  /**
   * A sticky pattern's match at `start`, or null.
   *
   * @param {RegExp} pattern
   * @param {number} start
   * @param {number} end
   */
  match(pattern, start, end) {
    pattern.lastIndex = start;
    return pattern.exec(this.source.slice(0, end));
  }

  /** @param {number} start @param {number} end */
  skipSpace(start, end) {
    return start + (this.match(SPACE, start, end)?.[0].length ?? 0);
  }

  /**
   * What stands there as it was written, without the comment that may end it.
   *
   * @param {number} start
   * @param {number} end
   */
  quote(start, end) {
    const length = this.source.slice(start, end).trimEnd().length;
    const found = [...this.document.text.slice(start, start + length).trim()];
    return found.length
      ? repr((found.length <= 40 ? found : [...found.slice(0, 39), "…"]).join(""))
      : "nothing";
  }

  /**
   * @param {TextKey} code
   * @param {number} position
   * @param {MaskError["values"]} [values]
   * @param {MaskError["kind"]} [kind]
   */
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
      mask: this.current,
    });
  }

  /**
   * @param {TextKey} code
   * @param {number} position
   * @param {MaskError["values"]} [values]
   * @returns {never}
   */
  fail(code, position, values) {
    this.note(code, position, values);
    throw new Unreadable();
  }
}

/** @param {RegExpExecArray} found */
function endOf(found) {
  return found.index + found[0].length;
}

/**
 * Where the percentage of a match of KEY stands.
 *
 * @param {RegExpExecArray} key
 */
function placeOf(key) {
  return key.index + key[0].indexOf(key[2], key[0].indexOf("/"));
}

/** @param {number} first @param {number} end */
function range(first, end) {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/**
 * Nine digits are enough to be out of range.
 *
 * @param {string} digits
 */
function number(digits) {
  return Number(digits.replace(/^0+/, "").slice(0, 9));
}

/** @param {string} text */
function words(text) {
  return text.split(/\s+/).filter(Boolean);
}
