/**
 * The last picture of a node's progress. Pages keep it until the next run: in place of the pictures that the node then
 * shows, or beside them.
 */

/** Milliseconds after which a picture that came before a run's end is surely loaded. */
const LOADED = 500;

/**
 * Let go of it when a run of one of this pack's nodes is complete, on the node and on the subgraphs around it.
 *
 * @param {Comfy.Api} api
 * @param {Comfy.App} app
 */
export function dropPreviews(api, app) {
  api.addEventListener("executed", ({ detail }) => {
    if (!detail.output?.stylemix_messages) return; // another pack's
    /** @type {Comfy.Graph | undefined} */
    let graph = app.rootGraph ?? app.graph;
    let around = "";
    for (const id of `${detail.display_node ?? detail.node}`.split(":")) {
      drop(app, around + id);
      const node = graph?.getNodeById(id);
      if (node && detail.output.animated?.[0]) {
        dropPicture(node);
        setTimeout(() => dropPicture(node), LOADED); // one that was still being loaded
      }
      graph = node?.subgraph;
      around = `${graph?.id}:`;
    }
  });
}

/**
 * Older pages show a film beside what they show pictures with.
 *
 * @param {Comfy.LinkedNode} node
 */
function dropPicture(node) {
  const place = node.widgets?.findIndex(({ name }) => name === "$$canvas-image-preview") ?? -1;
  if (place >= 0) node.widgets?.splice(place, 1);
  node.imgs = undefined;
}

/**
 * No page offers this to packs: the store of newer ones does it, of older ones what holds the pictures is at hand.
 *
 * @param {Comfy.App} app
 * @param {string} place
 */
function drop(app, place) {
  const store = app.extensionManager?._p?._s?.get("nodeOutput");
  if (store?.revokePreviewsByLocatorId) return store.revokePreviewsByLocatorId(place);
  app.nodePreviewImages?.[place]?.forEach((url) => URL.revokeObjectURL(url));
  for (const previews of [app.nodePreviewImages, store?.nodePreviewImages]) if (previews) delete previews[place];
}
