// @ts-check
/**
 * The editor's state: a document, what is selected, and the history of both.
 *
 * A gesture is a transaction: `begin`, any number of edits, then `commit` (one history entry) or `revert` (as if nothing
 * had happened).  Edits that carry the same `merge` key one after the other are one entry: typing.
 *
 * @typedef {import("./layout.js").Doc} Doc
 * @typedef {{doc: Doc, selection: string[]}} Snapshot
 * @typedef {Snapshot & {past: Snapshot[], future: Snapshot[], open: Snapshot|null, merge: string|null,
 *   prefs: Record<string, any>}} State `prefs` (snap, grid, background ...) travel in the JSON but not through the history
 * @typedef {{type: string, [key: string]: any}} Action
 */
import * as edits from "./edits.js";
import { emptyDoc, stringify } from "./layout.js";

const MAX_HISTORY = 200;

/** @param {Doc} [doc] @returns {State} */
export function initial(doc = emptyDoc()) {
  const { editor, ...head } = doc.head;
  const prefs = typeof editor === "object" && editor !== null && !Array.isArray(editor) ? editor : {};
  return { doc: { ...doc, head }, prefs, selection: [], past: [], future: [], open: null, merge: null };
}

/** The JSON text that holds a state. @param {State} state */
export function toText({ doc, prefs }) {
  return stringify(Object.keys(prefs).length ? { ...doc, head: { ...doc.head, editor: prefs } } : doc);
}

/** What every edit does to a snapshot; the new selection is left out where it stays.
 * @type {Record<string, (s: State, a: Action) => Partial<Snapshot>>} */
const EDITS = {
  add: ({ doc }, a) => {
    const [next, ids] = edits.add(doc, a.list);
    return { doc: edits.setBoxes(next, Object.fromEntries(ids.map((id, i) => [id, a.boxes?.[i]]))), selection: ids };
  },
  remove: ({ doc, selection }, a) => ({ doc: edits.remove(doc, a.ids ?? selection) }),
  boxes: ({ doc, open }, a) => ({ doc: a.alone ? edits.setBoxesAlone(doc, a.boxes) : edits.setBoxes(doc, a.boxes, open !== null) }),
  patch: ({ doc, selection }, a) => ({ doc: edits.patch(doc, a.ids ?? selection, a.changes) }),
  order: ({ doc }, a) => ({ doc: edits.order(doc, a.ids, a.to) }),
  raise: ({ doc, selection }, a) => ({ doc: edits.raise(doc, a.ids ?? selection, a.by) }),
  solo: ({ doc, selection }, a) => ({ doc: edits.solo(doc, a.ids ?? selection) }),
  head: ({ doc }, a) => ({ doc: edits.setHead(doc, a.changes) }),
  replace: (_, a) => ({ doc: a.doc, selection: [] }),
};

/** @type {Record<string, (s: State, a: Action) => State>} */
const OTHERS = {
  load: (_, a) => initial(a.doc),
  select: (s, a) => (sameIds(s.selection, a.ids) ? s : { ...s, selection: existing(s.doc, a.ids), merge: null }),
  prefs: (s, a) => ({ ...s, prefs: cleaned({ ...s.prefs, ...a.changes }) }),
  seal: (s) => (s.merge ? { ...s, merge: null } : s),
  begin: (s) => (s.open ? s : { ...s, open: snapshot(s), merge: null }),
  commit: (s) => {
    if (!s.open) return s;
    const closed = { ...s, doc: edits.settled(s.doc), open: null };
    return s.open.doc === s.doc ? closed : remember(closed, s.open);
  },
  revert: (s) => (s.open ? { ...s, ...s.open, open: null } : s),
  undo: (s) => travel(s, "past", "future"),
  redo: (s) => travel(s, "future", "past"),
};

/** @param {State} state @param {Action} action @returns {State} */
export function reduce(state, action) {
  const edit = EDITS[action.type];
  if (!edit) return OTHERS[action.type](state, action);
  const next = { ...snapshot(state), ...edit(state, action) };
  next.selection = existing(next.doc, next.selection);
  if (next.doc === state.doc) return sameIds(next.selection, state.selection) ? state : { ...state, ...next };
  if (state.open) return { ...state, ...next };
  const merge = action.merge ?? null;
  if (merge && merge === state.merge) return { ...state, ...next };
  return remember({ ...state, ...next, merge }, snapshot(state));
}

/** @param {State} s @param {Snapshot} before @returns {State} */
const remember = (s, before) => ({ ...s, past: [...s.past, before].slice(-MAX_HISTORY), future: [] });

/** One step through the history. An open transaction is closed first. @param {State} s @param {"past"|"future"} from @param {"past"|"future"} to @returns {State} */
function travel(s, from, to) {
  s = OTHERS.commit(s, { type: "commit" });
  const target = s[from].at(-1);
  if (!target) return s;
  return { ...s, ...target, [from]: s[from].slice(0, -1), [to]: [...s[to], snapshot(s)], merge: null };
}

/** @param {Snapshot} s @returns {Snapshot} */
const snapshot = ({ doc, selection }) => ({ doc, selection });

/** @param {Record<string, any>} values */
const cleaned = (values) => Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));

/** @param {Doc} doc @param {string[]} ids */
const existing = (doc, ids) => ids.filter((id) => doc.items.some((it) => it.id === id));

/** @param {string[]} a @param {string[]} b */
const sameIds = (a, b) => a.length === b.length && a.every((id, i) => id === b[i]);

/** A state that tells its listeners about every change. */
export class Store {
  /** @param {State} [state] @param {() => void} [committed] told after each step that is complete: a gesture, an edit, words typed to their end */
  constructor(state = initial(), committed = () => {}) {
    this.state = state;
    this.committed = committed;
    /** The document that `committed` was told of last. */
    this.known = state.doc;
    /** @type {Set<(state: State, before: State, action: Action) => void>} */
    this.listeners = new Set();
  }

  /** @param {Action} action */
  dispatch(action) {
    const before = this.state;
    this.state = reduce(before, action);
    if (this.state === before) return;
    for (const listener of this.listeners) listener(this.state, before, action);
    const { doc, open, merge } = this.state;
    if (open || merge || doc === this.known) return;
    this.known = doc;
    if (action.type !== "load") this.committed(); // what came from outside is known there
  }

  /** @param {(state: State, before: State, action: Action) => void} listener */
  subscribe(listener) {
    this.listeners.add(listener);
  }

  get selected() {
    return this.state.doc.items.filter((it) => this.state.selection.includes(it.id));
  }
}
