"""GLIGEN-style box and text tokens (CVPR 2023) on the demo base: core's own modules, and the code of Apply GLIGEN.

Core's loader cannot build them for this base: it takes 64 channels per head, so none for a block of 32 channels
(or 8 heads when the tokens are 768 wide, but then it pads with 768 numbers where this CLIP's pooled text has 128).
The modules are therefore made here with the base's own head counts; `Gligen` and its PositionNet are core's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path

import comfy.model_patcher
import numpy as np
import torch
from comfy.gligen import GatedSelfAttentionDense, Gligen, PositionNet
from roictrl_pack.nodes.gligen import grounding
from roictrl_pack.nodes.patch.control import Control
from roictrl_pack.nodes.patch.hooks import attach
from roictrl_pack.nodes.patch.hosts import host_of
from roictrl_pack.nodes.patch.hosts.unet import UNet
from roictrl_pack.nodes.patch.memo import Memo
from roictrl_pack.nodes.patch.points import Points
from roictrl_pack.nodes.patch.roles import CAPTION
from roictrl_pack.roictrl_core.training.batches import Batch, BatchStream
from roictrl_pack.roictrl_core.training.losses import prediction_loss
from roictrl_pack.roictrl_core.training.objective import Losses, Objective
from safetensors.torch import load_file
from torch import Tensor

from .layouts import Case
from .prepare import Parts
from .rows import NODE, OtherRows, in_every_chunk, layout_of
from .sampling import Conditioned, encode


def new_gligen(unet, slots: int) -> Gligen:
    """A gated self-attention per text block of the UNet, in forward order; torch's default
    initialisation, gates at zero."""
    blocks = UNet(unet).blocks
    width = blocks[0].text_width
    fusers = [
        GatedSelfAttentionDense(block.channels, width, block.heads, block.channels // block.heads) for block in blocks
    ]
    network = Gligen(fusers, PositionNet(width, width), width)
    network.max_objs = slots
    for module in network.modules():  # core's layers leave their weights uninitialised
        if isinstance(module, torch.nn.Linear):
            torch.nn.Linear.reset_parameters(module)
        elif isinstance(module, torch.nn.LayerNorm):
            torch.nn.LayerNorm.reset_parameters(module)
    return network


def read_gligen(path: Path, model):
    """What core's GLIGEN Loader returns, for a base (a ModelPatcher)."""
    weights = load_file(path)
    network = new_gligen(model.model.diffusion_model, int(weights.pop("slots")))
    network.load_state_dict(weights)
    return comfy.model_patcher.ModelPatcher(
        network.eval().requires_grad_(False), model.load_device, model.offload_device
    )


def prepare(parts: Parts, case: Case, settings: Mapping) -> Conditioned:
    """Apply GLIGEN in all steps. uncond: "null" tokens as published, or the "same" boxes as core does by itself."""
    slots, method, _ = grounding(host_of(parts.model), parts.control, parts.clip, layout_of(case))
    if settings["uncond"] == "same":
        method = OtherRows(method, partial(in_every_chunk, role=CAPTION))
    model = attach(parts.model, Control(NODE, slots), method)
    return Conditioned(model, encode(parts.clip, case.text), encode(parts.clip, ""))


# ---- training --------------------------------------------------------------------------------------------------------
class PooledStream(BatchStream):
    """Instance captions as one vector each, [1, c]: CLIP's output at the end token, which core's GLIGEN nodes read."""

    def __init__(self, cache, clip, **settings) -> None:
        super().__init__(cache, **settings)
        self.clip = clip
        self._pooled = lru_cache(maxsize=None)(self._pool)

    def _pool(self, number: int) -> Tensor:
        tokens = [token for token, _ in self.clip.tokenize(self.cache.text(number))["l"][0]]
        end = tokens.index(tokens[-1])  # the text is padded with the end token
        return self.cache.embedding(number).tokens[end][None].float()

    def collate(self, samples) -> Batch:
        batch = super().collate(samples)
        numbers = np.unique(np.concatenate([sample.text[sample.text >= 0] for sample in samples]))
        return replace(batch, texts=tuple(self._pooled(int(number)) for number in numbers))


class GligenObjective(Objective):
    """The prediction loss alone: there is no blending to regularise."""

    def forward(self, batch: Batch) -> Losses:
        latents = self.scale(batch.latents)
        output = self.predict(batch, self.schedule.add_noise(latents, batch.noise, batch.timesteps))
        loss = prediction_loss(output, self.schedule.target(latents, batch.noise, batch.timesteps))
        return Losses(loss, loss, loss.new_zeros(()))


def predictor(unet, network: Gligen):
    """(batch, noisy latents) -> the UNet's raw output, each row with its own boxes."""
    host, install = UNet(unet), UNet.patching("roictrl.benchmark")

    def run(batch: Batch, noisy: Tensor) -> Tensor:
        tokens = network.position_net(*placed(batch, network.key_dim))
        points = Points(before=lambda h, spot: network.module_list[spot.block.number](h, tokens))
        size = (noisy.shape[0], *noisy.shape[-2:])
        options = install(host, {"cond_or_uncond": [0]}, points, size, Memo(), lambda code, **values: None)
        return unet(noisy, batch.timesteps, context=batch.context, transformer_options=options)

    return run


def placed(batch: Batch, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes [B, S, 4], masks [B, S] and text [B, S, width], as `Gligen` takes them."""
    instances = batch.instances
    text = batch.context.new_zeros(instances.rows, instances.slots, width)
    if instances.pairs:
        rows, slots = zip(*instances.pairs, strict=True)
        text[list(rows), list(slots)] = torch.cat(batch.instance_contexts)
    return instances.boxes, instances.token_mask.float(), text
