// @ts-check
/** What the menu does to the shapes of the selected instances: one step for all of them, locked ones left alone. */
import { area, fit, minimum } from "./geometry.js";
import { field } from "./layout.js";
import { maskFromPicture } from "./mask_picture.js";
import { decoded, encoded } from "./masks.js";
import { boxColumns, ellipseColumns, gridOf, grown, shrunk, without } from "./raster.js";
import { KINDS } from "./shapes/kinds.js";
import { maskOn, masked } from "./tools/masking.js";

/** By how much a mask grows and shrinks: a latent cell. Pixels of the picture. */
export const GROWTH = 8;

/** @param {import("./editor.js").Editor} editor */
export function shapeCommands(editor) {
  const { store } = editor;
  /** @param {(fields: import("./layout.js").Fields) => Record<string, any>|null} change null leaves an instance */
  const each = (change) => {
    store.dispatch({ type: "begin" });
    for (const it of store.selected) {
      const changes = field(it, "locked") ? null : change(it.fields);
      if (changes) store.dispatch({ type: "patch", ids: [it.id], changes });
    }
    store.dispatch({ type: "commit" });
  };
  /** @param {(columns: import("./raster.js").Columns, grid: import("./raster.js").Grid, fields: import("./layout.js").Fields) => import("./raster.js").Columns} change */
  const eachMask = (change) => each((fields) =>
    (decoded(fields.mask) ? masked(fields, change(maskOn(fields, editor.size), gridOf(editor.size), fields), editor.size) : null));
  /** @param {typeof boxColumns} shape */
  const fromBox = (shape) => each(({ box }) => {
    const grid = gridOf(editor.size);
    return area(box) > 0 ? { mask: encoded(shape(box, grid), grid), outline: undefined } : null;
  });

  return {
    maskFromBox: () => fromBox(boxColumns),
    maskFromEllipse: () => fromBox(ellipseColumns),
    boxFromMask: () => each(({ mask }) => {
      const bounds = decoded(mask)?.bounds;
      return bounds ? { box: fit(bounds, minimum(editor.size)), mask } : null;
    }),
    /** What of the box was not in the mask is, and nothing else. */
    invertMask: () => eachMask((columns, grid, { box }) => without(boxColumns(box, grid), columns)),
    /** @param {number} px of the picture; less than 0: smaller */
    growMask: (px) => eachMask((columns, grid) => {
      const [rx, ry] = [(Math.abs(px) * grid[1]) / editor.size.width, (Math.abs(px) * grid[0]) / editor.size.height];
      return (px > 0 ? grown : shrunk)(columns, grid, rx, ry);
    }),
    /** @param {string} name of the kind */
    clearShape: (name) => each(() => Object.fromEntries(KINDS.filter((kind) => kind.name === name).flatMap((kind) => kind.fields).map((key) => [key, undefined]))),
    /** @param {() => Promise<Blob|null>} source */
    async maskFromPicture(source) {
      const [it] = store.selected;
      const { columns, why } = await maskFromPicture(source, gridOf(editor.size));
      const still = editor.find(it.id);
      if (columns && still) store.dispatch({ type: "patch", ids: [it.id], changes: masked(still.fields, columns, editor.size) });
      editor.notices.show(why ? [editor.t(why, { n: store.state.doc.items.indexOf(it) + 1 })] : [], "mask");
    },
  };
}
