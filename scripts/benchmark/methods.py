"""The methods: how each turns a layout into what ComfyUI's sampler takes. Import after the pack is loaded.

All get the same base, layouts, seeds and steps, and captions joined to one global prompt
unless a setting says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import comfy.sd
import comfy.utils
import torch
from roictrl_pack.nodes.apply import ApplyROICtrl, ApplyROIPrompts
from roictrl_pack.nodes.demo_model.files import load_demo
from roictrl_pack.nodes.patch.control import NONE, OFF, PROMPT
from roictrl_pack.nodes.patch.methods.roi_prompts import ROIPrompts
from roictrl_pack.nodes.patch.methods.roictrl import ROICtrl
from roictrl_pack.nodes.weights import adapter_patcher
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter
from roictrl_pack.roictrl_core.checkpoint import read_adapter

import nodes as comfy_nodes

from . import ablations, gligen
from .layouts import Case
from .palettes import PALETTES, Palette
from .places import Places
from .rows import apply_rows, layout_of
from .sampling import Conditioned, encode, encode_rows

Settings = Mapping[str, Any]
CFG = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.5, 7.5)
FIRST_CFG = 2.0
BACKGROUND = "a picture on a dark background"  # a background prompt of the demo world's words
NOTHING = "nothing"  # no global prompt
CELL = 8  # px


class Parts(NamedTuple):
    """What a method needs of the loaded weights; control: an adapter's ModelPatcher, GLIGEN's, or None."""

    model: Any
    clip: Any
    vae: Any
    control: Any = None


@dataclass(frozen=True)
class Method:
    """One row of the table.

    prepare: (parts, case, settings) -> what the sampler takes.  load: places -> parts.  files: the weights it reads.
    rows: the same for several cases in one batch, where that can be; None: one each.
    choices: values of its own settings to tune, in order, and `first` where tuning begins (guidance is tuned for all).
    like: the method from which it differs in one thing, and whose own settings it therefore has.
    beside: the method of the same budget that an ablation is to be read against.
    palette: colours that its base draws in place of others, so that the judge wants those.
    maker: the command that makes its weights.
    """

    name: str
    title: str
    prepare: Callable[[Parts, Case, Settings], Conditioned]
    load: Callable[[Places], Parts]
    files: Callable[[Places], tuple[Path, ...]]
    rows: Callable[[Parts, Sequence[Case], Settings], Conditioned] | None = None
    choices: Mapping[str, tuple] = field(default_factory=dict)
    first: Mapping[str, Any] = field(default_factory=dict)
    like: str | None = None
    beside: str | None = None
    trained: bool = True
    palette: Palette = field(default_factory=dict)
    maker: str = "python scripts/demo_train.py"

    def problem(self, places: Places) -> str | None:
        """What its weights lack and the command that makes them, as a sentence; None where all is there."""
        files = (*self.files(places), *(METHODS[self.like].files(places) if self.like else ()))
        found = next(filter(None, map(places.problem, files)), None)
        return found and f"{self.name} needs {found}; make it with `{self.maker}`"


# ---- without training ------------------------------------------------------------------------------------------------
def base_parts(places: Places) -> Parts:
    return Parts(*load_demo(places.demo))


def base_files(places: Places) -> tuple[Path, ...]:
    return places.base


def global_prompt(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    return Conditioned(parts.model, encode(parts.clip, _text(case, settings)), encode(parts.clip, ""))


def global_prompts(parts: Parts, cases: Sequence[Case], settings: Settings) -> Conditioned:
    return Conditioned(
        parts.model,
        encode_rows(parts.clip, [_text(case, settings) for case in cases]),
        encode_rows(parts.clip, [""] * len(cases)),
    )


def _text(case: Case, settings: Settings) -> str:
    """The global prompt: the captions, or nothing where a method does better without them."""
    return "" if settings.get("text") == NOTHING else case.text


def _regional(parts: Parts, case: Case, settings: Settings, regions: list) -> Conditioned:
    """A prompt for everything, and one per box, joined by Conditioning (Combine), as in ComfyUI's area examples."""
    positive = encode(parts.clip, case.text if settings["text"] == "captions" else BACKGROUND)
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


def masks(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    """Conditioning (Set Mask) with a mask of each box, over the whole latent (its default)."""
    regions = []
    for box, caption in zip(case.boxes, case.captions, strict=True):
        x1, y1, x2, y2 = (round(side * case.size) for side in box)
        mask = torch.zeros(1, case.size, case.size)
        mask[:, y1:y2, x1:x2] = 1
        regions += comfy_nodes.ConditioningSetMask().append(
            encode(parts.clip, caption), mask, "default", settings["strength"]
        )
    return _regional(parts, case, settings, regions)


def roi_prompts(parts: Parts, case: Case, settings: Settings) -> Conditioned:
    (model,) = ApplyROIPrompts.execute(
        parts.model,
        parts.clip,
        layout_of(case),
        global_weight=settings["global_weight"],
        end_percent=settings["end_percent"],
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
        parts.model, parts.control, parts.clip, layout_of(case), uncond_boxes=settings["uncond_boxes"]
    ).result
    return global_prompt(parts._replace(model=model), case, settings)


def roictrl_rows(parts: Parts, cases: Sequence[Case], settings: Settings) -> Conditioned:
    model = apply_rows(
        parts.model,
        parts.clip,
        [layout_of(case) for case in cases],
        ROICtrl(parts.control.model, parts.control),
        uncond=settings["uncond_boxes"],
    )
    return global_prompts(parts._replace(model=model), cases, settings)


def with_adapter(parts: Parts, path: Path, network: type[ROICtrlAdapter] = ROICtrlAdapter) -> Parts:
    return parts._replace(control=adapter_patcher(read_adapter(path), network))


def with_lora(parts: Parts, path: Path) -> Parts:
    model, clip = comfy.sd.load_lora_for_models(
        parts.model, parts.clip, comfy.utils.load_torch_file(str(path), safe_load=True), 1.0, 0.0
    )
    return parts._replace(model=model, clip=clip)


def with_gligen(places: Places) -> Parts:
    parts = base_parts(places)
    return parts._replace(control=gligen.read_gligen(places.weights("gligen"), parts.model))


def _variant(
    name: str, title: str, beside: str | None = "roictrl_short", network: type[ROICtrlAdapter] = ROICtrlAdapter
) -> Method:
    """An adapter that bench_train.py trained."""
    return Method(
        name,
        title,
        roictrl,
        **_LIKE_ROICTRL,
        maker=f"{_TRAIN} {name}",
        beside=beside,
        load=lambda places: with_adapter(base_parts(places), places.weights(name), network),
        files=lambda places: (*places.base, places.weights(name)),
    )


def _community(places: Places) -> Parts:
    return with_adapter(Parts(*load_demo(places.community())), places.adapter)


_TRAIN = "python scripts/dev.py bench-train"
_ROICTRL = {"rows": roictrl_rows, "first": {"uncond_boxes": PROMPT, "text": "captions"}}
_LIKE_ROICTRL = {**_ROICTRL, "like": "roictrl"}
_REGIONAL = {
    "choices": {"text": ("background", "captions"), "strength": (1.0, 2.0, 4.0, 8.0)},
    "first": {"text": "background", "strength": 4.0},
    "trained": False,
}

METHODS = {
    method.name: method
    for method in (
        Method(
            "prompt",
            "captions in the global prompt",
            global_prompt,
            base_parts,
            base_files,
            global_prompts,
            trained=False,
        ),
        Method("area", "Conditioning (Set Area)", areas, base_parts, base_files, **_REGIONAL),
        Method("mask", "Conditioning (Set Mask)", masks, base_parts, base_files, **_REGIONAL),
        Method(
            "roi_prompts",
            "Apply ROI Prompts",
            roi_prompts,
            base_parts,
            base_files,
            roi_prompts_rows,
            trained=False,
            choices={"global_weight": (0.0, 0.2, 0.4, 0.6), "end_percent": (0.4, 0.6, 0.8, 1.0)},
            first={"global_weight": 0.4, "end_percent": 1.0},
        ),
        Method(
            "gligen",
            "GLIGEN-style box and text tokens",
            gligen.prepare,
            with_gligen,
            lambda places: (*places.base, places.weights("gligen")),
            choices={"uncond": ("null", "same")},
            first={"uncond": "null"},
            maker=f"{_TRAIN} gligen",
        ),
        Method(
            "roictrl",
            "ROICtrl",
            roictrl,
            lambda places: with_adapter(base_parts(places), places.adapter),
            lambda places: (*places.base, places.adapter),
            **_ROICTRL,
            choices={"uncond_boxes": (NONE, PROMPT, OFF), "text": ("captions", NOTHING)},
        ),
        _variant("roictrl_short", "ROICtrl, short budget", beside=None),
        _variant("no_self_attention", "without ROI self-attention"),
        _variant("no_regulariser", "without the regulariser"),
        _variant("no_box_tokens", "without box tokens"),
        _variant("masked_attention", "masked attention", network=ablations.MaskedAdapter),
        Method(
            "roictrl_community",
            "ROICtrl, base tuned to exchange white and yellow",
            roictrl,
            _community,
            **_LIKE_ROICTRL,
            maker=f"{_TRAIN} community",
            palette=PALETTES["community"],
            files=lambda places: (
                places.community() / "base.safetensors",
                places.community() / "vae.safetensors",
                places.adapter,
            ),
        ),
        Method(
            "roictrl_lora",
            "ROICtrl, LoRA that exchanges red and magenta",
            roictrl,
            **_LIKE_ROICTRL,
            maker=f"{_TRAIN} lora",
            palette=PALETTES["lora"],
            load=lambda places: with_lora(with_adapter(base_parts(places), places.adapter), places.weights("lora")),
            files=lambda places: (*places.base, places.adapter, places.weights("lora")),
        ),
    )
}
