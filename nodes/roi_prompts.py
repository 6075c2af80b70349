"""Lets the boxes of a layout act in any known model without an adapter, through the model's own attention."""

from __future__ import annotations

from collections.abc import Sequence

from comfy_api.latest import io

from ..roictrl_core.notes import Note, listed
from .apply import MASK_FEATHER, applied, mask_feather_input
from .blocks import ALL, blocks_input, blocks_of
from .patch.control import Control, OwnPass, Slot
from .patch.frames import visible_area
from .patch.hosts import host_of, known_families
from .patch.methods.roi_prompts import END, GLOBAL_WEIGHT, ROIPrompts
from .report import named
from .slots import slots_of
from .types import (
    LAYOUT,
    REGION_WORDS,
    advanced,
    clip_input,
    patched_output,
    schema,
    share_input,
    start_input,
    strength_input,
)
from .widgets import check_widgets

PROMPTS = "Apply ROI Prompts"
MANY = 100  # boxes from which on their cost is said


def many_boxes(slots: Sequence[Slot]) -> list[Note]:
    """What many boxes cost without an adapter, where every one of them is read in every step."""
    on = [slot for slot in slots if slot.enabled]
    if len(on) < MANY:
        return []
    times = sum(visible_area(slot.box) for slot in on)
    captions = len({id(slot.caption) for slot in on})
    return [Note("apply.many_boxes", values={"count": len(on), "captions": captions, "times": f"{times:.1f}"})]


def _own_pass() -> list[io.Input]:
    # Optional and last: graphs saved before there were any still run.
    return [
        share_input(
            "own_pass",
            0.0,
            "The share of the schedule, from its start, in which each box is also drawn by itself on its caption, so "
            "that things are as large as their boxes. A box then costs as much as its part of the picture.",
            optional=True,
        ),
        advanced(
            share_input(
                "own_margin",
                OwnPass.margin,
                "With own_pass: how much of its surroundings a box sees, on each side, as a share of the box's side.",
                optional=True,
            )
        ),
        advanced(
            share_input(
                "own_patch",
                OwnPass.patch,
                "With own_pass: the share of the schedule, from its start, in which a box is only a patch of its "
                "object's colour, which settles where the object is and how large. 0 draws no patch.",
                optional=True,
            )
        ),
    ]


def _own_pass_notes(control: Control) -> list[Note]:
    """Where the boxes begin to act after their own passes, or have image prompts, which those do not read."""
    (start, end), own = control.window, control.own
    if own is None:
        return []
    late = [slot.name for slot in control.slots if slot.enabled and slot.window[0] >= own.share > start]
    found = {
        "apply.own_pass_late": own.share <= start,
        "apply.own_pass_cut": own.share > end,
        "apply.own_pass_late_for": late,
        "apply.own_pass_patch": own.patch >= min(own.share, end),
        "apply.reference_own_pass": any(slot.image_prompt for slot in control.slots),
    }
    values = {"share": own.share, "start": start, "end": end, "patch": own.patch, "names": listed(late)}
    return [Note(code, values=values) for code, true in found.items() if true]


class ApplyROIPrompts(io.ComfyNode):
    """MODEL + ROICTRL_LAYOUT -> MODEL, without an adapter."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApplyROIPrompts",
            PROMPTS,
            description="Every box reads its own caption through the model's own attention. Needs no adapter and no "
            f"download, and is weaker than a trained one. Models: {known_families()}, and their fine-tunes.",
            search_aliases=[*REGION_WORDS, "attention couple", "box control", "flux regions", "sdxl regions"],
            inputs=[
                io.Model.Input("model", tooltip="Any model that is named above, after its LoRAs. It is not changed."),
                clip_input("the CLIP or text encoder of the model, after its LoRAs"),
                LAYOUT.Input("layout", tooltip="Boxes and captions, from Instance Box Prompt."),
                strength_input("How much of the boxes' effect is applied; 0 leaves the model as it is."),
                share_input(
                    "global_weight",
                    GLOBAL_WEIGHT,
                    "The global prompt's share inside a box; the instances share the rest. On models whose text and "
                    "image attend together 0 is EliGen's rule, which costs nothing besides.",
                ),
                start_input(),
                share_input(
                    "end_percent",
                    END,
                    "Where they stop. The last part of the schedule makes details, and with "
                    "the global prompt alone it joins the boxes to one picture.",
                ),
                io.String.Input(
                    "caption_suffix", default="", tooltip="Added to every caption after a comma, for example a style."
                ),
                mask_feather_input(),
                blocks_input(),
                *_own_pass(),
            ],
            outputs=[patched_output()],
        )

    @classmethod
    def execute(
        cls,
        model,
        clip,
        layout,
        strength=1.0,
        global_weight=GLOBAL_WEIGHT,
        start_percent=0.0,
        end_percent=END,
        caption_suffix="",
        mask_feather=MASK_FEATHER,
        blocks=ALL,
        own_pass=0.0,
        own_margin=OwnPass.margin,
        own_patch=OwnPass.patch,
    ) -> io.NodeOutput:
        check_widgets(
            cls,
            strength=strength,
            global_weight=global_weight,
            start_percent=start_percent,
            end_percent=end_percent,
            mask_feather=mask_feather,
            own_pass=own_pass,
            own_margin=own_margin,
            own_patch=own_patch,
        )
        with named(PROMPTS):
            host = host_of(model)
            method = ROIPrompts(global_weight, blocks_of(blocks, host))
            slots, notes = slots_of(host, clip, layout, None, caption_suffix, mask_feather)
            control = Control(
                node=PROMPTS,
                slots=slots,
                strength=strength,
                window=(start_percent, end_percent),
                own=OwnPass(own_pass, own_margin, own_patch) if own_pass else None,
                picture=(layout.width, layout.height),
            )
            return applied(model, control, method, notes + many_boxes(slots) + _own_pass_notes(control))


NODES = [ApplyROIPrompts]
