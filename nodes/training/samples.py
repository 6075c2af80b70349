"""Sample pictures in the middle of a run: the ordinary sampling path, with the adapter as it is now."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import comfy.sample
import torch
from PIL import Image
from torch import Tensor

from ...roictrl_core.checkpoint import AdapterFile
from ...roictrl_core.config import AdapterConfig
from ...roictrl_core.drawing import draw_layout
from ...roictrl_core.layout import Instance, Layout
from ...roictrl_core.training.cache import DROPPED, Embedding, TrainingCache
from ..patch.control import Control, Slot, Text
from ..patch.hooks import attach
from ..patch.methods.roictrl import ROICtrl
from ..weights import adapter_patcher

SMALLEST_TILE = 384  # pixels: captions must be readable on the pictures of small models
SAMPLER, SCHEDULER = "dpmpp_2m", "normal"


@dataclass(frozen=True)
class SampleSettings:
    """rows: cache rows whose layouts and captions are drawn.  size: pixels, (width, height)."""

    rows: tuple[int, ...]
    size: tuple[int, int]
    steps: int = 20
    guidance: float = 4.0
    seed: int = 0


def sample_grid(
    model,
    vae,
    cache: TrainingCache,
    config: AdapterConfig,
    weights: dict[str, Tensor],
    settings: SampleSettings,
    node: str,
) -> Image.Image:
    """Two lines of pictures with their boxes: the training pictures above, samples from their captions below."""
    patcher = adapter_patcher(AdapterFile(config, weights, {}, node))
    method = ROICtrl(patcher.model, patcher)
    tiles: list[tuple[Image.Image, Image.Image]] = []
    for number, index in enumerate(settings.rows):
        row = cache.row(index)
        captions = [cache.text(int(text)) for text in row.instance_text][: config.slots]
        boxes = row.boxes.tolist()[: config.slots]
        layout = Layout(
            *settings.size,
            tuple(Instance(tuple(box), text) for box, text in zip(boxes, captions, strict=True)),
        )
        slots = tuple(
            Slot(
                name=text,
                box=instance.box,
                strength=1.0,
                window=(0.0, 1.0),
                enabled=True,
                caption=Text(cache.embedding(int(row.instance_text[i])).tokens.float()),
            )
            for i, (text, instance) in enumerate(zip(captions, layout.instances, strict=True))
        )
        patched = attach(model, Control(node, slots), method) if slots else model
        latents = _sample(
            patched, cache, int(row.global_text[0]), row.latents[:1].float(), settings, settings.seed + number
        )
        tiles.append(tuple(_tile(vae, picture, layout) for picture in (row.latents[:1].float(), latents)))
    return join(tiles)


def _sample(model, cache: TrainingCache, text: int, like: Tensor, settings: SampleSettings, seed: int) -> Tensor:
    """Latents [1, C, h, w], before the model's scaling."""
    noise = comfy.sample.prepare_noise(like, seed)
    positive, negative = (_conditioning(cache.embedding(number)) for number in (text, DROPPED))
    return comfy.sample.sample(
        model,
        noise,
        settings.steps,
        settings.guidance,
        SAMPLER,
        SCHEDULER,
        positive,
        negative,
        torch.zeros_like(like),
        seed=seed,
        disable_pbar=True,
    )


def _conditioning(embedding: Embedding) -> list:
    """A ComfyUI CONDITIONING of one text."""
    pooled = {} if embedding.pooled is None else {"pooled_output": embedding.pooled[None].float()}
    return [[embedding.tokens[None].float(), pooled]]


def _tile(vae, latents: Tensor, layout: Layout) -> Image.Image:
    pixels = vae.decode(latents)[0].clamp(0, 1)  # [H, W, 3]
    picture = Image.fromarray((pixels.float() * 255).round().to(torch.uint8).cpu().numpy())
    factor = math.ceil(SMALLEST_TILE / max(picture.size))
    picture = (
        picture.resize((picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC)
        if factor > 1
        else picture
    )
    return draw_layout(layout, picture)


def join(tiles: Sequence[tuple[Image.Image, ...]], gap: int = 6) -> Image.Image:
    """Columns of equally large pictures, side by side on white."""
    width, height = tiles[0][0].size
    grid = Image.new("RGB", (len(tiles) * (width + gap) - gap, len(tiles[0]) * (height + gap) - gap), "white")
    for x, column in enumerate(tiles):
        for y, picture in enumerate(column):
            grid.paste(picture, (x * (width + gap), y * (height + gap)))
    return grid
