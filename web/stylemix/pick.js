/** A node's sheet over the page: its columns and rows are pressed to use in other nodes what they stand for. */

/** @import { RunOf } from "./given.js" */
/** @import { TextKey } from "./texts.js" */

import { make } from "./drawing.js";
import { append } from "./edit.js";
import { addElement, MARGIN } from "./element.js";
import { ownInForce } from "./given.js";
import { parse } from "./grammar.js";
import { openMenu } from "./menu.js";
import { MASKED, modelOf } from "./model.js";

/** @typedef {NonNullable<Comfy.Output["stylemix_picks"]>[number]} Pick */
/** @typedef {(key: TextKey, values?: Record<string, unknown>) => string} Say */

/**
 * Nodes whose sheets are pressed.
 *
 * @type {Set<string | undefined>}
 */
export const PICKED = new Set(["StyleMixExplainLayers", "StyleMixFindLayers", "StyleMixDirectionSheet"]);
const SLIDERS = new Set(["StyleMixApplyDirection"]);
const HEIGHT = 28;

let count = 0;

/**
 * A button that opens the sheet of the node's last run.
 *
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {Comfy.Api} api
 * @param {RunOf} runOf
 * @param {Say} say
 * @returns {() => void} shows the button where there is a sheet
 */
export function addPicker(node, app, api, runOf, say) {
  const button = make("button", "stylemix-button", { type: "button" });
  const element = make("div", "stylemix-pick", {}, button);
  let height = 0;

  const sheet = () => {
    const { images: [file] = [], stylemix_picks: picks = [] } = runOf(node) ?? {};
    return file && picks.length ? { src: api.apiURL(`/view?${new URLSearchParams(file)}`), picks } : null;
  };

  function show() {
    const picks = sheet()?.picks;
    button.hidden = !picks;
    button.textContent = picks ? say(picks[0].widget === "direction" ? "pickDirection" : "pickMask") : "";
    const needed = picks ? HEIGHT + 2 * MARGIN : 0;
    if (needed === height) return;
    height = needed;
    // The picture gives it the room, where it has some.
    if (node.graph) node.setSize([node.size[0], Math.max(node.size[1], node.computeSize()[1])]);
    app.canvas.setDirty(true, true);
  }

  // A type of its own for each, as the mask grid's.
  addElement(node, "pick", `STYLEMIX_PICK_${++count}`, element, () => height);
  button.addEventListener("click", () => {
    const now = sheet();
    if (now) openSheet(now, button.textContent ?? "", app, api, runOf, say);
  });
  show();
  return show;
}

/**
 * @param {{ src: string, picks: Pick[] }} sheet
 * @param {string} title
 * @param {Comfy.App} app
 * @param {Comfy.Api} api
 * @param {RunOf} runOf
 * @param {Say} say
 */
function openSheet({ src, picks }, title, app, api, runOf, say) {
  const told = make("div", "stylemix-pick-told", { "aria-live": "polite" }, title);
  const close = make("button", "stylemix-button", { type: "button" }, say("compareClose"));
  const parts = picks.map((pick) => {
    const name = pick.widget === "direction" ? pick.value : say("pickLayers", { value: pick.value });
    const part = make("button", "stylemix-pick-part", { type: "button", title: name, "aria-label": name });
    const [left, top, right, bottom] = pick.box.map((side) => 100 * side);
    Object.assign(part.style, { left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%` });
    part.addEventListener("click", () => {
      const items = takers(app, pick.widget).map(({ node, widget }) => {
        /** @param {string} value */
        const put = (value) => {
          app.canvas.emitBeforeChange(); // a step for undo
          widget.value = value;
          widget.callback?.(value);
          app.canvas.emitAfterChange();
          app.canvas.setDirty(true, true);
          told.textContent = say("pickPut", { value: pick.value, node: node.title });
        };
        if (pick.widget === "direction") return { label: node.title, run: () => put(pick.value) };
        return {
          label: node.title,
          title: say("pickAdd"),
          run: () => {
            const { numWs } = modelOf(node, api, runOf, () => {});
            put(append(parse(String(widget.value ?? ""), numWs), pick.value, numWs));
          },
          extra: { label: say("pickOnly"), title: say("pickOnlyTip"), run: () => put(pick.value) },
        };
      });
      openMenu(part, items, items.length ? name : say(pick.widget === "direction" ? "pickNoSlider" : "pickNoMasks"));
    });
    return part;
  });
  const stage = make("div", "stylemix-pick-stage", {}, make("img", "", { src, alt: title, draggable: "false" }), ...parts);
  const dialog = make("dialog", "stylemix-compare stylemix-picked", { "aria-label": title }, make("div", "stylemix-compare-bar", {}, told, close), stage);
  dialog.addEventListener("keydown", (event) => event.stopPropagation());
  close.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * The nodes of the workflow that take a pick, and their widgets for it: those whose own value is in force.
 *
 * @param {Comfy.App} app
 * @param {string} name of the widget
 */
function takers(app, name) {
  const { rootGraph } = app.canvas.graph;
  const classes = name === "direction" ? SLIDERS : MASKED;
  return [rootGraph, ...rootGraph.subgraphs.values()]
    .flatMap(({ nodes }) => nodes)
    .filter((node) => classes.has(node.comfyClass) && ownInForce(node, name))
    .flatMap((node) => {
      const widget = node.widgets?.find((each) => each.name === name);
      return widget ? [{ node, widget }] : [];
    });
}
