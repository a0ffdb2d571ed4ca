/**
 * What a node's last run had to say, below its widgets: warnings, results, and why ComfyUI left the node out. No place
 * for it where there is nothing.
 */

/** @import { RunOf } from "./given.js" */

import { chain } from "./chain.js";
import { addElement, MARGIN } from "./element.js";
import { nodeAt } from "./links.js";
import { say, textsFor } from "./texts.js";

/** @typedef {[kind: "warning" | "note" | "refused", text: string]} Message */

/** Of the messages at most; longer ones scroll. */
const MOST = 120;

/** Height of a line and width of a letter, as long as the messages are not on the page to be measured. */
const LINE = 14;
const LETTER = 5.5;

/**
 * Of every node that is in a graph: what shows its messages.
 *
 * @type {Map<Comfy.LinkedNode, { recall(): void, refuse(errors?: Comfy.Refusal[]): void, wait(text?: string): void }>}
 */
const places = new Map();

let count = 0;

/**
 * Give a node a place for the messages of its runs, which come with what a run shows on the page.
 *
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {RunOf} runOf
 */
export function addMessages(node, app, runOf) {
  const element = document.createElement("div");
  element.className = "stylemix-messages";
  const content = document.createElement("div");
  element.append(content);
  /** @type {Message[]} */
  let said = [];
  /** @type {Comfy.Widget | null} */
  let widget = null;
  let refused = false;
  let waiting = false;
  /** By how much the messages have made the node higher. */
  let height = 0;

  /** @param {Message[]} messages */
  function show(messages = []) {
    said = messages;
    refused = waiting = false;
    const texts = textsFor(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
    const lines = said.map(([kind, text]) => {
      const line = document.createElement("div");
      line.className = `stylemix-${kind}`;
      line.title = say(texts, kind);
      line.textContent = text;
      return line;
    });
    content.replaceChildren(...lines);
    // A type of its own for each: Vue nodes would go on showing the messages of a node that undo has replaced.
    if (said.length && !widget)
      widget = addElement(node, "messages", `STYLEMIX_MESSAGES_${++count}`, element, () => height);
    if (!said.length && widget) {
      node.removeWidget(widget);
      widget = null;
    }
    layOut();
  }

  /** Let the node grow and shrink with its messages; its pictures keep their room. */
  function layOut() {
    if (!node.graph) return;
    const needed = content.offsetHeight || height - 2 * MARGIN || guessed();
    const wanted = widget ? Math.min(needed, MOST) + 2 * MARGIN : 0;
    if (wanted === height) return;
    const [width, before] = node.size;
    const after = before + wanted - height;
    height = wanted;
    node.setSize([width, Math.max(after, node.computeSize()[1])]);
    app.canvas.setDirty(true, true);
  }

  function guessed() {
    const letters = Math.max((node.size[0] - 50) / LETTER, 1);
    return said.reduce((sum, [, text]) => sum + LINE * Math.ceil(text.length / letters) + 2, 8);
  }

  /** Show what the page remembers of the node's last run. */
  function recall() {
    const output = runOf(node);
    if (output) show(output.stylemix_messages);
  }

  /**
   * Show why the node has been left out; without errors, take back those of the prompt before.
   *
   * @param {Comfy.Refusal[]} [errors]
   */
  function refuse(errors) {
    if (errors) show(errors.map((error) => ["refused", reasonOf(error)]));
    else if (refused) show(runOf(node)?.stylemix_messages);
    refused = Boolean(errors);
  }

  /**
   * Show how far the node is; without a text, take that back.
   *
   * @param {string} [text]
   */
  function wait(text) {
    if (text) show([["note", text]]);
    else if (waiting) show(runOf(node)?.stylemix_messages);
    waiting = Boolean(text);
  }

  new ResizeObserver(layOut).observe(content);
  chain(node, "onExecuted", (output) => show(output?.stylemix_messages));
  chain(node, "onAdded", () => places.set(node, { recall, refuse, wait }));
  chain(node, "onRemoved", () => places.delete(node));
  // The node is saved as high as it is without messages.
  chain(node, "onSerialize", (data) => {
    data.size = [data.size[0], data.size[1] - height];
  });
}

/** To be called when the page has other outputs: a workflow that is opened again gets those of its last run. */
export function recallMessages() {
  for (const { recall } of places.values()) recall();
}

/**
 * Let nodes say why they are refused. Older pages only mark them when the rest of the prompt can run.
 *
 * @param {Comfy.Api} api
 * @param {Comfy.App} app
 */
export function showRefusals(api, app) {
  api.addEventListener("promptQueued", () => {
    /** @type {Map<Comfy.LinkedNode | null | undefined, Comfy.Refusal[]>} */
    const errorsOf = new Map();
    for (const [id, { errors }] of Object.entries(app.lastNodeErrors ?? {})) errorsOf.set(nodeAt(app, id), errors);
    for (const [node, { refuse }] of places) refuse(errorsOf.get(node));
  });
}

/**
 * Let nodes say how far they are as long as they run.
 *
 * @param {Comfy.Api} api
 * @param {Comfy.App} app
 */
export function showProgress(api, app) {
  api.addEventListener("stylemix_progress", ({ detail }) => {
    const node = nodeAt(app, detail.node);
    if (node) places.get(node)?.wait(detail.text);
  });
  const stop = () => {
    for (const { wait } of places.values()) wait();
  };
  api.addEventListener("execution_error", stop);
  api.addEventListener("execution_interrupted", stop);
}

/**
 * In words. What a node checks itself comes behind the name of the input.
 *
 * @param {Comfy.Refusal} error
 */
function reasonOf({ type, message, details }) {
  return type === "custom_validation_failed" ? details.replace(/^\w+ - /, "") : `${message}: ${details}`;
}

/**
 * Let nodes whose result is remembered show again what it showed. Older cores send it of outputs only, so that after a
 * reload of the page the nodes before them would stay empty. Older pages keep of a run, for when its workflow is opened
 * again, what comes between the answer to its prompt and its end. Remembered results come earlier or later than that.
 *
 * @param {Comfy.Api} api
 * @param {Comfy.App} app
 */
export function showRemembered(api, app) {
  /** @type {{ id: string, remembered: string[], sent: Set<string> } | null} */
  let run = null;
  api.addEventListener("execution_start", ({ detail }) => {
    run = { id: detail.prompt_id, remembered: [], sent: new Set() };
  });
  api.addEventListener("execution_cached", ({ detail }) => {
    if (run) run.remembered = detail.nodes;
  });
  api.addEventListener("executed", ({ detail }) => run?.sent.add(detail.node));
  api.addEventListener("executing", async ({ detail }) => {
    if (detail || !run) return; // not the end of a run
    const { id, remembered, sent } = run;
    run = null;
    const missing = remembered.filter((node) => !sent.has(node) && !app.nodeOutputs?.[node]);
    if (!missing.length) return;
    const { [id]: entry } = await (await api.fetchApi(`/history/${id}`)).json();
    for (const node of missing) {
      const output = entry?.outputs?.[node];
      if (!output?.stylemix_messages) continue;
      // The run's own notes may name the node that made the result, in another workflow.
      api.dispatchCustomEvent("executed", { node, display_node: node, output, prompt_id: id });
    }
    keepShown(app);
  });
  api.addEventListener("promptQueued", () => keepShown(app));
}

/**
 * With the open workflow, as newer pages do when it is left.
 *
 * @param {Comfy.App} app
 */
function keepShown(app) {
  const tracker = app.extensionManager?.workflow?.activeWorkflow?.changeTracker;
  if (tracker) tracker.nodeOutputs = { ...app.nodeOutputs };
}
