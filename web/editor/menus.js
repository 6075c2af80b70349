// @ts-check
/**
 * What stands in each menu.
 *
 * @typedef {import("./menu.js").Entry} Entry
 */
import { EDGES } from "./arrange.js";
import { isSolo } from "./edits.js";
import { field } from "./layout.js";
import { chosenFile, clipboardPicture } from "./mask_picture.js";
import { decoded } from "./masks.js";
import { GROWTH } from "./shape_commands.js";
import { isPoint, kindsOf } from "./shapes/index.js";
import { written } from "./shortcuts.js";
import { presets, swapped } from "./sizes.js";
import { BUILT_IN, arrange } from "./templates.js";
import { SIZES } from "./tools/brush.js";
import { TOOLS } from "./tools/index.js";

/** @type {Record<string, (editor: import("./editor.js").Editor) => Entry[]>} */
export const MENUS = {
  box(editor) {
    const { t, commands, state } = editor;
    const chosen = editor.store.selected;
    if (!chosen.length) {
      return [{ label: t("menu.new"), keys: "N", run: () => commands.newBox() }, { label: t("menu.all"), keys: "Ctrl+A", run: commands.selectAll },
        { label: t("menu.fit"), keys: "0", run: commands.fit }];
    }
    const all = (/** @type {string} */ key) => chosen.every((it) => field(it, key));
    return [
      { label: t("menu.caption"), keys: "Enter", run: () => commands.editCaption() },
      { label: t("menu.duplicate"), keys: "Ctrl+D", run: commands.duplicate },
      { label: t("menu.shape"), opens: true, disabled: all("locked"), run: () => editor.openMenu("shape", editor.menu.at) },
      { label: t("menu.arrange"), opens: true, disabled: chosen.length < 2, run: () => editor.openMenu("arrange", editor.menu.at) }, {},
      { label: t(all("enabled") ? "menu.mute" : "menu.unmute"), keys: "M", run: () => commands.toggle("enabled") },
      { label: t(isSolo(state.doc, state.selection) ? "menu.unsolo" : "menu.solo"), keys: "S", run: () => commands.solo() },
      { label: t(all("locked") ? "menu.unlock" : "menu.lock"), keys: "Shift+L", run: () => commands.toggle("locked") },
      { label: t(all("hidden") ? "menu.show" : "menu.hide"), keys: "H", run: () => commands.toggle("hidden") }, {},
      { label: t("menu.front"), keys: "Shift+PageUp", run: () => commands.raise(Infinity) },
      { label: t("menu.back"), keys: "Shift+PageDown", run: () => commands.raise(-Infinity) },
      { label: t("menu.all"), keys: "Ctrl+A", run: commands.selectAll }, {},
      { label: t("menu.remove"), keys: "Delete", disabled: all("locked"), run: commands.remove },
    ];
  },

  /** What can be made of the selected instances' shapes. */
  shape({ t, commands, store }) {
    const chosen = store.selected;
    const has = (/** @type {string} */ name) => chosen.some((it) => kindsOf(it.fields).some((kind) => kind.name === name));
    const [boxed, masked, one] = [has("box"), chosen.some((it) => decoded(it.fields.mask)), chosen.length === 1];
    const entry = (/** @type {string} */ name, /** @type {boolean} */ possible, /** @type {() => any} */ run) =>
      ({ label: t(`shaping.${name}`, { px: GROWTH }), disabled: !possible, run });
    return [
      entry("box", boxed, commands.maskFromBox), entry("ellipse", boxed, commands.maskFromEllipse),
      entry("file", one, () => commands.maskFromPicture(chosenFile)),
      entry("clipboard", one && !!navigator.clipboard?.read, () => commands.maskFromPicture(clipboardPicture)), {},
      entry("bounds", has("mask"), commands.boxFromMask), entry("invert", masked && boxed, commands.invertMask),
      entry("grow", has("mask"), () => commands.growMask(GROWTH)), entry("shrink", has("mask"), () => commands.growMask(-GROWTH)), {},
      entry("clearMask", masked, () => commands.clearShape("mask")), entry("clearScribble", has("scribble"), () => commands.clearShape("scribble")),
      entry("clearPoint", has("point") && !chosen.some((it) => isPoint(it.fields)), () => commands.clearShape("point")),
    ];
  },

  /** How several boxes lie to each other. */
  arrange({ t, commands, store }) {
    const entry = (/** @type {string} */ name, /** @type {() => void} */ run, possible = true) => ({ label: t(`arranging.${name}`), disabled: !possible, run });
    const three = store.selected.length > 2;
    return [
      ...Object.keys(EDGES).map((edge) => entry(edge, () => commands.align(/** @type {import("./arrange.js").Edge} */ (edge)))), {},
      entry("across", () => commands.distribute(0), three), entry("down", () => commands.distribute(1), three), {},
      entry("width", () => commands.sameSize([0])), entry("height", () => commands.sameSize([1])), entry("size", () => commands.sameSize([0, 1])),
    ];
  },

  /** The picture's size, where the node itself decides over it. */
  size({ t, commands, size }) {
    const entry = (/** @type {import("./geometry.js").Size} */ to) => ({
      label: t("size.node", to), radio: true, checked: to.width === size.width && to.height === size.height, run: () => commands.setSize(to),
    });
    return [{ label: t("sizes.swap"), run: () => commands.setSize(swapped(size)) },
      ...presets(size).flatMap(([family, sizes]) => [{ heading: t(`sizes.${family}`) }, ...sizes.map(entry)])];
  },

  /** All tools, where the toolbar has no room for them. */
  tools: ({ t, commands, view }) => TOOLS.map((tool) => ({
    label: t(`tools.${tool.name}`), keys: written(tool), checked: view.tool === tool.name, radio: true, run: () => commands.tool(tool.name),
  })),

  templates(editor) {
    const { t, state } = editor;
    const entry = (/** @type {string} */ label, /** @type {any} */ boxes) =>
      ({ label, run: () => editor.store.dispatch({ type: "replace", doc: arrange(state.doc, boxes) }) });
    const own = editor.templates.list.map((own) => entry(own.name, own.boxes));
    return [
      { heading: t("template.heading") }, ...BUILT_IN.map(({ name, boxes }) => entry(t(`template.${name}`), boxes)),
      ...(own.length ? [{ heading: t("template.own") }, ...own] : []), {},
      { label: t("template.save"), disabled: !state.doc.items.length, run: () => editor.templates.ask() },
      ...editor.templates.list.map(({ name }) => ({ label: t("template.forget", { name }), run: () => editor.templates.forget(name) })),
    ];
  },

  background(editor) {
    const { t, background, host } = editor;
    const { choice } = background;
    const option = (/** @type {string} */ name, available = true) => ({
      label: t(`background.${name}`), checked: choice === name, radio: true, disabled: !available, run: () => background.choose(name),
    });
    return [
      { heading: t("background.heading") }, option("none"), option("connected", !!host.connectedImage()),
      option("result", !!host.resultImage()), option("live"),
      { label: t("background.file"), checked: typeof choice === "object", radio: true, run: () => editor.transfer.pick() }, {},
      { label: t("background.dim"), range: { value: editor.pref("dim"), min: 0, max: 0.9, step: 0.05,
        change: (value) => editor.setPref("dim", value) } },
    ];
  },

  more(editor) {
    const { t, commands, transfer, state } = editor;
    const empty = !state.doc.items.length;
    return [
      { label: t("menu.grid"), keys: "G", checked: editor.pref("grid"), run: () => editor.togglePref("grid") },
      { label: t("menu.snap"), keys: "Shift+G", checked: editor.pref("snap"), run: () => editor.togglePref("snap") }, {},
      { label: t("menu.import"), run: () => transfer.pick() },
      { label: t("menu.fill"), disabled: !editor.offer.possible, run: () => editor.offer.run() },
      { label: t("menu.copyLayout"), disabled: empty, run: () => transfer.copyAll("layout") },
      { label: t("menu.copyBoxes"), disabled: empty, run: () => transfer.copyAll("boxes") }, {},
      { label: t("menu.all"), keys: "Ctrl+A", disabled: empty, run: commands.selectAll },
      { label: t("menu.clear"), disabled: empty, run: () => editor.store.dispatch({ type: "remove", ids: state.doc.items.map((it) => it.id) }) }, {},
      { label: t("menu.brush"), range: { value: SIZES.indexOf(editor.pref("brush")), min: 0, max: SIZES.length - 1, step: 1,
        change: (at) => editor.setPref("brush", SIZES[at]) } },
    ];
  },
};
