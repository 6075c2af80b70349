"""One node to start with: lets a layout's boxes act in whatever model is connected, by the best method at hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from comfy.gligen import Gligen
from comfy_api.latest import io

from ..roictrl_core.adapter import ROICtrlAdapter
from ..roictrl_core.instance_diffusion.model import InstanceDiffusion
from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note
from . import eligen, gligen, instance_diffusion
from .apply import MASK_FEATHER, applied
from .patch.control import OFF, PROMPT, Control, Slot
from .patch.hosts import Host, host_of, known_families
from .patch.methods import Method, roictrl
from .patch.methods.eligen import EliGen
from .patch.methods.instance_diffusion import InstanceDiffusionMethod
from .patch.methods.roi_prompts import ROIPrompts, suited
from .patch.methods.roictrl import ROICtrl
from .report import named
from .roi_prompts import many_boxes
from .sampling.multi_instance import offer
from .slots import slots_of
from .types import (
    ADAPTER,
    INSTANCE_DIFFUSION,
    LAYOUT,
    REGION_WORDS,
    clip_input,
    patched_output,
    schema,
    share_input,
    start_input,
    strength_input,
)
from .widgets import check_widgets

BOXES = "Apply Boxes"


@dataclass(frozen=True)
class Picked:
    """A method with the slots that it reads; ``end``: the share of the schedule after which it had better not act."""

    method: Method
    slots: tuple[Slot, ...]
    notes: list[Note]
    end: float = 1.0
    uncond: str = PROMPT


def _roictrl(host: Host, patcher, clip, layout: Layout, suffix: str) -> Picked:
    network = patcher.model
    slots, notes = slots_of(host, clip, layout, network.config.slots, suffix, MASK_FEATHER)
    return Picked(ROICtrl(network, patcher), slots, notes)


def _instance_diffusion(host: Host, patcher, clip, layout: Layout, suffix: str) -> Picked:
    slots, method, notes = instance_diffusion.grounding(host, patcher, clip, layout, suffix=suffix)
    return Picked(method, slots, notes)


def _gligen(host: Host, patcher, clip, layout: Layout, suffix: str) -> Picked:
    slots, method, notes = gligen.grounding(host, patcher, clip, layout, suffix)
    return Picked(method, slots, notes, gligen.PUBLISHED_END)


def _without_weights(host: Host, clip, layout: Layout, suffix: str) -> Picked:
    if host.name in EliGen.trained_for:  # the same rule with and without its LoRA
        slots, notes = eligen.entities(host, clip, layout, suffix)
        return Picked(EliGen(), slots, notes, uncond=OFF)
    slots, notes = slots_of(host, clip, layout, None, suffix, MASK_FEATHER)
    global_weight, end = suited(host)
    return Picked(ROIPrompts(global_weight), slots, notes + many_boxes(slots), end)


class Weights(NamedTuple):
    """What can be connected as an adapter: whether it was made for a host's model (else a ValueError), and its use."""

    check_fits: Callable[[Host, torch.nn.Module], None]
    pick: Callable[..., Picked]


WEIGHTS: dict[type, Weights] = {
    ROICtrlAdapter: Weights(lambda host, network: roictrl.check_fits(host, network.config), _roictrl),
    InstanceDiffusion: Weights(
        lambda host, network: instance_diffusion.check_fits(host, network.config), _instance_diffusion
    ),
    Gligen: Weights(gligen.check_fits, _gligen),
}


def weights_of(adapter) -> Weights:
    """What the adapter input holds; raises ValueError where it is nothing of the kind."""
    network = getattr(adapter, "model", None)
    found = next((weights for kind, weights in WEIGHTS.items() if isinstance(network, kind)), None)
    if found is None:
        raise ValueError(
            f"the adapter input holds {type(adapter).__name__}. Connect Load ROICtrl Adapter, Load InstanceDiffusion "
            "or GLIGENLoader, or nothing."
        )
    return found


def pick(host: Host, adapter, clip, layout: Layout, suffix: str) -> Picked:
    """The adapter's method where it fits the model, else the one without training; a note says which and why."""
    if adapter is None:
        return _saying("boxes.no_adapter", host, _without_weights(host, clip, layout, suffix))
    weights = weights_of(adapter)
    try:
        weights.check_fits(host, adapter.model)
    except ValueError as error:
        return _saying("boxes.adapter_unfit", host, _without_weights(host, clip, layout, suffix), why=str(error))
    return _saying("boxes.adapter_fits", host, weights.pick(host, adapter, clip, layout, suffix))


def _saying(code: str, host: Host, picked: Picked, **values: str) -> Picked:
    values = {"method": picked.method.title, "family": host.family, **values}
    return replace(picked, notes=[Note(code, values=values), *picked.notes])


class ApplyBoxes(io.ComfyNode):
    """MODEL + ROICTRL_LAYOUT, with or without weights -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApplyBoxes",
            BOXES,
            description="The node to start with: every box of the layout will hold what its caption says, in whatever "
            "model is connected. It picks the best method at hand and says which. Models: "
            f"{known_families()}.",
            search_aliases=[*REGION_WORDS, "box control", "roictrl", "layout to image", "flux regions", "gligen"],
            inputs=[
                io.Model.Input("model", tooltip="Any model that is named above, after its LoRAs. It is not changed."),
                clip_input("the CLIP or text encoder of the model, after its LoRAs"),
                LAYOUT.Input("layout", tooltip="Boxes and captions, from Instance Box Prompt."),
                strength_input("How much of the boxes' effect is applied; 0 leaves the model as it is."),
                start_input(),
                share_input(
                    "end_percent",
                    1.0,
                    "Where they stop. 1 is the end that suits the picked method; the node of that method goes beyond.",
                ),
                io.String.Input(
                    "caption_suffix", default="", tooltip="Added to every caption after a comma, for example a style."
                ),
                io.MultiType.Input(
                    "adapter",
                    types=[ADAPTER, INSTANCE_DIFFUSION, io.Gligen],
                    optional=True,
                    tooltip="Weights that control better, for SD1.x: from Load ROICtrl Adapter, Load InstanceDiffusion "
                    "or GLIGENLoader. Those that were made for another model are left out, and that is said.",
                ),
            ],
            outputs=[patched_output()],
        )

    @classmethod
    def execute(
        cls, model, clip, layout, strength=1.0, start_percent=0.0, end_percent=1.0, caption_suffix="", adapter=None
    ) -> io.NodeOutput:
        check_widgets(cls, strength=strength, start_percent=start_percent, end_percent=end_percent)
        with named(BOXES):
            picked = pick(host_of(model), adapter, clip, layout, caption_suffix)
            control = Control(
                node=BOXES,
                slots=picked.slots,
                strength=strength,
                window=(start_percent, min(end_percent, picked.end)),
                uncond=picked.uncond,
                picture=(layout.width, layout.height),
            )
            output = applied(model, control, picked.method, picked.notes)
            if isinstance(picked.method, InstanceDiffusionMethod) and not control.is_off:
                offer(output.result[0], picked.slots)
            return output


NODES = [ApplyBoxes]
