/** What a mask grid shows: masks as they were read, for one model, in one language. Nothing here touches the page. */

/** @import { Cell } from "./cells.js" */
/** @import { GivenMasks } from "./given.js" */
/** @import { MaskDocument } from "./grammar.js" */
/** @import { Model } from "./model.js" */
/** @import { TextKey, Texts } from "./texts.js" */

import { ALPHA, pixels } from "./cells.js";
import { formatStrength } from "./format.js";
import { parse } from "./grammar.js";
import { say } from "./texts.js";

/**
 * Where no mask is known.
 *
 * @type {MaskDocument}
 */
const NOTHING = { text: "", source: "", isList: false, readable: true, masks: [], errors: [] };

export class MaskView {
  /**
   * @param {string} text the node's own
   * @param {GivenMasks | null} given the masks in force, if they are not the text's; they can only be read
   * @param {Model} model
   * @param {Texts} texts
   * @param {() => number} ownStrength the node's own strength at any time
   */
  constructor(text, given, model, texts, ownStrength) {
    this.document = given?.text === null ? NOTHING : parse(given?.text ?? text, model.numWs);
    this.given = given;
    this.readOnly = given !== null;
    this.model = model;
    this.numWs = model.numWs;
    this.columns = Math.max(model.numWs, ...this.document.masks.map(({ cells }) => cells.length));
    this.texts = texts;
    this.ownStrength = ownStrength;
  }

  /** @param {TextKey} key @param {Record<string, unknown>} [values] */
  say(key, values) {
    return say(this.texts, key, values);
  }

  /** The strength where a mask names none. Masks from elsewhere have it written out. */
  get alpha() {
    return this.readOnly ? 1 : this.ownStrength();
  }

  /** @param {number} row @param {number} layer @returns {Cell} */
  cell(row, layer) {
    return this.document.masks[row].cells[layer] ?? 0;
  }

  /**
   * Whether gestures may change the cells of a row.
   *
   * @param {number} row
   */
  paintable(row) {
    return !this.readOnly && this.document.masks[row]?.locked === "";
  }

  /** What all rows and the head depend on, beside the language. */
  get frameKey() {
    return JSON.stringify([this.model, this.columns, this.readOnly, this.alpha]);
  }

  /**
   * What a row depends on beyond that; null where it is of no use to know.
   *
   * @param {number} row
   */
  rowKey(row) {
    const { label, name, cells, locked } = this.document.masks[row];
    return locked ? null : JSON.stringify([label, name, cells]);
  }

  /** Whether masks can be added, removed and named. */
  get open() {
    return !this.readOnly && this.document.readable;
  }

  /** @param {number} row */
  maskName(row) {
    return this.document.masks[row].name || this.say("mask", { number: row + 1 });
  }

  /** @param {number} layer */
  layerTitle(layer) {
    if (layer >= this.numWs) return this.say("beyond", { layer, last: this.numWs - 1 });
    const key = layer === 0 && this.model.poses ? "poseLayer" : "layer";
    return this.say(key, { layer, pixels: this.pixels(layer) });
  }

  /**
   * Pixels of the feature maps that a layer acts on, in the picture's width.
   *
   * @param {number} layer
   */
  pixels(layer) {
    return this.model.pixels[layer] ?? pixels(layer, this.numWs);
  }

  /** @param {Cell} cell */
  strengthText(cell) {
    if (cell === 0) return this.say("off");
    if (cell === ALPHA) return `${this.say("ownStrength")} ${formatStrength(this.alpha)}`;
    return typeof cell === "number" ? formatStrength(cell) : cell;
  }
}
