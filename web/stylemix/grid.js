/**
 * The mask grid: one row per mask, one column per W+ layer, beside the text that stays the truth. It shows the
 * text and changes it; `gestures.js` says when. What surrounds it (the node, the canvas) is behind `host`.
 */

import { append, duplicate, move, remove, replaceAll, setCells, setLabel } from "./edit.js";
import {
  ALPHA,
  cellStrength,
  firstError,
  formatStrength,
  MAX_STRENGTH,
  MIN_STRENGTH,
  parse,
  pixels,
} from "./grammar.js";
import { listen } from "./gestures.js";
import { openMenu } from "./menu.js";
import { presets } from "./presets.js";
import { describe, say, textsFor } from "./texts.js";

/** Strengths that gestures set are multiples of it. */
const STEP = 0.05;

/** Where no mask is known. */
const NOTHING = { text: "", masks: [], errors: [], readable: true };

const BANDS = [
  ["coarse", 0, 4],
  ["middle", 4, 8],
  ["fine", 8, Infinity],
];

/**
 * host: `text()`, `setText(text)` (must lead to a `refresh`), `model()` → `{numWs, known, layers}`, `alpha()`,
 * `locale()`, `given(numWs)` → null or the masks in force that are not the text's, as `givenMasks` has them,
 * `changed()` when a gesture is complete, `resized()` when `height` is another, `showInText(start, end)`,
 * `toCanvas(event)` for what the canvas should get.
 */
export class MaskGrid {
  constructor(host) {
    this.host = host;
    this.measured = null;
    /** Whether the pointer is at it; then rows stay as they are until it changes them. */
    this.busy = false;
    /** Whether a label is being typed. */
    this.editing = false;
    this.focused = { row: 0, column: 0 };
    this.rows = make("div", "stylemix-rows", { role: "rowgroup", "data-capture-wheel": "true" });
    this.head = make("div", "stylemix-head", { role: "rowgroup" });
    this.table = make("div", "stylemix-table", { role: "grid" }, this.head, this.rows);
    this.add = make("button", "stylemix-button", { type: "button" });
    this.preset = make("button", "stylemix-button", { type: "button", "aria-haspopup": "menu" });
    this.status = make("span", "stylemix-status");
    this.message = make("div", "stylemix-message", { "aria-live": "polite" });
    const bar = make("div", "stylemix-bar", {}, this.add, this.preset, this.status);
    this.content = make("div", "stylemix-content", {}, this.table, bar, this.message);
    this.element = make("div", "stylemix-masks", {}, this.content);
    listen(this);
    this.add.addEventListener("click", () => {
      this.edit(append, "none");
      this.focus(this.document.masks.length - 1, 0);
    });
    this.preset.addEventListener("click", () => this.openPresets());
    this.element.addEventListener("pointerenter", () => this.busy || this.editing || this.refresh());
    new ResizeObserver(() => this.host.resized()).observe(this.content);
  }

  /** Height of the content in pixels, at zoom 1. */
  get height() {
    // Not on the page yet, hidden, or on its way to its width: as high as it will be without a message.
    if (this.content.offsetWidth < 100) return this.measured ?? 80 + 24 * (this.document?.masks.length ?? 1);
    return (this.measured = this.content.offsetHeight);
  }

  /** Show the text as it is now. */
  refresh() {
    const { numWs, known, layers } = this.host.model();
    const given = this.host.given(numWs);
    if (this.editing && !given && this.host.text() === this.document.text) return;
    this.cancelEdit?.();
    const { hasFocus } = this;
    this.texts = textsFor(this.host.locale());
    this.numWs = numWs;
    this.known = known;
    this.layers = layers;
    this.document = given?.text === null ? NOTHING : parse(given?.text ?? this.host.text(), numWs);
    this.columns = Math.max(numWs, ...this.document.masks.map(({ cells }) => cells.length));
    this.readOnly = Boolean(given);

    this.element.classList.toggle("stylemix-read-only", this.readOnly);
    this.element.style.setProperty("--stylemix-columns", this.columns);
    // Not by the names of masks without labels: they change with every stroke, and the cells would move.
    const labels = this.document.masks.map(({ label }) => widthOf(label));
    this.element.style.setProperty("--stylemix-label", Math.max(0, ...labels));
    this.table.setAttribute("aria-label", this.say("grid"));
    this.table.setAttribute("aria-readonly", this.readOnly);
    this.table.setAttribute("aria-colcount", this.columns + 2);
    this.table.setAttribute("aria-rowcount", this.document.masks.length + 1);
    this.showHead();
    this.rows.replaceChildren(...this.document.masks.map((mask, row) => this.rowOf(mask, row)));
    this.add.textContent = this.say("addMask");
    this.add.title = this.say("addMaskTip");
    this.preset.textContent = `${this.say("presets")} ▾`;
    this.add.disabled = this.preset.disabled = this.readOnly || !this.document.readable;
    this.showMessage(given);
    this.showStatus();
    this.focus(this.focused.row, this.focused.column, hasFocus);
  }

  say(key, values) {
    return say(this.texts, key, values);
  }

  showHead() {
    const line = (className, spans) => {
      const cells = spans.map(([text, title, first, end, mark = ""]) => {
        const cell = make("div", `stylemix-span ${mark}`, { title }, text);
        cell.style.gridColumn = `${first + 2} / ${end + 2}`;
        return cell;
      });
      return make("div", `stylemix-line ${className}`, { "aria-hidden": "true" }, ...cells);
    };
    const bands = BANDS.filter(([, first]) => first < this.numWs).map(([name, first, end]) => [
      name,
      this.say(name),
      first,
      Math.min(end, this.numWs),
      `stylemix-${name}`,
    ]);
    const sizes = [];
    for (let layer = 0; layer < this.numWs; layer++) {
      const size = pixels(layer, this.numWs);
      if (sizes.at(-1)?.[0] === `${size}`) sizes.at(-1)[3] = layer + 1;
      else sizes.push([`${size}`, this.say("pixels", { pixels: size }), layer, layer + 1]);
    }
    const indices = [make("div", "", { role: "columnheader" })];
    for (let layer = 0; layer < this.columns; layer++) {
      const title = this.layerTitle(layer);
      const attributes = { role: "columnheader", title, "aria-label": title };
      indices.push(make("div", `stylemix-index ${this.columnClass(layer)}`, attributes, `${layer}`));
    }
    const line3 = make("div", "stylemix-line stylemix-indices", { role: "row" }, ...indices);
    this.head.replaceChildren(line("stylemix-bands", bands), line("stylemix-sizes", sizes), line3);
  }

  layerTitle(layer) {
    if (layer >= this.numWs) return this.say("beyond", { layer, last: this.numWs - 1 });
    return this.say("layer", { layer, pixels: pixels(layer, this.numWs) });
  }

  columnClass(layer) {
    const beyond = layer >= this.numWs;
    const first =
      layer === this.numWs ||
      (!beyond && layer > 0 && pixels(layer, this.numWs) !== pixels(layer - 1, this.numWs));
    return `${beyond ? "stylemix-beyond" : ""} ${first ? "stylemix-first" : ""}`;
  }

  maskName(row) {
    return this.document.masks[row].name || this.say("mask", { number: row + 1 });
  }

  rowOf(mask, row) {
    const name = this.maskName(row);
    const label = make(
      "div",
      "stylemix-label",
      { role: "rowheader", tabindex: "-1", title: this.readOnly ? name : `${name}\n${this.say("editLabel")}` },
      name,
    );
    label.classList.toggle("stylemix-named", Boolean(mask.label));
    const menu = make(
      "button",
      "stylemix-more",
      { type: "button", tabindex: "-1", title: this.say("rowMenu"), "aria-haspopup": "menu" },
      "⋯",
    );
    menu.setAttribute("aria-label", `${name}: ${this.say("rowMenu")}`);
    menu.disabled = this.readOnly;
    const cells = mask.locked
      ? [this.lockedOf(mask)]
      : Array.from({ length: this.columns }, (_, layer) => this.cellOf(row, layer));
    return make(
      "div",
      "stylemix-line stylemix-row",
      { role: "row", "data-row": row, "aria-rowindex": row + 2 },
      label,
      ...cells,
      make("div", "", { role: "gridcell" }, menu),
    );
  }

  cellOf(row, layer) {
    const cell = this.cell(row, layer);
    const strength = cellStrength(cell, this.alpha);
    const classes = ["stylemix-cell", this.columnClass(layer)];
    if (strength !== 0) classes.push(strength < 0 ? "stylemix-negative" : "stylemix-positive");
    const label = this.say("cell", { mask: this.maskName(row), layer, strength: this.strengthText(cell) });
    const attributes = {
      role: "gridcell",
      tabindex: "-1",
      "data-layer": layer,
      "aria-label": label,
      "aria-selected": cell !== 0,
    };
    // Between nothing and everything a fill alone says too little.
    const number = strength === 0 || strength === 1 ? "" : formatStrength(strength).replace(/^(-?)0\./, "$1.");
    const element = make("div", classes.join(" "), attributes, number);
    // A full cell is a strength of 1; what is beyond rises again in front of it.
    const amount = Math.abs(strength);
    element.style.setProperty("--level", `${100 * Math.min(amount, 1)}%`);
    element.style.setProperty(
      "--beyond",
      `${100 * Math.max(0, (amount - 1) / (strength < 0 ? -MIN_STRENGTH - 1 : MAX_STRENGTH - 1))}%`,
    );
    return element;
  }

  /** What stands for the cells of a mask that has none: its own text, marked where it is wrong. */
  lockedOf(mask) {
    const error = this.document.errors.find((each) => each.mask === mask);
    const title = error ? `${describe(this.texts, error)}\n${this.say("cannotShow")}` : this.say("random");
    const element = make("div", `stylemix-locked stylemix-locked-${error ? error.kind : "random"}`, {
      role: "gridcell",
      tabindex: "-1",
      title,
    });
    const text = this.document.text.slice(mask.terms, mask.end);
    if (!error || error.position < mask.terms) element.append(text);
    else element.append(...this.marked(text, error.position - mask.terms));
    return element;
  }

  marked(text, at) {
    return [
      text.slice(0, at),
      make("mark", "", {}, text.slice(at, at + 1).trim() || "␣"),
      text.slice(at + 1),
    ];
  }

  showMessage(given) {
    const error = firstError(this.document);
    this.message.replaceChildren();
    if (given) this.message.append(make("div", "stylemix-note", {}, this.say(given.key, given)));
    if (!error) return;
    if (given) {
      this.message.append(make("div", "stylemix-error", {}, describe(this.texts, error)));
      return;
    }
    const place = make(
      "button",
      "stylemix-place",
      { type: "button", title: this.say("showPlace") },
      this.say("place", error),
    );
    place.addEventListener("click", () => {
      const mask = error.mask;
      this.host.showInText(error.position, Math.max(error.position + 1, mask?.end ?? 0));
    });
    this.message.append(
      make("div", `stylemix-error stylemix-${error.kind}`, {}, place, ` ${describe(this.texts, error)}`),
    );
    if (!this.document.readable) {
      const line = this.document.text.split("\n")[error.line - 1];
      const at = error.position - this.document.text.lastIndexOf("\n", error.position - 1) - 1;
      const from = Math.max(0, at - 20);
      this.message.append(
        make("div", "stylemix-quote", {}, ...this.marked(line.slice(from, at + 30), at - from)),
      );
    }
  }

  /** What is under the pointer or the focus; else what the columns are. */
  showStatus(row = -1, layer = -1) {
    const mask = this.document.masks[row];
    if (mask && layer >= 0 && !mask.locked) {
      this.status.textContent = `${this.layerTitle(layer)} · ${this.strengthText(this.cell(row, layer))}`;
      this.status.title = "";
    } else if (mask) {
      this.status.textContent = this.status.title = this.maskName(row); // labels may be cut off
    } else {
      this.status.textContent = this.say(this.known ? "layers" : "layersAssumed", { count: this.numWs });
      this.status.title = `${this.say("hint")}\n${this.say("live")}`;
    }
  }

  strengthText(cell) {
    if (cell === 0) return this.say("off");
    return cell === ALPHA
      ? `${this.say("ownStrength")} ${formatStrength(this.alpha)}`
      : formatStrength(cell);
  }

  /** The strength where a mask names none. Masks from elsewhere have it written out. */
  get alpha() {
    return this.readOnly ? 1 : this.host.alpha();
  }

  cell(row, layer) {
    return this.document.masks[row].cells[layer] ?? 0;
  }

  /** Whether a key would go to a row. */
  get hasFocus() {
    return this.rows.contains(document.activeElement);
  }

  // Focus: column −1 is the label, the one behind the last layer the row's menu.

  /** Move the one tab stop of the grid, and the focus with it if `take`. */
  focus(row, column, take = true) {
    const { masks } = this.document;
    row = clamp(row, 0, masks.length - 1);
    column = clamp(column, -1, this.columns);
    this.focused = { row: Math.max(0, row), column };
    this.rows.querySelector("[tabindex='0']")?.setAttribute("tabindex", "-1");
    const element = this.elementAt(row, column);
    element?.setAttribute("tabindex", "0");
    if (!take || !element) return;
    // Only the rows may scroll for it, not what is around the grid.
    element.focus({ preventScroll: true });
    const { offsetTop, offsetHeight } = this.rows.children[row];
    const top = offsetTop - this.rows.offsetTop;
    const lowest = top + offsetHeight - this.rows.clientHeight;
    this.rows.scrollTop = clamp(this.rows.scrollTop, lowest, top);
  }

  elementAt(row, column) {
    const line = this.rows.children[row];
    if (!line) return null;
    if (column < 0) return line.firstElementChild;
    if (column >= this.columns) return line.lastElementChild.firstElementChild;
    return line.querySelector(`[data-layer="${column}"]`) ?? line.children[1];
  }

  // Changes

  /** Whether gestures may change the cells of a row. */
  paintable(row) {
    return !this.readOnly && this.document.masks[row] && !this.document.masks[row].locked;
  }

  write(text) {
    if (text !== this.document.text) this.host.setText(text);
  }

  /** A change that is a whole gesture. */
  edit(change, ...rest) {
    if (this.readOnly || !this.document.readable) return;
    this.write(change(this.document, ...rest, this.numWs));
    this.host.changed();
  }

  setCells(row, layers, cell) {
    if (!this.paintable(row)) return;
    const cells = [...this.document.masks[row].cells];
    for (const layer of layers) {
      while (cells.length <= layer) cells.push(0);
      cells[layer] = cell;
    }
    this.write(setCells(this.document, row, cells, this.numWs));
  }

  setStrength(row, layer, strength) {
    const rounded = Math.round(clamp(strength, MIN_STRENGTH, MAX_STRENGTH) / STEP) * STEP;
    this.setCells(row, [layer], Number(rounded.toFixed(2)) + 0);
    this.showStatus(row, layer);
  }

  step(row, layer, by) {
    this.setStrength(row, layer, cellStrength(this.cell(row, layer), this.alpha) + by);
  }

  moveRow(row, by) {
    if (!this.document.masks[row + by]) return;
    this.write(move(this.document, row, by, this.numWs));
    this.focus(row + by, this.focused.column);
  }

  // Menus and labels

  editLabel(row) {
    const mask = this.document.masks[row];
    if (!mask || this.readOnly || !this.document.readable) return;
    const input = make("input", "stylemix-input", {
      type: "text",
      "aria-label": this.say("label"),
      placeholder: this.say("label"),
    });
    input.value = mask.label;
    this.editing = true;
    this.elementAt(row, -1).replaceChildren(input);
    input.focus({ preventScroll: true });
    input.select();
    const finish = (keep) => {
      if (!this.editing) return;
      const take = document.activeElement === input;
      this.cancelEdit();
      if (keep && input.value.trim() !== mask.label) this.edit(setLabel, row, input.value);
      else this.refresh();
      this.focus(row, -1, take);
    };
    this.cancelEdit = () => {
      this.editing = false;
      this.cancelEdit = null;
    };
    input.addEventListener("blur", () => finish(true));
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      // Enter also ends a syllable of Korean; that one is not for us.
      if (!event.isComposing && (event.key === "Enter" || event.key === "Escape"))
        finish(event.key === "Enter");
    });
  }

  openRowMenu(row, anchor) {
    const closed = !this.document.readable;
    const { masks } = this.document;
    const show = () => this.host.showInText(masks[row].start, masks[row].end);
    const shift = (by) => {
      this.moveRow(row, by);
      this.host.changed();
    };
    openMenu(anchor, [
      { label: this.say("rename"), disabled: closed, run: () => this.editLabel(row) },
      { label: this.say("duplicate"), disabled: closed, run: () => this.edit(duplicate, row) },
      { label: this.say("moveUp"), disabled: closed || row === 0, run: () => shift(-1) },
      { label: this.say("moveDown"), disabled: closed || row === masks.length - 1, run: () => shift(1) },
      { label: this.say("showPlace"), run: show },
      { label: this.say("remove"), disabled: closed || masks.length < 2, run: () => this.edit(remove, row) },
    ]);
  }

  openPresets() {
    const items = presets(this.numWs, this.layers).map(({ id, tip, of, masks, usable }) => ({
      label: of ? `${this.say(id)} (${of})` : this.say(id),
      detail: masks.length > 24 ? `${masks.slice(0, 22)}…` : masks,
      title: usable ? this.say(tip) : this.say("needsLayers", { count: this.numWs }),
      disabled: !usable,
      run: () => this.edit(replaceAll, masks),
      extra: { label: "+", title: this.say("addPreset"), run: () => this.edit(append, masks) },
    }));
    openMenu(this.preset, items, this.say("live"));
  }
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/** How wide a text is, in digits: Korean is twice as wide. */
function widthOf(text) {
  return [...text].reduce((sum, sign) => sum + (sign > "\u1100" ? 2 : 1), 0);
}

function make(tag, className, attributes = {}, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
