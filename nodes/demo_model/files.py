"""The demo model's weight files, and what ComfyUI samples with from them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import comfy.model_management
import comfy.model_patcher
import comfy.sd
import comfy.supported_models_base
import torch

from ...roictrl_core.settings import object_of_json
from ...roictrl_core.weights_file import open_weights
from . import FOLDER
from .networks import DemoClipModel, DemoLatentFormat, new_base_model
from .tokenizer import DemoSD1Tokenizer


class Demo(NamedTuple):
    """What `load_demo` returns."""

    model: comfy.model_patcher.ModelPatcher
    clip: comfy.sd.CLIP
    vae: comfy.sd.VAE


def load_demo(folder: Path = FOLDER) -> Demo:
    """The demo model from a folder with base.safetensors (keys "unet." and "text.") and vae.safetensors.

    The VAE's metadata field "latents" holds what DemoLatentFormat takes, as JSON. Raises ValueError when a file is
    missing or another network's.
    """
    paths = {name: Path(folder) / f"{name}.safetensors" for name in ("base", "vae")}
    for path in paths.values():
        if not path.is_file():
            raise ValueError(
                f"{path.name} is missing from the pack's demo_model folder: install the pack "
                "again (git checkout), or train it with `python scripts/demo_train.py`."
            )
    base, _ = _read(paths["base"])
    vae, statistics = load_vae_file(paths["vae"])
    return Demo(load_model(part_of(base, "unet"), statistics), load_clip(part_of(base, "text")), vae)


def part_of(weights: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """The tensors under a prefix, without it."""
    return {key.removeprefix(f"{part}."): tensor for key, tensor in weights.items() if key.startswith(f"{part}.")}


def load_model(weights: dict[str, torch.Tensor], statistics: dict) -> comfy.model_patcher.ModelPatcher:
    """MODEL from UNet weights. Raises ValueError when they are another network's."""
    device, offload = comfy.model_management.get_torch_device(), comfy.model_management.unet_offload_device()
    base = new_base_model(statistics, device=offload)
    _load(base.diffusion_model, weights, "UNet")
    patcher = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return patcher(base, load_device=device, offload_device=offload)


def load_clip(weights: dict[str, torch.Tensor]) -> comfy.sd.CLIP:
    """CLIP from the text model's weights (keys as in CLIPTextModel)."""

    class Target(comfy.supported_models_base.ClipTarget):
        def __init__(self):
            super().__init__(DemoSD1Tokenizer, DemoClipModel)

    clip = comfy.sd.CLIP(
        Target(), parameters=sum(w.numel() for w in weights.values()), model_options={"dtype": torch.float32}
    )
    _load(clip.cond_stage_model.clip_l.transformer, weights, "text encoder")
    return clip


def load_vae_file(path: Path) -> tuple[comfy.sd.VAE, dict]:
    """VAE, through ComfyUI's own detection of TAESD, and what DemoLatentFormat takes.

    Raises ValueError with a sentence.
    """
    weights, metadata = _read(path)
    try:
        statistics = object_of_json(metadata.get("latents", ""))
        DemoLatentFormat(**statistics)
    except (ValueError, TypeError, RuntimeError):  # the last two: other fields, and other than four numbers
        raise ValueError(
            f"{path.name} does not say what its latents are like: restore the pack's demo_model folder."
        ) from None
    return comfy.sd.VAE(sd=weights), statistics


def _read(path: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    """A file's tensors and metadata. Raises ValueError with a sentence."""
    file = open_weights(path)
    return file.tensors(file.shapes), file.metadata


def _load(module: torch.nn.Module, weights: dict[str, torch.Tensor], name: str) -> None:
    missing, unexpected = module.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    if missing or unexpected:
        raise ValueError(
            f"the {name}'s weights do not fit "
            f"({len(missing)} missing, {len(unexpected)} unknown keys): restore the pack's demo_model folder."
        )
