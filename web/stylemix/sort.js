/**
 * Sort Faces: faces of the node's last run, to be put to the left or to the right. What was chosen is text in the
 * node's widget `choices`, "+3 -1": that is saved, and it is all that is sent.
 */

/** @import { RunOf } from "./given.js" */

import { chain } from "./chain.js";
import { make } from "./drawing.js";
import { addElement, MARGIN } from "./element.js";
import { say, textsFor } from "./texts.js";

/** Pixels of the whole. What does not fit scrolls. */
const HEIGHT = 500;

let count = 0;

/**
 * The choices of a text, in their order: of which face, and whether it has it.
 *
 * @param {string} text
 * @returns {Map<number, boolean>}
 */
export function readChoices(text) {
  const chosen = new Map();
  for (const [, sign, number] of text.matchAll(/([+-])\s*(\d+)/g)) {
    chosen.delete(Number(number));
    chosen.set(Number(number), sign === "+");
  }
  return chosen;
}

/** @param {Map<number, boolean>} chosen */
export function writeChoices(chosen) {
  return [...chosen].map(([number, has]) => `${has ? "+" : "-"}${number}`).join(" ");
}

/**
 * Faces that are not sorted yet, by their numbers, in the order in which the last run asks for them.
 *
 * @param {number} faces how many there are
 * @param {number[]} asked places from 0 on
 * @param {Map<number, boolean>} chosen
 */
export function restOf(faces, asked, chosen) {
  const every = [...new Set([...asked, ...Array(faces).keys()])];
  return every.filter((place) => place < faces).map((place) => place + 1).filter((number) => !chosen.has(number));
}

/**
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {Comfy.Api} api
 * @param {RunOf} runOf
 */
export function addSorter(node, app, api, runOf) {
  const found = node.widgets?.find(({ name }) => name === "choices");
  if (!found) return;
  const text = found;
  const element = make("div", "stylemix-sort", { tabindex: "0", role: "group", "data-capture-wheel": "true" });
  /** Whether a run of this node is on its way, and whether something was chosen meanwhile. */
  let running = false;
  let again = false;

  const texts = () => textsFor(app.extensionManager?.setting?.get("Comfy.Locale") ?? "en");

  /** @param {Map<number, boolean>} chosen */
  function choose(chosen) {
    text.value = writeChoices(chosen);
    text.callback?.(text.value);
    show();
    app.canvas.emitBeforeChange(); // a step for undo
    app.canvas.emitAfterChange();
    run();
  }

  /** Run this node alone: one run at a time, and the last choices for sure. */
  async function run() {
    again = running;
    if (running) return;
    running = true;
    // Inside a subgraph a node alone has another name; there all is run.
    const alone = node.graph?.isRootGraph === false ? undefined : [String(node.id)];
    try {
      await app.queuePrompt(0, 1, alone); // front ends do not agree on what it returns
      if (Object.keys(app.lastNodeErrors ?? {}).length) stop(); // refused
    } catch {
      stop();
    }
  }

  function stop() {
    running = again = false;
  }

  function finish() {
    if (!running) return;
    running = false;
    if (again) run();
  }

  /** @param {number} number @param {boolean} has */
  function put(number, has) {
    const chosen = readChoices(String(text.value ?? ""));
    chosen.delete(number);
    choose(chosen.set(number, has));
  }

  /** @param {number} [number] the last one without */
  function takeBack(number) {
    const chosen = readChoices(String(text.value ?? ""));
    chosen.delete(number ?? [...chosen.keys()].at(-1) ?? 0);
    choose(chosen);
  }

  /** @param {Comfy.Output | undefined} output @returns {string} all that what is seen depends on */
  const keyOf = (output) =>
    JSON.stringify([output?.stylemix_faces, output?.stylemix_asked, output?.stylemix_strip, text.value, say(texts(), "sort")]);
  let drawn = "";

  /** @param {{ filename: string, subfolder: string, type: string }} file @param {string} name */
  function picture(file, name) {
    const src = api.apiURL(`/view?${new URLSearchParams(file)}`);
    return make("img", "", { src, alt: name, draggable: "false" });
  }

  /** @param {HTMLElement[]} children */
  function fill(...children) {
    const held = element.contains(document.activeElement);
    element.replaceChildren(...children);
    if (held) element.focus({ preventScroll: true }); // else keys would go to the canvas, where Backspace deletes nodes
  }

  function show() {
    const output = runOf(node);
    drawn = keyOf(output);
    const faces = output?.stylemix_faces ?? [];
    const chosen = readChoices(String(text.value ?? ""));
    const rest = restOf(faces.length, output?.stylemix_asked ?? [], chosen);
    const words = texts();
    element.setAttribute("aria-label", say(words, "sort"));
    if (!faces.length) {
      const start = make("button", "stylemix-button", { type: "button" }, say(words, "sortStart"));
      start.addEventListener("click", run);
      fill(start);
      return;
    }
    /** @param {boolean} has */
    const side = (has) => {
      const mine = [...chosen].filter(([number, given]) => given === has && faces[number - 1]);
      const pictures = mine.map(([number]) => {
        const name = say(words, "sortBack", { number });
        const button = make("button", "stylemix-face", { type: "button", title: name }, picture(faces[number - 1], name));
        button.addEventListener("click", () => takeBack(number));
        return button;
      });
      const head = make("div", "stylemix-side-head", {}, say(words, has ? "sortHas" : "sortHasNot", { count: mine.length }));
      return make("div", "stylemix-side", {}, head, make("div", "stylemix-faces", {}, ...pictures));
    };
    const [asked, ...others] = rest;
    const middle = make("div", "stylemix-asked");
    if (asked) {
      const left = make("button", "stylemix-button", { type: "button" }, `← ${say(words, "sortLeft")}`);
      const right = make("button", "stylemix-button", { type: "button" }, `${say(words, "sortRight")} →`);
      left.addEventListener("click", () => put(asked, false));
      right.addEventListener("click", () => put(asked, true));
      middle.append(left, picture(faces[asked - 1], say(words, "sortFace", { number: asked })), right);
    }
    const waiting = others.map((number) => {
      const name = say(words, "sortHalves", { number });
      const button = make("button", "stylemix-face", { type: "button", title: name }, picture(faces[number - 1], name));
      button.addEventListener("click", (event) => {
        if (event.detail) put(number, event.offsetX > button.offsetWidth / 2); // a key points at neither half
      });
      return button;
    });
    const strip = (output?.stylemix_strip ?? []).map((file) => picture(file, say(words, "sortStrip")));
    const report = output?.stylemix_report ?? [say(words, "sortFew")];
    fill(
      make("div", "stylemix-sides", {}, side(false), side(true)),
      middle,
      make("div", "stylemix-faces", {}, ...waiting),
      make("div", "stylemix-strip", { title: say(words, "sortStrip") }, ...strip),
      make("div", "", { "aria-live": "polite" }, ...report.map((line) => make("div", "", {}, line))),
    );
  }

  element.addEventListener("keydown", (event) => {
    const output = runOf(node);
    const chosen = readChoices(String(text.value ?? ""));
    const [asked] = restOf(output?.stylemix_faces?.length ?? 0, output?.stylemix_asked ?? [], chosen);
    if (asked && ["ArrowLeft", "ArrowRight"].includes(event.key)) put(asked, event.key === "ArrowRight");
    else if (event.key === "Backspace" && chosen.size) takeBack();
    else return;
    event.preventDefault();
    event.stopPropagation();
    element.focus({ preventScroll: true });
  });
  // A type of its own for each, as the mask grid's.
  addElement(node, "sorter", `STYLEMIX_SORTER_${++count}`, element, () => HEIGHT + 2 * MARGIN);
  chain(text, "callback", show);
  chain(node, "onConfigure", show);
  chain(node, "onExecuted", () => {
    show();
    finish();
  });
  /** Ends when the node leaves its graph. */
  let listening = new AbortController();
  chain(node, "onAdded", () => {
    listening.abort();
    listening = new AbortController();
    const { signal } = listening;
    api.addEventListener("execution_error", stop, { signal });
    api.addEventListener("execution_interrupted", stop, { signal });
    // The run is over, whether this node was in it or not.
    api.addEventListener("executing", ({ detail }) => detail === null && finish(), { signal });
    // It never came to the server, or the server began anew.
    api.addEventListener("status", ({ detail }) => detail?.exec_info?.queue_remaining === 0 && finish(), { signal });
  });
  chain(node, "onRemoved", () => {
    stop();
    listening.abort();
  });
  node.setSize([Math.max(node.size[0], 420), node.computeSize()[1]]);
  show();
  return () => {
    if (keyOf(runOf(node)) !== drawn) show();
  };
}
