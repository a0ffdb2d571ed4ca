/**
 * The last picture of a node's progress. Pages keep it until the next run: in place of the pictures that the node then
 * shows, or beside them.
 */

import { chain } from "./chain.js";

/** Let go of it when a run of the node is complete. */
export function dropPreviews(node, app) {
  chain(node, "onExecuted", () => {
    const { graph, id } = node;
    if (!graph) return;
    const place = graph.isRootGraph === false ? `${graph.id}:${id}` : `${id}`;
    // No page offers this to packs: its own store of outputs does it, or, in older pages, what holds them.
    const store = app.extensionManager?._p?._s?.get("nodeOutput");
    if (store?.revokePreviewsByLocatorId) return store.revokePreviewsByLocatorId(place);
    app.nodePreviewImages?.[place]?.forEach((url) => URL.revokeObjectURL(url));
    for (const previews of [app.nodePreviewImages, store?.nodePreviewImages]) if (previews) delete previews[place];
  });
}
