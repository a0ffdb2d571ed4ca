/** Pointer, wheel and keys on a mask grid. They go no further than the grid where they mean something there. */

import { ALPHA, cellStrength } from "./grammar.js";

/** Pixels that the pointer may move and still click; a finger is less steady. */
const CLICK = 4;
const TOUCH = 10;
/** Milliseconds that a finger rests for the row's menu. */
const LONG = 500;
/** Pixels of a vertical drag for a strength of 1. */
const DRAG = 40;
const STEP = 0.1;

/** What Alt + wheel does, by a grid's element: one listener serves all. */
const turns = new WeakMap();

/** Let a `MaskGrid` be painted. */
export function listen(grid) {
  const { element, rows } = grid;
  /** The press that goes on: a "click" until it has moved, then "paint", "strength" or, on a label, "label". */
  let gesture = null;
  let turning = 0;
  let resting = 0;

  rows.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || grid.readOnly || grid.editing || event.target.closest("button")) return;
    const row = rowOf(event.target);
    const layer = layerOf(event.target);
    if (row < 0) return;
    const label = event.target.closest(".stylemix-label");
    grid.focus(row, label ? -1 : Math.max(0, layer));
    if (!label && (layer < 0 || !grid.paintable(row))) return;
    rows.setPointerCapture(event.pointerId);
    const cell = label ? 0 : grid.cell(row, layer);
    const painted = cell === 0 ? ALPHA : 0;
    gesture = {
      kind: label ? "label" : "click",
      text: grid.document.text,
      row,
      layer,
      cell: event.shiftKey ? cell : painted, // Shift paints what the first cell has
      strength: cellStrength(cell, grid.alpha),
      x: event.clientX,
      y: event.clientY,
    };
    grid.busy = true;
    // Where there is no other button, a long press is one.
    if (event.pointerType === "touch") resting = setTimeout(() => openMenuOf(row), LONG);
  });

  function openMenuOf(row) {
    gesture = null;
    grid.busy = false;
    grid.openRowMenu(row, grid.elementAt(row, grid.columns));
  }

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
    const target = document.elementFromPoint(event.clientX, event.clientY);
    const row = rows.contains(target) ? rowOf(target) : -1;
    if (gesture.kind === "strength") {
      const scale = rows.getBoundingClientRect().width / rows.offsetWidth || 1;
      grid.setStrength(gesture.row, gesture.layer, gesture.strength + up / (DRAG * scale));
    } else if (gesture.kind === "paint" && row >= 0 && layerOf(target) >= 0) {
      paintTo(row, layerOf(target));
    } else if (gesture.kind === "label" && row >= 0 && row !== gesture.row) {
      const by = Math.sign(row - gesture.row);
      grid.moveRow(gesture.row, by);
      gesture.row += by;
    }
  }
  rows.addEventListener("pointermove", follow);

  function paintTo(row, layer) {
    // A fast pointer skips cells.
    const before = row === gesture.row ? gesture.layer : layer;
    const first = Math.min(before, layer);
    const layers = Array.from({ length: Math.abs(before - layer) + 1 }, (_, i) => first + i);
    grid.setCells(row, layers, gesture.cell);
    Object.assign(gesture, { row, layer });
    grid.showStatus(row, layer);
  }

  function end(event) {
    clearTimeout(resting);
    if (!gesture) return;
    // A busy page may leave out the last move.
    if (event.type === "pointerup") follow(event);
    const { kind, text, row, layer, cell } = gesture;
    gesture = null;
    grid.busy = false;
    if (kind === "click" && event.type === "pointerup") grid.setCells(row, [layer], cell);
    if (grid.document.text !== text) grid.host.changed();
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
    if (!grid.editing && !event.target.closest("button")) event.preventDefault();
  });
  rows.addEventListener("pointerover", ({ target }) => grid.showStatus(rowOf(target), layerOf(target)));
  // A lifted finger leaves, too, and what it did should be read.
  rows.addEventListener("pointerleave", ({ pointerType }) => pointerType === "touch" || grid.showStatus());
  rows.addEventListener("contextmenu", (event) => {
    const row = rowOf(event.target);
    if (row < 0 || grid.readOnly || grid.editing) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.pointerType !== "touch") openMenuOf(row);
  });
  rows.addEventListener("dblclick", (event) => {
    event.stopPropagation();
    // Not the event's target, which has captured the pointer.
    const label = document.elementFromPoint(event.clientX, event.clientY)?.closest(".stylemix-label");
    if (label) grid.editLabel(rowOf(label));
  });
  rows.addEventListener("click", ({ target }) => {
    const more = target.closest(".stylemix-more:enabled");
    if (more) grid.openRowMenu(rowOf(more), more);
  });
  rows.addEventListener("focusin", ({ target }) => {
    const row = rowOf(target);
    if (row < 0 || grid.editing) return;
    const layer = layerOf(target);
    let { column } = grid.focused; // kept in rows without cells
    if (target.closest(".stylemix-label")) column = -1;
    else if (target.closest("button")) column = grid.columns;
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
    } else if (!keyed(event)) return;
    event.preventDefault();
  });

  /** Do what a key means in the grid; false if nothing. */
  function keyed({ key, altKey }) {
    const { row, column } = grid.focused;
    if (altKey && (key === "ArrowUp" || key === "ArrowDown")) {
      if (!grid.readOnly) change(() => grid.moveRow(row, key === "ArrowUp" ? -1 : 1));
      return true;
    }
    const whole = grid.document.masks[row]?.locked && column >= 0; // one cell instead of many
    const to = {
      ArrowLeft: [row, whole && column < grid.columns ? -1 : column - 1],
      ArrowRight: [row, whole ? grid.columns : column + 1],
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      Home: [row, -1],
      End: [row, grid.columns],
      PageUp: [0, column],
      PageDown: [Infinity, column],
    }[key];
    if (to) grid.focus(...to);
    else if (column < 0 && (key === "Enter" || key === "F2")) grid.editLabel(row);
    else if (column >= 0 && column < grid.columns && grid.paintable(row)) return keyedCell(key, row, column);
    else return false;
    return true;
  }

  function keyedCell(key, row, layer) {
    const toggle = () => grid.setCells(row, [layer], grid.cell(row, layer) === 0 ? ALPHA : 0);
    const clear = () => grid.setCells(row, [layer], 0);
    const more = () => grid.step(row, layer, STEP);
    const less = () => grid.step(row, layer, -STEP);
    const action = {
      " ": toggle,
      Enter: toggle,
      Delete: clear,
      Backspace: clear,
      "+": more,
      "=": more,
      "-": less,
      _: less,
    }[key];
    if (action) change(action);
    return Boolean(action);
  }

  function change(action) {
    action();
    grid.showStatus(grid.focused.row, grid.focused.column);
    grid.host.changed();
  }

  // As in ComfyUI's own text fields, the middle button and the plain wheel belong to the canvas.
  for (const name of ["pointerdown", "pointermove", "pointerup"]) {
    element.addEventListener(name, (event) => {
      if (event.button === 1 || event.buttons & 4) grid.host.toCanvas(event);
    });
  }
  element.addEventListener("wheel", (event) => {
    const scrolls = rows.scrollHeight > rows.clientHeight && rows.contains(event.target);
    if (scrolls && !event.ctrlKey && !event.metaKey) event.stopPropagation();
    else grid.host.toCanvas(event);
  });
  turns.set(element, (event) => {
    const row = rowOf(event.target);
    const layer = layerOf(event.target);
    if (layer < 0 || !grid.paintable(row)) return;
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
    if (event.altKey) turns.get(event.target.closest?.(".stylemix-masks"))?.(event);
  },
  { capture: true, passive: false },
);

function rowOf(element) {
  return Number(element?.closest("[data-row]")?.dataset.row ?? -1);
}

function layerOf(element) {
  return Number(element?.closest("[data-layer]")?.dataset.layer ?? -1);
}
