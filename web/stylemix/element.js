/** Places on a node for what is no widget of it. */

/** Above and below a DOM widget, in the classic canvas. */
export const MARGIN = 10;

/**
 * Put an element on a node; neither the workflow nor the prompt knows of it.
 *
 * @param {Comfy.Node} node
 * @param {string} name
 * @param {string} type of the widget that holds it
 * @param {HTMLElement} element
 * @param {() => number} heightOf gives its height in pixels
 */
export function addElement(node, name, type, element, heightOf) {
  const widget = node.addDOMWidget(name, type, element, {
    serialize: false, // not in the prompt
    hideInPanel: true,
    // It is played on. A click that selects the node would show the node's toolbox above, and older pages never let go
    // of one of those.
    selectOn: [],
    getMinHeight: heightOf,
    getMaxHeight: heightOf,
    getValue: () => "",
    setValue: () => {},
  });
  widget.serialize = false; // not in the workflow
  return widget;
}
