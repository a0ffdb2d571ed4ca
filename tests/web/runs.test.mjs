// What the page does when runs end: remembered nodes show again what they showed, pictures of progress go.

import assert from "node:assert/strict";
import { test } from "node:test";

import { showRemembered } from "../../web/stylemix/messages.js";
import { dropPreviews } from "../../web/stylemix/previews.js";

const RUN = "run 1";

/** ComfyUI's api: events, and a history with what nodes showed. */
class Api extends EventTarget {
  constructor(outputs, meta = {}) {
    super();
    this.history = { [RUN]: { outputs, meta } };
    this.asked = [];
    this.shown = [];
    this.addEventListener("executed", ({ detail }) => this.shown.push(detail));
  }

  dispatchCustomEvent(type, detail) {
    this.dispatchEvent(Object.assign(new Event(type), { detail }));
  }

  async fetchApi(path) {
    this.asked.push(path);
    return { json: async () => this.history };
  }

  /** A run of the nodes that are sent, while others were remembered. */
  async run(remembered, sent = []) {
    this.dispatchCustomEvent("execution_start", { prompt_id: RUN });
    this.dispatchCustomEvent("execution_cached", { nodes: remembered });
    for (const node of sent) this.dispatchCustomEvent("executed", { node, output: this.history[RUN].outputs[node] });
    this.dispatchCustomEvent("executing", "2");
    this.dispatchCustomEvent("executing", null);
    await new Promise(setImmediate);
  }
}

const said = (text) => ({ stylemix_messages: [["warning", text]] });

test("a remembered node that the server has not sent shows again what it showed", async () => {
  const api = new Api({ 1: said("one"), 2: said("two"), 3: { images: [] } });
  showRemembered(api, { nodeOutputs: {} });
  await api.run(["1", "2", "3"], ["2"]);
  assert.deepEqual(api.asked, [`/history/${RUN}`]);
  assert.deepEqual(
    api.shown.map(({ node, output }) => [node, output.stylemix_messages[0][1]]),
    [
      ["2", "two"],
      ["1", "one"],
    ],
  );
});

test("a node in a subgraph is shown by its place there", async () => {
  const api = new Api({ "5:1": said("inside") }, { "5:1": { display_node: "5:1" } });
  showRemembered(api, { nodeOutputs: {} });
  await api.run(["5:1"]);
  assert.deepEqual(api.shown, [{ node: "5:1", display_node: "5:1", output: said("inside"), prompt_id: RUN }]);
});

test("what the page still shows is not asked for", async () => {
  const api = new Api({ 1: said("one") });
  showRemembered(api, { nodeOutputs: { 1: said("one") } });
  await api.run(["1"]);
  await api.run([]);
  assert.deepEqual(api.asked, []);
});

test("what is shown belongs to the open workflow, whenever it has come", async () => {
  const api = new Api({ 1: said("one") });
  const changeTracker = { nodeOutputs: { 1: said("before") } };
  const app = { nodeOutputs: {}, extensionManager: { workflow: { activeWorkflow: { changeTracker } } } };
  api.addEventListener("executed", ({ detail }) => (app.nodeOutputs[detail.node] = detail.output));
  showRemembered(api, app);
  await api.run(["1"]); // the server does not send it, the page asks after the end
  assert.deepEqual(changeTracker.nodeOutputs, { 1: said("one") });
  app.nodeOutputs[2] = said("two"); // was sent before the answer to the prompt
  api.dispatchCustomEvent("promptQueued");
  assert.deepEqual(changeTracker.nodeOutputs, { 1: said("one"), 2: said("two") });
});

/** A page with node 4, and with node 5, a subgraph that holds node 1. */
const page = (store, more) => ({
  graph: { getNodeById: (id) => (id === "5" ? { subgraph: { id: "sub", getNodeById: () => ({}) } } : {}) },
  extensionManager: { _p: { _s: new Map([["nodeOutput", store]]) } },
  ...more,
});

test("newer pages let go of a preview by their store, on the node and the subgraph around it", () => {
  const revoked = [];
  const api = new Api({});
  dropPreviews(api, page({ revokePreviewsByLocatorId: (place) => revoked.push(place) }));
  for (const node of ["4", "5:1"]) api.dispatchCustomEvent("executed", { node, output: said("done") });
  api.dispatchCustomEvent("executed", { node: "7", output: { images: [] } }); // another pack's
  assert.deepEqual(revoked, ["4", "5", "sub:1"]);
});

test("older pages let go of a preview by what holds them", () => {
  const previews = () => ({ 4: ["blob:1"], 5: ["blob:2"] });
  const store = { nodePreviewImages: previews() };
  const app = page(store, { nodePreviewImages: previews() });
  const api = new Api({});
  dropPreviews(api, app);
  dropPreviews(api, {}); // a page that holds none
  api.dispatchCustomEvent("executed", { node: "4", output: said("done") });
  assert.deepEqual([app.nodePreviewImages, store.nodePreviewImages], [{ 5: ["blob:2"] }, { 5: ["blob:2"] }]);
});
