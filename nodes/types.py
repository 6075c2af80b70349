"""The socket types of the pack, and schemas that load on every supported ComfyUI."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

from comfy_api.latest import io

CATEGORY = "ROICtrl"

LAYOUT = io.Custom("ROICTRL_LAYOUT")  # roictrl_core.layout.Layout
ADAPTER = io.Custom("ROICTRL")  # a ModelPatcher around roictrl_core.adapter.ROICtrlAdapter
STEPS = io.Custom("ROICTRL_STEPS")  # nodes.sampling.kept_steps.Steps
INSTANCE_DIFFUSION = io.Custom("INSTANCE_DIFFUSION")  # a ModelPatcher around roictrl_core's InstanceDiffusion
BOUNDING_BOX = io.Custom("BOUNDING_BOX")  # core's own type; `io.BoundingBox` is newer than our floor
ARRAY = io.Custom("ARRAY")  # core's own type of its elements; `io.Array` is newer than our floor

# By what they are for. Not in the code: tools that check packs read that in the platform's own encoding.
_CHINESE = json.loads((Path(__file__).parents[1] / "locales" / "zh" / "search.json").read_text(encoding="utf-8"))


def typed(what: str, *english: str) -> list[str]:
    """What people type, in English and Chinese: the node search compares these beside the names, in any language."""
    return [*english, *_CHINESE[what]]


REGION_WORDS = typed("region", "regional prompt", "region", "area")  # of who wants boxes to act in a model

_SCHEMA_FIELDS = {field.name for field in fields(io.Schema)}


def schema(node_id: str, display_name: str, **fields: object) -> io.Schema:
    """An ``io.Schema`` in the pack's category, without the fields that the running ComfyUI does not know.

    An unknown field would be a TypeError that costs the whole pack; ``search_aliases`` and ``has_intermediate_output``
    are newer than the oldest supported ComfyUI.
    """
    known = {key: value for key, value in fields.items() if key in _SCHEMA_FIELDS}
    return io.Schema(node_id=node_id, display_name=display_name, **{"category": CATEGORY, **known})


def advanced(widget: io.Input) -> io.Input:
    """``widget``, folded away under "advanced" where the running ComfyUI can do that."""
    if hasattr(widget, "advanced"):
        widget.advanced = True
    return widget


def strength_input(tooltip: str) -> io.Input:
    """How much of an Apply's effect is applied."""
    return io.Float.Input("strength", default=1.0, min=0.0, max=2.0, step=0.01, tooltip=tooltip)


def share_input(name: str, default: float, tooltip: str, step: float = 0.001, optional: bool = False) -> io.Input:
    """A number from 0 to 1: of the sampling schedule, of a mixture, a probability."""
    return io.Float.Input(name, default=default, min=0.0, max=1.0, step=step, optional=optional, tooltip=tooltip)


def start_input() -> io.Input:
    """From which share of the sampling schedule on the boxes act."""
    return share_input("start_percent", 0.0, "Where in the sampling schedule the boxes begin to act, 0 to 1.")


def clip_input(which: str = "the CLIP of the checkpoint") -> io.Input:
    """What encodes the captions."""
    return io.Clip.Input("clip", tooltip=f"Encodes the captions; {which}.")


def patched_output() -> io.Output:
    """The model in which an Apply's boxes act."""
    return io.Model.Output(display_name="model", tooltip="For any sampler, or a second Apply.")
