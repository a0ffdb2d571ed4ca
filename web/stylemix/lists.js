/** Lists of layers as Python and JSON write them: `[[0, 2], [1]]`. */

/** @typedef {number | null | Item[]} Item a whole number, a list, or null for everything else */

const SCALAR =
  /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?|NaN|-?Infinity|true|false|null|"(?:[^"\\\n]|\\.)*"/y;
const SPACE = /[ \t\n\r]*/y;

/**
 * Read a text that begins with a bracket. Not by `JSON.parse`: errors need their place, and Python reads NaN and
 * Infinity as well.
 *
 * @param {string} source
 * @param {(position: number) => never} fail called where the text is not understood from there on
 * @returns {Item[]}
 */
export function readLists(source, fail) {
  /** @param {RegExp} pattern @param {number} position */
  const at = (pattern, position) => {
    pattern.lastIndex = position;
    return pattern.exec(source);
  };
  /** @param {number} position */
  const skip = (position) => position + (at(SPACE, position)?.[0].length ?? 0);
  /** @type {Item[][]} */
  const open = [];
  let position = skip(0);
  /** @type {Item} */
  let value;
  for (;;) {
    // A value starts here.
    if (source[position] === "[") {
      open.push([]);
      position = skip(position + 1);
      if (source[position] !== "]") continue;
      value = open.pop() ?? null;
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
      const around = open.at(-1);
      if (!around) {
        if (position < source.length) fail(position);
        return /** @type {Item[]} */ (value); // the first bracket's
      }
      around.push(value);
      if (source[position] === ",") break;
      if (source[position] !== "]") fail(position);
      open.pop();
      value = around;
      position++;
    }
    position = skip(position + 1);
  }
}
