"""A saved workflow (graph format) as the API prompt that /prompt takes, driven by a server's /object_info.
Standard library only.

Follows what ComfyUI's own page does: widget values in the schema's order, with the extra values that the page
adds (what happens to a seed after a run, the upload button); linked widgets; reroutes, primitives, notes;
muted and bypassed nodes. Texts go as they were saved (no random choice in braces). Subgraphs are refused.

    python -m devtools.workflow FILE URL      prints the prompt for the server at URL
"""

from __future__ import annotations

import copy
import json
import math
import sys
import urllib.request
from pathlib import Path
from typing import Any

NOTES = ("Note", "MarkdownNote")
MUTED, BYPASSED = 2, 4
WIDGET_TYPES = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
SEEDS = ("seed", "noise_seed")
UPLOADS = ("image_upload", "animated_image_upload", "video_upload", "audio_upload")


class WorkflowError(ValueError):
    """A workflow that cannot be converted: the sentence names the node and the remedy."""


def load_workflow(file: Path) -> dict:
    """A graph-format workflow from a file; WorkflowError when it is something else."""
    workflow = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(workflow, dict) or "nodes" not in workflow or "links" not in workflow:
        raise WorkflowError(
            f"{file.name} is no saved workflow (it has no `nodes` and `links`): "
            "save it with Save, not with Export (API)."
        )
    return workflow


def to_prompt(workflow: dict, object_info: dict) -> dict[str, dict]:
    """The API prompt `{node id: {class_type, inputs, _meta}}` of a graph-format workflow. Raises WorkflowError."""
    return _Graph(workflow, object_info).prompt()


def shrunk(prompt: dict, side: int = 64, steps: int = 1) -> dict:
    """The same prompt with few steps, pictures of ``side`` pixels on their longer side,
    and no table of text beneath them."""
    prompt = copy.deepcopy(prompt)
    kinds = {entry["class_type"] for entry in prompt.values()}
    # With 3 the multi-instance sampler's share is one step, and Differential Diffusion has a step in which grey acts.
    least = 3 if "DifferentialDiffusion" in kinds else 1
    for entry in prompt.values():
        inputs = entry["inputs"]
        if "steps" in inputs:
            inputs.update(steps=max(least if entry["class_type"] == "KSampler" else 3, steps))
        elif "blur_radius" in inputs:  # pixels
            inputs.update(blur_radius=max(1, inputs["blur_radius"] * side // 512), sigma=inputs["sigma"] * side / 512)
        elif "tile_width" in inputs:  # several tiles of a picture at twice the size
            inputs.update(tile_width=side, tile_height=side, overlap=side // 4)
        elif entry["class_type"] == "ROICtrlPreviewLayout":
            inputs.update(table=False)
        elif entry["class_type"] == "ROICtrlInstanceBoxPrompt":
            scale = side / max(inputs["width"], inputs["height"])
            inputs.update({name: math.ceil(inputs[name] * scale / 16) * 16 for name in ("width", "height")})
    return prompt


class _Graph:
    """One workflow with its nodes and links by id."""

    def __init__(self, workflow: dict, object_info: dict) -> None:
        self._info = object_info
        self._subgraphs = {entry["id"] for entry in workflow.get("definitions", {}).get("subgraphs", [])}
        self._nodes = {node["id"]: node for node in workflow["nodes"]}
        self._links = {
            link[0]: (link[1], link[2]) for link in map(_as_list, workflow["links"])
        }  # id -> (node, slot) it comes from

    def prompt(self) -> dict[str, dict]:
        """Every node that runs."""
        return {str(node["id"]): self._entry(node) for node in self._nodes.values() if self._runs(node)}

    def _runs(self, node: dict) -> bool:
        return node.get("mode", 0) not in (MUTED, BYPASSED) and node["type"] not in (*NOTES, "Reroute", "PrimitiveNode")

    def _entry(self, node: dict) -> dict:
        inputs = self._widget_values(node)
        for slot in node.get("inputs", []):
            if (found := self._source(slot.get("link"))) is not None:
                inputs[slot["name"]] = found
        return {
            "class_type": node["type"],
            "inputs": inputs,
            "_meta": {"title": node.get("title") or self._schema(node).get("display_name") or node["type"]},
        }

    def _source(self, link: int | None) -> list | Any | None:
        """What a link brings: `[node id, slot]`, a primitive's value, or None where it leads
        nowhere (muted, not connected)."""
        if link is None or link not in self._links:
            return None
        number, slot = self._links[link]
        node = self._nodes[number]
        if node["type"] == "PrimitiveNode":
            return _value(node["widgets_values"][0])
        if node["type"] == "Reroute":
            return self._source(node["inputs"][0].get("link"))
        if node.get("mode", 0) == MUTED:
            return None
        if node.get("mode", 0) == BYPASSED:
            return self._source(_bypass(node, slot))
        return [str(number), slot]

    def _widget_values(self, node: dict) -> dict[str, Any]:
        saved = node.get("widgets_values") or []
        if isinstance(saved, dict):
            return {name: _value(saved[name]) for name, _, _ in self._widgets(node) if name in saved}
        values, position = {}, 0
        for name, kind, options in self._widgets(node):
            if position < len(saved):
                values[name] = _value(saved[position])
            position += 1 + extra_values(name, kind, options)
        if position != len(saved):
            raise WorkflowError(
                f"Node {node['id']} ({node['type']}) has {len(saved)} saved values where this ComfyUI's node has "
                f"{position}: open the workflow in ComfyUI, check the node and save it again."
            )
        return values

    def _widgets(self, node: dict) -> list[tuple[str, str, dict]]:
        """(name, type, options) of the inputs that have a widget, in the schema's order."""
        marked = {slot["widget"]["name"] for slot in node.get("inputs", []) if slot.get("widget")}
        schema = self._schema(node)
        found = []
        for group in ("required", "optional"):
            for name in schema["input_order"].get(group, []):
                kind, options = kind_of(schema["input"][group][name])
                if not options.get("forceInput") and (kind in WIDGET_TYPES or name in marked):
                    found.append((name, kind, options))
        return found

    def _schema(self, node: dict) -> dict:
        if node["type"] in self._subgraphs:
            raise WorkflowError(
                f"Node {node['id']} is a subgraph, which this converter does not open: right-click it in ComfyUI, "
                "choose Unpack Subgraph and save."
            )
        if node["type"] not in self._info:
            raise WorkflowError(
                f"Node {node['id']} is of type {node['type']}, which this ComfyUI does not have: "
                "update ComfyUI or install the pack that brings it."
            )
        return self._info[node["type"]]


def kind_of(entry: list) -> tuple[str, dict]:
    """Type name and options of one input of /object_info; a list of choices is a COMBO."""
    return "COMBO" if isinstance(entry[0], list) else entry[0], entry[1] if len(entry) > 1 else {}


def extra_values(name: str, kind: str, options: dict) -> int:
    """How many values the page saves after this one for widgets it adds itself."""
    control = options.get("control_after_generate", kind == "INT" and name in SEEDS)
    return int(bool(control)) + int(any(options.get(upload) for upload in UPLOADS))


def _bypass(node: dict, slot: int) -> int | None:
    """The link that a bypassed node's output passes on: the input of the same slot when its type fits,
    else the first that fits."""
    kind = node["outputs"][slot]["type"]
    inputs = node.get("inputs", [])
    for candidate in inputs[slot : slot + 1] + inputs:
        if candidate["type"] == kind:
            return candidate.get("link")
    return None


def _as_list(link: list | dict) -> list:
    """A link of either saved form: `[id, from, from slot, to, to slot, type]`, or the newer one with names."""
    return [link["id"], link["origin_id"], link["origin_slot"]] if isinstance(link, dict) else link


def _value(value: Any) -> Any:
    """A widget's value in a prompt: a bare list would be read as a link."""
    return {"__value__": value} if isinstance(value, list) else value


if __name__ == "__main__":
    with urllib.request.urlopen(f"{sys.argv[2]}/object_info") as reply:
        print(json.dumps(to_prompt(load_workflow(Path(sys.argv[1])), json.load(reply))))
