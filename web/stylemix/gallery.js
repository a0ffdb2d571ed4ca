/** The gallery in the sidebar: saved faces and directions by their pictures, to be put onto the canvas. */

/** @import { TextKey } from "./texts.js" */

import { make } from "./drawing.js";
import { openMenu } from "./menu.js";
import { addLoader, chooseFile, freePlace, placeOf } from "./loaders.js";

/** @typedef {"latent" | "directions"} Kind */

/**
 * @typedef {object} Saved a file as the server lists it
 * @property {string} name of it in its loader's list
 * @property {Kind[]} kinds what it may be
 * @property {Comfy.Picture | null} picture
 * @property {boolean} bundled whether the page has its picture
 * @property {boolean} changed whether it may be renamed and thrown away
 */

/** The node that loads a kind. */
export const LOADER = { latent: "StyleMixLoadLatent", directions: "StyleMixLoadDirections" };
const TYPE = "application/x-stylemix-file";
const FAVOURITES = "StyleMix.Favourites";

/**
 * The files whose names have all words, favourites first.
 *
 * @param {Saved[]} files
 * @param {string} words
 * @param {string[]} favourites
 */
export function found(files, words, favourites) {
  const parts = words.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const fitting = files.filter(({ name }) => parts.every((part) => name.toLocaleLowerCase().includes(part)));
  const loved = new Set(favourites);
  return [...fitting.filter(({ name }) => loved.has(name)), ...fitting.filter(({ name }) => !loved.has(name))];
}

/**
 * What a file is called: without its folders' mark and its ending.
 *
 * @param {string} name
 */
export function titleOf(name) {
  return name.replace(/ \[output\]$/, "").replace(/^.*\//, "").replace(/\.[^.]+$/, "");
}

/**
 * Add the gallery to the sidebar, where there is one.
 *
 * @param {Comfy.App} app
 * @param {Comfy.Api} api
 * @param {string} bundled address of the picture of what is bundled
 * @param {string} first route of the workflow to begin with
 * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
 */
export function addGallery(app, api, bundled, first, say) {
  /** @type {Saved[]} */
  let files = [];

  const search = make("input", "stylemix-gallery-search", { type: "search" });
  const told = make("div", "stylemix-gallery-told", { "aria-live": "polite" });
  const cards = make("div", "stylemix-gallery-cards", { role: "list" });
  const begin = make("button", "stylemix-gallery-begin", { type: "button" });
  const panel = make("div", "stylemix-gallery", {}, begin, search, told, cards);

  const favourites = () => app.extensionManager.setting.get(FAVOURITES)?.split("\n").filter(Boolean) ?? [];

  /** @param {Saved} file @returns {HTMLElement} */
  function cardOf(file) {
    const { name, kinds: [kind], picture } = file;
    const title = titleOf(name);
    const src = picture ? api.apiURL(`/view?${new URLSearchParams(picture)}`) : file.bundled ? bundled : "";
    const shown = src
      ? make("img", "stylemix-gallery-picture", { src, alt: "", draggable: "false", loading: "lazy" })
      : make("div", "stylemix-gallery-picture", {}, kind === "latent" ? "W+" : "↔");
    const loved = favourites().includes(name);
    const put = make("button", "stylemix-gallery-put", { type: "button", title: say("galleryPut", { name }) }, shown, title);
    const star = make(
      "button",
      "stylemix-gallery-star",
      { type: "button", "aria-pressed": loved, "aria-label": say("galleryStar", { name: title }) },
      loved ? "★" : "☆",
    );
    const card = make("div", "stylemix-gallery-card", { role: "listitem", draggable: "true" }, put, star);
    put.addEventListener("click", () => add(file));
    star.addEventListener("click", () => {
      love(name, loved ? null : name);
      show();
    });
    card.addEventListener("dragstart", (event) => event.dataTransfer?.setData(TYPE, JSON.stringify(file)));
    if (file.changed) {
      const more = make("button", "stylemix-gallery-more", { type: "button", "aria-label": say("galleryMore", { name: title }) }, "⋯");
      more.addEventListener("click", () =>
        openMenu(more, [
          { label: say("rename"), run: () => rename(card, put, name) },
          { label: say("galleryTrash"), title: say("galleryTrashTip"), run: () => send({ name, to: null }) },
        ]),
      );
      card.append(more);
    }
    return card;
  }

  /** Make another name a favourite in place of one, or none. @param {string} name @param {string | null} other */
  function love(name, other) {
    const others = favourites().filter((each) => each !== name);
    app.extensionManager.setting.set(FAVOURITES, [...others, ...(other === null ? [] : [other])].join("\n"));
  }

  /** @param {HTMLElement} card @param {HTMLElement} put what the field stands in for @param {string} name */
  function rename(card, put, name) {
    const field = make("input", "stylemix-gallery-name", { type: "text", "aria-label": say("rename") });
    field.value = titleOf(name);
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.isComposing) return;
      if (event.key === "Enter" && field.value.trim()) void send({ name, to: field.value });
      else if (event.key === "Escape") show();
    });
    field.addEventListener("blur", show);
    put.hidden = true;
    card.prepend(field);
    field.select();
  }

  /** Open the workflow to begin with, in a tab of its own where the page has such. */
  async function openFirst() {
    const workflow = await api
      .fetchApi(first)
      .then((response) => response.json())
      .catch(() => null);
    if (workflow) await app.loadGraphData(workflow, true, true, titleOf(first));
    else told.textContent = say("galleryFailed");
  }

  function show() {
    begin.textContent = say("galleryBegin");
    search.placeholder = say("gallerySearch");
    search.setAttribute("aria-label", say("gallerySearch"));
    const fitting = found(files, search.value, favourites());
    cards.replaceChildren(...fitting.map(cardOf));
    if (!fitting.length) told.textContent = say("galleryNone");
  }

  /** @param {{ name: string, to: string | null }} [wish] */
  async function send(wish) {
    const options = wish && { method: "POST", body: JSON.stringify(wish) };
    /** @type {{ files?: Saved[], name?: string | null, error?: string }} */
    const answer = await api
      .fetchApi("/stylemix/gallery", options)
      .then((response) => response.json())
      .catch(() => ({ error: say("galleryFailed") }));
    files = answer.files ?? files;
    if (wish && answer.files && favourites().includes(wish.name)) love(wish.name, answer.name ?? null);
    told.textContent = answer.error ?? "";
    show();
  }

  /**
   * Put a file onto the canvas: into the loader that it is dropped on, or into a new one.
   *
   * @param {Saved} file
   * @param {[x: number, y: number]} [dropped] where on the page; without, a free place in the middle
   */
  function add({ name, kinds }, dropped) {
    const place = dropped ? placeOf(app, ...dropped) : freePlace(app);
    const below = dropped && app.canvas.graph.getNodeOnPos(...place);
    app.canvas.emitBeforeChange();
    if (below && kinds.some((kind) => LOADER[kind] === below.comfyClass)) chooseFile(below, name);
    else addLoader(app, LOADER[kinds[0]], name, place);
    app.canvas.emitAfterChange();
    app.canvas.setDirty(true, true);
  }

  /** @param {DragEvent} event */
  const isOurs = (event) =>
    event.dataTransfer?.types.includes(TYPE) && !(event.target instanceof Node && panel.contains(event.target));
  document.addEventListener("dragover", (event) => {
    if (isOurs(event)) event.preventDefault();
  });
  document.addEventListener(
    "drop",
    (event) => {
      if (!isOurs(event)) return;
      event.preventDefault();
      event.stopPropagation();
      add(JSON.parse(event.dataTransfer?.getData(TYPE) ?? ""), [event.clientX, event.clientY]);
    },
    true,
  );
  begin.addEventListener("click", () => void openFirst());
  search.addEventListener("input", () => {
    told.textContent = "";
    show();
  });
  search.addEventListener("keydown", (event) => event.stopPropagation());
  app.extensionManager.registerSidebarTab?.({
    id: "stylemix",
    icon: "pi pi-id-card",
    title: "StyleMix",
    tooltip: say("gallery"),
    type: "custom",
    render(element) {
      element.replaceChildren(panel);
      void send();
    },
  });
}
