/** The elements of a mask grid: its head, its rows and what it says about the text. */

/** @import { Mask, MaskError } from "./grammar.js" */
/** @import { MaskView } from "./view.js" */

import { BANDS, cellStrength, MAX_STRENGTH, MIN_STRENGTH } from "./cells.js";
import { isCourse, peak, points } from "./course.js";
import { formatStrength } from "./format.js";
import { firstError } from "./grammar.js";
import { describe } from "./texts.js";

/**
 * An element with attributes and content.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {string} className
 * @param {Record<string, string | number | boolean>} attributes
 * @param {(Node | string)[]} children
 */
export function make(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * Make an element look as another one. It stays itself, with the focus if it has that: to give it to another one would
 * lay out the page.
 *
 * @param {Element} element
 * @param {Element} other of the same tag
 */
export function become(element, other) {
  for (const { name } of [...element.attributes]) if (!other.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of other.attributes)
    if (element.getAttribute(name) !== value) element.setAttribute(name, value);
  const theirs = [...other.childNodes];
  const mine = [...element.childNodes];
  if (mine.length !== theirs.length || mine.some(({ nodeName }, i) => nodeName !== theirs[i].nodeName)) {
    element.replaceChildren(...theirs);
    return;
  }
  mine.forEach((child, i) => {
    const their = theirs[i];
    if (child instanceof Element && their instanceof Element) become(child, their);
    else if (child.nodeValue !== their.nodeValue) child.nodeValue = their.nodeValue;
  });
}

/**
 * Let the first finger alone do something: a touch is captured by what it touches, so that a second one would drag, too.
 *
 * @param {Element} element
 */
export function takeOneFinger(element) {
  for (const name of ["pointerdown", "pointermove", "pointerup", "pointercancel"])
    element.addEventListener(
      name,
      (event) => /** @type {PointerEvent} */ (event).isPrimary || event.stopImmediatePropagation(),
      true,
    );
}

/**
 * The lines of the head: the names of layers, their pixels, their numbers.
 *
 * @param {MaskView} view
 */
export function headOf(view) {
  const { numWs, columns } = view;
  const bands = BANDS.filter(({ first }) => first < numWs).map(({ name, first, end }) =>
    spanOf(name, view.say(name), first, Math.min(end, numWs), `stylemix-${name}`),
  );
  const sizes = [];
  for (let first = 0, end = 0; first < numWs; first = end) {
    const size = view.pixels(first);
    while (end < numWs && view.pixels(end) === size) end++;
    sizes.push(spanOf(`${size}`, view.say("pixels", { pixels: size }), first, end));
  }
  const indices = [make("div", "", { role: "columnheader" })];
  for (let layer = 0; layer < columns; layer++) {
    const title = view.layerTitle(layer);
    const attributes = { role: "columnheader", title, "aria-label": title };
    indices.push(make("div", `stylemix-index ${columnClass(view, layer)}`, attributes, `${layer}`));
  }
  return [
    make("div", "stylemix-line stylemix-bands", { "aria-hidden": "true" }, ...bands),
    make("div", "stylemix-line stylemix-sizes", { "aria-hidden": "true" }, ...sizes),
    make("div", "stylemix-line stylemix-indices", { role: "row" }, ...indices),
  ];
}

/**
 * @param {string} text
 * @param {string} title
 * @param {number} first
 * @param {number} end
 */
function spanOf(text, title, first, end, mark = "") {
  const cell = make("div", `stylemix-span ${mark}`, { title }, text);
  cell.style.gridColumn = `${first + 2} / ${end + 2}`;
  return cell;
}

/** @param {MaskView} view @param {number} layer */
function columnClass(view, layer) {
  const beyond = layer >= view.numWs;
  const first =
    layer === view.numWs || (!beyond && layer > 0 && view.pixels(layer) !== view.pixels(layer - 1));
  return `${beyond ? "stylemix-beyond" : ""} ${first ? "stylemix-first" : ""}`;
}

/**
 * A mask's row: its label, its cells, its menu's button.
 *
 * @param {MaskView} view
 * @param {number} row
 */
export function rowOf(view, row) {
  const mask = view.document.masks[row];
  const name = view.maskName(row);
  const label = make(
    "div",
    "stylemix-label",
    { role: "rowheader", tabindex: "-1", title: view.readOnly ? name : `${name}\n${view.say("editLabel")}` },
    name,
  );
  label.classList.toggle("stylemix-named", Boolean(mask.label));
  const menu = make(
    "button",
    "stylemix-more",
    { type: "button", tabindex: "-1", title: view.say("rowMenu"), "aria-haspopup": "menu" },
    "⋯",
  );
  menu.setAttribute("aria-label", `${name}: ${view.say("rowMenu")}`);
  menu.disabled = view.readOnly;
  const cells = mask.locked
    ? [lockedOf(view, mask)]
    : Array.from({ length: view.columns }, (_, layer) => cellOf(view, row, layer));
  return make(
    "div",
    "stylemix-line stylemix-row",
    { role: "row", "data-row": row, "aria-rowindex": row + 2 },
    label,
    ...cells,
    make("div", "", { role: "gridcell" }, menu),
  );
}

/** @param {MaskView} view @param {number} row @param {number} layer */
function cellOf(view, row, layer) {
  const cell = view.cell(row, layer);
  const course = isCourse(cell);
  const strength = course ? peak(cell) : cellStrength(cell, view.alpha);
  const classes = ["stylemix-cell", columnClass(view, layer)];
  if (course) classes.push("stylemix-course");
  if (strength !== 0) classes.push(strength < 0 ? "stylemix-negative" : "stylemix-positive");
  const label = view.say("cell", { mask: view.maskName(row), layer, strength: view.strengthText(cell) });
  const attributes = {
    role: "gridcell",
    tabindex: "-1",
    "data-layer": layer,
    "aria-label": label,
    "aria-selected": cell !== 0,
  };
  // Between nothing and everything a fill alone says too little.
  const number = strength === 0 || strength === 1 ? "" : formatStrength(strength).replace(/^(-?)0\./, "$1.");
  const element = make("div", classes.join(" "), attributes, course ? courseOf(cell) : number);
  // A full cell is a strength of 1; what is beyond rises again in front of it.
  const amount = Math.abs(strength);
  element.style.setProperty("--level", `${100 * Math.min(amount, 1)}%`);
  element.style.setProperty(
    "--beyond",
    `${100 * Math.max(0, (amount - 1) / (strength < 0 ? -MIN_STRENGTH - 1 : MAX_STRENGTH - 1))}%`,
  );
  return element;
}

/**
 * The line of a course, as wide and high as its cell.
 *
 * @param {string} course
 */
function courseOf(course) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 20 20");
  svg.setAttribute("preserveAspectRatio", "none");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const most = Math.max(1, Math.abs(peak(course)));
  const y = /** @param {number} strength */ (strength) => 18 - (16 * Math.abs(strength)) / most;
  line.setAttribute("points", points(course, (place) => 1 + 18 * place, y, 24));
  svg.append(line);
  return svg;
}

/**
 * What stands for the cells of a mask that has none: its own text, marked where it is wrong.
 *
 * @param {MaskView} view
 * @param {Mask} mask
 */
function lockedOf(view, mask) {
  const error = view.document.errors.find((each) => each.mask === mask);
  const title = error ? `${describe(view.texts, error)}\n${view.say("cannotShow")}` : view.say("random");
  const element = make("div", `stylemix-locked stylemix-locked-${error ? error.kind : "random"}`, {
    role: "gridcell",
    tabindex: "-1",
    title,
  });
  const text = view.document.text.slice(mask.terms, mask.end);
  if (!error || error.position < mask.terms) element.append(text);
  else element.append(...marked(text, error.position - mask.terms));
  return element;
}

/**
 * Where the masks come from, and what is wrong with them.
 *
 * @param {MaskView} view
 * @param {(start: number, end: number) => void} showInText
 */
export function messagesOf(view, showInText) {
  const { given, document, texts } = view;
  const messages = [];
  const error = firstError(document);
  if (given) messages.push(make("div", "stylemix-note", {}, view.say(given.key, given)));
  if (error && given) messages.push(make("div", "stylemix-error", {}, describe(texts, error)));
  if (!error || given) return messages;
  const place = make(
    "button",
    "stylemix-place",
    { type: "button", title: view.say("showPlace") },
    view.say("place", error),
  );
  place.addEventListener("click", () =>
    showInText(error.position, Math.max(error.position + 1, error.mask?.end ?? 0)),
  );
  messages.push(
    make("div", `stylemix-error stylemix-${error.kind}`, {}, place, ` ${describe(texts, error)}`),
  );
  if (!document.readable) messages.push(quoteOf(document.text, error));
  return messages;
}

/** @param {string} text @param {MaskError} error */
function quoteOf(text, error) {
  const line = text.split("\n")[error.line - 1];
  const at = error.position - text.lastIndexOf("\n", error.position - 1) - 1;
  const from = Math.max(0, at - 20);
  return make("div", "stylemix-quote", {}, ...marked(line.slice(from, at + 30), at - from));
}

/** @param {string} text @param {number} at */
function marked(text, at) {
  return [
    text.slice(0, at),
    make("mark", "", {}, text.slice(at, at + 1).trim() || "␣"),
    text.slice(at + 1),
  ];
}
