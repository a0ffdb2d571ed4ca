/**
 * The mask grid: one row per mask, one column per W+ layer, beside the text that stays the truth. It shows the
 * text and changes it; `drawing.js` says how it looks, `gestures.js` when it changes. What surrounds it (the node, the
 * canvas) is behind `host`.
 */

/** @import { Cell } from "./cells.js" */
/** @import { GivenMasks } from "./given.js" */
/** @import { MaskDocument } from "./grammar.js" */
/** @import { Server } from "./live.js" */
/** @import { Model } from "./model.js" */

import { cellStrength, clamp, MAX_STRENGTH, MIN_STRENGTH, setCell } from "./cells.js";
import { isCourse } from "./course.js";
import { editCourse } from "./course_editor.js";
import { become, headOf, make, messagesOf, rowOf } from "./drawing.js";
import { append, duplicate, move, remove, replaceAll, setCells, setLabel } from "./edit.js";
import { formatStrength } from "./format.js";
import { listen } from "./gestures.js";
import { Live } from "./live.js";
import { openMenu } from "./menu.js";
import { presets } from "./presets.js";
import { textsFor } from "./texts.js";
import { MaskView } from "./view.js";

/** Strengths that gestures set are multiples of it. */
const STEP = 0.05;

/**
 * @typedef {object} Host
 * @property {() => string} text
 * @property {(text: string) => void} setText must lead to a `refresh`
 * @property {() => Model} model
 * @property {() => number} alpha
 * @property {() => number} seed
 * @property {Server} live
 * @property {() => string} locale
 * @property {(numWs: number) => GivenMasks | null} given the masks in force that are not the text's
 * @property {() => void} changed when a gesture is complete
 * @property {() => void} resized when `height` is another
 * @property {(start: number, end: number) => void} showInText
 * @property {(event: PointerEvent | WheelEvent) => void} toCanvas for what the canvas should get
 */

export class MaskGrid {
  /**
   * The height when it was on the page last.
   *
   * @type {number | null}
   */
  measured = null;
  /** Whether it may be another now. */
  stale = true;
  /** Whether the pointer is at it; then rows stay as they are until it changes them. */
  busy = false;
  /** Whether a label is being typed. */
  editing = false;
  /**
   * Ends the typing of a label.
   *
   * @type {(() => void) | null}
   */
  cancelEdit = null;
  /** Column −1 is the label, the one behind the last layer the row's menu. */
  focused = { row: 0, column: 0 };
  /** The mask that was pointed at last, whose result is seen live. */
  pointed = 0;
  /**
   * What every row that is drawn depends on, and what all of them do.
   *
   * @type {(string | null)[]}
   */
  drawn = [];
  frame = "";
  /**
   * The row and the layer under the pointer, −1 where there is none.
   *
   * @type {[row: number, layer: number]}
   */
  over = [-1, -1];

  /** @param {Host} host */
  constructor(host) {
    this.host = host;
    this.view = this.read();
    this.rows = make("div", "stylemix-rows", { role: "rowgroup", "data-capture-wheel": "true" });
    this.head = make("div", "stylemix-head", { role: "rowgroup" });
    this.table = make("div", "stylemix-table", { role: "grid" }, this.head, this.rows);
    this.add = make("button", "stylemix-button", { type: "button" });
    this.preset = make("button", "stylemix-button", { type: "button", "aria-haspopup": "menu" });
    this.status = make("span", "stylemix-status");
    this.message = make("div", "stylemix-message", { "aria-live": "polite" });
    this.live = new Live(host.live, (key, values) => this.view.say(key, values));
    const bar = make("div", "stylemix-bar", {}, this.add, this.preset, this.status);
    this.content = make("div", "stylemix-content", {}, this.table, bar, this.message, this.live.element);
    this.element = make("div", "stylemix-masks", {}, this.content);
    listen(this);
    this.add.addEventListener("click", () => this.addMasks("none"));
    this.preset.addEventListener("click", () => this.openPresets());
    this.element.addEventListener("pointerenter", ({ pointerType }) => {
      this.live.enter();
      // A finger enters as it goes down, on a cell that must still be there then.
      if (pointerType !== "touch" && !this.busy && !this.editing) this.refresh();
    });
    new ResizeObserver(() => {
      this.stale = true;
      this.host.resized();
    }).observe(this.content);
  }

  /** Height of the content in pixels, at zoom 1. To measure it lays out the page. */
  get height() {
    if (!this.stale && this.measured !== null) return this.measured;
    // Not on the page yet, hidden, or on its way to its width: as high as it will be without a message.
    if (this.content.offsetWidth < 100) return this.measured ?? 80 + 24 * this.view.document.masks.length;
    this.stale = false;
    return (this.measured = this.content.offsetHeight);
  }

  /** What there is to show now. */
  read() {
    const { host } = this;
    const model = host.model();
    return new MaskView(host.text(), host.given(model.numWs), model, textsFor(host.locale()), host.alpha);
  }

  /** Show the text as it is now. */
  refresh() {
    const view = this.read();
    const { document, columns, readOnly } = view;
    if (this.editing && !readOnly && document.text === this.view.document.text) return;
    this.cancelEdit?.();
    const { hasFocus } = this;
    this.view = view;
    this.showLive(this.pointed); // the server works while the page does
    this.element.classList.toggle("stylemix-read-only", readOnly);
    this.element.style.setProperty("--stylemix-columns", `${columns}`);
    // Not by the names of masks without labels: they change with every stroke, and the cells would move.
    const labels = document.masks.map(({ label }) => widthOf(label));
    this.element.style.setProperty("--stylemix-label", `${Math.max(0, ...labels)}`);
    this.table.setAttribute("aria-label", view.say("grid"));
    this.table.setAttribute("aria-readonly", `${readOnly}`);
    this.table.setAttribute("aria-colcount", `${columns + 2}`);
    this.table.setAttribute("aria-rowcount", `${document.masks.length + 1}`);
    const rows = this.drawn.length;
    this.draw();
    this.add.disabled = this.preset.disabled = !view.open;
    const said = this.message.textContent;
    this.message.replaceChildren(...messagesOf(view, this.host.showInText));
    this.stale ||= rows !== document.masks.length || said !== this.message.textContent;
    this.showStatus(...this.over); // the pointer has not moved
    this.focus(this.focused.row, this.focused.column, hasFocus);
  }

  /** The node is gone. Some pages keep it, for undo or in their tooltips; what it shows they need not keep. */
  leave() {
    this.live.leave();
    this.head.replaceChildren();
    this.rows.replaceChildren();
    this.drawn = [];
    this.frame = "";
  }

  /** Draw what is another than before: a stroke changes one row, and is seen the sooner. */
  draw() {
    const { view, drawn } = this;
    const frame = `${view.say("grid")} ${view.frameKey}`;
    const anew = frame !== this.frame;
    this.frame = frame;
    if (anew) {
      this.head.replaceChildren(...headOf(view));
      this.add.textContent = view.say("addMask");
      this.add.title = view.say("addMaskTip");
      this.preset.textContent = `${view.say("presets")} ▾`;
    }
    this.drawn = view.document.masks.map((_, row) => view.rowKey(row));
    while (this.rows.children.length > this.drawn.length) this.rows.lastElementChild?.remove();
    this.drawn.forEach((key, row) => {
      const element = this.rows.children[row];
      if (!element) this.rows.append(rowOf(view, row));
      else if (anew || key === null || key !== drawn[row]) become(element, rowOf(view, row));
    });
  }

  /**
   * Show what a mask gives, or what a layer gives alone.
   *
   * @param {number} row
   */
  showLive(row, layer = -1) {
    const { view } = this;
    const { masks } = view.document;
    this.pointed = clamp(row, 0, Math.max(0, masks.length - 1));
    const alpha = view.alpha;
    if (layer >= 0)
      this.live.show({ mask_list: `${layer}`, alpha, seed: 0, row: 0 }, view.say("liveLayer", { layer }));
    else if (masks.length) this.showMask(view, this.pointed);
  }

  /** @param {MaskView} view @param {number} row */
  showMask(view, row) {
    const values = { mask_list: view.document.text, alpha: view.alpha, seed: this.host.seed(), row };
    this.live.show(values, view.maskName(row));
  }

  /**
   * Ask for the picture of what a click gives as soon as it is pressed: it is drawn while the hand lets go.
   *
   * @param {number} row
   * @param {number} layer
   * @param {Cell} cell
   */
  foresee(row, layer, cell) {
    const { given, model, texts, ownStrength } = this.view;
    this.showMask(new MaskView(this.withCells(row, [layer], cell), given, model, texts, ownStrength), row);
  }

  /** What is under the pointer or the focus; else what the columns are. */
  showStatus(row = -1, layer = -1) {
    const { status, view } = this;
    this.over = [row, layer];
    const mask = view.document.masks[row];
    if (mask) this.showLive(row);
    let text = view.say(view.model.known ? "layers" : "layersAssumed", { count: view.numWs });
    let title = `${view.say("hint")}\n${view.say("live")}`;
    if (mask && layer >= 0 && !mask.locked)
      [text, title] = [`${view.layerTitle(layer)} · ${view.strengthText(view.cell(row, layer))}`, ""];
    else if (mask) text = title = view.maskName(row); // labels may be cut off
    if (status.textContent !== text) status.textContent = text;
    status.title = title;
  }

  /** Whether a key would go to a row. */
  get hasFocus() {
    return this.rows.contains(document.activeElement);
  }

  /**
   * Move the one tab stop of the grid, and the focus with it if `take`.
   *
   * @param {number} row
   * @param {number} column
   */
  focus(row, column, take = true) {
    row = clamp(row, 0, this.view.document.masks.length - 1);
    column = clamp(column, -1, this.view.columns);
    this.focused = { row: Math.max(0, row), column };
    this.rows.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    const line = this.lineAt(row);
    const element = this.elementAt(row, column);
    element?.setAttribute("tabindex", "0");
    if (!take || !line || !element || element === document.activeElement) return;
    // Only the rows may scroll for it, not what is around the grid.
    element.focus({ preventScroll: true });
    const top = line.offsetTop - this.rows.offsetTop;
    const lowest = top + line.offsetHeight - this.rows.clientHeight;
    this.rows.scrollTop = clamp(this.rows.scrollTop, lowest, top);
  }

  /** @param {number} row @returns {HTMLElement | null} */
  lineAt(row) {
    return this.rows.querySelector(`[data-row="${row}"]`);
  }

  /** @param {number} row @param {number} column @returns {HTMLElement | null} */
  elementAt(row, column) {
    const cell = `[data-layer="${column}"], .stylemix-locked`;
    const selector = column < 0 ? ".stylemix-label" : column < this.view.columns ? cell : ".stylemix-more";
    return this.lineAt(row)?.querySelector(selector) ?? null;
  }

  // Changes

  /** @param {string} text */
  write(text) {
    if (text !== this.view.document.text) this.host.setText(text);
  }

  /**
   * A change that is a whole gesture.
   *
   * @param {(document: MaskDocument, numWs: number) => string} change gives the new text
   */
  edit(change) {
    if (!this.view.open) return;
    this.write(change(this.view.document, this.view.numWs));
    this.host.changed();
  }

  /**
   * Add masks below the others, and turn to the last of them.
   *
   * @param {string} masks
   */
  addMasks(masks) {
    this.edit((document, numWs) => append(document, masks, numWs));
    const last = this.view.document.masks.length - 1;
    this.focus(last, 0);
    this.showLive(last);
  }

  /** @param {number} row @param {number[]} layers @param {Cell} cell */
  setCells(row, layers, cell) {
    if (this.view.paintable(row)) this.write(this.withCells(row, layers, cell));
  }

  /**
   * The text with some cells of a row set.
   *
   * @param {number} row
   * @param {number[]} layers
   * @param {Cell} cell
   */
  withCells(row, layers, cell) {
    const { document, numWs } = this.view;
    const cells = [...document.masks[row].cells];
    for (const layer of layers) setCell(cells, layer, cell);
    return setCells(document, row, cells, numWs);
  }

  /** @param {number} row @param {number} layer @param {number} strength */
  setStrength(row, layer, strength) {
    const rounded = Math.round(clamp(strength, MIN_STRENGTH, MAX_STRENGTH) / STEP) * STEP;
    this.setCells(row, [layer], Number(rounded.toFixed(2)) + 0);
    this.showStatus(row, layer);
  }

  /** @param {number} row @param {number} layer @param {number} by */
  step(row, layer, by) {
    this.setStrength(row, layer, cellStrength(this.view.cell(row, layer), this.view.alpha) + by);
  }

  /** @param {number} row @param {number} by -1 or 1 */
  moveRow(row, by) {
    const { document, numWs } = this.view;
    if (!document.masks[row + by]) return;
    this.write(move(document, row, by, numWs));
    this.focus(row + by, this.focused.column);
  }

  // Menus and labels

  /** @param {number} row */
  editLabel(row) {
    const mask = this.view.document.masks[row];
    if (!mask || !this.view.open) return;
    const label = this.view.say("label");
    const input = make("input", "stylemix-input", { type: "text", "aria-label": label, placeholder: label });
    input.value = mask.label;
    this.editing = true;
    this.elementAt(row, -1)?.replaceChildren(input);
    this.drawn[row] = null; // its label is to come back
    input.focus({ preventScroll: true });
    input.select();
    const cancel = () => {
      this.editing = false;
      this.cancelEdit = null;
    };
    this.cancelEdit = cancel;
    /** @param {boolean} keep */
    const finish = (keep) => {
      if (!this.editing) return;
      const take = document.activeElement === input;
      cancel();
      if (keep && input.value.trim() !== mask.label)
        this.edit((document, numWs) => setLabel(document, row, input.value, numWs));
      else this.refresh();
      this.focus(row, -1, take);
    };
    input.addEventListener("blur", () => finish(true));
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      // Enter also ends a syllable of Korean; that one is not for us.
      if (!event.isComposing && (event.key === "Enter" || event.key === "Escape"))
        finish(event.key === "Enter");
    });
  }

  /**
   * Let the course of some cells of a row be drawn.
   *
   * @param {number} row
   * @param {number[]} layers
   */
  openCourse(row, layers) {
    const { view } = this;
    if (!view.paintable(row)) return;
    const cell = view.cell(row, layers[0]);
    const course = isCourse(cell) ? cell : `0>${formatStrength(cellStrength(cell, view.alpha))}`;
    const says = { title: view.say("course"), hint: view.say("courseHint") };
    this.busy = true;
    if (!isCourse(cell)) this.setCells(row, layers, course);
    const anchor = this.elementAt(row, layers[0]) ?? this.element; // which the change has drawn anew
    const done = () => {
      this.busy = false;
      this.host.changed();
      this.focus(row, layers[0]);
    };
    editCourse(anchor, course, says, (written) => this.setCells(row, layers, written), done);
  }

  /** @param {number} row @param {HTMLElement} anchor */
  openRowMenu(row, anchor) {
    const { view } = this;
    const { masks } = view.document;
    const closed = !view.document.readable;
    const painted = masks[row].cells.flatMap((cell, layer) => (cell === 0 ? [] : [layer]));
    /** @param {typeof duplicate} change */
    const edit = (change) => this.edit((document, numWs) => change(document, row, numWs));
    /** @param {number} by */
    const shift = (by) => {
      this.moveRow(row, by);
      this.host.changed();
    };
    const show = () => this.host.showInText(masks[row].start, masks[row].end);
    openMenu(anchor, [
      { label: view.say("rename"), disabled: closed, run: () => this.editLabel(row) },
      { label: view.say("duplicate"), disabled: closed, run: () => edit(duplicate) },
      {
        label: view.say("course"),
        disabled: !view.paintable(row) || !painted.length,
        run: () => this.openCourse(row, painted),
      },
      { label: view.say("moveUp"), disabled: closed || row === 0, run: () => shift(-1) },
      { label: view.say("moveDown"), disabled: closed || row === masks.length - 1, run: () => shift(1) },
      { label: view.say("showPlace"), run: show },
      { label: view.say("remove"), disabled: closed || masks.length < 2, run: () => edit(remove) },
    ]);
  }

  openPresets() {
    const { view } = this;
    const items = presets(view.numWs, view.model.layers).map(({ id, tip, of, masks, usable }) => ({
      label: of ? `${view.say(id)} (${of})` : view.say(id),
      detail: masks.length > 24 ? `${masks.slice(0, 22)}…` : masks,
      title: usable ? view.say(tip) : view.say("needsLayers", { count: view.numWs }),
      disabled: !usable,
      run: () => this.edit((document) => replaceAll(document, masks)),
      extra: {
        label: "+",
        title: view.say("addPreset"),
        run: () => this.addMasks(masks),
      },
    }));
    openMenu(this.preset, items, view.say("live"));
  }
}

/**
 * How wide a text is, in digits: Korean is twice as wide.
 *
 * @param {string} text
 */
function widthOf(text) {
  return [...text].reduce((sum, sign) => sum + (sign > "\u1100" ? 2 : 1), 0);
}
