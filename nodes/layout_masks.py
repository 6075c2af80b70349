"""Layout to Masks: the instances as core's MASK, for nodes that act by masks: ControlNets, areas, image prompts."""

from __future__ import annotations

from dataclasses import replace

from comfy_api.latest import io

from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note
from .instances import find_instances
from .prompt import mask_batch
from .report import named, said
from .types import LAYOUT, schema, typed

NAME = "Layout to Masks"


def chosen(layout: Layout, instances: str) -> tuple[Layout, list[Note]]:
    """The layout with the named instances alone, or else with all enabled ones; and notes. Raises ValueError."""
    places = find_instances(layout, instances)
    if not places:
        found = [one for _, one in layout.enabled]
        return replace(layout, instances=tuple(found)), [] if found else [Note("masks.nothing")]
    muted = [layout.instances[i].note("masks.not_enabled", i + 1) for i in places if not layout.instances[i].enabled]
    return replace(layout, instances=tuple(replace(layout.instances[i], enabled=True) for i in places)), muted


class LayoutToMasks(io.ComfyNode):
    """LAYOUT -> MASKs."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLayoutToMasks",
            NAME,
            description="A mask for each box, for a ControlNet, an image prompt or a prompt of its own in that box: "
            "as a list, as one batch, all in one, and everything else.",
            search_aliases=typed("mask", "boxes to masks", "controlnet per box", "regional", "mask list", "roictrl"),
            inputs=[
                LAYOUT.Input("layout", tooltip="Whose instances to draw as masks."),
                io.String.Input(
                    "instances",
                    multiline=True,
                    default="",
                    tooltip="Which ones: a label, a caption or an index from 1, one a line; or all. Empty takes all "
                    "that are enabled.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, layout, instances="") -> io.NodeOutput:
        with named(NAME):
            found, notes = chosen(layout.validate(), instances)
        masks, too_many = mask_batch(found)  # [N, H, W]
        union = masks.amax(0, keepdim=True)  # [1, H, W]
        captions = [one.caption for one in found.instances][: len(masks)] or [""]
        each = list(masks.split(1))
        return io.NodeOutput(each, captions, masks, union, 1 - union, ui=said(NAME, notes + too_many))


def _outputs() -> list[io.Output]:
    return [
        io.Mask.Output(
            display_name="each",
            is_output_list=True,
            tooltip="One mask for each instance, as a list: what is connected runs once for each. With one instance "
            "a single mask.",
        ),
        io.String.Output(
            display_name="captions", is_output_list=True, tooltip="Their captions, as a list in the same order."
        ),
        io.Mask.Output(display_name="batch", tooltip="The same masks as one batch."),
        io.Mask.Output(display_name="union", tooltip="All of them in one mask."),
        io.Mask.Output(display_name="outside", tooltip="Everything else of the picture."),
    ]


NODES = [LayoutToMasks]
