// The page's grammar, run by node. `tests/mask_cases.json` is what Python's parser is tested with, too.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { ALPHA, cellStrength, pixels } from "../../web/stylemix/cells.js";
import { courseText, isCourse, keysOf, peak, strengthAt } from "../../web/stylemix/course.js";
import * as edit from "../../web/stylemix/edit.js";
import { format, formatCells, formatStrength } from "../../web/stylemix/format.js";
import { firstError, parse } from "../../web/stylemix/grammar.js";
import { presets, STUDY_SWEEP } from "../../web/stylemix/presets.js";
import { plain } from "../../web/stylemix/signs.js";
import { describe, say, textsFor } from "../../web/stylemix/texts.js";

/** @import { Cell } from "../../web/stylemix/cells.js" */
/** @import { Mask, MaskDocument } from "../../web/stylemix/grammar.js" */
/** @import { TextKey } from "../../web/stylemix/texts.js" */

/** @typedef {Record<string, number>} Strengths by their layers */

/**
 * @typedef {object} Case
 * @property {string} text
 * @property {number} num_ws
 * @property {number} [strength]
 * @property {string[]} labels
 * @property {Strengths[]} strengths
 * @property {number[]} [drawn]
 * @property {Record<string, number[]>[]} [over] at five frames
 * @property {{ line: number, column: number, says: string }} [error]
 */

/** @type {Case[]} */
const CASES = JSON.parse(readFileSync(new URL("../mask_cases.json", import.meta.url), "utf8"));
const en = textsFor("en");

/**
 * A mask's strengths as the cases write them: {layer: strength}, zeros left out.
 *
 * @param {Mask} mask
 */
function strengths(mask, alpha = 1) {
  return rounded(mask.cells.map((cell) => cellStrength(cell, alpha)));
}

/** @param {Strengths | number[]} strengths */
function rounded(strengths) {
  const present = Object.entries(strengths).filter(([, strength]) => strength !== 0);
  return Object.fromEntries(present.map(([layer, strength]) => [layer, Math.fround(strength)]));
}

for (const item of CASES) {
  test(`case ${JSON.stringify(item.text)}`, () => {
    const document = parse(item.text, item.num_ws);
    const { masks } = document;
    const error = firstError(document);
    if (item.error) {
      const { line, column, says } = item.error;
      assert.ok(error);
      assert.deepEqual([error.line, error.column], [line, column]);
      assert.ok(describe(en, error).includes(says), describe(en, error));
    } else {
      assert.equal(error, null);
      assert.deepEqual(
        masks.map((mask) => mask.name),
        item.labels,
      );
      if (item.drawn)
        assert.deepEqual(
          masks.map((mask) => mask.locked),
          item.drawn.map(() => "random"),
        );
      else
        assert.deepEqual(
          masks.map((mask) => strengths(mask, item.strength)),
          item.strengths.map(rounded),
        );
      item.over?.forEach((layers, row) => {
        for (const [layer, wanted] of Object.entries(layers)) {
          const cell = masks[row].cells[Number(layer)];
          wanted.forEach((strength, frame) => {
            const place = isCourse(cell) && cell.startsWith("sin") ? frame / 5 : frame / 4;
            const found = isCourse(cell) ? strengthAt(cell, place) : cellStrength(cell);
            assert.ok(Math.abs(found - strength) < 1e-6, `${cell} ${frame}: ${found}`);
          });
        }
      });
    }
  });
}

test("courses are written as short as they can be", () => {
  for (const course of ["0>1", "0>1>0", "0>>1/30%>0", "-1>2/25%>>0.5/75%", "1/50%>0"])
    assert.equal(courseText(keysOf(course)), course);
  assert.equal(courseText(keysOf("0/0%>1/50%>0/100%")), "0>1>0");
  assert.deepEqual([peak("0>1>-2"), peak("sin(3)"), peak("0>0.5")], [-2, 1, 0.5]);
  assert.equal(formatCells(parse("0-3@0>1, 2@sin", 8).masks[0].cells, 8), "0-3@0>1, 2@sin");
});

/**
 * Repeatable numbers from 0 to 1: mulberry32.
 *
 * @param {number} seed
 */
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Cells of one mask in runs, as people and `random` make them.
 *
 * @param {() => number} random
 * @param {number} numWs
 */
function randomCells(random, numWs) {
  /** @type {Cell[]} */
  const values = [0, 0, ALPHA, ALPHA, 0.5, -1, 2.25, random() * 5 - 2];
  const keep = random();
  /** @type {Cell[]} */
  const cells = [];
  for (let layer = 0; layer < numWs; layer++) {
    cells.push(layer && random() < keep ? cells[layer - 1] : values[Math.floor(random() * values.length)]);
  }
  return cells;
}

test("formatted masks read back as they were", () => {
  const random = generator(1);
  for (let round = 0; round < 400; round++) {
    const numWs = 2 + Math.floor(random() * 19);
    const masks = Array.from({ length: 1 + Math.floor(random() * 5) }, (_, i) => ({
      label: random() < 0.3 ? `mask ${i} 머리` : "",
      cells: randomCells(random, numWs),
    }));
    const text = format(masks, numWs);
    const again = parse(text, numWs);
    assert.deepEqual(again.errors, [], text);
    assert.deepEqual(
      again.masks.map(({ label, cells }) => ({ label, cells })),
      masks,
      text,
    );
  }
});

test("no text of up to three terms is shorter than the formatted one", () => {
  const numWs = 4;
  const ranges = ["all"];
  for (let first = 0; first < numWs; first++) {
    for (let last = first; last < numWs; last++)
      ranges.push(first === last ? `${first}` : `${first}-${last}`);
  }
  const terms = ranges.flatMap((range) => [range, `${range}@0.5`, `${range}@0`]);
  const shortest = new Map();
  /** @param {string[]} texts */
  const check = (texts) => {
    const text = texts.join(", ");
    const key = parse(text, numWs).masks[0].cells.join();
    if (!shortest.has(key) || text.length < shortest.get(key).length) shortest.set(key, text);
  };
  for (const a of terms) {
    check([a]);
    for (const b of terms) {
      check([a, b]);
      for (const c of terms) check([a, b, c]);
    }
  }
  assert.ok(shortest.size > 60);
  for (const text of shortest.values()) {
    const { cells } = parse(text, numWs).masks[0];
    if (cells.some((cell) => cell !== 0)) assert.ok(formatCells(cells, numWs).length <= text.length, text);
  }
});

test("formatting makes no text longer", () => {
  const texts = CASES.filter((item) => !item.error && !item.drawn && !/[#[\n:]/.test(plain(item.text)));
  assert.ok(texts.length > 8);
  for (const { text, num_ws } of texts) {
    const canonical = plain(text)
      .trim()
      .replace(/\s*;\s*/g, "; ")
      .replace(/\s*,\s*/g, ", ")
      .replace(/([^,;]) +(?=[^ ])/g, "$1");
    const shown = format(parse(text, num_ws).masks, num_ws);
    assert.ok(shown.length <= Math.max(canonical.length, "none".length) + 1, `${text} -> ${shown}`); // .5 is 0.5
  }
});

test("formatted cells look like this", () => {
  /** @param {string} text */
  const cells = (text, numWs = 18) => formatCells(parse(text, numWs).masks[0].cells, numWs);
  assert.equal(cells("0, 1, 2, 5"), "0-2, 5");
  assert.equal(cells("0-17"), "all");
  assert.equal(cells("8-17@0.5"), "fine@0.5");
  assert.equal(cells("0-4, 6-17"), "all, 5@0");
  assert.equal(cells("0-2, 3@0.5, 4-6"), "0-6, 3@0.5");
  assert.equal(cells("3@0"), "none");
  assert.equal(cells("19, 20"), "19-20"); // beyond the model, and kept
  assert.equal(formatStrength(1e-7), "0.0000001");
});

test("layers beyond the model and wrong masks do not hide the others", () => {
  const { masks, errors } = parse("0; a: 20, 1@.5; oops; 2; random(30); 99", 18);
  assert.deepEqual(
    masks.map((mask) => mask.locked),
    ["", "", "error", "", "random", "range"],
  );
  assert.equal(masks[1].cells[20], ALPHA);
  assert.equal(masks[1].cells[1], 0.5);
  assert.deepEqual(
    errors.map(({ code, kind, position }) => [code, kind, position]),
    [
      ["noLayer", "range", 6],
      ["unknownName", "syntax", 16],
      ["randomCount", "range", 32],
      ["noLayer", "range", 37],
    ],
  );
  assert.equal(parse("[[0], oops]", 18).readable, false);
});

test("columns count characters as Python does", () => {
  assert.equal(parse("😀 머리: x", 18).errors[0].column, 7);
});

test("hostile text is an error", () => {
  for (const text of [
    "9".repeat(5000),
    "[".repeat(100_000),
    `[${"9".repeat(5000)}]`,
    `0@${"9".repeat(5000)}`,
  ]) {
    assert.ok(parse(text, 14).errors.length > 0);
  }
});

test("a layer's pixels", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 15, 16, 17].map((layer) => pixels(layer, 18)),
    [4, 8, 8, 16, 16, 1024, 1024, 1024],
  );
  assert.deepEqual(
    [11, 12, 13].map((layer) => pixels(layer, 14)),
    [256, 256, 256],
  );
});

/**
 * Changes by their names. What they take differs.
 *
 * @type {Record<string, (document: MaskDocument, ...rest: any[]) => string>}
 */
const CHANGES = edit;

/** @param {string} name @param {string} text @param {unknown[]} rest */
const change = (name, text, ...rest) => CHANGES[name](parse(text, 18), ...rest, 18);

/** @param {string} text */
const cellsOf = (text) => parse(text, 18).masks[0].cells;

test("painting rewrites one mask and nothing else", () => {
  const text = "# what carries hair?\nhair : 2-6 ,7@.5 # shape\n\n  0;; 1 ;[x] y:random(3)";
  assert.equal(change("setCells", text, 0, cellsOf("2-5")), text.replace("2-6 ,7@.5", "2-5"));
  assert.equal(change("setCells", text, 2, cellsOf("none")), text.replace(" 1 ;", " none ;"));
  assert.equal(change("setCells", "a:1", 0, cellsOf("2")), "a: 2");
  assert.equal(change("setCells", "눈： ２－６；１", 0, cellsOf("2-5@0.5")), "눈： 2-5@0.5；１");
  assert.equal(change("setCells", "［［０］］＃ x", 0, cellsOf("1")), "＃ x\n1");
  assert.equal(change("setCells", "[[0], [1, 2],] # two\n", 1, cellsOf("1-3")), "# two\n0; 1-3");
});

test("labels", () => {
  assert.equal(change("setLabel", "0; 2-6 # x", 1, "hair shape"), "0; hair shape: 2-6 # x");
  assert.equal(change("setLabel", "old:2-6", 0, " a;b: #c, "), "a b c: 2-6");
  assert.equal(change("setLabel", "old: 2-6; 1", 0, " "), "2-6; 1");
  assert.equal(change("setLabel", "２－６", 0, "눈、코；＃1"), "눈 코 1: ２－６");
  assert.equal(change("setLabel", "0, 1", 0, "[old] hair"), "[old] hair: 0, 1");
});

test("masks are removed with their separator", () => {
  assert.equal(change("remove", "0; 1; 2", 1), "0; 2");
  assert.equal(change("remove", "0; 1; 2", 2), "0; 1");
  assert.equal(change("remove", "０； １； ２", 1), "０； ２");
  assert.equal(change("remove", "0; 1; 2 # all", 2), "0; 1 # all");
  assert.equal(change("remove", "0\n1 # one\n2", 1), "0\n2");
  assert.equal(change("remove", "0\n1 # one", 1), "0");
  assert.equal(change("remove", "0; 1 # both\n2", 0), "1 # both\n2");
  assert.equal(change("remove", "[[0], [1], [2]]", 0), "1; 2");
});

test("masks are duplicated, added and moved", () => {
  assert.equal(change("duplicate", "a: 0; 1", 0), "a: 0; a: 0; 1");
  assert.equal(change("duplicate", "  a: 0 # x\n  1", 0), "  a: 0 # x\n  a: 0\n  1");
  assert.equal(change("append", "0; 1", "none"), "0; 1; none");
  assert.equal(change("append", "0 # x", "none"), "0; none # x");
  assert.equal(change("append", "0\n1 # x\n", "2; 3"), "0\n1 # x\n2\n3\n");
  assert.equal(change("append", "", "0"), "0");
  assert.equal(change("append", "# todo", "0"), "# todo\n0");
  assert.equal(change("append", "[]", "0"), "0");
  assert.equal(change("move", "0;  b: 1; 2", 0, 1), "b: 1;  0; 2");
  assert.equal(change("move", "0 # x\n\n1 # y\n2", 1, -1), "1 # y\n\n0 # x\n2");
  assert.equal(change("move", "0; 1 # both\n2", 1, 1), "0; 2 # both\n1");
  assert.equal(edit.replaceAll(parse("# mine\n0 # gone", 18), "all"), "# mine\nall");
});

test("any change leaves the other masks and all comments as they were", () => {
  const random = generator(2);
  const parts = ["0", "hair:2-6 , 7@.5", "random(3)", "oops oops", "all", "fine@-1", "[a] b: 3 -5"];
  const joints = [";", " ;; ", "\n", " # note; 9\n", ";\n\n  ", "\n# line\n"];
  /**
   * @template Item
   * @param {Item[]} list
   */
  const pick = (list) => list[Math.floor(random() * list.length)];
  /** @param {MaskDocument} document */
  const codes = ({ text, masks }) => masks.map(({ start, end }) => text.slice(start, end));
  for (let round = 0; round < 500; round++) {
    const count = 2 + Math.floor(random() * 4);
    const text = Array.from({ length: count }, (_, i) => (i ? pick(joints) : "") + pick(parts)).join("");
    const before = parse(text, 18);
    const index = Math.floor(random() * count);
    /** @type {(string | null)[]} */
    const all = codes(before);
    /** @type {[name: string, rest: unknown[], wanted: (string | null)[]][]} */
    const changes = [
      ["setCells", [index, cellsOf("1, 4@0.5")], all.with(index, null)],
      ["duplicate", [index], all.toSpliced(index, 0, all[index])],
      ["append", ["none"], [...all, "none"]],
      ["remove", [index], all.toSpliced(index, 1)],
    ];
    const [name, rest, wanted] = pick(changes);
    const after = parse(CHANGES[name](before, ...rest, 18), 18);
    assert.equal(after.masks.length, wanted.length, text);
    codes(after).forEach((code, i) => wanted[i] === null || assert.equal(code, wanted[i], text));
    if (name !== "remove") {
      assert.deepEqual(after.text.match(/#[^\n]*/g), text.match(/#[^\n]*/g), text);
    }
  }
});

test("presets are masks of the model", () => {
  for (const numWs of [2, 8, 14, 18]) {
    for (const { id, tip, masks, usable } of presets(numWs)) {
      assert.equal(parse(masks, numWs).errors.length === 0, usable, `${id} ${numWs}`);
      assert.ok(en[id] && en[tip], id);
    }
  }
  const lists = Object.fromEntries(presets(18).map(({ id, masks }) => [id, parse(masks, 18).masks.length]));
  assert.deepEqual(lists, { sweep: 7, each: 18, bands: 3, all: 1, one: 1, hairShape: 1, hairColour: 1 });
  const python = readFileSync(new URL("../../stylemix_core/masks/grammar.py", import.meta.url), "utf8");
  assert.ok(python.includes(`STUDY_SWEEP = "${STUDY_SWEEP}"`));
});

test("both languages say the same things", () => {
  const ko = textsFor("ko-KR");
  assert.notEqual(ko, en);
  assert.equal(textsFor("de"), en);
  assert.deepEqual(Object.keys(ko).sort(), Object.keys(en).sort());
  /** @param {string} text */
  const names = (text) => [...new Set(text.match(/\{\w+\}/g))].sort();
  for (const key of /** @type {TextKey[]} */ (Object.keys(en))) {
    assert.deepEqual(names(ko[key]), names(en[key]), key);
  }
  assert.equal(say(ko, "layers", { count: 18 }), "레이어 18개");
});
