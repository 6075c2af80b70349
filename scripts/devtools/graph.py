"""Writing workflows in the graph format, from a server's /object_info: slots, widget order and links
come from the nodes themselves."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .workflow import WIDGET_TYPES, extra_values, kind_of

BETWEEN, GAP, TOP = 60, 50, 40  # pixels of the canvas: between columns, between nodes, above the first
WIDTH = 340
CONTROL = "fixed"  # what happens to a seed after a run: nothing, so that a picture can be compared


@dataclass(frozen=True)
class Output:
    """One output of a placed node, to be given as another node's input."""

    node: dict
    slot: int


@dataclass(frozen=True)
class File:
    """A model file, where it can be had, its folder in models/, and what else there is to know of it."""

    url: str
    folder: str
    remark: str = ""

    @property
    def name(self) -> str:
        """As loaders show it."""
        return self.url.rpartition("/")[2]

    @property
    def said(self) -> str:
        """The remark as the end of a sentence."""
        return f": {self.remark}." if self.remark else ""


class Graph:
    """A workflow being written. Nodes stand in columns, from top to bottom in the order in which they are added."""

    def __init__(self, object_info: dict, name: str) -> None:
        self._info = object_info
        self._name = name
        self._nodes: list[dict] = []
        self._links: list[list] = []
        self._columns: list[int] = []  # of the nodes
        self._depth: dict[int, int] = {}  # column -> the next free y
        self._extra: dict = {"ds": {"scale": 0.6, "offset": [120, 170]}}

    def add(
        self,
        column: int,
        kind: str,
        *,
        title: str | None = None,
        wide: int = WIDTH,
        room: int = 0,
        files: Sequence[File] = (),
        **inputs: Any,
    ) -> Outputs:
        """Place a node. inputs: an `Output` is linked, anything else is a widget's value; the rest keeps its default.

        wide: pixels; room: height of the text box or picture in it; files: that it loads, which the page offers to
        fetch. Raises ValueError for an input that the node does not have.
        """
        schema = self._info[kind]
        entries = [
            (name, *kind_of(schema["input"][group][name]))
            for group in ("required", "optional")
            for name in schema["input_order"].get(group, [])
        ]
        # As the page has them, sockets before widgets: subgraphs' links go by these places.
        entries.sort(key=lambda entry: _is_widget(*entry[1:]))
        if unknown := set(inputs) - {name for name, _, _ in entries}:
            raise ValueError(f"{kind} has no input {', '.join(sorted(unknown))}.")
        node = self._place(column, kind, wide, 40 + 26 * (len(entries) + len(schema["output"])) + room)
        node.update(inputs=[], outputs=_outputs(schema), properties={"Node name for S&R": kind}, widgets_values=[])
        if title:
            node["title"] = title
        if files:
            node["properties"]["models"] = [{"name": f.name, "url": f.url, "directory": f.folder} for f in files]
        for name, type_, options in entries:
            self._input(node, name, type_, options, inputs.get(name))
        return Outputs(node, schema)

    def note(self, column: int, text: str, height: int = 160, title: str = "Note") -> None:
        """A note in Markdown."""
        node = self._place(column, "MarkdownNote", WIDTH, height)
        node.update(
            inputs=[], outputs=[], title=title, properties={}, widgets_values=[text], color="#432", bgcolor="#653"
        )

    def as_app(self, inputs: Sequence[tuple[Outputs, str]], outputs: Sequence[Outputs]) -> None:
        """Opens as an app, in pages that have apps: it shows these widgets, by node and name, and pictures."""
        data = {"inputs": [[node.id, widget] for node, widget in inputs], "outputs": [node.id for node in outputs]}
        self._extra.update(linearMode=True, linearData=data)

    def workflow(self) -> dict:
        """The whole, as the page saves it."""
        self._arrange()
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"comfyui-roictrl/{self._name}")),
            "revision": 0,
            "last_node_id": len(self._nodes),
            "last_link_id": len(self._links),
            "nodes": self._nodes,
            "links": self._links,
            "groups": [],
            "config": {},
            "extra": self._extra,
            "version": 0.4,
        }

    def _arrange(self) -> None:
        """Gives every column its place: each begins where the widest node of the one before it ends."""
        left = 0
        for column in sorted(set(self._columns)):
            nodes = [node for node, own in zip(self._nodes, self._columns, strict=True) if own == column]
            for node in nodes:
                node["pos"][0] = left
            left += max(node["size"][0] for node in nodes) + BETWEEN

    def _place(self, column: int, kind: str, width: int, height: int) -> dict:
        y = self._depth.get(column, TOP)
        self._depth[column] = y + height + GAP
        self._columns.append(column)
        number = len(self._nodes) + 1
        node = {
            "id": number,
            "type": kind,
            "pos": [0, y],
            "size": [width, height],
            "flags": {},
            "order": number - 1,
            "mode": 0,
        }
        self._nodes.append(node)
        return node

    def _input(self, node: dict, name: str, kind: str, options: dict, given: Any) -> None:
        slot = {
            "name": name,
            "type": kind,
            "link": self._link(node, given, kind) if isinstance(given, Output) else None,
        }
        if _is_widget(kind, options):
            slot["widget"] = {"name": name}
            default = options.get("default", _first(options, self._info[node["type"]], name))
            node["widgets_values"].append(default if given is None or isinstance(given, Output) else given)
            node["widgets_values"] += [CONTROL if kind == "INT" else "image"] * extra_values(name, kind, options)
        node["inputs"].append(slot)

    def _link(self, node: dict, source: Output, kind: str) -> int:
        number = len(self._links) + 1
        self._links.append([number, source.node["id"], source.slot, node["id"], len(node["inputs"]), kind])
        source.node["outputs"][source.slot]["links"].append(number)
        return number


class Outputs:
    """A placed node: its outputs by name or index."""

    def __init__(self, node: dict, schema: dict) -> None:
        self._node, self._names = node, schema["output_name"]

    @property
    def id(self) -> int:
        return self._node["id"]

    def __getitem__(self, which: str | int) -> Output:
        return Output(self._node, which if isinstance(which, int) else self._names.index(which))


def _is_widget(kind: str, options: dict) -> bool:
    return kind in WIDGET_TYPES and not options.get("forceInput")


def _outputs(schema: dict) -> list[dict]:
    return [
        {"name": name, "type": kind if isinstance(kind, str) else "COMBO", "links": []}
        for name, kind in zip(schema["output_name"], schema["output"], strict=False)
    ]


def _first(options: dict, schema: dict, name: str) -> Any:
    """A combo without a default starts with its first choice."""
    for group in ("required", "optional"):
        if name in schema["input"].get(group, {}):
            entry = schema["input"][group][name]
            choices = entry[0] if isinstance(entry[0], list) else options.get("options", [""])
            return choices[0] if choices else ""
    return ""
