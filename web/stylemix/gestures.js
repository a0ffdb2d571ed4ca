/** Pointer, wheel and keys on a mask grid. They go no further than the grid where they mean something there. */

/** @import { Cell } from "./cells.js" */
/** @import { MaskGrid } from "./grid.js" */

import { ALPHA, cellStrength } from "./cells.js";
import { isCourse } from "./course.js";
import { takeOneFinger } from "./drawing.js";

/**
 * @typedef {object} Gesture a press that goes on
 * @property {"click" | "paint" | "strength" | "label"} kind a click until it has moved
 * @property {string} text at its start
 * @property {number} row where it is now
 * @property {number} layer where it is now
 * @property {Cell} cell what it paints
 * @property {number} strength of the first cell
 * @property {number} x
 * @property {number} y
 */

/** Pixels that the pointer may move and still click; a finger is less steady. */
const CLICK = 4;
const TOUCH = 10;
/** Milliseconds that a finger rests for the row's menu. */
const LONG = 500;
/** Pixels of a vertical drag for a strength of 1. */
const DRAG = 40;
const STEP = 0.1;
/** The key that shows the source as long as it is held: S, whatever the keyboard writes with it. */
const COMPARE = "KeyS";

/**
 * What Alt + wheel does, by a grid's element: one listener serves all.
 *
 * @type {WeakMap<Element, (event: WheelEvent) => void>}
 */
const turns = new WeakMap();

/**
 * Let a grid be painted.
 *
 * @param {MaskGrid} grid
 */
export function listen(grid) {
  const { element, rows } = grid;
  /** @type {Gesture | null} */
  let gesture = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let turning;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let resting;

  takeOneFinger(rows);
  rows.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || grid.view.readOnly || grid.editing || above(event.target, "button")) return;
    const row = rowOf(event.target);
    const layer = layerOf(event.target);
    if (row < 0) return;
    const label = above(event.target, ".stylemix-label");
    grid.focus(row, label ? -1 : Math.max(0, layer));
    if (!label && (layer < 0 || !grid.view.paintable(row))) return;
    rows.setPointerCapture(event.pointerId);
    const cell = label ? 0 : grid.view.cell(row, layer);
    const painted = cell === 0 ? ALPHA : 0;
    gesture = {
      kind: label ? "label" : "click",
      text: grid.view.document.text,
      row,
      layer,
      cell: event.shiftKey ? cell : painted, // Shift paints what the first cell has
      strength: cellStrength(cell, grid.view.alpha),
      x: event.clientX,
      y: event.clientY,
    };
    grid.busy = true;
    if (!label && !isCourse(cell)) grid.foresee(row, layer, gesture.cell);
    // Where there is no other button, a long press is one.
    if (event.pointerType === "touch") resting = setTimeout(() => openMenuOf(row), LONG);
  });

  /** @param {number} row */
  function openMenuOf(row) {
    gesture = null;
    grid.busy = false;
    grid.showLive(row); // not what a click would have given
    const more = grid.elementAt(row, grid.view.columns);
    if (more) grid.openRowMenu(row, more);
  }

  /** @param {PointerEvent} event */
  function follow(event) {
    if (!gesture) return;
    const right = event.clientX - gesture.x;
    const up = gesture.y - event.clientY;
    const still = event.pointerType === "touch" ? TOUCH : CLICK;
    const moved = Math.max(Math.abs(right), Math.abs(up)) > still;
    if (moved) clearTimeout(resting);
    if (gesture.kind === "click" && moved) {
      gesture.kind = Math.abs(up) > Math.abs(right) ? "strength" : "paint";
      if (gesture.kind === "paint") grid.setCells(gesture.row, [gesture.layer], gesture.cell);
    }
    if (gesture.kind === "click") return;
    if (gesture.kind === "strength") {
      const scale = rows.getBoundingClientRect().width / rows.offsetWidth || 1;
      grid.setStrength(gesture.row, gesture.layer, gesture.strength + up / (DRAG * scale));
      return;
    }
    const target = document.elementFromPoint(event.clientX, event.clientY);
    const row = rows.contains(target) ? rowOf(target) : -1;
    if (gesture.kind === "paint" && row >= 0 && layerOf(target) >= 0) {
      paintTo(gesture, row, layerOf(target));
    } else if (gesture.kind === "label" && row >= 0 && row !== gesture.row) {
      const by = Math.sign(row - gesture.row);
      grid.moveRow(gesture.row, by);
      gesture.row += by;
    }
  }
  rows.addEventListener("pointermove", follow);

  /** @param {Gesture} gesture @param {number} row @param {number} layer */
  function paintTo(gesture, row, layer) {
    // A fast pointer skips cells.
    const before = row === gesture.row ? gesture.layer : layer;
    const first = Math.min(before, layer);
    const layers = Array.from({ length: Math.abs(before - layer) + 1 }, (_, i) => first + i);
    grid.setCells(row, layers, gesture.cell);
    Object.assign(gesture, { row, layer });
    grid.showStatus(row, layer);
  }

  /** @param {PointerEvent} event */
  function end(event) {
    clearTimeout(resting);
    if (!gesture) return;
    // A busy page may leave out the last move.
    if (event.type === "pointerup") follow(event);
    const { kind, text, row, layer, cell } = gesture;
    gesture = null;
    grid.busy = false;
    const before = grid.view.cell(row, layer);
    if (event.type !== "pointerup") grid.showLive(row);
    if (kind === "click" && event.type === "pointerup") {
      if (isCourse(before)) {
        grid.openCourse(row, [layer]);
        return;
      }
      grid.setCells(row, [layer], cell);
    }
    if (grid.view.document.text !== text) grid.host.changed();
    if (kind !== "label") grid.focus(row, layer);
  }
  rows.addEventListener("pointerup", end);
  rows.addEventListener("pointercancel", end);

  // A finger that paints is no long press on the canvas, whose menu would open.
  let painting = false;
  rows.addEventListener("touchstart", () => (painting = gesture !== null), { passive: true });
  for (const name of ["touchstart", "touchmove", "touchend", "touchcancel"])
    rows.addEventListener(name, (event) => painting && event.stopPropagation(), { passive: true });

  // Focus is ours to move, and nothing here is text to select.
  rows.addEventListener("mousedown", (event) => {
    if (!grid.editing && !above(event.target, "button")) event.preventDefault();
  });
  rows.addEventListener("pointerover", ({ target }) => grid.showStatus(rowOf(target), layerOf(target)));
  grid.head.addEventListener("pointerover", ({ target }) => {
    const layer = above(target, ".stylemix-index");
    if (layer) grid.showLive(grid.pointed, Number(layer.textContent));
  });
  grid.head.addEventListener("pointerleave", () => grid.showLive(grid.pointed));
  // A lifted finger leaves, too, and what it did should be read.
  rows.addEventListener("pointerleave", ({ pointerType }) => pointerType === "touch" || grid.showStatus());
  rows.addEventListener("contextmenu", (event) => {
    const row = rowOf(event.target);
    if (row < 0 || grid.view.readOnly || grid.editing) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.pointerType !== "touch") openMenuOf(row);
  });
  rows.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    // Not the event's target, which has captured the pointer.
    const label = above(document.elementFromPoint(event.clientX, event.clientY), ".stylemix-label");
    if (label) grid.editLabel(rowOf(label));
  });
  rows.addEventListener("click", ({ target }) => {
    const more = above(target, ".stylemix-more:enabled");
    if (more) grid.openRowMenu(rowOf(more), more);
  });
  rows.addEventListener("focusin", ({ target }) => {
    const row = rowOf(target);
    if (row < 0 || grid.editing) return;
    const layer = layerOf(target);
    let { column } = grid.focused; // kept in rows without cells
    if (above(target, ".stylemix-label")) column = -1;
    else if (above(target, "button")) column = grid.view.columns;
    else if (layer >= 0) column = layer;
    if (row !== grid.focused.row || column !== grid.focused.column) grid.focus(row, column, false);
    grid.showStatus(row, layer);
  });

  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey) return; // undo, save, queue: the page's
    event.stopPropagation();
    if (grid.editing || !grid.hasFocus) return;
    if (event.key === "Escape" && gesture) {
      const { text } = gesture;
      gesture = null;
      grid.busy = false;
      grid.write(text);
      grid.showLive(grid.pointed);
    } else if (event.code === COMPARE) grid.live.compare(true);
    else if (!keyed(event)) return;
    event.preventDefault();
  });
  element.addEventListener("keyup", ({ code }) => code === COMPARE && grid.live.compare(false));
  element.addEventListener("focusout", () => grid.live.compare(false));

  /**
   * Do what a key means in the grid; false if nothing.
   *
   * @param {KeyboardEvent} event
   */
  function keyed({ key, altKey }) {
    const { row, column } = grid.focused;
    if (altKey && (key === "ArrowUp" || key === "ArrowDown")) {
      if (!grid.view.readOnly) change(() => grid.moveRow(row, key === "ArrowUp" ? -1 : 1));
      return true;
    }
    const whole = grid.view.document.masks[row]?.locked && column >= 0; // one cell instead of many
    /** @type {Record<string, [row: number, column: number]>} */
    const places = {
      ArrowLeft: [row, whole && column < grid.view.columns ? -1 : column - 1],
      ArrowRight: [row, whole ? grid.view.columns : column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: [row, -1],
      End: [row, grid.view.columns],
      PageUp: [0, column],
      PageDown: [Infinity, column],
    };
    const to = places[key];
    if (to) grid.focus(...to);
    else if (column < 0 && (key === "Enter" || key === "F2")) grid.editLabel(row);
    else if (column >= 0 && column < grid.view.columns && grid.view.paintable(row))
      return keyedCell(key, row, column);
    else return false;
    return true;
  }

  /** @param {string} key @param {number} row @param {number} layer */
  function keyedCell(key, row, layer) {
    const toggle = () => grid.setCells(row, [layer], grid.view.cell(row, layer) === 0 ? ALPHA : 0);
    const clear = () => grid.setCells(row, [layer], 0);
    const more = () => grid.step(row, layer, STEP);
    const less = () => grid.step(row, layer, -STEP);
    /** @type {Record<string, () => void>} */
    const actions = {
      " ": toggle,
      Enter: toggle,
      Delete: clear,
      Backspace: clear,
      "+": more,
      "=": more,
      "-": less,
      _: less,
    };
    const action = actions[key];
    if (action) change(action);
    return Boolean(action);
  }

  /** @param {() => void} action */
  function change(action) {
    action();
    grid.showStatus(grid.focused.row, grid.focused.column);
    grid.host.changed();
  }

  // As in ComfyUI's own text fields, the middle button and the plain wheel belong to the canvas.
  for (const name of /** @type {const} */ (["pointerdown", "pointermove", "pointerup"])) {
    element.addEventListener(name, (event) => {
      if (event.button === 1 || event.buttons & 4) grid.host.toCanvas(event);
    });
  }
  element.addEventListener("wheel", (event) => {
    const scrolls = rows.scrollHeight > rows.clientHeight && above(event.target, ".stylemix-rows");
    if (scrolls && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    else grid.host.toCanvas(event);
  });
  turns.set(element, (event) => {
    const row = rowOf(event.target);
    const layer = layerOf(event.target);
    if (layer < 0 || !grid.view.paintable(row)) return;
    event.preventDefault();
    event.stopPropagation();
    grid.step(row, layer, -Math.sign(event.deltaY || event.deltaX) * STEP);
    // One gesture, as long as it goes on.
    clearTimeout(turning);
    turning = setTimeout(() => grid.host.changed(), 400);
  });
}

// On the window, before the canvas, which takes every wheel that it can.
window.addEventListener(
  "wheel",
  (event) => {
    const masks = event.altKey ? above(event.target, ".stylemix-masks") : null;
    if (masks) turns.get(masks)?.(event);
  },
  { capture: true, passive: false },
);

/** @param {EventTarget | null} target */
function rowOf(target) {
  return Number(above(target, "[data-row]")?.dataset.row ?? -1);
}

/** @param {EventTarget | null} target */
function layerOf(target) {
  return Number(above(target, "[data-layer]")?.dataset.layer ?? -1);
}

/**
 * The target, or the nearest element around it, that a selector means.
 *
 * @param {EventTarget | null} target
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
function above(target, selector) {
  return target instanceof Element ? target.closest(selector) : null;
}
