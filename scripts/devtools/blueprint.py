"""Writing subgraph blueprints: several nodes that a page offers as one, from a server's /object_info."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence

from .graph import Graph, Output, Outputs

INPUTS, OUTPUTS = -10, -20  # the ids of a subgraph's own two ends
MARGIN, ROW, HEAD = 220, 20, 60  # pixels of the canvas


class Blueprint:
    """A subgraph being written. Its nodes are added to `graph`, and take what the node around them is given."""

    def __init__(self, object_info: dict, name: str, inputs: Mapping[str, str]) -> None:
        """``inputs``: the types of the node's sockets by name."""
        self.graph = Graph(object_info, name)
        self._name = name
        self._shown: list[list[str]] = []  # node and widget
        self._ends = [{"name": name, "type": kind, "links": []} for name, kind in inputs.items()]

    def __getitem__(self, name: str) -> Output:
        """What the node around is given, for an input of a node inside."""
        names = [end["name"] for end in self._ends]
        return Output({"id": INPUTS, "outputs": self._ends}, names.index(name))

    def show(self, node: Outputs, *widgets: str) -> None:
        """Widgets of a node inside, by name, stand on the node around it.

        Not as inputs that are linked to them: pages up to 1.32 would show the box editor as one whose text comes by a
        link.
        """
        self._shown += [[str(node.id), name] for name in widgets]

    def workflow(self, outputs: Mapping[str, Output], description: str, aliases: Sequence[str]) -> dict:
        """The file: a workflow of the one node, and the subgraph that it stands for."""
        inner = self.graph.workflow()
        ends = [self._output(inner["links"], slot, name, out) for slot, (name, out) in enumerate(outputs.items())]
        return {
            "revision": 0,
            "last_node_id": inner["last_node_id"] + 1,
            "last_link_id": 0,
            "nodes": [self._outside(inner, ends)],
            "links": [],
            "version": 0.4,
            "definitions": {"subgraphs": [self._inside(inner, ends, description)]},
            "extra": {"BlueprintDescription": description, "BlueprintSearchAliases": list(aliases)},
        }

    def _output(self, links: list, slot: int, name: str, source: Output) -> dict:
        """Links what comes out, and says so on both sides."""
        from_slot = source.node["outputs"][source.slot]
        links.append([len(links) + 1, source.node["id"], source.slot, OUTPUTS, slot, from_slot["type"]])
        from_slot["links"].append(len(links))
        return {"name": name, "type": from_slot["type"], "links": [len(links)]}

    def _inside(self, inner: dict, ends: Sequence[dict], description: str) -> dict:
        right = max(node["pos"][0] + node["size"][0] for node in inner["nodes"])
        counts = {"lastNodeId": inner["last_node_id"], "lastLinkId": len(inner["links"])}
        keys = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        return {
            "id": self._uuid("subgraph"),
            "version": 1,
            "state": {"lastGroupId": 0, **counts, "lastRerouteId": 0},
            "revision": 0,
            "config": {},
            "name": self._name,
            "inputNode": {"id": INPUTS, "bounding": [-MARGIN, HEAD, 120, HEAD + ROW * len(self._ends)]},
            "outputNode": {"id": OUTPUTS, "bounding": [right + MARGIN - 120, HEAD, 120, HEAD + ROW * len(ends)]},
            "inputs": self._sockets(self._ends, -MARGIN + 100),
            "outputs": self._sockets(ends, right + MARGIN - 100),
            "widgets": [],
            "nodes": inner["nodes"],
            "groups": [],
            "links": [dict(zip(keys, link, strict=True)) for link in inner["links"]],
            "extra": {},
            "category": "Boxes",
            "description": description,
        }

    def _sockets(self, ends: Sequence[dict], x: int) -> list[dict]:
        return [
            {
                "id": self._uuid(f"{x} {end['name']}"),
                "name": end["name"],
                "type": end["type"],
                "linkIds": end["links"],
                "pos": [x, HEAD + 20 + ROW * row],
            }
            for row, end in enumerate(ends)
        ]

    def _outside(self, inner: dict, ends: Sequence[dict]) -> dict:
        """The one node."""
        inputs = [{"name": end["name"], "type": end["type"], "link": None} for end in self._ends]
        return {
            "id": inner["last_node_id"] + 1,
            "type": self._uuid("subgraph"),
            "pos": [0, 0],
            "size": [
                max(node["size"][0] for node in inner["nodes"]),
                HEAD + 26 * (len(inputs) + len(self._shown)) + 400,
            ],
            "flags": {},
            "order": 0,
            "mode": 0,
            "inputs": inputs,
            "outputs": [{"name": end["name"], "type": end["type"], "links": []} for end in ends],
            "properties": {"proxyWidgets": self._shown},
            "widgets_values": [],
            "title": self._name,
        }

    def _uuid(self, part: str) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"comfyui-roictrl/{self._name}/{part}"))
