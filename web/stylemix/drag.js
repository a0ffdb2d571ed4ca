/** Arrows on a face: points of its picture and where they are dragged to, as text in a node's widget. */

/** @import { Server } from "./live.js" */
/** @import { TextKey } from "./texts.js" */

import { clamp } from "./cells.js";
import { chain } from "./chain.js";
import { make } from "./drawing.js";
import { addElement } from "./element.js";

/** @typedef {[x: number, y: number, toX: number, toY: number]} Arrow in parts of the picture, from the left and the top */

const SIDE = 280;
/** Above and below a DOM widget, in the classic canvas. */
const MARGIN = 10;
/** In parts of the picture: how near a press must be to an arrow's end to take it, and how short an arrow is none. */
const NEAR = 0.035;
const SHORT = 0.01;

let count = 0;

/**
 * The arrows of a text; lines that are none are left out, for the server to say what is wrong with them.
 *
 * @param {string} text
 * @returns {Arrow[]}
 */
export function readArrows(text) {
  const number = "\\s*(\\d*\\.?\\d+)\\s*";
  const line = new RegExp(`^${number},${number}>${number},${number}$`);
  return text.split(/[;\n]/).flatMap((each) => {
    const found = line.exec(each.trim());
    return found ? [/** @type {Arrow} */ (found.slice(1).map(Number))] : [];
  });
}

/** @param {Arrow[]} arrows */
export function writeArrows(arrows) {
  return arrows
    .map((arrow) => arrow.map((each) => each.toFixed(3)))
    .map(([x, y, toX, toY]) => `${x}, ${y} > ${toX}, ${toY}`)
    .join("\n");
}

/**
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {Server} server
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 */
export function addArrows(node, app, server, say) {
  const found = node.widgets?.find(({ name }) => name === "points");
  if (!found) return;
  const text = found;
  const picture = make("img", "stylemix-drag-picture", { alt: "", draggable: "false" });
  const arrows = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  arrows.setAttribute("viewBox", "0 0 1 1");
  const hint = make("div", "stylemix-drag-hint");
  const element = make("div", "stylemix-drag", { "data-capture-wheel": "true" }, picture, arrows, hint);
  /** The run whose face is shown. */
  let shown = "";
  /** The arrow that a hand holds, and which of its ends. */
  let held = { arrow: -1, end: false };

  const read = () => readArrows(String(text.value ?? ""));

  /** @param {Arrow[]} changed @param {boolean} [done] */
  function write(changed, done = false) {
    text.value = writeArrows(changed);
    text.callback?.(text.value);
    draw();
    if (!done) return;
    app.canvas.emitBeforeChange(); // a step for undo
    app.canvas.emitAfterChange();
  }

  function draw() {
    hint.textContent = say(shown ? "dragHint" : "dragFirst");
    picture.hidden = !shown;
    arrows.style.display = shown ? "" : "none";
    arrows.innerHTML = "";
    for (const [x, y, toX, toY] of read()) {
      const line = document.createElementNS(arrows.namespaceURI, "line");
      for (const [name, value] of Object.entries({ x1: x, y1: y, x2: toX, y2: toY })) line.setAttribute(name, String(value));
      const [from, to] = [
        [x, y, "stylemix-drag-from"],
        [toX, toY, "stylemix-drag-to"],
      ].map(([cx, cy, kind]) => {
        const dot = document.createElementNS(arrows.namespaceURI, "circle");
        for (const [name, value] of Object.entries({ cx, cy, r: 0.014, class: kind })) dot.setAttribute(name, String(value));
        return dot;
      });
      arrows.append(line, from, to);
    }
  }

  /** Show the face of the last run. */
  async function show() {
    const name = server.name();
    if (name === null || name === shown) return;
    for (let turn = 0; turn < 5; turn++) {
      const drawn = await server.draw({ name, values: null });
      if (drawn) {
        URL.revokeObjectURL(picture.src);
        picture.src = URL.createObjectURL(drawn.picture);
        shown = name;
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 300)); // the run is not over
    }
    draw();
  }

  /** @param {MouseEvent} event @returns {[x: number, y: number]} */
  function where(event) {
    const { left, top, width, height } = arrows.getBoundingClientRect();
    return [clamp((event.clientX - left) / width, 0, 1), clamp((event.clientY - top) / height, 0, 1)];
  }

  /** The arrow, and which of its ends, below the pointer; the last drawn first. @param {MouseEvent} event */
  function below(event) {
    const [x, y] = where(event);
    const all = read();
    for (let arrow = all.length - 1; arrow >= 0; arrow--) {
      const [fromX, fromY, toX, toY] = all[arrow];
      if (Math.hypot(toX - x, toY - y) < NEAR) return { arrow, end: true };
      if (Math.hypot(fromX - x, fromY - y) < NEAR) return { arrow, end: false };
    }
    return { arrow: -1, end: false };
  }

  arrows.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    arrows.setPointerCapture(event.pointerId);
    held = below(event);
    if (held.arrow < 0) {
      const [x, y] = where(event);
      held = { arrow: read().length, end: true };
      write([...read(), [x, y, x, y]]);
    }
  });
  arrows.addEventListener("pointermove", (event) => {
    if (!arrows.hasPointerCapture(event.pointerId)) return;
    const all = read();
    const [x, y] = where(event);
    const [fromX, fromY, toX, toY] = all[held.arrow];
    all[held.arrow] = held.end ? [fromX, fromY, x, y] : [x, y, toX, toY];
    write(all);
  });
  arrows.addEventListener("pointerup", (event) => {
    if (!arrows.hasPointerCapture(event.pointerId)) return;
    arrows.releasePointerCapture(event.pointerId);
    write(read().filter(([x, y, toX, toY]) => Math.hypot(toX - x, toY - y) >= SHORT), true);
  });
  arrows.addEventListener("contextmenu", (event) => {
    const { arrow } = below(event);
    if (arrow < 0) return;
    event.preventDefault();
    event.stopPropagation();
    write(read().filter((_, i) => i !== arrow), true);
  });
  addElement(node, "arrows", `STYLEMIX_ARROWS_${++count}`, element, () => SIDE + 2 * MARGIN);
  chain(text, "callback", draw);
  chain(node, "onConfigure", draw);
  chain(node, "onExecuted", () => void show());
  node.setSize([Math.max(node.size[0], 320), node.computeSize()[1]]);
  draw();
}
