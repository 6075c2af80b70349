"""Nodes about one instance of a layout: changing it, and taking it out for nodes that know no layouts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np
import torch
from comfy_api.latest import io

from ..roictrl_core.fields import checked_point, checked_strokes
from ..roictrl_core.formats.comfyui import instance_mask, write_bounding_box, write_union
from ..roictrl_core.layout import MAX_STRENGTH, Instance, Layout
from ..roictrl_core.masks import RunLengthMask
from ..roictrl_core.safe_text import parse_json
from .report import named, warn
from .types import BOUNDING_BOX, LAYOUT, schema

EDIT, TAKE_OUT = "Edit Instance", "Layout Instance"
ALL = "all"
MAX_DIGITS = 9  # of an index; a layout has at most 10,000 boxes
KEEP = -1.0  # a number widget has no empty value; this one stands for "as it is"


def find_instance(layout: Layout, which: str) -> int:
    """Index from 0 of the instance with the label (else the caption) ``which``, or with that index from 1."""
    which = which.strip()
    for attribute in ("label", "caption"):
        found = [i for i, instance in enumerate(layout.instances, 1) if which and getattr(instance, attribute) == which]
        if len(found) > 1:
            raise ValueError(
                f"Instances {', '.join(map(str, found))} all have the {attribute} '{which:.40}'. "
                "Give the index of the one that is meant."
            )
        if found:
            return found[0] - 1
    # Python refuses to read thousands of digits, in a sentence for programmers.
    if which.isdecimal() and len(which) <= MAX_DIGITS and 1 <= int(which) <= len(layout.instances):
        return int(which) - 1
    names = ", ".join(instance.name(i) for i, instance in enumerate(layout.instances[:10], 1)) or "none at all"
    raise ValueError(
        f"There is no instance '{which:.40}' in the layout. Give an index from 1, a label or a caption; "
        f"the layout holds {names}."
    )


def find_instances(layout: Layout, names: str) -> list[int]:
    """Indices from 0 of the instances that are named, one a line, each once; ``all`` is every one, unless one is called
    so."""
    found: list[int] = []
    for name in filter(None, map(str.strip, names.splitlines())):
        try:
            found.append(find_instance(layout, name))
        except ValueError:
            if name.lower() != ALL:
                raise
            found += range(len(layout.instances))
    return list(dict.fromkeys(found))


def chosen(layout: Layout, names: str) -> list[int]:
    """The same; raises ValueError where none is named."""
    found = find_instances(layout, names)
    if not found:
        raise ValueError(f"instance is empty. Give a label, a caption or an index from 1, or '{ALL}'.")
    return found


def changed(layout: Layout, numbers: Iterable[int], change: Callable[[Instance], Instance]) -> Layout:
    """The layout with what ``change`` makes of some instances, by their indices from 0, in their place."""
    instances = list(layout.instances)
    for number in numbers:
        instances[number] = change(instances[number])
    return replace(layout, instances=tuple(instances))


def naming() -> io.Input:
    """The input that `chosen` reads."""
    return io.String.Input(
        "instance",
        multiline=True,
        default="1",
        tooltip="Which ones, one a line: a label, a caption or an index from 1; or all.",
    )


def shape_changes(point: str, scribble: str, mask: torch.Tensor | None) -> dict:
    """The instance's fields that Edit Instance's shape inputs set; empty ones set nothing."""
    changes: dict = {}
    if point.strip():
        changes["point"] = checked_point(parse_json(f"[{point.strip().strip('[]()')}]", "The point"), "The point")
    if scribble.strip():
        changes["scribble"] = checked_strokes(parse_json(scribble, "The scribble"), "The scribble")
    if mask is not None:
        if not mask.numel():
            raise ValueError(f"The mask input is empty: its shape is {list(mask.shape)}. Connect at least one mask.")
        changes["mask"] = RunLengthMask.from_array(mask.reshape(-1, *mask.shape[-2:])[0].float().cpu().numpy())
    return changes


def as_mask(pixels: np.ndarray) -> torch.Tensor:
    """[H, W] as core's MASK, [1, H, W]."""
    return torch.from_numpy(np.asarray(pixels, dtype=np.float32))[None]


def _which_instance() -> list[io.Input]:
    """A layout, and one of its instances."""
    return [
        LAYOUT.Input("layout", tooltip="The layout that holds the instance."),
        io.String.Input("instance", default="1", tooltip="Which one: its label, its caption, or its index from 1."),
    ]


def _new_texts() -> list[io.Input]:
    """What the instance is to show, and not to."""
    return [
        io.String.Input("caption", multiline=True, default="", tooltip="New caption. Empty keeps it."),
        io.String.Input(
            "negative",
            multiline=True,
            default="",
            tooltip="New negative caption, for this box alone. Empty keeps it.",
        ),
    ]


def _new_number(name: str, top: float, tooltip: str) -> io.Input:
    return io.Float.Input(name, default=KEEP, min=KEEP, max=top, step=0.01, tooltip=f"{tooltip} -1 keeps it.")


def _new_shape() -> list[io.Input]:
    """Where in its box the instance is to show; `shape_changes` reads them."""
    return [
        io.String.Input(
            "point",
            default="",
            tooltip="A point inside the object, as x, y in shares 0 to 1 of "
            "the picture, for methods that read points. Empty keeps it.",
        ),
        io.String.Input(
            "scribble",
            default="",
            tooltip="Strokes over the object, for methods that read them: "
            "[[[x, y], [x, y], ...], ...], in shares 0 to 1. Empty keeps it.",
        ),
        io.Mask.Input(
            "mask",
            optional=True,
            tooltip="The object's shape on the whole picture: the instance "
            "shows only inside it. The box stays as it is.",
        ),
    ]


class EditInstance(io.ComfyNode):
    """Changes one instance of a layout."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlEditInstance",
            EDIT,
            description="Changes one instance: its caption, strength or schedule, or a conditioning of your own in "
            "place of its caption. What is left empty, or at -1, stays as it is.",
            search_aliases=["set caption", "instance strength", "instance conditioning", "change box", "roictrl"],
            inputs=[
                *_which_instance(),
                *_new_texts(),
                _new_number("strength", MAX_STRENGTH, "Weight of the instance in its box: 1 as trained, 0 off."),
                _new_number("start", 1.0, "Share of the schedule at which the instance sets in."),
                _new_number("end", 1.0, "Share of the schedule at which the instance ends."),
                io.Combo.Input(
                    "enabled", options=["keep", "on", "off"], default="keep", tooltip="Whether the instance takes part."
                ),
                *_new_shape(),
                io.Conditioning.Input(
                    "conditioning",
                    optional=True,
                    tooltip="Used in place of the encoded caption: "
                    "another text encoder, weights, an averaged or per-block conditioning.",
                ),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="The layout with the changed instance.")],
        )

    @classmethod
    def execute(
        cls,
        layout,
        instance,
        caption="",
        negative="",
        strength=KEEP,
        start=KEEP,
        end=KEEP,
        enabled="keep",
        point="",
        scribble="",
        mask=None,
        conditioning=None,
    ) -> io.NodeOutput:
        changes: dict = {key: value for key, value in (("caption", caption), ("negative", negative)) if value.strip()}
        changes |= {key: value for key, value in (("strength", strength), ("start", start), ("end", end)) if value >= 0}
        changes |= {"enabled": enabled == "on"} if enabled != "keep" else {}
        changes |= {"conditioning": conditioning} if conditioning is not None else {}
        with named(EDIT):
            changes |= shape_changes(point, scribble, mask)
            index = find_instance(layout, instance)
            return io.NodeOutput(changed(layout, [index], lambda one: replace(one, **changes)).validate())


class LayoutInstance(io.ComfyNode):
    """Takes one instance out of a layout."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutInstance",
            TAKE_OUT,
            description=(
                "One instance of a layout for nodes that know no layouts: its box, its mask, its caption; and the "
                "masks of all instances in one."
            ),
            search_aliases=[
                "get box",
                "crop region",
                "instance mask",
                "instance to bbox",
                "union mask",
                "split layout",
                "roictrl",
            ],
            inputs=[
                *_which_instance(),
            ],
            outputs=[
                BOUNDING_BOX.Output(
                    display_name="bbox",
                    tooltip="Its box in whole pixels, one of ComfyUI's own bounding "
                    "boxes, for Crop Image and the like.",
                ),
                io.Mask.Output(
                    display_name="mask", tooltip="Its mask where it has one, else its box, on the whole picture."
                ),
                io.String.Output(display_name="caption", tooltip="Its caption."),
                io.String.Output(display_name="label", tooltip="Its label; empty where it has none."),
                io.Mask.Output(
                    display_name="union",
                    tooltip="The masks of all enabled instances of the layout in one, for "
                    "example to keep everything else of a picture.",
                ),
            ],
        )

    @classmethod
    def execute(cls, layout, instance="1") -> io.NodeOutput:
        with named(TAKE_OUT):
            index = find_instance(layout.validate(), instance)
        found = layout.instances[index]
        warn(
            TAKE_OUT,
            found.warnings(index + 1) if found.enabled else [found.note("instance.not_enabled", index + 1)],
        )
        return io.NodeOutput(
            write_bounding_box(found, layout),
            as_mask(instance_mask(found, layout)),
            found.caption,
            found.label,
            as_mask(write_union(layout)),
        )


NODES = [EditInstance, LayoutInstance]
