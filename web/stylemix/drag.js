/** Arrows on a face: points of its picture and where they are dragged to, as text in a node's widget. */

/** @import { Server } from "./live.js" */
/** @import { TextKey } from "./texts.js" */

import { clamp } from "./cells.js";
import { chain } from "./chain.js";
import { make, takeOneFinger } from "./drawing.js";
import { addElement, MARGIN } from "./element.js";

/** @typedef {[x: number, y: number, toX: number, toY: number]} Arrow in parts of the picture, from the left and the top */

const SIDE = 300;
/** In parts of the picture: how near a press must be to an arrow's end to take it, and how short an arrow is none. */
const NEAR = 0.035;
const SHORT = 0.01;

let count = 0;

const NUMBER = "\\s*(\\d*\\.?\\d+)\\s*";
const LINE = new RegExp(`^${NUMBER},${NUMBER}>${NUMBER},${NUMBER}$`);

/**
 * The arrows of a text; lines that are none are left out, for the server to say what is wrong with them.
 *
 * @param {string} text
 * @returns {Arrow[]}
 */
export function readArrows(text) {
  return text.split(/[;\n]/).flatMap((line) => {
    const found = LINE.exec(line.trim());
    return found ? [/** @type {Arrow} */ (found.slice(1).map(Number))] : [];
  });
}

/**
 * A text with one of its arrows changed or taken away, or one more; its other lines stay as they are.
 *
 * @param {string} text
 * @param {number} which from 0 on; as many as there are for one more
 * @param {Arrow | null} arrow null to take it away
 */
export function withArrow(text, which, arrow) {
  const [x, y, toX, toY] = (arrow ?? []).map((each) => each.toFixed(3));
  const written = arrow ? [`${x}, ${y} > ${toX}, ${toY}`] : [];
  let count = 0;
  const lines = text.split(/[;\n]/).flatMap((line) => {
    if (!LINE.test(line.trim()) || count++ !== which) return line.trim() ? [line.trim()] : [];
    return written;
  });
  return [...lines, ...(count === which ? written : [])].join("\n");
}

/**
 * @param {Comfy.Node} node
 * @param {Comfy.App} app
 * @param {Server} server
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 * @returns {(() => void) | undefined} shows the face of the last run, if it is not shown yet
 */
export function addArrows(node, app, server, say) {
  const found = node.widgets?.find(({ name }) => name === "points");
  if (!found) return;
  const text = found;
  const picture = make("img", "stylemix-drag-picture", { alt: "", draggable: "false" });
  const arrows = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  arrows.setAttribute("viewBox", "0 0 1 1");
  const hint = make("div", "stylemix-drag-hint");
  const stage = make("div", "stylemix-drag-stage", {}, picture, arrows);
  const element = make("div", "stylemix-drag", { "data-capture-wheel": "true" }, stage, hint);
  /** The run whose face is shown. */
  let shown = "";
  let asking = false;
  /** The arrow that a hand holds, which of its ends, and whether it is being drawn. */
  let held = { arrow: -1, end: false, fresh: false };

  const read = () => readArrows(String(text.value ?? ""));

  /** @param {number} which @param {Arrow | null} arrow */
  function write(which, arrow) {
    text.value = withArrow(String(text.value ?? ""), which, arrow);
    text.callback?.(text.value);
    draw();
  }

  /** A step for undo. */
  function step() {
    app.canvas.emitBeforeChange();
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

  /** Show the face of the last run, once the server is free. */
  async function show() {
    const name = server.name();
    if (name === null || name === shown || asking) return;
    asking = true;
    const drawn = await server.draw({ name, values: null }).catch(() => ({ why: "" }));
    asking = false;
    if ("why" in drawn || !element.isConnected) return; // as the live pictures
    URL.revokeObjectURL(picture.src);
    picture.src = URL.createObjectURL(drawn.picture);
    shown = name;
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
      if (Math.hypot(toX - x, toY - y) < NEAR) return { arrow, end: true, fresh: false };
      if (Math.hypot(fromX - x, fromY - y) < NEAR) return { arrow, end: false, fresh: false };
    }
    return { arrow: -1, end: false, fresh: false };
  }

  takeOneFinger(arrows);
  arrows.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.stopPropagation();
    arrows.setPointerCapture(event.pointerId);
    held = below(event);
    if (held.arrow < 0) {
      const [x, y] = where(event);
      held = { arrow: read().length, end: true, fresh: true };
      write(held.arrow, [x, y, x, y]);
    }
  });
  arrows.addEventListener("pointermove", (event) => {
    if (!arrows.hasPointerCapture(event.pointerId)) return;
    const [x, y] = where(event);
    const [fromX, fromY, toX, toY] = read()[held.arrow];
    write(held.arrow, held.end ? [fromX, fromY, x, y] : [x, y, toX, toY]);
  });
  arrows.addEventListener("pointerup", (event) => {
    if (!arrows.hasPointerCapture(event.pointerId)) return;
    arrows.releasePointerCapture(event.pointerId);
    const [x, y, toX, toY] = read()[held.arrow];
    if (held.fresh && Math.hypot(toX - x, toY - y) < SHORT) write(held.arrow, null); // a press is no arrow
    step();
  });
  arrows.addEventListener("contextmenu", (event) => {
    const { arrow } = below(event);
    if (arrow < 0) return;
    event.preventDefault();
    event.stopPropagation();
    write(arrow, null);
    step();
  });
  addElement(node, "arrows", `STYLEMIX_ARROWS_${++count}`, element, () => SIDE + 2 * MARGIN);
  chain(text, "callback", draw);
  chain(node, "onRemoved", () => {
    URL.revokeObjectURL(picture.src);
    shown = ""; // asked for again, should the node come again
    draw();
  });
  chain(node, "onConfigure", draw);
  node.setSize([Math.max(node.size[0], 320), node.computeSize()[1]]);
  draw();
  return show;
}
