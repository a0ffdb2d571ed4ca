/**
 * Pictures of what a node would give, while its masks are painted or its sliders drawn: the source and the result beside
 * each other, asked of the server one at a time, the newest wish always next.
 */

/** @import { Named } from "./compare.js" */
/** @import { TextKey } from "./texts.js" */

import { make } from "./drawing.js";

/** @typedef {Record<string, unknown> | null} Values a node's, by their names; null for the source */

/**
 * @typedef {object} Server
 * @property {() => string | null} name of the last run that pictures may be asked of, if there is one
 * @property {(wish: { name: string, values: Values }) => Promise<{ picture: Blob, full: number } | { why: string }>} draw
 *   `full` is the picture's size in a run; `why` says what a user may do where there is no picture, if anything
 * @property {(pictures: Named[]) => void} compare opens them large, and takes back their addresses when it closes
 */

export class Live {
  /** Whether the pictures are seen. They take room, so only who comes near opens them. */
  open = false;
  /** The run whose source is shown. */
  shown = "";
  /** What was asked for last, so that nothing is asked for twice. */
  asked = "";
  /**
   * What to ask for next.
   *
   * @type {{ values: Values, caption: string } | null}
   */
  wanted = null;
  asking = false;
  /** Height when it was last in sight. */
  tall = 0;
  /** The result's address while the source covers it. */
  covered = "";

  /**
   * @param {Server} server
   * @param {(key: TextKey, values?: Record<string, unknown>) => string} say
   * @param {boolean} pair whether there is a source to show beside the result
   */
  constructor(server, say, pair = true) {
    this.server = server;
    this.say = say;
    this.pair = pair;
    // The source, and what becomes of it.
    this.pictures = [0, 1].map(() => make("img", "stylemix-live-picture", { alt: "", draggable: "false" }));
    this.captions = [0, 1].map(() => make("figcaption", "stylemix-live-caption"));
    const figures = this.pictures.map((picture, i) => make("figure", "", {}, picture, this.captions[i]));
    /** @type {Blob[]} What they show. */
    this.blobs = [];
    this.element = make("div", "stylemix-live", { "aria-hidden": "true" }, ...figures);
    this.element.hidden = true;
    figures[0].hidden = !pair;
    new ResizeObserver(() => (this.tall = this.element.offsetHeight || this.tall)).observe(this.element);
    this.element.addEventListener("click", () => {
      if (!pair || !this.blobs[0] || !this.blobs[1]) return;
      const shown = this.captions.map(({ textContent }, place) => ({ name: textContent ?? "", blob: this.blobs[place] }));
      // With addresses of their own: this node takes its back when it draws anew.
      server.compare(shown.map((picture) => ({ ...picture, src: URL.createObjectURL(picture.blob) })));
    });
  }

  /** Height in pixels, at zoom 1; also while the node is out of sight, and nothing of it has a height. */
  get height() {
    return this.element.hidden ? 0 : this.tall; // to measure it now would lay out the page
  }

  /** Somebody comes near. */
  enter() {
    this.open = true;
  }

  /**
   * Show the source in the result's place, to see what has changed, or the result again.
   *
   * @param {boolean} source
   */
  compare(source) {
    const [before, after] = this.pictures;
    if (this.element.hidden || source === (this.covered !== "")) return;
    [after.src, this.covered] = source ? [before.src, after.src] : [this.covered, ""];
  }

  /** The node is gone: give back what was drawn for it. Should it come again, it asks anew. */
  leave() {
    for (const address of [...this.pictures.map(({ src }) => src), this.covered]) URL.revokeObjectURL(address);
    this.blobs = [];
    this.shown = this.asked = this.covered = "";
    this.wanted = null;
  }

  /**
   * Show what other values would give.
   *
   * @param {Values} values
   * @param {string} caption
   */
  show(values, caption) {
    if (this.open && !this.element.isConnected) return; // asked for when it is seen again
    const name = this.open ? this.server.name() : null;
    if (name === null) {
      this.element.hidden = true;
      this.asked = "";
      return;
    }
    const asked = JSON.stringify([name, values]);
    if (asked === this.asked) return;
    this.asked = asked;
    this.wanted = { values, caption };
    if (!this.asking) void this.ask();
  }

  /** Ask for what is wanted until nothing is. */
  async ask() {
    this.asking = true;
    try {
      while (this.wanted) {
        const { values, caption } = this.wanted;
        this.wanted = null;
        const name = this.server.name();
        if (name === null) break;
        if (this.pair && this.shown !== name && (await this.put(0, name, null, this.say("liveSource"))))
          this.shown = name;
        const seen = (await this.put(1, name, values, caption)) && (!this.pair || this.shown === name);
        if (!seen) this.asked = ""; // may be asked for again
      }
    } finally {
      this.asking = false;
    }
  }

  /**
   * @param {number} place
   * @param {string} name
   * @param {Values} values
   * @param {string} caption
   * @returns {Promise<boolean>} whether it could be drawn
   */
  async put(place, name, values, caption) {
    const drawn = await this.server.draw({ name, values }).catch(() => ({ why: "" })); // it may be gone
    if ("why" in drawn) {
      if (drawn.why) {
        this.captions[place].textContent = this.captions[place].title = drawn.why;
        this.element.hidden = false;
      }
      return false;
    }
    // A browser never lets go of an image that gets its picture outside of the page.
    if (!this.element.isConnected) return false;
    this.compare(false);
    const picture = this.pictures[place];
    URL.revokeObjectURL(picture.src);
    this.blobs[place] = drawn.picture;
    picture.src = URL.createObjectURL(drawn.picture);
    await picture.decode().catch(() => {});
    const small = picture.naturalWidth < drawn.full ? ` · ${this.say("livePreview", { size: picture.naturalWidth })}` : "";
    this.captions[place].textContent = this.captions[place].title = `${caption}${small}`;
    this.element.hidden = false;
    return true;
  }
}
