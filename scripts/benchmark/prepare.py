"""What each method makes of a layout for ComfyUI's sampler, and of its files. Import after the pack is loaded.

All get the same base and captions joined to one global prompt unless a setting says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import comfy.sd
import comfy.utils
import torch
from roictrl_pack.nodes.apply import ApplyROICtrl
from roictrl_pack.nodes.demo_model.files import load_demo, load_vae_file
from roictrl_pack.nodes.patch.methods.roi_prompts import ROIPrompts
from roictrl_pack.nodes.patch.methods.roictrl import ROICtrl
from roictrl_pack.nodes.roi_prompts import ApplyROIPrompts
from roictrl_pack.nodes.speed import EVERY, EXACT, SHARE, reuse_of, uncond_of
from roictrl_pack.nodes.weights import adapter_patcher
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter
from roictrl_pack.roictrl_core.checkpoint import read_adapter
from safetensors.torch import load_file

import nodes as comfy_nodes
from devtools.transformer import load_transformer

from .layouts import Case
from .places import TRANSFORMER, Places
from .rows import apply_rows, layout_of
from .sampling import Conditioned, encode, encode_rows

Settings = Mapping[str, Any]
BACKGROUND = "a picture on a dark background"  # a background prompt of the demo world's words
NOTHING = "nothing"  # no global prompt
CELL = 8  # px


class Parts(NamedTuple):
    """What a method needs of the loaded weights; control: an adapter's ModelPatcher, GLIGEN's, or None."""

    model: Any
    clip: Any
    vae: Any
    control: Any = None


# ---- without training ------------------------------------------------------------------------------------------------
def base_parts(places: Places) -> Parts:
    return Parts(*load_demo(places.demo))


def base_files(places: Places) -> tuple[Path, ...]:
    return places.base


def transformer_parts(places: Places) -> Parts:
    """The demo transformer, with the demo model's text encoder and VAE."""
    statistics = load_vae_file(places.base[1])[1]
    model = load_transformer(load_file(places.weights(TRANSFORMER)), statistics)
    return base_parts(places)._replace(model=model)


def transformer_files(places: Places) -> tuple[Path, ...]:
    return *places.base, places.weights(TRANSFORMER)


def global_prompt(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    return Conditioned(parts.model, encode(parts.clip, _text(case, settings)), encode(parts.clip, ""))


def global_prompts(parts: Parts, cases: Sequence[Case], settings: Settings) -> Conditioned:
    return Conditioned(
        parts.model,
        encode_rows(parts.clip, [_text(case, settings) for case in cases]),
        encode_rows(parts.clip, [""] * len(cases)),
    )


def _text(case: Case, settings: Settings) -> str:
    """The global prompt: the captions; or nothing, or the background alone, where a method does better with that."""
    return {NOTHING: "", "background": BACKGROUND}.get(settings.get("text"), case.text)


def _regional(parts: Parts, case: Case, settings: Settings, regions: list) -> Conditioned:
    """A prompt for everything, and one per box, joined by Conditioning (Combine), as in ComfyUI's area examples."""
    positive = encode(parts.clip, _text(case, settings))
    for region in regions:
        (positive,) = comfy_nodes.ConditioningCombine().combine(positive, region)
    return Conditioned(parts.model, positive, encode(parts.clip, ""))


def areas(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    """Conditioning (Set Area): boxes in whole cells of 8 px, as its widgets have them."""
    regions = []
    for box, caption in zip(case.boxes, case.captions, strict=True):
        x1, y1, x2, y2 = (CELL * round(side * case.size / CELL) for side in box)
        regions += comfy_nodes.ConditioningSetArea().append(
            encode(parts.clip, caption), x2 - x1, y2 - y1, x1, y1, settings["strength"]
        )
    return _regional(parts, case, settings, regions)


def box_masks(case: Case) -> torch.Tensor:
    """``[boxes, size, size]``: 1 in each box."""
    masks = torch.zeros(len(case.boxes), case.size, case.size)
    for mask, box in zip(masks, case.boxes, strict=True):
        x1, y1, x2, y2 = (round(side * case.size) for side in box)
        mask[y1:y2, x1:x2] = 1
    return masks


def masks(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    """Conditioning (Set Mask) with a mask of each box, over the whole latent (its default)."""
    regions = []
    for mask, caption in zip(box_masks(case), case.captions, strict=True):
        regions += comfy_nodes.ConditioningSetMask().append(
            encode(parts.clip, caption), mask[None], "default", settings["strength"]
        )
    return _regional(parts, case, settings, regions)


_ROI_PROMPTS = ("global_weight", "end_percent", "own_pass", "own_margin", "own_patch")  # settings of the node


def roi_prompts(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    (model,) = ApplyROIPrompts.execute(
        parts.model,
        parts.clip,
        layout_of(case),
        **{name: settings[name] for name in _ROI_PROMPTS if name in settings},
    ).result
    return global_prompt(parts._replace(model=model), case, settings)


def roi_prompts_rows(parts: Parts, cases: Sequence[Case], settings: Settings) -> Conditioned:
    model = apply_rows(
        parts.model,
        parts.clip,
        [layout_of(case) for case in cases],
        ROIPrompts(settings["global_weight"]),
        (0.0, settings["end_percent"]),
    )
    return global_prompts(parts._replace(model=model), cases, settings)


# ---- with an adapter -------------------------------------------------------------------------------------------------
def roictrl(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    (model,) = ApplyROICtrl.execute(
        parts.model,
        parts.control,
        parts.clip,
        layout_of(case),
        uncond_boxes=settings["uncond_boxes"],
        **_speed(settings),
        adaptive_roi_size=settings.get("adaptive_roi_size", False),
    ).result
    return global_prompt(parts._replace(model=model), case, settings)


def roictrl_rows(parts: Parts, cases: Sequence[Case], settings: Settings) -> Conditioned:
    speed = _speed(settings)
    model = apply_rows(
        parts.model,
        parts.clip,
        [layout_of(case) for case in cases],
        ROICtrl(parts.control.model, parts.control, settings.get("adaptive_roi_size", False)),
        uncond=uncond_of(speed["speed"], settings["uncond_boxes"]),
        reuse=reuse_of(**speed),
    )
    return global_prompts(parts._replace(model=model), cases, settings)


def _speed(settings: Settings) -> dict[str, Any]:
    """The widgets of Apply ROICtrl's speed."""
    defaults = {"speed": EXACT, "computed_share": SHARE, "compute_every": EVERY}
    return {name: settings.get(name, value) for name, value in defaults.items()}


def with_adapter(parts: Parts, path: Path, network: type[ROICtrlAdapter] = ROICtrlAdapter) -> Parts:
    return parts._replace(control=adapter_patcher(read_adapter(path), network))


def with_lora(parts: Parts, path: Path) -> Parts:
    model, clip = comfy.sd.load_lora_for_models(
        parts.model, parts.clip, comfy.utils.load_torch_file(str(path), safe_load=True), 1.0, 0.0
    )
    return parts._replace(model=model, clip=clip)
