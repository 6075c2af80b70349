"""Lets the boxes of a layout act in a model with ROICtrl's adapter; and what several Apply nodes have."""

from __future__ import annotations

from comfy_api.latest import io

from ..roictrl_core.adapter import ROICtrlAdapter
from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note
from .patch.control import NONE, OFF, PROMPT, Control
from .patch.hooks import attach
from .patch.hosts import host_of
from .patch.methods import Method
from .patch.methods.roictrl import ROICtrl, check_fits
from .references import shared_with
from .report import named, said
from .slots import slots_of
from .speed import BALANCED, EVERY, EXACT, FAST, SHARE, reuse_of, speed_inputs, uncond_of
from .types import (
    ADAPTER,
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

APPLY = "Apply ROICtrl"
MASK_FEATHER = 8  # pixels: one cell of the finest feature map
FAST_DOES = " Fast also leaves the negative pass alone, as uncond_boxes off does, which halves the work that is left."
PUBLISHED_SUFFIX = "4K, high quality, high resolution, best quality"


def applied(model, control: Control, method: Method, notes: list[Note]) -> io.NodeOutput:
    """The patched model, and in the log and on the page what there is to say."""
    notes = notes + shared_with(model, control.slots) + control.why_off
    return io.NodeOutput(attach(model, control, method), ui=said(control.node, notes))


def adapter_of(patcher) -> ROICtrlAdapter:
    """The adapter inside a ROICTRL input; raises ValueError for anything else."""
    adapter = getattr(patcher, "model", None)
    if not isinstance(adapter, ROICtrlAdapter):
        raise ValueError(
            f"the adapter input holds {type(patcher).__name__}, not a ROICtrl adapter. Connect Load ROICtrl Adapter."
        )
    return adapter


def _uncond_boxes() -> io.Input:
    return advanced(
        io.Combo.Input(
            "uncond_boxes",
            options=[PROMPT, NONE, OFF],
            default=PROMPT,
            tooltip=(
                "What the boxes of the negative pass read: the negative prompt, as the adapter was published, or "
                "nothing. Off: the adapter leaves the negative pass alone, which halves its work, and guidance counts "
                "for places as well. An instance's own negative caption needs the first."
            ),
        )
    )


def _slot_shuffle_seed() -> io.Input:
    return advanced(
        io.Int.Input(
            "slot_shuffle_seed",
            default=-1,
            min=-1,
            max=2**31 - 1,
            tooltip=(
                "-1 keeps the instances in the layout's order. Another number shuffles the adapter's slots "
                "in every block, as the published code does, from this seed."
            ),
        )
    )


def mask_feather_input() -> io.Input:
    """How soft the edges of instances' masks are."""
    # Optional and last: graphs saved before there was one still run.
    return advanced(
        io.Int.Input(
            "mask_feather",
            default=MASK_FEATHER,
            min=0,
            max=512,
            optional=True,
            tooltip=(
                "Width of the soft edge of the instances' masks, in pixels of the layout; half of it lies outside the "
                "mask. 0 is a hard edge. An instance without a mask fills its box as ever."
            ),
        )
    )


def _adaptive_roi_size() -> io.Input:
    # Optional and last, as above.
    return advanced(
        io.Boolean.Input(
            "adaptive_roi_size",
            default=False,
            optional=True,
            tooltip=(
                "On: a box that covers fewer feature cells than the adapter's fixed grid is processed at its own "
                "size, which costs less. Not as published: the adapter was trained on the fixed grid."
            ),
        )
    )


def unread_negatives(layout: Layout, uncond: str, code: str) -> list[Note]:
    """On the instances whose negative caption no box reads, where ``uncond`` is what the negative pass has of them."""
    if uncond == PROMPT:
        return []
    return [instance.note(code, i) for i, instance in layout.enabled if instance.negative.strip()]


class ApplyROICtrl(io.ComfyNode):
    """MODEL + ROICTRL + ROICTRL_LAYOUT -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApply",
            APPLY,
            description="Every box of the layout will hold what its caption says, by ROICtrl's adapter. Works with any "
            "sampler; for models other than SD1.x use Apply Boxes.",
            search_aliases=[
                *REGION_WORDS,
                "roictrl",
                "box control",
                "instance control",
                "layout to image",
                "gligen",
            ],
            inputs=[
                io.Model.Input("model", tooltip="An SD1.x model, after its LoRAs. It is not changed; use the output."),
                ADAPTER.Input("adapter", tooltip="From Load ROICtrl Adapter."),
                clip_input("the CLIP of the checkpoint, after its LoRAs"),
                LAYOUT.Input("layout", tooltip="Boxes and captions, from Instance Box Prompt."),
                strength_input(
                    "1 is as trained, 0 leaves the model as it is. Each instance has a strength of its own besides."
                ),
                start_input(),
                share_input(
                    "end_percent", 1.0, "Where they stop. Ending early leaves details to the model and saves time."
                ),
                io.String.Input(
                    "caption_suffix",
                    default="",
                    tooltip=f"Added to every caption after a comma. The published demos use '{PUBLISHED_SUFFIX}'.",
                ),
                _uncond_boxes(),
                _slot_shuffle_seed(),
                mask_feather_input(),
                *speed_inputs(EXACT, BALANCED, FAST, fast=FAST_DOES),
                _adaptive_roi_size(),
            ],
            outputs=[patched_output()],
        )

    @classmethod
    def execute(
        cls,
        model,
        adapter,
        clip,
        layout,
        strength=1.0,
        start_percent=0.0,
        end_percent=1.0,
        caption_suffix="",
        uncond_boxes=PROMPT,
        slot_shuffle_seed=-1,
        mask_feather=MASK_FEATHER,
        speed=EXACT,
        computed_share=SHARE,
        compute_every=EVERY,
        adaptive_roi_size=False,
    ) -> io.NodeOutput:
        schedule = {"start_percent": start_percent, "end_percent": end_percent}
        speeds = {"speed": speed, "computed_share": computed_share, "compute_every": compute_every}
        others = {"uncond_boxes": uncond_boxes, "slot_shuffle_seed": slot_shuffle_seed, "mask_feather": mask_feather}
        check_widgets(cls, strength=strength, **schedule, **speeds, **others)
        with named(APPLY):
            network = adapter_of(adapter)
            host = host_of(model)
            check_fits(host, network.config)
            slots, notes = slots_of(host, clip, layout, network.config.slots, caption_suffix, mask_feather)
            control = Control(
                node=APPLY,
                slots=slots,
                strength=strength,
                window=(start_percent, end_percent),
                uncond=uncond_of(speed, uncond_boxes),
                shuffle_seed=None if slot_shuffle_seed < 0 else slot_shuffle_seed,
                reuse=reuse_of(**speeds),
                picture=(layout.width, layout.height),
            )
            method = ROICtrl(network, adapter, adaptive_roi_size)
            notes += unread_negatives(layout, control.uncond, "apply.negative_unread")
            return applied(model, control, method, notes)


NODES = [ApplyROICtrl]
