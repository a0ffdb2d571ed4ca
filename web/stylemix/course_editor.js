/** A course drawn large, over the page: its keys are dragged, a double click makes one, a right click takes one away. */

import { clamp, MAX_STRENGTH, MIN_STRENGTH } from "./cells.js";
import { courseText, keysOf, points } from "./course.js";
import { make, takeOneFinger } from "./drawing.js";

const WIDTH = 280;
const HEIGHT = 120;
const MARGIN = 12;
/** Strengths and places that gestures set are multiples of these. */
const STEP = 0.05;
const PLACE = 0.01;
const CLOSEST = 10;
/** The strength at the top, unless keys are higher: arrow keys go beyond. */
const HIGH = 1.25;

/**
 * Open the editor below an element.
 *
 * @param {HTMLElement} anchor
 * @param {string} course to begin with
 * @param {Record<"hint" | "title", string>} says
 * @param {(course: string) => void} write called as keys move
 * @param {() => void} done called when it closes
 */
export function editCourse(anchor, course, says, write, done) {
  const keys = keysOf(course);
  if (!keys.length) keys.push(...keysOf("0>>1>>0"));
  let low = 0;
  let high = HIGH;
  /** @param {number} place */
  const x = (place) => MARGIN + place * (WIDTH - 2 * MARGIN);
  /** @param {number} strength */
  const y = (strength) => HEIGHT - MARGIN - ((strength - low) / (high - low)) * (HEIGHT - 2 * MARGIN);

  const svg = element("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT });
  const levels = element("g", {});
  const line = element("polyline", { class: "stylemix-course-line" });
  const dots = element("g", {});
  svg.append(levels, line, dots);
  const text = make("div", "stylemix-course-text");
  const panel = make(
    "div",
    "stylemix-menu stylemix-course-editor",
    { role: "dialog", tabindex: "-1", "aria-label": says.title },
    svg,
    text,
    make("div", "stylemix-menu-note", {}, says.hint),
  );
  let chosen = 0;

  function draw() {
    const written = courseText(keys);
    text.textContent = written;
    low = Math.min(0, ...keys.map(({ strength }) => strength));
    high = Math.max(HIGH, ...keys.map(({ strength }) => strength));
    levels.replaceChildren(
      ...[0, 1].map((level) =>
        element("line", { x1: x(0), x2: x(1), y1: y(level), y2: y(level), class: "stylemix-course-level" }),
      ),
    );
    line.setAttribute("points", points(written, x, y, 64));
    const focused = keyOf(document.activeElement);
    dots.replaceChildren(
      ...keys.map((key, i) =>
        element("circle", {
          cx: x(key.place),
          cy: y(key.strength),
          r: 5,
          tabindex: 0,
          "data-key": i,
          class: `stylemix-course-key${key.eased ? " stylemix-course-eased" : ""}`,
        }),
      ),
    );
    if (focused >= 0) focus(focused);
  }

  /** @param {number} i */
  function focus(i) {
    const key = dots.children[Math.min(i, keys.length - 1)];
    if (key instanceof SVGElement) key.focus();
  }

  /** @param {number} i @param {number} place @param {number} strength */
  function put(i, place, strength) {
    const [least, most] = [i ? keys[i - 1].place : 0, i < keys.length - 1 ? keys[i + 1].place : 1];
    keys[i].place = clamp(round(place, PLACE), least, most);
    keys[i].strength = clamp(round(strength, STEP), MIN_STRENGTH, MAX_STRENGTH);
    change();
  }

  function change() {
    draw();
    write(courseText(keys));
  }

  /** @param {MouseEvent} event @returns {[place: number, strength: number]} */
  function where(event) {
    const box = svg.getBoundingClientRect();
    const right = ((event.clientX - box.left) * WIDTH) / box.width;
    const down = ((event.clientY - box.top) * HEIGHT) / box.height;
    return [
      clamp((right - MARGIN) / (WIDTH - 2 * MARGIN), 0, 1),
      low + ((HEIGHT - MARGIN - down) / (HEIGHT - 2 * MARGIN)) * (high - low),
    ];
  }

  /** The key below the pointer, or -1. @param {MouseEvent} event */
  function keyAt(event) {
    const [place, strength] = where(event);
    const distances = keys.map((key) => Math.hypot(x(key.place) - x(place), y(key.strength) - y(strength)));
    const nearest = distances.indexOf(Math.min(...distances));
    return distances[nearest] <= CLOSEST ? nearest : -1;
  }

  takeOneFinger(svg);
  svg.addEventListener("pointerdown", (event) => {
    chosen = event.button === 0 ? keyAt(event) : -1;
    if (chosen >= 0) svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!svg.hasPointerCapture(event.pointerId) || chosen < 0) return;
    const [place, strength] = where(event);
    put(chosen, place, clamp(strength, low, high));
  });
  svg.addEventListener("dblclick", (event) => {
    const at = keyAt(event);
    if (at > 0) keys[at].eased = !keys[at].eased;
    else if (at < 0) {
      const [place, strength] = where(event);
      const next = keys.findIndex((key) => key.place > place);
      const key = { place: round(place, PLACE), strength: round(strength, STEP), eased: false };
      keys.splice(next < 0 ? keys.length : next, 0, key);
    }
    change();
  });
  svg.addEventListener("contextmenu", (event) => {
    event.preventDefault();
    event.stopPropagation();
    take(keyAt(event));
  });

  /** @param {number} i */
  function take(i) {
    if (i < 0 || keys.length < 3) return;
    keys.splice(i, 1);
    change();
  }

  panel.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const i = keyOf(document.activeElement);
    /** @type {Record<string, () => void>} */
    const actions = {
      ArrowUp: () => put(i, keys[i].place, keys[i].strength + STEP),
      ArrowDown: () => put(i, keys[i].place, keys[i].strength - STEP),
      ArrowLeft: () => put(i, keys[i].place - PLACE, keys[i].strength),
      ArrowRight: () => put(i, keys[i].place + PLACE, keys[i].strength),
      Delete: () => take(i),
      Backspace: () => take(i),
    };
    if (event.key === "Escape" || event.key === "Enter") close();
    else if (i >= 0 && actions[event.key]) actions[event.key]();
    else return;
    event.preventDefault();
  });

  /** @param {Event} event */
  function outside(event) {
    if (!(event.target instanceof Node && panel.contains(event.target))) close();
  }

  function close() {
    window.removeEventListener("pointerdown", outside, true);
    panel.remove();
    done();
  }

  draw();
  document.body.append(panel);
  const place = anchor.getBoundingClientRect();
  const below = place.bottom + panel.offsetHeight < window.innerHeight;
  panel.style.top = `${Math.max(4, below ? place.bottom + 2 : place.top - panel.offsetHeight - 2)}px`;
  panel.style.left = `${Math.max(4, Math.min(place.left, window.innerWidth - panel.offsetWidth - 4))}px`;
  window.addEventListener("pointerdown", outside, true);
  focus(0);
}

/**
 * The number of the key that an element of the editor is, or -1.
 *
 * @param {Element | null} element
 */
function keyOf(element) {
  return element instanceof SVGElement ? Number(element.dataset.key ?? -1) : -1;
}

/**
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, string | number>} attributes
 */
function element(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
  return made;
}

/** @param {number} value @param {number} step */
function round(value, step) {
  return Number((Math.round(value / step) * step).toFixed(2)) + 0;
}
