/** Live pictures of nodes that are slid: what their numbers, or a frame of a walk, give while a hand moves them. */

/** @import { RunOf } from "./given.js" */
/** @import { Server } from "./live.js" */
/** @import { TextKey } from "./texts.js" */

import { chain } from "./chain.js";
import { make } from "./drawing.js";
import { addElement, MARGIN } from "./element.js";
import { valueOf } from "./links.js";
import { Live } from "./live.js";

/**
 * The widgets that are slid, by the node's class; none where the frames of its last run are.
 *
 * @type {Map<string | undefined, string[]>}
 */
export const SLIDERS = new Map([
  ["StyleMixApplyDirection", ["direction", "strength", "mask_list"]],
  ["StyleMixBlendLatent", ["weight"]],
  ["StyleMixTruncateLatent", ["truncation_psi", "truncation_cutoff"]],
  ["StyleMixLatentWalk", []],
  ["StyleMixRandomWalk", []],
  ["StyleMixLoadLatent", []],
  ["StyleMixLatentFromBatch", []],
  ["StyleMixLatentBatch", []],
]);
/** Of these, nodes that begin with no face, to show beside what becomes of it. */
const WALKS = new Set(["StyleMixLatentWalk", "StyleMixRandomWalk"]);

let count = 0;

/**
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {string[]} names of the widgets that are slid
 * @param {Server} server
 * @param {RunOf} runOf
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 * @returns {() => void} asks for what is shown anew, where another run has been
 */
export function addSliders(node, app, names, server, runOf, say) {
  const faces = !names.length && !WALKS.has(node.comfyClass ?? "");
  const live = new Live(server, say, !faces);
  const scrub = make("input", "stylemix-scrub", { type: "range", min: 1, max: 1, value: 1, "data-capture-wheel": "true" });
  const opener = make("button", "stylemix-button", { type: "button", title: say("liveFaceTip") }, say("liveFace"));
  const content = make("div", "stylemix-slid", {}, scrub, opener, live.element);
  const element = make("div", "stylemix-sliders", {}, content);
  let height = 0;
  /** What was moved last. */
  let moved = names[0];

  const frames = () => (names.length ? 0 : (runOf(node)?.stylemix_frames?.[0] ?? 0));

  function show() {
    scrub.max = String(frames());
    scrub.hidden = server.name() === null || frames() < 2;
    opener.hidden = server.name() === null || frames() !== 1 || !live.element.hidden;
    if (!names.length) {
      const number = Number(scrub.value);
      const caption = frames() > 1 ? say(faces ? "liveFaceOf" : "liveFrame", { number, count: frames() }) : "";
      scrub.title = caption;
      live.show({ frame: number - 1 }, caption);
      return;
    }
    const values = names.map((name) => [name, valueOf(node, name)]).filter(([, value]) => value !== undefined);
    const label = node.widgets?.find(({ name }) => name === moved)?.label ?? moved;
    const value = valueOf(node, moved);
    live.show(Object.fromEntries(values), `${label} ${typeof value === "number" ? +value.toFixed(2) : value}`);
  }

  /** Let the node grow and shrink with the pictures. */
  function layOut() {
    if (!live.element.hidden) opener.hidden = true;
    const more = (content.offsetHeight && content.offsetHeight + 2 * MARGIN) - height;
    if (!more) return;
    height += more;
    if (node.graph) node.setSize([node.size[0], Math.max(node.size[1] + more, node.computeSize()[1])]);
    app.canvas.setDirty(true, true);
  }

  addElement(node, "live", `STYLEMIX_LIVE_${++count}`, element, () => height);
  new ResizeObserver(layOut).observe(content);
  scrub.addEventListener("input", open);
  opener.addEventListener("click", open);
  function open() {
    live.enter();
    show();
  }
  for (const name of names) {
    const widget = node.widgets?.find((each) => each.name === name);
    if (!widget) continue;
    chain(widget, "callback", () => {
      moved = name;
      open();
    });
  }
  chain(node, "onRemoved", () => live.leave());
  // As the mask grid's: neither files nor undo know of the pictures.
  chain(node, "onSerialize", (data) => {
    if (data.size) data.size = [data.size[0], data.size[1] - height];
  });
  show();
  return show;
}
