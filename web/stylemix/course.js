/** Courses: strengths over the frames of a film. In a cell they are their text: `0>1`, `0>1/30%>>0`, `sin(2)`. */

/** @import { Cell } from "./cells.js" */

import { ALPHA } from "./cells.js";
import { formatStrength } from "./format.js";

/**
 * @typedef {object} Key
 * @property {number} strength
 * @property {number} place in the film, 0 to 1
 * @property {boolean} eased whether the way from the key before it starts and ends slowly
 */

/**
 * Whether a cell's strength changes over a film.
 *
 * @param {Cell} cell
 * @returns {cell is string}
 */
export function isCourse(cell) {
  return typeof cell === "string" && cell !== ALPHA;
}

/**
 * The keys of a course; none of a wave.
 *
 * @param {string} course
 * @returns {Key[]}
 */
export function keysOf(course) {
  if (course.startsWith("sin")) return [];
  const parts = course.split(/(>>?)/);
  const keys = parts
    .filter((_, i) => i % 2 === 0)
    .map((part, i) => {
      const [strength, place] = part.split("/");
      const eased = i > 0 && parts[2 * i - 1] === ">>";
      return { strength: Number(strength), place: place ? parseFloat(place) / 100 : NaN, eased };
    });
  if (Number.isNaN(keys[0].place)) keys[0].place = 0;
  const last = keys[keys.length - 1];
  if (Number.isNaN(last.place)) last.place = 1;
  // Those that say no place are spread evenly between those that do.
  for (let i = 1, known = 0; i < keys.length; i++) {
    if (Number.isNaN(keys[i].place)) continue;
    const step = (keys[i].place - keys[known].place) / (i - known);
    for (let between = known + 1; between < i; between++)
      keys[between].place = keys[known].place + step * (between - known);
    known = i;
  }
  return keys;
}

/**
 * The strength at a place of the film, 0 to 1.
 *
 * @param {string} course
 * @param {number} place
 */
export function strengthAt(course, place) {
  const keys = keysOf(course);
  if (!keys.length) return (1 - Math.cos(2 * Math.PI * waves(course) * place)) / 2;
  let before = keys[0];
  if (place < before.place) return before.strength;
  for (const key of keys.slice(1)) {
    if (place < key.place) {
      const t = (place - before.place) / (key.place - before.place);
      const way = key.eased ? t * t * (3 - 2 * t) : t;
      return before.strength + way * (key.strength - before.strength);
    }
    before = key;
  }
  return before.strength;
}

/** @param {string} course of a wave */
function waves(course) {
  return Number(course.match(/\d+/)?.[0] ?? 1);
}

/**
 * The strength of a course that is farthest from nothing.
 *
 * @param {string} course
 */
export function peak(course) {
  const strengths = keysOf(course).map(({ strength }) => strength);
  return strengths.reduce((one, other) => (Math.abs(other) > Math.abs(one) ? other : one), strengths.length ? 0 : 1);
}

/**
 * Keys in the grammar's form; their places only where they are not the even ones.
 *
 * @param {Key[]} keys two or more, in order
 */
export function courseText(keys) {
  const even = keys.every(({ place }, i) => Math.abs(place - i / (keys.length - 1)) < 0.005);
  return keys
    .map(({ strength, place, eased }, i) => {
      const arrow = i ? (eased ? ">>" : ">") : "";
      const default_ = i === 0 ? place < 0.005 : i === keys.length - 1 && place > 0.995;
      return arrow + formatStrength(strength) + (even || default_ ? "" : `/${Math.round(100 * place)}%`);
    })
    .join("");
}

/**
 * Points of a course's line in a box, for a polyline.
 *
 * @param {string} course
 * @param {(place: number) => number} x
 * @param {(strength: number) => number} y
 * @param {number} steps
 */
export function points(course, x, y, steps) {
  const places = Array.from({ length: steps + 1 }, (_, i) => i / steps);
  return places
    .map((place) => `${x(place).toFixed(1)},${y(strengthAt(course, place)).toFixed(1)}`)
    .join(" ");
}
