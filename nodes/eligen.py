"""EliGen: loads its LoRA whatever its names are, and lets a layout's instances act beside the prompt."""

from __future__ import annotations

from collections.abc import Iterable

import comfy.lora
import comfy.lora_convert
import comfy.utils
from comfy_api.latest import io

from ..roictrl_core.coverage import PlacedMask
from ..roictrl_core.eligen import CELL, ENTITIES, is_raw_flux, native_lora, region
from ..roictrl_core.layout import Layout
from ..roictrl_core.notes import Note
from . import model_folders
from .apply import MASK_FEATHER, applied, unread_negatives
from .patch.control import OFF, PROMPT, Control, Slot
from .patch.frames import FULL
from .patch.hosts import Host, host_of
from .patch.methods.eligen import EliGen, check_fits
from .report import named, said
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

APPLY, LOAD = "Apply EliGen", "Load EliGen LoRA"
FOLDER = "loras"
TRAINED = 512  # tokens of FLUX's texts
LENGTHS = {str(TRAINED): TRAINED, "256": 256, "as encoded": 0}


def _wanted(host: Host, length: str) -> int:
    """Tokens that texts are filled up to; 0: they are taken as they are."""
    return LENGTHS[length] if host.name == "FLUX.1" else 0


def with_length(clip, host: Host, length: str):
    """The CLIP with FLUX's texts filled up to a length, as the node T5TokenizerOptions does; for other models as it
    is."""
    wanted = _wanted(host, length)
    if not wanted or clip is None:
        return clip
    clip = clip.clone()
    clip.set_tokenizer_option("t5xxl_min_length", wanted)
    return clip


def entities(
    host: Host, clip, layout: Layout, suffix: str = "", uncond: str = OFF
) -> tuple[tuple[Slot, ...], list[Note]]:
    """The slots of a layout, and what there is to say about them as entities."""
    slots, notes = slots_of(host, clip, layout, None, suffix, MASK_FEATHER)
    return slots, notes + _said_of(slots, layout) + unread_negatives(layout, uncond, "eligen.negative_unread")


def _said_of(slots: Iterable[Slot], layout: Layout) -> list[Note]:
    on = [(i, slot) for i, slot in enumerate(slots, 1) if slot.enabled]
    size = layout.height // CELL, layout.width // CELL
    notes = [
        layout.instances[i - 1].note("eligen.no_token", i)
        for i, slot in on
        if (slot.mask is None or slot.mask.pixels.any())  # of an empty one another note tells
        and not region(slot.box, slot.mask and PlacedMask(slot.mask, FULL), *size).any()
    ]
    if len(on) > ENTITIES:
        notes.append(Note("eligen.many", values={"count": len(on), "limit": ENTITIES}))
    return notes


def _short(slots: Iterable[Slot], layout: Layout) -> list[Note]:
    """On instances that brought a caption of fewer tokens than FLUX's LoRA has learned."""
    return [
        layout.instances[i - 1].note("eligen.short", i, count=len(slot.caption.tokens), limit=TRAINED)
        for i, slot in enumerate(slots, 1)
        if slot.enabled and len(slot.caption.tokens) < TRAINED
    ]


class ApplyEliGen(io.ComfyNode):
    """MODEL + ROICTRL_LAYOUT -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlApplyEliGen",
            APPLY,
            description="Every box of the layout holds what its caption says, by EliGen's rule of who reads whom. For "
            "Qwen-Image and FLUX.1: trained with its LoRA on the model, and weaker without one.",
            search_aliases=[*REGION_WORDS, "eligen", "entity control", "qwen regions", "flux regions"],
            inputs=[
                io.Model.Input("model", tooltip="Qwen-Image or FLUX.1, after EliGen's LoRA. It is not changed."),
                clip_input("the text encoder of the model"),
                LAYOUT.Input("layout", tooltip="Boxes, or masks in them, with short captions; 8 at most is usual."),
                strength_input("1 is as trained, 0 leaves the model as it is. The LoRA has a strength of its own."),
                start_input(),
                share_input("end_percent", 1.0, "Where they stop. Published: all steps."),
                io.String.Input("caption_suffix", default="", tooltip="Added to every caption after a comma."),
                advanced(
                    io.Boolean.Input(
                        "entities_on_negative",
                        default=False,
                        tooltip="Whether the negative pass has the boxes too, each reading the negative prompt or the "
                        "instance's own negative caption. Published: off.",
                    )
                ),
                advanced(
                    io.Combo.Input(
                        "flux_text_length",
                        options=list(LENGTHS),
                        default=str(TRAINED),
                        tooltip="FLUX.1: tokens of every caption. Trained with 512; give the prompt the same with "
                        "T5TokenizerOptions. Shorter is faster. Qwen-Image takes texts as they are.",
                    )
                ),
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
        start_percent=0.0,
        end_percent=1.0,
        caption_suffix="",
        entities_on_negative=False,
        flux_text_length=str(TRAINED),
    ) -> io.NodeOutput:
        schedule = {"start_percent": start_percent, "end_percent": end_percent}
        check_widgets(cls, strength=strength, **schedule, flux_text_length=flux_text_length)
        with named(APPLY):
            host = host_of(model)
            check_fits(host)
            uncond = PROMPT if entities_on_negative else OFF
            slots, notes = entities(host, with_length(clip, host, flux_text_length), layout, caption_suffix, uncond)
            control = Control(
                node=APPLY,
                slots=slots,
                strength=strength,
                window=(start_percent, end_percent),
                uncond=uncond,
                picture=(layout.width, layout.height),
            )
            notes += [] if model.patches else [Note("eligen.no_lora")]
            notes += _short(slots, layout) if _wanted(host, flux_text_length) == TRAINED else []
            return applied(model, control, EliGen(), notes)


class LoadEliGenLoRA(io.ComfyNode):
    """MODEL + file -> MODEL."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return schema(
            "ROICtrlLoadEliGenLoRA",
            LOAD,
            description="Puts EliGen's LoRA on a model, also where the file has the trainer's own names of FLUX's "
            "layers, of which the usual loader takes none and says so only in the log.",
            search_aliases=["eligen", "lora", "entity control"],
            inputs=[
                io.Model.Input("model", tooltip="Qwen-Image or FLUX.1."),
                io.Combo.Input(
                    "lora_name",
                    options=model_folders.choices(FOLDER),
                    tooltip="A file in models/loras: Qwen-Image-EliGen, -V2, -Poster (Hugging Face DiffSynth-Studio), "
                    "or FLUX's (ModelScope DiffSynth-Studio/Eligen).",
                ),
                io.Float.Input(
                    "strength", default=1.0, min=-10.0, max=10.0, step=0.01, tooltip="Published: 1, in both passes."
                ),
            ],
            outputs=[io.Model.Output(display_name="model", tooltip="Connect it to Apply EliGen.")],
        )

    @classmethod
    def execute(cls, model, lora_name, strength=1.0) -> io.NodeOutput:
        check_widgets(cls, strength=strength)
        with named(LOAD):
            host = host_of(model)
            check_fits(host)
            tensors = comfy.utils.load_torch_file(model_folders.path_of(FOLDER, lora_name), safe_load=True)
            patched, notes = with_lora(model, host, tensors, lora_name, strength)
            return io.NodeOutput(patched, ui=said(LOAD, notes))


def with_lora(model, host: Host, tensors: dict, name: str, strength: float) -> tuple[object, list[Note]]:
    """The model with a LoRA, and notes; raises ValueError where nothing of it fits the model."""
    if is_raw_flux(tensors):
        tensors = native_lora(tensors)
    keys = comfy.lora.model_lora_keys_unet(model.model, {})
    loaded = comfy.lora.load_lora(comfy.lora_convert.convert_lora(tensors), keys)
    patched = model.clone()
    taken = set(patched.add_patches(loaded, strength))
    if not taken:
        raise ValueError(
            f"nothing of '{name}' fits this model ({host.name}). Choose EliGen's LoRA for {host.name}, from "
            "DiffSynth-Studio on Hugging Face or ModelScope."
        )
    missed = len(set(loaded) - taken)
    return patched, [Note("eligen.lora_part", values={"file": name, "count": missed})] if missed else []


NODES = [ApplyEliGen, LoadEliGenLoRA]
