// What the page does when runs end: remembered nodes show again what they showed, pictures of progress go.

import assert from "node:assert/strict";
import { test } from "node:test";

import { showRemembered } from "../../web/stylemix/messages.js";
import { dropPreviews } from "../../web/stylemix/previews.js";

const RUN = "run 1";

/** @typedef {Record<string, Comfy.Output>} Outputs by the ids of nodes */
/** @typedef {Comfy.Events["executed"]} Executed */

/** ComfyUI's api: events, and a history with what nodes showed. */
class Api {
  events = new EventTarget();
  /** @type {string[]} */
  asked = [];
  /** @type {Executed[]} */
  shown = [];

  /**
   * @param {Outputs} outputs
   * @param {Record<string, object>} meta
   */
  constructor(outputs, meta = {}) {
    this.history = { [RUN]: { outputs, meta } };
    this.addEventListener("executed", ({ detail }) => this.shown.push(detail));
  }

  /** @type {Comfy.Api["addEventListener"]} */
  addEventListener(name, listener) {
    this.events.addEventListener(name, (event) => listener(/** @type {CustomEvent} */ (event)));
  }

  /** @type {Comfy.Api["dispatchCustomEvent"]} */
  dispatchCustomEvent(name, detail) {
    this.events.dispatchEvent(new CustomEvent(name, { detail }));
  }

  /** @param {string} route */
  apiURL(route) {
    return route;
  }

  /** @param {string} path */
  async fetchApi(path) {
    this.asked.push(path);
    return { ok: true, json: async () => this.history };
  }

  /**
   * A node's result from the server.
   *
   * @param {string} node
   * @param {Comfy.Output} output
   */
  send(node, output) {
    this.dispatchCustomEvent("executed", { node, output, prompt_id: RUN });
  }

  /**
   * A run of the nodes that are sent, while others were remembered.
   *
   * @param {string[]} remembered
   * @param {string[]} sent
   */
  async run(remembered, sent = []) {
    this.dispatchCustomEvent("execution_start", { prompt_id: RUN });
    this.dispatchCustomEvent("execution_cached", { nodes: remembered });
    for (const node of sent) this.send(node, this.history[RUN].outputs[node]);
    this.dispatchCustomEvent("executing", "2");
    this.dispatchCustomEvent("executing", null);
    await new Promise(setImmediate);
  }
}

/**
 * ComfyUI's app with as much as a test needs.
 *
 * @param {object} parts
 */
const appWith = (parts) => /** @type {Comfy.App} */ (parts);

/** @param {string} text @returns {Comfy.Output} */
const said = (text) => ({ stylemix_messages: [["warning", text]] });

test("a remembered node that the server has not sent shows again what it showed", async () => {
  const api = new Api({ 1: said("one"), 2: said("two"), 3: {} });
  showRemembered(api, appWith({ nodeOutputs: {} }));
  await api.run(["1", "2", "3"], ["2"]);
  assert.deepEqual(api.asked, [`/history/${RUN}`]);
  assert.deepEqual(
    api.shown.map(({ node, output }) => [node, output.stylemix_messages?.[0][1]]),
    [
      ["2", "two"],
      ["1", "one"],
    ],
  );
});

test("a node in a subgraph is shown by its place there", async () => {
  const api = new Api({ "5:1": said("inside") }, { "5:1": { display_node: "5:1" } });

test("a result that a node of another workflow has made is shown where it is now", async () => {
  const api = new Api({ 6: said("of the photo") }, { 6: { display_node: "5" } });
  showRemembered(api, appWith({ nodeOutputs: {} }));
  await api.run(["6"]);
  assert.deepEqual(api.shown, [{ node: "6", display_node: "6", output: said("of the photo"), prompt_id: RUN }]);
});
  showRemembered(api, appWith({ nodeOutputs: {} }));
  await api.run(["5:1"]);
  assert.deepEqual(api.shown, [{ node: "5:1", display_node: "5:1", output: said("inside"), prompt_id: RUN }]);
});

test("what the page still shows is not asked for", async () => {
  const api = new Api({ 1: said("one") });
  showRemembered(api, appWith({ nodeOutputs: { 1: said("one") } }));
  await api.run(["1"]);
  await api.run([]);
  assert.deepEqual(api.asked, []);
});

test("what is shown belongs to the open workflow, whenever it has come", async () => {
  const api = new Api({ 1: said("one") });
  const changeTracker = { nodeOutputs: { 1: said("before") } };
  const workflow = { activeWorkflow: { changeTracker } };
  const app = appWith({ nodeOutputs: {}, extensionManager: { workflow } });
  api.addEventListener("executed", ({ detail }) => {
    app.nodeOutputs[detail.node] = detail.output;
  });
  showRemembered(api, app);
  await api.run(["1"]); // the server does not send it, the page asks after the end
  assert.deepEqual(changeTracker.nodeOutputs, { 1: said("one") });
  app.nodeOutputs[2] = said("two"); // was sent before the answer to the prompt
  api.dispatchCustomEvent("promptQueued", null);
  assert.deepEqual(changeTracker.nodeOutputs, { 1: said("one"), 2: said("two") });
});

const subgraph = { id: "sub", getNodeById: () => ({}) };

/**
 * A page with node 4, and with node 5, a subgraph that holds node 1.
 *
 * @param {Comfy.OutputStore} store
 */
const page = (store, more = {}) =>
  appWith({
    graph: { getNodeById: (/** @type {string} */ id) => (id === "5" ? { subgraph } : {}) },
    extensionManager: { _p: { _s: new Map([["nodeOutput", store]]) } },
    ...more,
  });

test("newer pages let go of a preview by their store, on the node and the subgraph around it", () => {
  /** @type {string[]} */
  const revoked = [];
  const api = new Api({});
  dropPreviews(api, page({ revokePreviewsByLocatorId: (place) => revoked.push(place) }));
  for (const node of ["4", "5:1"]) api.send(node, said("done"));
  api.send("7", {}); // another pack's
  assert.deepEqual(revoked, ["4", "5", "sub:1"]);
});

test("older pages let go of a preview by what holds them", () => {
  const previews = () => ({ 4: ["blob:1"], 5: ["blob:2"] });
  const store = { nodePreviewImages: previews() };
  const app = page(store, { nodePreviewImages: previews() });
  const api = new Api({});
  dropPreviews(api, app);
  dropPreviews(api, appWith({})); // a page that holds none
  api.send("4", said("done"));
  assert.deepEqual([app.nodePreviewImages, store.nodePreviewImages], [{ 5: ["blob:2"] }, { 5: ["blob:2"] }]);
});
