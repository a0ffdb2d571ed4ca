/** What a node's last run had to say, below its widgets: warnings and results. No place for it where there is nothing. */

import { chain } from "./chain.js";
import { say, textsFor } from "./texts.js";

/** Above and below a DOM widget, in the classic canvas. */
const MARGIN = 10;

/** Of the messages at most; longer ones scroll. */
const MOST = 120;

/** Height of a line and width of a letter, as long as the messages are not on the page to be measured. */
const LINE = 14;
const LETTER = 5.5;

let count = 0;

/** Give a node a place for the messages of its runs, which come with what a run shows on the page. */
export function addMessages(node, app) {
  const element = document.createElement("div");
  element.className = "stylemix-messages";
  const content = document.createElement("div");
  element.append(content);
  let said = [];
  let widget = null;
  /** By how much the messages have made the node higher. */
  let height = 0;

  function show(messages = []) {
    said = messages;
    const texts = textsFor(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");
    const lines = said.map(([kind, text]) => {
      const line = document.createElement("div");
      line.className = `stylemix-${kind}`;
      line.title = say(texts, kind);
      line.textContent = text;
      return line;
    });
    content.replaceChildren(...lines);
    if (said.length && !widget) widget = place();
    if (!said.length && widget) {
      node.removeWidget(widget);
      widget = null;
    }
    layOut();
  }

  function place() {
    // A type of its own for each: Vue nodes would go on showing the messages of a node that undo has replaced.
    const placed = node.addDOMWidget("messages", `STYLEMIX_MESSAGES_${++count}`, element, {
      serialize: false, // not in the prompt
      hideInPanel: true,
      getMinHeight: () => height,
      getMaxHeight: () => height,
      getValue: () => "",
      setValue: () => {},
    });
    placed.serialize = false; // not in the workflow
    return placed;
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

  /** What the page remembers of the node's last run. */
  function remembered() {
    if (!node.graph) return;
    const { graph, id } = node;
    const output = app.nodeOutputs?.[graph.isRootGraph === false ? `${graph.id}:${id}` : id];
    if (output) show(output.stylemix_messages);
  }

  new ResizeObserver(layOut).observe(content);
  chain(node, "onExecuted", (output) => show(output?.stylemix_messages));
  // A workflow that is opened again gets the outputs of its last run a moment after its nodes.
  chain(node, "onConfigure", () => setTimeout(remembered));
  // The node is saved as high as it is without messages.
  chain(node, "onSerialize", (data) => {
    data.size = [data.size[0], data.size[1] - height];
  });
}

/**
 * Let nodes whose result is remembered show again what it showed. Older cores send it of outputs only, so that after a
 * reload of the page the nodes before them would stay empty.
 */
export function showRemembered(api, app) {
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
      const display_node = entry.meta?.[node]?.display_node ?? node;
      api.dispatchCustomEvent("executed", { node, display_node, output, prompt_id: id });
    }
  });
}
