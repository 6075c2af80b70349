// @ts-check
/** What the menus do to several boxes at once, and to the picture's size. */
import { aligned, distributed, sized } from "./arrange.js";
import { extent, isPoint } from "./shapes/index.js";

/** @param {import("./editor.js").Editor} editor */
export function arrangeCommands(editor) {
  const { store } = editor;
  /** @param {(boxes: import("./geometry.js").Box[]) => import("./geometry.js").Box[]} arrange @param {import("./layout.js").Item[]} [items] */
  const each = (arrange, items = store.selected) => {
    const boxes = arrange(items.map((it) => extent(it.fields)));
    store.dispatch({ type: "boxes", boxes: Object.fromEntries(items.map((it, i) => [it.id, boxes[i]])) });
  };

  return {
    /** @param {import("./arrange.js").Edge} edge */
    align: (edge) => each((boxes) => aligned(boxes, edge)),
    /** @param {0|1} side */
    distribute: (side) => each((boxes) => distributed(boxes, side)),
    /** As the box that was selected last; a point has no size. @param {readonly (0|1)[]} sides */
    sameSize(sides) {
      const model = editor.find(store.state.selection.at(-1) ?? "");
      if (model) each((boxes) => sized(boxes, extent(model.fields), sides), store.selected.filter((it) => !isPoint(it.fields)));
    },
    /** @param {import("./geometry.js").Size} size */
    setSize(size) {
      editor.host.setSize(size);
      editor.refresh();
      editor.say(editor.t("say.size", size));
    },
  };
}
