"""A demo model with random weights, for tests of what runs on it. Needs ComfyUI and the pack."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from . import tiny_models
from .pack import pack_module

GRIDS, SLOTS = (8, 6, 4, 2), 10
CONTRAST = 8.0


def write_demo(folder: Path) -> Path:
    """base.safetensors and vae.safetensors, as `load_demo` reads them."""
    from comfy.taesd.taesd import TAESD

    networks = pack_module("nodes.demo_model.networks")
    unet = tiny_models.randomize(networks.new_base_model().diffusion_model).state_dict()
    text = tiny_models.randomize(networks.DemoClipModel(dtype=torch.float32).clip_l.transformer).state_dict()
    unet["out.2.weight"].mul_(CONTRAST)  # a random UNet's output is faint
    save_file(
        {**{f"unet.{k}": v for k, v in unet.items()}, **{f"text.{k}": v.clone() for k, v in text.items()}},
        folder / "base.safetensors",
    )
    statistics, vae = json.dumps({"mean": [0.0] * 4, "std": [1.0] * 4}), tiny_models.randomize(TAESD())
    with torch.no_grad():  # grey with a contrast that shows small differences, where chance may draw all black
        vae.taesd_decoder[-1].weight.mul_(CONTRAST)
        vae.taesd_decoder[-1].bias.fill_(0.5)
    save_file(vae.state_dict(), folder / "vae.safetensors", {"latents": statistics})
    return folder


def write_adapter(path: Path, seed: int = 2, steps: int = 3) -> Path:
    """An adapter for it, its gates open."""
    config = pack_module("roictrl_core.config").AdapterConfig.for_unet(
        pack_module("nodes.demo_model.networks").UNET_CONFIG, grids=GRIDS, slots=SLOTS
    )
    weights = tiny_models.randomize(pack_module("roictrl_core.adapter").ROICtrlAdapter(config), seed).state_dict()
    weights.update({key: torch.tensor(0.8) for key in weights if ".alpha_" in key})
    pack_module("roictrl_core.checkpoint").save_adapter(path, config, weights, {"training_steps": str(steps)})
    return path


def write_cache(folder: Path, clip, pictures: int = 6, side: int = 8) -> Path:
    """A training cache of random latents `side` cells wide, with the demo world's boxes and captions."""
    from demo_world.captions import instance_caption
    from demo_world.world import normalised_boxes, random_scene

    cache, generator = pack_module("roictrl_core.training.cache"), torch.Generator().manual_seed(0)
    writer = cache.CacheWriter(folder)
    for index in range(pictures):
        scene = random_scene((1, index), 1 + index % 3)
        captions = [instance_caption(thing.attributes) for thing in scene.things]
        writer.add(
            torch.randn(4, side, side, generator=generator), normalised_boxes(scene), [", ".join(captions)], captions
        )
    finish_cache(writer, clip)
    return folder


@torch.no_grad()
def finish_cache(writer, clip) -> None:
    """Encodes the texts of a `CacheWriter` as its model's CLIP does."""
    embedding = pack_module("roictrl_core.training.cache").Embedding
    writer.finish(lambda texts: [embedding(clip.encode_from_tokens(clip.tokenize(text))[0]) for text in texts])
