/** Files and folders that are dropped on the canvas: the nodes that load them appear there. */

/** @import { TextKey } from "./texts.js" */
/** @import { Saved } from "./gallery.js" */

import { LOADER } from "./gallery.js";
import { addLoader, ends, OTHERS, placeOf, upload } from "./loaders.js";

const OWN = ".safetensors";
const PICTURES = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"];
/** Of a folder's files, how many become nodes. */
const MOST = 24;
/** Bytes that ComfyUI takes, unless it is told otherwise. Larger files are checkpoints, most of the time. */
const LARGEST = 100 * 2 ** 20;
/** Bytes, by the format. */
const LONGEST_HEADER = 100_000_000n;
/** Nodes side by side, and the room of each. */
const [COLUMNS, WIDTH, HEIGHT] = [6, 340, 400];

/**
 * What of a folder becomes nodes, by name.
 *
 * @template {{ name: string }} File
 * @param {File[]} files
 */
export function fitting(files) {
  return files
    .filter(({ name }) => !name.startsWith(".") && ends(name, [OWN, ...OTHERS, ...PICTURES]))
    .sort((one, other) => one.name.localeCompare(other.name, undefined, { numeric: true }));
}

/**
 * Whether a safetensors file has a workflow in it, which the page opens by itself.
 *
 * @param {Blob} file
 */
export async function hasWorkflow(file) {
  const size = new DataView(await file.slice(0, 8).arrayBuffer());
  if (size.byteLength < 8 || size.getBigUint64(0, true) > LONGEST_HEADER) return false;
  const header = file.slice(8, 8 + Number(size.getBigUint64(0, true)));
  try {
    return Boolean(JSON.parse(await header.text()).__metadata__?.workflow);
  } catch {
    return false;
  }
}

/**
 * @param {Comfy.App} app
 * @param {Comfy.Api} api
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 * @param {(severity: string, detail: string) => void} tell
 */
export function addDrops(app, api, say, tell) {
  document.addEventListener(
    "drop",
    (event) => {
      const entries = [...(event.dataTransfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
      const ours = entries.some(({ isDirectory, name }) => isDirectory || ends(name, [OWN, ...OTHERS]));
      const place = freeOf(event);
      if (!ours || !place) return;
      event.preventDefault();
      event.stopPropagation();
      take(entries, place).catch((error) => tell("error", String(error)));
    },
    true,
  );

  /**
   * Where on the canvas; null on a node, which takes files by itself, and elsewhere on the page.
   *
   * @param {DragEvent} event
   * @returns {[x: number, y: number] | null}
   */
  function freeOf({ target, clientX, clientY }) {
    const { left, top, right, bottom } = app.canvas.canvas.getBoundingClientRect();
    const outside = clientX < left || clientX > right || clientY < top || clientY > bottom;
    if (outside || (target instanceof Element && target.closest("dialog, [role=dialog], .side-bar-panel, input, textarea")))
      return null;
    const place = placeOf(app, clientX, clientY);
    return app.canvas.graph.getNodeOnPos(...place) ? null : place;
  }

  /** @param {FileSystemEntry[]} entries @param {[x: number, y: number]} place */
  async function take(entries, [x, y]) {
    /** @type {{ file: File, folder: string }[]} */
    const files = [];
    for (const entry of entries) {
      if (!isFolder(entry)) files.push({ file: await fileOf(entry), folder: "" });
      else {
        const inside = fitting(await entriesOf(entry));
        for (const each of inside.slice(0, MOST)) files.push({ file: await fileOf(each), folder: entry.name });
        if (inside.length > MOST) tell("info", say("dropMost", { folder: entry.name, count: inside.length, most: MOST }));
        if (!inside.length) tell("error", say("dropNothing", { folder: entry.name }));
      }
    }
    const [only] = files;
    if (files.length === 1 && ends(only.file.name, [OWN]) && (await hasWorkflow(only.file))) {
      app.handleFile(only.file);
      return;
    }
    const names = [];
    for (const { file, folder } of files) {
      /** @type {TextKey | null} */
      const refused = !fitting([file]).length ? "dropUnknown" : file.size > LARGEST ? "dropLarge" : null;
      const name = refused ? null : await upload(api, file, folder);
      if (name !== null) names.push(name);
      else tell("error", say(refused ?? "dropFailed", { name: file.name }));
    }
    /** @type {{ files: Saved[] }} */
    const { files: saved } = await api.fetchApi("/stylemix/gallery").then((response) => response.json());
    app.canvas.emitBeforeChange(); // one step for undo
    let count = 0;
    for (const name of names) {
      const kind = saved.find((each) => each.name === name)?.kinds[0];
      const type = ends(name, PICTURES) ? "LoadImage" : kind && LOADER[kind];
      const [right, down] = [(count % COLUMNS) * WIDTH, Math.floor(count / COLUMNS) * HEIGHT];
      if (type && addLoader(app, type, name, [x + right, y + down])) count++;
      else tell("error", say("dropUnknown", { name }));
    }
    app.canvas.emitAfterChange();
  }
}

/** @param {FileSystemEntry} entry @returns {entry is FileSystemDirectoryEntry} */
function isFolder(entry) {
  return entry.isDirectory;
}

/** @param {FileSystemEntry} entry @returns {Promise<File>} */
function fileOf(entry) {
  return new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
}

/**
 * The files right in a folder.
 *
 * @param {FileSystemDirectoryEntry} folder
 */
async function entriesOf(folder) {
  const reader = folder.createReader();
  const found = [];
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) return found.filter(({ isFile }) => isFile);
    found.push(...some);
  }
}
