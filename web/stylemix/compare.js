/** Two pictures laid over each other, over the page: a wipe, a flicker, or a map of where they differ. */

/** @import { TextKey } from "./texts.js" */

import { clamp } from "./cells.js";
import { make, takeOneFinger } from "./drawing.js";

/** @typedef {{ name: string, src: string, blob?: Blob }} Named a picture and what it is called */
/** @typedef {typeof MODES[number]} Mode */

const MODES = /** @type {const} */ (["compareWipe", "compareFlicker", "compareDifference"]);
/** Milliseconds that each picture is seen: less than three changes a second do no harm. */
const FLICKER = 500;
const MOST_ZOOM = 16;
/** Pixels of the larger side of a map of differences. */
const MAP = 1024;
/** Of the levels, how large a difference is white. */
const WHITE = 0.5;

/**
 * Paint where two pictures differ: black, red, yellow, white. All are RGBA of the same size.
 *
 * @param {Uint8ClampedArray} one
 * @param {Uint8ClampedArray} other
 * @param {Uint8ClampedArray} map
 * @returns {{ mean: number, most: number }} of the differences, each the mean of a pixel's channels, 0…1
 */
export function paintDifference(one, other, map) {
  let sum = 0;
  let most = 0;
  for (let i = 0; i < map.length; i += 4) {
    const away =
      (Math.abs(one[i] - other[i]) + Math.abs(one[i + 1] - other[i + 1]) + Math.abs(one[i + 2] - other[i + 2])) / 765;
    sum += away;
    most = Math.max(most, away);
    const heat = (3 * away) / WHITE;
    for (let channel = 0; channel < 3; channel++) map[i + channel] = 255 * clamp(heat - channel, 0, 1);
    map[i + 3] = 255;
  }
  return { mean: sum / (map.length / 4 || 1), most };
}

/**
 * Open the viewer on the first two pictures.
 *
 * @param {Named[]} pictures to choose from
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 * @param {(picture: Named) => void} use called with the second picture, to be a source
 */
export function comparePictures(pictures, say, use) {
  const chosen = [0, 1];
  /** @type {Mode} */
  let mode = MODES[0];
  let split = 0.5;
  let zoom = 1;
  let [right, down] = [0, 0]; // where the picture's corner is on the stage
  /** Whether the upper picture is the one to see, where one covers the other. */
  let upper = true;
  /** What is told of where they differ. */
  let measured = "";

  const layers = [0, 1].map(() => make("img", "stylemix-compare-layer", { alt: "", draggable: "false" }));
  const map = make("canvas", "stylemix-compare-layer");
  const line = make("div", "stylemix-compare-line");
  const moved = make("div", "stylemix-compare-moved", {}, ...layers, map);
  const stage = make("div", "stylemix-compare-stage", { tabindex: "0", role: "img" }, moved, line);
  const tabs = MODES.map((each) => {
    const tab = make("button", "stylemix-button", { type: "button" }, say(each));
    tab.addEventListener("click", () => choose(each));
    return tab;
  });
  const selects = [0, 1].map((which) => {
    const options = pictures.map(({ name }, i) => make("option", "", { value: i }, name));
    const select = make("select", "stylemix-compare-select", { "aria-label": say("comparePicture") }, ...options);
    select.value = String(chosen[which]);
    select.addEventListener("change", () => {
      chosen[which] = Number(select.value);
      load();
    });
    return select;
  });
  const save = make("button", "stylemix-button", { type: "button" }, say("compareSave"));
  const source = make("button", "stylemix-button", { type: "button", title: say("compareUseTip") }, say("compareUse"));
  const close = make("button", "stylemix-button", { type: "button" }, say("compareClose"));
  const told = make("div", "stylemix-compare-told", { "aria-live": "polite" });
  const dialog = make(
    "dialog",
    "stylemix-compare",
    { "aria-label": say("compare") },
    make("div", "stylemix-compare-bar", {}, selects[0], selects[1], ...tabs, save, source, close),
    stage,
    told,
  );

  /** Show the pictures that are chosen. */
  function load() {
    layers.forEach((layer, which) => (layer.src = pictures[chosen[which]].src));
    void Promise.all(layers.map((layer) => layer.decode().catch(() => {}))).then(() => choose(mode));
  }

  /** @param {Mode} next */
  function choose(next) {
    mode = next;
    upper = true;
    if (mode === "compareDifference") measured = measure();
    draw();
  }

  function draw() {
    tabs.forEach((tab, i) => tab.setAttribute("aria-pressed", String(MODES[i] === mode)));
    const difference = mode === "compareDifference";
    map.hidden = !difference;
    line.hidden = mode !== "compareWipe";
    layers[1].hidden = !upper;
    line.style.left = `${100 * split}%`;
    layers[1].style.clipPath = mode === "compareWipe" ? `inset(0 0 0 ${100 * cut()}%)` : "";
    moved.style.transform = `translate(${right}px, ${down}px) scale(${zoom})`;
    moved.style.imageRendering = zoom >= 4 ? "pixelated" : "";
    told.textContent = difference ? measured : say("compareHint");
    stage.setAttribute("aria-label", `${say(mode)}: ${chosen.map((each) => pictures[each].name).join(" | ")}`);
  }

  /** Where the wipe cuts the upper picture, as a part of its width. */
  function cut() {
    const width = stage.clientWidth || 1;
    return clamp((split * width - right) / zoom / width, 0, 1);
  }

  /** Paint the map of differences, and say how large they are. */
  function measure() {
    const side = Math.min(MAP, Math.max(...layers.map((layer) => Math.max(layer.naturalWidth, layer.naturalHeight))));
    if (!side) return "";
    map.width = map.height = side;
    const context = map.getContext("2d");
    if (!context) return "";
    const [one, other] = layers.map((layer) => {
      context.clearRect(0, 0, side, side);
      fit(context, layer, side);
      return context.getImageData(0, 0, side, side).data;
    });
    const painted = context.createImageData(side, side);
    const { mean, most } = paintDifference(one, other, painted.data);
    context.putImageData(painted, 0, 0);
    return say("compareTold", { mean: (100 * mean).toFixed(2), most: (100 * most).toFixed(1) });
  }

  /** @param {number} factor @param {number} x of the stage, what stays where it is @param {number} y */
  function zoomBy(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const next = clamp(zoom * factor, 1, MOST_ZOOM);
    [right, down] = [x - ((x - right) * next) / zoom, y - ((y - down) * next) / zoom];
    zoom = next;
    move(0, 0);
  }

  /** @param {number} x @param {number} y */
  function move(x, y) {
    right = clamp(right + x, stage.clientWidth * (1 - zoom), 0);
    down = clamp(down + y, stage.clientHeight * (1 - zoom), 0);
    draw();
  }

  /** Save what is seen, without the zoom, as large as the larger picture. */
  function saveSeen() {
    const canvas = make("canvas", "");
    const side = Math.max(...layers.map((layer) => Math.max(layer.naturalWidth, layer.naturalHeight)));
    canvas.width = canvas.height = side;
    const context = canvas.getContext("2d");
    if (!context || !side) return;
    if (mode === "compareDifference") context.drawImage(map, 0, 0, side, side);
    else {
      fit(context, layers[0], side);
      context.beginPath();
      context.rect(mode === "compareWipe" ? cut() * side : upper ? 0 : side, 0, side, side);
      context.clip();
      context.clearRect(0, 0, side, side);
      fit(context, layers[1], side);
    }
    const link = make("a", "", { download: "compared.png", href: canvas.toDataURL("image/png") });
    link.click();
  }

  takeOneFinger(stage);
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    if (wipes(event)) wipeTo(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!stage.hasPointerCapture(event.pointerId)) return;
    if (wipes(event)) wipeTo(event);
    else move(event.movementX, event.movementY);
  });
  stage.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const { left, top } = stage.getBoundingClientRect();
      zoomBy(event.deltaY < 0 ? 1.25 : 0.8, event.clientX - left, event.clientY - top);
    },
    { passive: false },
  );

  /** @param {PointerEvent} event */
  const wipes = (event) => mode === "compareWipe" && !event.shiftKey && (event.buttons & 1) === 1;

  /** @param {PointerEvent} event */
  function wipeTo(event) {
    const { left, width } = stage.getBoundingClientRect();
    split = clamp((event.clientX - left) / width, 0, 1);
    draw();
  }

  dialog.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape" || event.target instanceof HTMLSelectElement) return;
    /** @type {Record<string, () => void>} */
    const actions = {
      1: () => choose(MODES[0]),
      2: () => choose(MODES[1]),
      3: () => choose(MODES[2]),
      ArrowLeft: () => (split = clamp(split - 0.02, 0, 1)),
      ArrowRight: () => (split = clamp(split + 0.02, 0, 1)),
      "+": () => zoomBy(1.25),
      "-": () => zoomBy(0.8),
      0: () => zoomBy(0),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
    draw();
  });
  save.addEventListener("click", saveSeen);
  source.addEventListener("click", () => {
    use(pictures[chosen[1]]);
    dialog.close();
  });
  close.addEventListener("click", () => dialog.close());
  const turning = setInterval(() => {
    if (mode !== "compareFlicker") return;
    upper = !upper;
    draw();
  }, FLICKER);
  dialog.addEventListener("close", () => {
    clearInterval(turning);
    for (const { src } of pictures) if (src.startsWith("blob:")) URL.revokeObjectURL(src);
    dialog.remove();
  });

  document.body.append(dialog);
  dialog.showModal();
  stage.focus();
  load();
}

/**
 * Draw a picture into the middle of a square, as large as it goes.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {HTMLImageElement} picture
 * @param {number} side
 */
function fit(context, picture, side) {
  const scale = side / Math.max(picture.naturalWidth, picture.naturalHeight, 1);
  const [width, height] = [picture.naturalWidth * scale, picture.naturalHeight * scale];
  context.drawImage(picture, (side - width) / 2, (side - height) / 2, width, height);
}
