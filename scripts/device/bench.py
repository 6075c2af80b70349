"""A random SD1.5 with boxes, as the stages that measure have it."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

import torch

import bench_speeds
from bench_unet import random_adapter, random_layout, unet_config
from devtools import tiny_models
from devtools.pack import pack_module

from .start import fresh_memory

FULL, SMALL = 320, 32  # model channels
GATE = 0.8


@dataclass(frozen=True)
class Bench:
    """device: cpu, in float32, or cuda, in float16.  conds: positive and negative."""

    device: str
    unet: dict
    model: Any
    clip: Any
    adapter: Any
    conds: tuple

    @classmethod
    def of(cls, options: Namespace) -> Bench:
        """At SD1.5's width, or the small one."""
        unet, dtype = unet_config(SMALL if options.small else FULL), dtype_of(options.device)
        model = on_device(tiny_models.sd15_model(unet, dtype=dtype))
        clip = tiny_models.clip(unet["context_dim"])
        conds = tuple(clip.encode_from_tokens_scheduled(clip.tokenize(text)) for text in ("a photo", "blurry"))
        return cls(options.device, unet, model, clip, opened(random_adapter(unet, dtype)), conds)

    def with_boxes(self, size: int, count: int, adapter=None, **settings):
        """The model with so many boxes; settings: of Apply ROICtrl."""
        node = pack_module("nodes.apply").ApplyROICtrl
        return node.execute(self.model, adapter or self.adapter, self.clip, random_layout(size, count), **settings)[0]

    def steps(self, model, size: int, count: int, fresh: bool = True) -> tuple[list[float], str]:
        """(seconds of every step of a picture, the allocator's peak in GB or "-").

        fresh: nothing is loaded before; the first step's seconds hold the loading.  Raises torch.cuda.OutOfMemoryError.
        """
        if fresh:
            fresh_memory(self.device)
        with torch.inference_mode():
            times, _ = bench_speeds.steps(model, self.conds, (1, 4, size // 8, size // 8), count)
        return times, peak(self.device)


def opened(adapter):
    """The same with its gates open, so that boxes show in the picture."""
    for name, parameter in adapter.model.named_parameters():
        if ".alpha_" in name:
            torch.nn.init.constant_(parameter, GATE)
    return adapter


def on_device(model):
    """A ModelPatcher for the device as ComfyUI names it: with its number, as the adapter's has it."""
    import comfy.model_management

    return tiny_models.patcher(model, str(comfy.model_management.get_torch_device()))


def dtype_of(device: str) -> torch.dtype:
    """What is sampled in."""
    return torch.float16 if device == "cuda" else torch.float32


def peak(device: str) -> str:
    """The allocator's, in GB; a CPU has none to ask."""
    return f"{torch.cuda.max_memory_allocated() / 1e9:.2f}" if device == "cuda" else "-"
