"""InstanceDiffusion: loads its weights, and lets a layout's instances act through them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from comfy_api.latest import io

from ..roictrl_core.instance_diffusion.checkpoint import load
from ..roictrl_core.instance_diffusion.config import FORMATS, Formats
from ..roictrl_core.instance_diffusion.grounding import GroundedInstance
from ..roictrl_core.instance_diffusion.model import InstanceDiffusion
from ..roictrl_core.layout import Instance, Layout
from ..roictrl_core.notes import Note, log
from . import model_folders
from .apply import applied
from .captions import PooledCaptionEncoder
from .patch.control import Control, Slot
from .patch.hosts import Host, host_of
from .patch.methods.instance_diffusion import (
    CORRECTED,
    NO_MASK,
    TRANSPOSED,
    InstanceDiffusionMethod,
    Settings,
    check_fits,
)
from .report import named
from .sampling.multi_instance import offer
from .slots import check_text_width, largest_instances, make_slots
from .speed import BALANCED, EVERY, EXACT, SHARE, reuse_of, speed_inputs
from .types import (
    INSTANCE_DIFFUSION,
    LAYOUT,
    REGION_WORDS,
    advanced,
    clip_input,
    patched_output,
    schema,
    share_input,
    strength_input,
)
from .weights import instance_diffusion_patcher
from .widgets import check_widgets

FOLDER = "instance_diffusion"
LOAD, APPLY = "Load InstanceDiffusion", "Apply InstanceDiffusion"
AUTO = "auto"
PUBLISHED = Settings()

model_folders.register(FOLDER)


def choose_formats(name: str, layout: Layout) -> Formats:
    """The published switches of a format; ``auto`` takes those of what the enabled instances carry."""
    if name != AUTO:
        return FORMATS[name]
    enabled = [instance for _, instance in layout.enabled]
    if any(instance.scribble for instance in enabled):
        return FORMATS["scribble"]
    if any(instance.mask is not None for instance in enabled):
        return FORMATS["mask"]
    return FORMATS["box" if any(instance.has_area for instance in enabled) else "point"]


def grounded(instance: Instance, encoder: PooledCaptionEncoder, name: str) -> GroundedInstance:
    """What the network reads of an instance."""
    return GroundedInstance(
        box=tuple(min(max(edge, 0.0), 1.0) for edge in instance.box),
        text=encoder.pooled(instance, name),
        point=instance.point,
        scribble=[np.array(stroke) for stroke in instance.scribble],
        mask=None if instance.mask is None else instance.mask.to_array(),
        presence=min(instance.strength, 1.0),
    )


def grounding(
    host: Host,
    weights,
    clip,
    layout: Layout,
    formats: str = AUTO,
    settings: Settings = PUBLISHED,
    suffix: str = "",
) -> tuple[tuple[Slot, ...], InstanceDiffusionMethod, list[Note]]:
    """The slots of a layout, and the method that reads them with ``weights``; and notes.

    ``formats`` names those of `choose_formats`, whatever ``settings`` say of them.
    """
    config = network_of(weights).config
    check_fits(host, config)
    instances, notes = largest_instances(layout, config.slots)
    encoder = PooledCaptionEncoder(clip, config.text_width, "InstanceDiffusion", suffix, host)
    slots = make_slots(instances, encoder)
    check_text_width(slots, host.text_width)
    read = [grounded(instance, encoder, instance.name(i)) for i, instance in instances]
    settings = replace(settings, formats=choose_formats(formats, layout))
    method = InstanceDiffusionMethod(weights, zip(slots, read, strict=True), settings)
    return slots, method, notes + layout.warnings() + encoder.notes


def network_of(patcher) -> InstanceDiffusion:
    """The network inside an INSTANCE_DIFFUSION input; raises ValueError for anything else."""
    network = getattr(patcher, "model", None)
    if not isinstance(network, InstanceDiffusion):
        raise ValueError(
            f"the instance_diffusion input holds {type(patcher).__name__}. Connect Load InstanceDiffusion."
        )
    return network


class LoadInstanceDiffusion(io.ComfyNode):
    """A file -> INSTANCE_DIFFUSION."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLoadInstanceDiffusion",
            LOAD,
            description="Loads InstanceDiffusion's weights from models/instance_diffusion, in any published form: the "
            "official checkpoint, the community's three files, or one converted safetensors.",
            search_aliases=["instancediffusion", "position net", "fusers", "scaleu", "box control", "gligen"],
            inputs=[
                io.Combo.Input(
                    "weights_name",
                    options=model_folders.choices(FOLDER),
                    tooltip=(
                        "A file in models/instance_diffusion. Of the community's split (fusers, position_net, scaleu) "
                        "choose any one; the others are found beside it. scripts/convert.py makes a 738 MB file of the "
                        "official 13.6 GB one."
                    ),
                )
            ],
            outputs=[
                INSTANCE_DIFFUSION.Output(
                    display_name="instance_diffusion", tooltip="Connect it to Apply InstanceDiffusion."
                )
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, weights_name) -> str:
        """A file that changed under the same name is read again."""
        return model_folders.fingerprint(FOLDER, weights_name)

    @classmethod
    def execute(cls, weights_name) -> io.NodeOutput:
        with named(LOAD):
            config, weights = load(model_folders.path_of(FOLDER, weights_name))
            log.info(
                "%s: InstanceDiffusion, %.1f M parameters", weights_name, sum(t.numel() for t in weights.values()) / 1e6
            )
            return io.NodeOutput(instance_diffusion_patcher(config, weights))


class ApplyInstanceDiffusion(io.ComfyNode):
    """MODEL + INSTANCE_DIFFUSION + ROICTRL_LAYOUT -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApplyInstanceDiffusion",
            APPLY,
            description=(
                "Every instance of the layout appears where its box, point, scribble or mask is. For SD1.5 and its "
                "fine-tunes, with any sampler; InstanceDiffusion Sampler is the published one."
            ),
            search_aliases=[
                *REGION_WORDS,
                "instancediffusion",
                "box control",
                "scribble",
                "mask control",
                "point control",
                "gligen",
                "scaleu",
            ],
            inputs=[
                io.Model.Input("model", tooltip="An SD1.5 model, after its LoRAs. It is not changed; use the output."),
                INSTANCE_DIFFUSION.Input("instance_diffusion", tooltip="From Load InstanceDiffusion."),
                clip_input(),
                LAYOUT.Input("layout", tooltip="Instances with captions, from Instance Box Prompt. 30 at most act."),
                _formats(),
                strength_input(
                    "1 is as trained, 0 leaves the model as it is. An instance's own strength, below 1, fades it."
                ),
                share_input(
                    "alpha",
                    0.8,
                    "Share of the steps in which the instances act; after them only ScaleU does. Published: 0.75 to 1.",
                    step=0.01,
                ),
                *_schedule(),
                *_details(),
                *speed_inputs(EXACT, BALANCED),
            ],
            outputs=[patched_output()],
        )

    @classmethod
    def execute(
        cls,
        model,
        instance_diffusion,
        clip,
        layout,
        formats=AUTO,
        strength=1.0,
        alpha=0.8,
        start_percent=0.0,
        end_percent=1.0,
        scaleu=True,
        masked_attention=NO_MASK,
        null_missing=False,
        speed=EXACT,
        computed_share=SHARE,
        compute_every=EVERY,
    ) -> io.NodeOutput:
        schedule = {"alpha": alpha, "start_percent": start_percent, "end_percent": end_percent}
        speeds = {"speed": speed, "computed_share": computed_share, "compute_every": compute_every}
        check_widgets(cls, formats=formats, strength=strength, **schedule, masked_attention=masked_attention, **speeds)
        with named(APPLY):
            settings = Settings(alpha=alpha, scaleu=scaleu, attention=masked_attention, null_missing=null_missing)
            slots, method, notes = grounding(host_of(model), instance_diffusion, clip, layout, formats, settings)
            control = Control(
                node=APPLY,
                slots=slots,
                strength=strength,
                window=(start_percent, end_percent),
                reuse=reuse_of(**speeds),
                picture=(layout.width, layout.height),
            )
            output = applied(model, control, method, notes)
            if not control.is_off:
                offer(output.result[0], slots)
            return output


def _formats() -> io.Input:
    return io.Combo.Input(
        "formats",
        options=[AUTO, *FORMATS],
        default=AUTO,
        tooltip=(
            "What of an instance is read. box: box and its centre. mask: these and masks. scribble: all of "
            "them. point: the point alone. auto: what the layout holds."
        ),
    )


def _schedule() -> list[io.Input]:
    return [
        advanced(share_input("start_percent", 0.0, "Where in the sampling schedule the method sets in.")),
        advanced(
            share_input("end_percent", 1.0, "Where it ends, ScaleU included. To end the instances earlier use alpha.")
        ),
    ]


def _details() -> list[io.Input]:
    return [
        advanced(
            io.Boolean.Input(
                "scaleu",
                default=True,
                tooltip=(
                    "The trained scaling of the UNet's skip connections, on in all steps. Turn it off beside FreeU."
                ),
            )
        ),
        advanced(
            io.Combo.Input(
                "masked_attention",
                options=[NO_MASK, TRANSPOSED, CORRECTED],
                default=NO_MASK,
                tooltip=(
                    "Keeps instances from looking into each other's boxes. The published pictures were made without; "
                    "in training x and y of the masks were swapped."
                ),
            )
        ),
        advanced(
            io.Boolean.Input(
                "null_missing",
                default=False,
                tooltip=(
                    "An instance without a scribble or mask, where others have one, tells the network so. "
                    "Off is as published."
                ),
            )
        ),
    ]


NODES = [LoadInstanceDiffusion, ApplyInstanceDiffusion]
