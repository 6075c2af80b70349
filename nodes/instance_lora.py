"""Instance LoRA: a LoRA that acts inside the boxes of some instances alone."""

from __future__ import annotations

from dataclasses import replace

import comfy.utils
import torch
from comfy_api.latest import io

from ..roictrl_core.finite import all_finite
from ..roictrl_core.notes import Note
from .instances import changed, chosen, naming
from .loras import LoRA
from .model_folders import choices, fingerprint, path_of
from .report import named, said
from .types import LAYOUT, advanced, schema
from .widgets import check_widgets

NODE = "Instance LoRA"
FOLDER = "loras"
MOST = 100.0  # of a strength, as in Load LoRA
CAPTION, EVERYWHERE = "caption", "all, approximate"


def read_lora(name: str) -> dict:
    """The tensors of a LoRA file; raises ValueError with a sentence where it cannot be read."""
    path = path_of(FOLDER, name)
    try:
        tensors = comfy.utils.load_torch_file(path, safe_load=True)
    except Exception as error:  # whatever core's readers raise
        raise ValueError(
            f"the file '{name}' in models/{FOLDER} cannot be read ({error}). Download it again, or choose another."
        ) from error
    if not all(all_finite(tensor) for tensor in tensors.values() if torch.is_tensor(tensor)):
        raise ValueError(f"the file '{name}' in models/{FOLDER} holds values that are not numbers. Choose another.")
    return tensors


def _strength(name: str, of: str) -> io.Input:
    return io.Float.Input(
        name,
        default=1.0,
        min=-MOST,
        max=MOST,
        step=0.01,
        tooltip=f"How much of the LoRA acts {of}. 0 is nothing of it; it can be negative.",
    )


class InstanceLoRA(io.ComfyNode):
    """ROICTRL_LAYOUT -> ROICTRL_LAYOUT with a LoRA on some of its instances."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlInstanceLoRA",
            NODE,
            description="A LoRA inside one box alone: it acts on the box's caption and where the box reads it, and the "
            "rest of the picture stays the model's. Chain several for several boxes, or for several LoRAs in one.",
            search_aliases=["regional lora", "lora per region", "lora mask", "character lora", "lora box", "roictrl"],
            inputs=[
                LAYOUT.Input("layout", tooltip="The layout that holds the instance."),
                naming(),
                io.Combo.Input(
                    "lora_name",
                    options=choices(FOLDER),
                    tooltip="A file in models/loras, for the model that the layout goes to: LoRA, LoHa or LoKr.",
                ),
                _strength("strength_model", "in the model"),
                _strength("strength_clip", "on the box's caption, in the text encoder"),
                advanced(
                    io.Combo.Input(
                        "layers",
                        options=[CAPTION, EVERYWHERE],
                        default=CAPTION,
                        tooltip="caption: exactly where the box reads its caption, without another pass of the model. "
                        "all, approximate: also in every layer that treats tokens one by one, for the box's tokens; "
                        "stronger, and a little of it reaches the rest of the picture.",
                    )
                ),
            ],
            outputs=[LAYOUT.Output(display_name="layout", tooltip="The layout with the LoRA, for an Apply node.")],
        )

    @classmethod
    def fingerprint_inputs(cls, lora_name, **others) -> str:
        """A file that was made anew under the same name is read again."""
        return fingerprint(FOLDER, lora_name)

    @classmethod
    def execute(
        cls, layout, instance, lora_name, strength_model=1.0, strength_clip=1.0, layers=CAPTION
    ) -> io.NodeOutput:
        check_widgets(cls, strength_model=strength_model, strength_clip=strength_clip, layers=layers)
        with named(NODE):
            numbers = chosen(layout.validate(), instance)
            if strength_model == strength_clip == 0:
                return io.NodeOutput(layout, ui=said(NODE, [Note("lora.zero", values={"file": lora_name})]))
            lora = LoRA(lora_name, read_lora(lora_name), strength_model, strength_clip, layers == EVERYWHERE)
        return io.NodeOutput(changed(layout, numbers, lambda one: replace(one, loras=(*one.loras, lora))))


NODES = [InstanceLoRA]
