// @ts-check
/**
 * The editor on a subgraph's own node, when its `layout` widget is promoted there.
 *
 * Up to page 1.4x ComfyUI itself shows the inner widget's element on the outer node.  Newer pages give a promoted input
 * a value of its own and build an element for their own text areas only, in a method that is overridden here, node by
 * node; where that method does not exist, nothing is done.
 */
import { asWideAsNode } from "./host.js";

/**
 * @param {any} node any node just made
 * @param {string} type of our widget
 * @param {(source: any, value: {value: any}) => {editor: import("./editor.js").Editor, options: any}} build an editor for the inner
 *   widget `source`, with the promoted value to read and write
 */
export function showPromoted(node, type, build) {
  const original = node.createPromotedHostWidget;
  const parts = /** @type {any} */ (window).comfyAPI?.domWidget;
  if (typeof original !== "function" || !parts?.DOMWidgetImpl || !parts.addWidget) return;
  node.createPromotedHostWidget = function (/** @type {any} */ input, /** @type {any} */ id, /** @type {any} */ source) {
    if (source?.type !== type) return original.call(this, input, id, source);
    // A node that is only being cloned or configured has not its final id yet; ComfyUI asks again when it has.
    if (this.graph?.getNodeById(this.id) !== this || !this._projectPromotedWidget) return undefined;
    const { editor, options } = build(source, this._projectPromotedWidget(input));
    const widget = asWideAsNode(new parts.DOMWidgetImpl({ node: this, name: input.name, type, element: editor.large.home, options }));
    widget.roictrl = editor;
    // The node's list of widgets is made from its inputs; only the page's list of elements is told.
    parts.addWidget({ graph: this.graph, widgets: [widget], addCustomWidget() {} }, widget);
    return widget;
  };
}
