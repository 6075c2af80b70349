"""The methods, a row of the table each: their files, settings, and how they prepare a layout (prepare.py).

Import after the pack is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from roictrl_pack.nodes.demo_model.files import load_demo
from roictrl_pack.nodes.patch.control import NONE, OFF, PROMPT
from roictrl_pack.nodes.speed import BALANCED, FAST
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter

from . import ablations, gligen, peers
from .layouts import Case
from .palettes import PALETTES, Palette
from .places import Places
from .prepare import (
    NOTHING,
    Parts,
    Settings,
    areas,
    base_files,
    base_parts,
    global_prompt,
    global_prompts,
    masks,
    roi_prompts,
    roi_prompts_rows,
    roictrl,
    roictrl_rows,
    transformer_files,
    transformer_parts,
    with_adapter,
    with_lora,
)
from .redo import redone
from .sampling import Conditioned, Sampler

CFG = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.5, 7.5)
FIRST_CFG = 2.0


@dataclass(frozen=True)
class Method:
    """One row of the table.

    prepare: (parts, case, settings) -> what the sampler takes.  load: places -> parts.  files: the weights it reads.
    rows: the same for several cases in one batch, where that can be; None: one each.
    paint: (parts, case, settings, sampler, seed) -> the picture, where one run of the sampler is not all.
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
    paint: Callable[[Parts, Case, Settings, Sampler, int], np.ndarray] | None = None
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


def _cheaper(name: str, title: str, **settings: Any) -> Method:
    """ROICtrl with settings of the node that save work."""
    return Method(
        f"roictrl_{name}",
        f"ROICtrl, {title}",
        roictrl,
        _roictrl_parts,
        _roictrl_files,
        rows=roictrl_rows,
        first={**_ROICTRL["first"], **settings},
        like="roictrl",
        beside="roictrl",
    )


def _peer(name: str, title: str, choices: Mapping[str, tuple], **settings: Any) -> Method:
    """What other packs do, made anew."""
    return Method(
        name,
        title,
        peers.prepare,
        base_parts,
        base_files,
        trained=False,
        choices={"text": ("captions", "background"), **choices},
        first={"text": "captions", **settings},
    )


def _transformer(name: str, title: str, prepare: Callable, **more: Any) -> Method:
    """Without training, on the demo transformer."""
    maker = "python scripts/demo_transformer.py"
    return Method(name, title, prepare, transformer_parts, transformer_files, trained=False, maker=maker, **more)


def _roictrl_parts(places: Places) -> Parts:
    return with_adapter(base_parts(places), places.adapter)


def _roictrl_files(places: Places) -> tuple[Path, ...]:
    return *places.base, places.adapter


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

_ROI_PROMPTS = {
    "choices": {"global_weight": (0.0, 0.2, 0.4, 0.6), "end_percent": (0.4, 0.6, 0.8, 1.0)},
    "first": {"global_weight": 0.4, "end_percent": 1.0},
}
_OWN_PASSES = {
    "choices": {
        "own_pass": (0.4, 0.5, 0.6, 0.8),
        "own_patch": (0.0, 0.2, 0.3, 0.4),
        "own_margin": (0.0, 0.15, 0.3),
        "text": ("captions", "background"),
    },
    "first": {
        "own_pass": 0.5,
        "own_margin": 0.15,
        "own_patch": 0.3,
        "text": "background",
        "global_weight": 0.0,
        "end_percent": 1.0,
    },
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
        _peer("couple", "attention couple by masks", {}, base_ratio=0.0),
        _peer("regional", "regional prompting with a base ratio", {"base_ratio": (0.1, 0.2, 0.4)}, base_ratio=0.2),
        Method(
            "roi_prompts",
            "Apply ROI Prompts",
            roi_prompts,
            base_parts,
            base_files,
            roi_prompts_rows,
            trained=False,
            **_ROI_PROMPTS,
        ),
        Method(
            "roi_prompts_own",
            "Apply ROI Prompts, own passes",
            roi_prompts,
            base_parts,
            base_files,
            trained=False,
            **_OWN_PASSES,
        ),
        _transformer("transformer", "demo transformer, captions in the prompt", global_prompt, rows=global_prompts),
        _transformer(
            "transformer_roi_prompts",
            "demo transformer, Apply ROI Prompts",
            roi_prompts,
            **_ROI_PROMPTS,
        ),
        _transformer(
            "transformer_own",
            "demo transformer, Apply ROI Prompts, own passes",
            roi_prompts,
            **_OWN_PASSES,
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
            _roictrl_parts,
            _roictrl_files,
            **_ROICTRL,
            choices={"uncond_boxes": (NONE, PROMPT, OFF), "text": ("captions", NOTHING)},
        ),
        *(_cheaper(speed, speed, speed=speed) for speed in (BALANCED, FAST)),
        _cheaper("adaptive", "adaptive ROI size", adaptive_roi_size=True),
        Method(
            "roictrl_redo",
            "ROICtrl + check + 2 redos",
            roictrl,
            _roictrl_parts,
            _roictrl_files,
            paint=redone,
            first={**_ROICTRL["first"], "redos": 2},
            like="roictrl",
            beside="roictrl",
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
