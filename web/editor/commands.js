// @ts-check
/** Everything that keys, buttons and menus can ask for, by name. */
import { arrangeCommands } from "./arrange_commands.js";
import * as geo from "./geometry.js";
import { aside } from "./io.js";
import { field } from "./layout.js";
import { shapeCommands } from "./shape_commands.js";
import { extent } from "./shapes/index.js";
import { nextSize } from "./tools/brush.js";
import { toolNamed, toolSentence } from "./tools/index.js";

/** @param {import("./editor.js").Editor} editor */
export function createCommands(editor) {
  const { store } = editor;
  /** Boxes that the arrow keys may move. */
  const free = () => store.selected.filter((it) => !field(it, "locked"));

  return {
    ...shapeCommands(editor),
    ...arrangeCommands(editor),
    /** First of what is under way. */
    undo() {
      if (!editor.view.gestures.back()) store.dispatch({ type: "undo" });
    },
    redo: () => store.dispatch({ type: "redo" }),
    remove: () => store.dispatch({ type: "remove" }),
    /** What can be seen and moved: Ctrl+A, Delete takes nothing that is hidden or locked. */
    selectAll() {
      const ids = store.state.doc.items.filter((it) => !field(it, "hidden") && !field(it, "locked")).map((it) => it.id);
      store.dispatch({ type: "select", ids });
    },
    duplicate() {
      const list = store.selected.map((it) => it.fields);
      editor.insert(list, aside(list, store.state.doc, editor.size, 1));
    },
    newBox() {
      const [box] = aside([{ box: [0.375, 0.375, 0.625, 0.625] }], store.state.doc, editor.size);
      editor.insert([{ box }]);
      this.editCaption();
    },
    /** Ends what is under way as done; else the caption. */
    enter() {
      if (!editor.view.gestures.finish()) this.editCaption();
    },
    editCaption() {
      const id = store.state.selection.at(-1);
      if (id) editor.view.caption.open(id);
    },
    /** The next box; false at either end, where Tab leaves the stage. @param {number} by */
    walk(by) {
      const ids = store.state.doc.items.map((it) => it.id);
      const at = ids.indexOf(store.state.selection.at(-1) ?? "");
      const next = at < 0 ? (by > 0 ? 0 : ids.length - 1) : at + by;
      if (next < 0 || next >= ids.length) return false;
      store.dispatch({ type: "select", ids: [ids[next]] });
      return true;
    },
    /** @param {number} dx pixels @param {number} dy pixels */
    nudge(dx, dy) {
      const group = geo.bounds(free().map((it) => extent(it.fields)));
      if (!group) return;
      const d = geo.clampShift(group, dx / editor.size.width, dy / editor.size.height);
      const boxes = Object.fromEntries(free().map((it) => [it.id, geo.shift(extent(it.fields), d.x, d.y)]));
      store.dispatch({ type: "boxes", boxes, merge: `nudge ${store.state.selection}` });
    },
    /** Moves the right and lower sides. @param {number} dx pixels @param {number} dy pixels */
    grow(dx, dy) {
      const { width, height } = editor.size;
      const boxes = Object.fromEntries(free().map((it) => {
        const b = extent(it.fields);
        return [it.id, geo.resize(b, "se", { x: b[2] + dx / width, y: b[3] + dy / height }, geo.minimum(editor.size))];
      }));
      store.dispatch({ type: "boxes", boxes, merge: `grow ${store.state.selection}` });
    },
    /** @param {string} key a yes-or-no field @param {string[]} [ids] */
    toggle(key, ids = store.state.selection) {
      const chosen = store.state.doc.items.filter((it) => ids.includes(it.id));
      store.dispatch({ type: "patch", ids, changes: { [key]: !chosen.every((it) => field(it, key)), ...(key === "enabled" ? { solo_muted: false } : {}) } });
    },
    /** @param {string[]} [ids] */
    solo(ids = store.state.selection) {
      if (ids.length) store.dispatch({ type: "solo", ids });
    },
    /** @param {number} by */
    raise: (by) => store.dispatch({ type: "raise", by }),
    menu: () => editor.openMenu("box", editor.view.menuPlace),
    /** First what is under way, then the tool, the selection, and the large view. */
    escape() {
      if (editor.view.gestures.cancel()) return;
      if (editor.view.tool !== "select") this.tool("select");
      else if (store.state.selection.length) store.dispatch({ type: "select", ids: [] });
      else editor.large.back();
    },
    /** @param {string} name */
    tool(name) {
      editor.view.gestures.cancel();
      editor.view.caption.end();
      editor.view.tool = name;
      const { why, values } = toolNamed(name).off?.(store) ?? {};
      editor.view.stage.style.cursor = "crosshair";
      editor.say(why ? editor.t(why, values) : toolSentence(name, editor.t));
      editor.invalidate();
    },
    /** @param {number} by a step wider (1) or narrower (-1) */
    brush(by) {
      const px = nextSize(editor.pref("brush"), by);
      editor.setPref("brush", px);
      editor.say(editor.t("say.brush", { px }));
    },
    /** @param {string} key */
    pref: (key) => editor.togglePref(key),
    /** @param {number} factor */
    zoom: (factor) => editor.view.zoom(factor),
    /** The picture on the stage, also where newer Nodes 2.0 keep the middle button for the graph. @param {number} dx screen pixels @param {number} dy */
    pan: (dx, dy) => editor.view.pan(dx, dy),
    fit: () => editor.view.fit(),
    help: () => editor.help.toggle(),
    large: () => editor.large.toggle(),
  };
}
