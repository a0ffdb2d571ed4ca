/**
 * StyleMix in ComfyUI's page: the mask grid below the text of every mask list, what a loader's file is, socket
 * colours, uploads of files.
 */

/** @import { Named } from "./stylemix/compare.js" */
/** @import { Server } from "./stylemix/live.js" */
/** @import { TextKey } from "./stylemix/texts.js" */

import { api } from "../../scripts/api.js";
import { app } from "../../scripts/app.js";
import { chain } from "./stylemix/chain.js";
import { colorSockets } from "./stylemix/colors.js";
import { comparePictures } from "./stylemix/compare.js";
import { addArrows } from "./stylemix/drag.js";
import { addDrops } from "./stylemix/drops.js";
import { addElement, MARGIN } from "./stylemix/element.js";
import { addGallery } from "./stylemix/gallery.js";
import { givenMasks } from "./stylemix/given.js";
import { MaskGrid } from "./stylemix/grid.js";
import { addInfo } from "./stylemix/info.js";
import { nodeAt, valueOf } from "./stylemix/links.js";
import { addMessages, recallMessages, showProgress, showRefusals, showRemembered } from "./stylemix/messages.js";
import { addLoader, freePlace, OTHERS, upload } from "./stylemix/loaders.js";
import { inspectAnew, LOADERS, MASKED, modelOf } from "./stylemix/model.js";
import { dropPreviews } from "./stylemix/previews.js";
import { translate } from "./stylemix/templates.js";
import { say, textsFor } from "./stylemix/texts.js";
import { addPicker, PICKED } from "./stylemix/pick.js";
import { addSorter } from "./stylemix/sort.js";
import { addSliders, SLIDERS } from "./stylemix/sliders.js";
import { addUpload } from "./stylemix/upload.js";

/** @typedef {{ endings: string[], label: TextKey, failed: TextKey, summary: string }} Upload */

const TEXT = "mask_list";
const OWN = [".safetensors"];
/**
 * Nodes that take an upload: what their button says, what is said when it fails, and under which title.
 *
 * @type {Record<string, Upload | undefined>}
 */
const UPLOADS = {
  StyleMixLoadLatent: { endings: [...OWN, ...OTHERS, ".png"], label: "upload", failed: "uploadFailed", summary: "Load W+" },
  StyleMixLoadTuning: { endings: OWN, label: "uploadTuning", failed: "uploadTuningFailed", summary: "Load Tuning" },
  StyleMixLoadDirections: {
    endings: [...OWN, ...OTHERS],
    label: "uploadDirections",
    failed: "uploadDirectionsFailed",
    summary: "Load Directions",
  },
};
/** Newer cores have a node that compares two pictures. */
const COMPARE = "ImageCompare";
/** Width of a new node with a grid: room for the names of masks beside 18 layers. */
const WIDTH = 460;

/**
 * Refreshes the grids and live pictures of nodes that are in a graph.
 *
 * @type {Map<Comfy.Node, () => void>}
 */
const refreshers = new Map();

let count = 0;

/**
 * Where the focus was when undo or redo was pressed: they bring back another node of that id.
 *
 * @type {{ row: number, column: number, id: Comfy.NodeId, time: number } | null}
 */
let lostFocus = null;

function refreshAll() {
  for (const [node, refresh] of refreshers) if (node.graph) refresh();
}

/**
 * Refresh a node with all others while it is in a graph.
 *
 * @param {Comfy.Node} node
 * @param {(() => void) | undefined} refresh
 */
function refreshLater(node, refresh) {
  if (!refresh) return;
  chain(node, "onAdded", () => {
    refreshers.set(node, refresh);
    refreshAllSoon();
  });
  chain(node, "onRemoved", () => refreshers.delete(node));
}

/**
 * The request for a live picture that the next one waits for, if there is one.
 *
 * @type {Promise<unknown> | null}
 */
let line = null;

let coming = 0;

/** Once for all that changes until the page is drawn again. */
function refreshAllSoon() {
  cancelAnimationFrame(coming);
  coming = requestAnimationFrame(refreshAll);
}

/**
 * What the last run of a node gave to the page.
 *
 * @param {Comfy.LinkedNode} node
 * @returns {Comfy.Output | undefined}
 */
function runOf({ graph, id }) {
  return app.nodeOutputs[graph?.isRootGraph === false ? `${graph.id}:${id}` : id];
}

/** Whether pictures are drawn while masks are painted. */
function isLive() {
  return app.extensionManager?.setting?.get("StyleMix.Live") ?? true;
}

/**
 * Where a node's live pictures come from.
 *
 * @param {Comfy.Node} node
 * @param {() => unknown} wished whether they are
 * @returns {Server}
 */
function liveServer(node, wished = isLive) {
  return {
    name: () => (wished() && node.graph ? (runOf(node)?.stylemix_live?.[0] ?? null) : null),
    async draw(wish) {
      const ask = () => fetch(api.apiURL("/stylemix/live"), { method: "POST", body: JSON.stringify(wish) });
      // One at a time for the whole page: the server draws the newest request alone. The first one is sent at once, so
      // that the server works while the page does.
      const asked = line ? line.then(ask) : ask();
      const mine = asked.catch(() => {}).then(() => {
        if (line === mine) line = null;
      });
      line = mine;
      const answer = await asked;
      if (!answer.headers.get("Content-Type")?.startsWith("image/")) return { why: (await answer.json()).why ?? "" };
      return { picture: await answer.blob(), full: Number(answer.headers.get("X-Full-Size")) };
    },
    compare: (pictures) => comparePictures([...pictures, ...picturesOf()], tell, useAsSource),
  };
}

/**
 * A message at the edge of the page.
 *
 * @param {string} severity
 * @param {string} detail
 */
function toast(severity, detail, summary = "StyleMix") {
  app.extensionManager.toast.add({ severity, summary, detail, life: 10000 });
}

/**
 * The pictures that nodes of the workflow show, of one of them or of all.
 *
 * @param {Comfy.LinkedNode} [only]
 * @returns {Named[]}
 */
function picturesOf(only) {
  return Object.entries(app.nodeOutputs).flatMap(([id, { images = [], animated }]) => {
    const [place, inner] = id.split(":"); // as `runOf` has it
    const node = inner === undefined ? nodeAt(app, id) : app.rootGraph?.subgraphs?.get(place)?.getNodeById(inner);
    if (!node || (only && node !== only) || animated?.includes(true)) return [];
    return images.map((file, i) => ({
      name: images.length > 1 ? `${node.title} ${i + 1}` : node.title,
      src: api.apiURL(`/view?${new URLSearchParams(file)}`),
    }));
  });
}

/**
 * Offer to compare a node's pictures with others.
 *
 * @param {Comfy.Node} node
 */
function addCompare(node) {
  chain(node, "getExtraMenuOptions", (_, options) => {
    const mine = picturesOf(node);
    const pictures = [...mine, ...picturesOf().filter(({ src }) => !mine.some((each) => each.src === src))];
    if (!mine.length || pictures.length < 2) return;
    options.push({ content: tell("compare"), callback: () => comparePictures(pictures, tell, useAsSource) });
  });
  chain(node, "getExtraMenuOptions", (_, options) => {
    const slot = node.outputs.findIndex(({ type }) => type === "IMAGE");
    if (slot >= 0 && COMPARE in LiteGraph.registered_node_types)
      options.push({ content: tell("compareNode"), callback: () => addCompareNode(node, slot) });
  });
}

/**
 * Put ComfyUI's own node for two pictures beside a node, with its first picture wired.
 *
 * @param {Comfy.Node} node
 * @param {number} slot
 */
function addCompareNode(node, slot) {
  const viewer = LiteGraph.createNode(COMPARE);
  if (!viewer) return;
  app.canvas.emitBeforeChange();
  viewer.pos = [node.pos[0] + node.size[0] + 60, node.pos[1]];
  app.canvas.graph.add(viewer);
  node.connect(slot, viewer, 0);
  app.canvas.emitAfterChange();
}

/**
 * Put a picture onto the canvas, in a loader of its own.
 *
 * @param {Named} picture
 */
async function useAsSource({ name, src, blob }) {
  const answered = blob ?? fetch(src).then((response) => (response.ok ? response.blob() : null));
  const picture = await Promise.resolve(answered).catch(() => null);
  const [, kind] = picture?.type.split("/") ?? [];
  const title = name.replace(/[^\p{L}\p{N} _-]/gu, "_");
  const file = picture && (await upload(api, new File([picture], `${title}.${kind}`, { type: picture.type })));
  if (file === null) {
    toast("error", tell("dropFailed", { name }));
    return;
  }
  app.canvas.emitBeforeChange();
  addLoader(app, "LoadImage", file, freePlace(app));
  app.canvas.emitAfterChange();
}

/** @param {TextKey} key @param {Record<string, unknown>} [values] */
function tell(key, values) {
  return say(textsFor(locale()), key, values);
}

function locale() {
  return app.extensionManager?.setting?.get("Comfy.Locale") ?? "en";
}

/** @param {Comfy.Node} node @param {Upload} upload */
function addUploadTo(node, { endings, label, failed, summary }) {
  addUpload(node, api, endings, tell(label), (name) => toast("error", tell(failed, { name }), summary));
}

/**
 * @param {Comfy.Node} node
 * @param {Comfy.Widget} text
 */
function addGrid(node, text) {
  let placed = false;
  let height = 0;
  let later = 0;

  const grid = new MaskGrid({
    text: () => String(text.value ?? ""),
    setText(value) {
      text.value = value; // calls back, which refreshes
      // Not every widget calls back when its value is set.
      if (grid.view.document.text !== value) refresh();
    },
    model: () => modelOf(node, api, runOf, refreshAll),
    alpha() {
      const alpha = Number(valueOf(node, "alpha"));
      return Number.isFinite(alpha) ? alpha : 1;
    },
    seed: () => Math.round(Number(valueOf(node, "seed"))) || 0,
    live: liveServer(node),
    locale,
    given: (numWs) => (node.graph ? givenMasks(node, numWs, runOf) : null),
    changed() {
      layOut();
      // Ends a transaction, so that ComfyUI takes note of it for undo.
      app.canvas.emitBeforeChange();
      app.canvas.emitAfterChange();
    },
    resized: soon,
    showInText(start, end) {
      const area = textArea();
      area?.focus();
      area?.setSelectionRange(start, end);
    },
    toCanvas(event) {
      event.preventDefault();
      if (event.type === "wheel") app.canvas.processMouseWheel(event);
      if (event.type === "pointerdown") app.canvas.processMouseDown(event);
      if (event.type === "pointermove") app.canvas.processMouseMove(event);
      if (event.type === "pointerup") app.canvas.processMouseUp(event);
    },
  });

  /**
   * The text field on the page: the widget's own, or the one of Vue nodes.
   *
   * @returns {HTMLTextAreaElement | null}
   */
  function textArea() {
    if (text.element instanceof HTMLTextAreaElement && text.element.isConnected) return text.element;
    return document.querySelector(`[data-node-id="${node.id}"] [data-widget-name="${TEXT}"] textarea`);
  }

  /**
   * In app mode the panel has the grid. When undo has made the node anew, the classic canvas, which is hidden, takes it
   * from there.
   */
  function backToPanel() {
    if (grid.element.offsetParent || !widget.widgetId) return;
    const row = `[data-widget-key="${widget.widgetId}"] [data-widget-name="${widget.name}"]`;
    document.querySelector(`${row} .flex-col:empty`)?.append(grid.element);
  }

  /** Let the node grow and shrink with the grid. The text keeps its height. */
  function layOut() {
    cancelAnimationFrame(later);
    const more = grid.height - height;
    height += more;
    if (!node.graph) return;
    const [width, before] = node.size;
    // Until the grid is on the page, the size is the one that was saved with the grid in it.
    const after = Math.max(before + (placed ? more : 0), node.computeSize()[1]);
    if (!placed && grid.measured !== null) {
      placed = true;
      if (lostFocus?.id === node.id && performance.now() - lostFocus.time < 2000)
        grid.focus(lostFocus.row, lostFocus.column);
    }
    if (after !== before) node.setSize([width, after]);
    if (more || after !== before) app.canvas.setDirty(true, true);
  }

  // Not at once: a node that is being loaded gets its size and its text in turns.
  function soon() {
    cancelAnimationFrame(later);
    later = requestAnimationFrame(() => {
      backToPanel();
      layOut();
    });
  }

  function refresh() {
    grid.refresh();
    soon();
  }

  // A type of its own for each: Vue nodes would go on showing the grid of the node that undo has replaced.
  const type = `STYLEMIX_MASK_GRID_${++count}`;
  const widget = addElement(node, "mask_grid", type, grid.element, () => height + 2 * MARGIN);
  showBelow(node, text, widget);

  chain(text, "callback", () => {
    refresh();
    refreshAllSoon(); // other nodes may show these masks
  });
  // Live pictures come and go: neither files nor undo know of them.
  chain(node, "onSerialize", (data) => {
    if (data.size) data.size = [data.size[0], data.size[1] - grid.live.height];
  });
  chain(node, "onConfigure", refresh);
  chain(node, "onConnectionsChange", refreshAllSoon);
  refreshLater(node, refresh);
  chain(node, "onRemoved", () => grid.leave());
  grid.element.addEventListener("keydown", (event) => {
    const undo = (event.ctrlKey || event.metaKey) && ["z", "y"].includes(event.key.toLowerCase());
    if (undo && grid.hasFocus) lostFocus = { ...grid.focused, id: node.id, time: performance.now() };
  });
  chain(node, "onExecuted", () => {
    inspectAnew();
    refreshAllSoon();
  });
  const alpha = node.widgets?.find(({ name }) => name === "alpha");
  if (alpha) chain(alpha, "callback", refreshAllSoon);
  node.setSize([Math.max(node.size[0], WIDTH), node.size[1]]); // a saved node gets its own later
  refresh();
  layOut();
}

/**
 * What an empty text field shows is its name, which the page leaves as it is in the node's definition.
 *
 * @param {Comfy.Node} node
 */
function translatePlaceholders({ widgets }) {
  for (const { name, label, element } of widgets ?? [])
    if (label && element instanceof HTMLTextAreaElement && element.placeholder === name)
      element.placeholder = label;
}

/**
 * Move a widget right below another one, without moving what is saved by position.
 *
 * @param {Comfy.Node} node
 * @param {Comfy.Widget} upper
 * @param {Comfy.Widget} widget
 */
function showBelow(node, upper, widget) {
  const { widgets = [] } = node;
  widgets.splice(widgets.indexOf(widget), 1);
  widgets.splice(widgets.indexOf(upper) + 1, 0, widget);
  // Older front ends leave a hole where a widget is not saved, and read the values back without holes.
  chain(node, "onSerialize", (data) => {
    if (data.widgets_values)
      data.widgets_values = node.widgets?.filter((each) => each.serialize !== false).map((each) => each.value);
  });
}

app.registerExtension({
  name: "StyleMix",
  settings: [
    {
      id: "StyleMix.Live",
      category: ["StyleMix", "Nodes", "Live"],
      name: "Live pictures on nodes",
      tooltip: "After a run, show what masks and sliders give while they are changed.",
      type: "boolean",
      defaultValue: true,
    },
    {
      id: "StyleMix.Favourites",
      name: "Favourites of the gallery",
      type: "hidden",
      defaultValue: "",
    },
  ],
  setup() {
    colorSockets(app);
    showRemembered(api, app);
    showRefusals(api, app);
    showProgress(api, app);
    dropPreviews(api, app);
    addDrops(app, api, tell, toast);
    const folder = new URL(".", import.meta.url).pathname.split("/").at(-2);
    const first = `/workflow_templates/${folder}/a_first_mix.json`;
    addGallery(app, api, new URL("./docs/StyleMixDecode/result.jpg", import.meta.url).href, first, tell);
    const sheet = document.createElement("link");
    sheet.rel = "stylesheet";
    sheet.href = new URL("./stylemix/grid.css", import.meta.url).href;
    document.head.append(sheet);
    // Any change may connect another model.
    // Soon, and not now: it comes between a button's release and its click, which would be lost with the button.
    api.addEventListener("graphChanged", refreshAllSoon);
    // Live pictures are drawn when nothing runs.
    api.addEventListener("status", ({ detail }) => {
      if (detail?.exec_info?.queue_remaining === 0) refreshAllSoon();
    });
  },
  beforeConfigureGraph(workflow) {
    translate(workflow, locale());
  },
  onNodeOutputsUpdated() {
    recallMessages();
    refreshAllSoon();
  },
  nodeCreated(node) {
    if (!node.comfyClass?.startsWith("StyleMix")) return;
    addMessages(node, app, runOf);
    addCompare(node);
    translatePlaceholders(node);
    const text = node.widgets?.find(({ name }) => name === TEXT);
    if (text && MASKED.has(node.comfyClass)) addGrid(node, text);
    const folder = LOADERS.get(node.comfyClass);
    if (folder) addInfo(node, api, folder);
    const upload = UPLOADS[node.comfyClass];
    if (upload) addUploadTo(node, upload);
    const sliders = SLIDERS.get(node.comfyClass);
    if (sliders) refreshLater(node, addSliders(node, app, sliders, liveServer(node), runOf, tell));
    // Its face is drawn on, whether or not pictures of changes are wished for.
    if (node.comfyClass === "StyleMixDrag") refreshLater(node, addArrows(node, app, liveServer(node, () => true), tell));
    if (PICKED.has(node.comfyClass)) refreshLater(node, addPicker(node, app, api, runOf, tell));
    if (node.comfyClass === "StyleMixSortFaces") refreshLater(node, addSorter(node, app, api, runOf));
  },
});
