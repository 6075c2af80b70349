"""Trains the demo model's UNet and text encoder on the latents of demo_data.py.

    python scripts/demo_base.py STAGE [--processes 2]

Stages run one after the other, each from the weights of the one before: `small` (64-px pictures of one object:
a quarter of the cost, and the UNet has no positions that would bind it to a size), `train` (in turn those
and 128-px pictures of 1 to 6 objects, mostly few: what a single caption means is learned from single objects)
and `crowded` (128-px pictures alone, mostly of many objects, so that small objects near others become sharp;
the text encoder, the deepest level and the two blocks before it stay: they draw no detail, and git stores only what
of a file has changed if that is less than half).
Objective: v-prediction on SD's noise schedule, uniform timesteps, caption dropout.
Resumes from its last checkpoint. Writes base_STAGE.safetensors (the averaged weights, "unet." and "text." keys)
and base_STAGE_log.csv into the cache folder.
"""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import torch

from demo_common import CACHE, device, start
from devtools.pack import pack_module

start()
from demo_training import SEED, Batch, Data, Run, Stage, initialise, run_stage, train  # noqa: E402

KEPT = (
    "text.",
    *(f"unet.input_blocks.{n}." for n in range(7, 12)),
    "unet.middle_block.",
    *(f"unet.output_blocks.{n}." for n in range(3)),
)
STAGES = {
    "small": Stage((("small", 96),), 900, None, 1e-3, 1.0),
    "train": Stage((("train", 32), ("small", 64)), 14000, "small", 1e-3, 0.6),
    "crowded": Stage((("train", 32),), 7000, "train", 5e-4, 0.0, (1, 1, 2, 2, 3, 3), KEPT),
}


class Base(torch.nn.Module):
    """The UNet and the text encoder that are trained together."""

    def __init__(self):
        super().__init__()
        networks = pack_module("nodes.demo_model.networks")
        self.unet = networks.new_base_model().diffusion_model
        self.text = networks.DemoClipModel(dtype=torch.float32).clip_l.transformer
        self.requires_grad_(True)
        initialise(self, lambda name: name.endswith(("out_layers.3", "proj_out")) or name == "unet.out.2")

    def embed(self, tokens):
        """[B, 77] -> [B, 77, 128]. CLIPTextModel's forward without its in-place additions,
        which autograd cannot take back."""
        model = self.text.text_model
        x = model.embeddings(tokens)
        for layer in model.encoder.layers:
            x = x + self._attend(layer.self_attn, layer.layer_norm1(x))
            x = x + layer.mlp(layer.layer_norm2(x))
        return model.final_layer_norm(x)

    @staticmethod
    def _attend(attention, x):
        def heads(projection):
            return projection(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)  # [B, heads, 77, c]

        out = torch.nn.functional.scaled_dot_product_attention(
            heads(attention.q_proj), heads(attention.k_proj), heads(attention.v_proj), is_causal=True
        )
        return attention.out_proj(out.transpose(1, 2).flatten(2))

    def forward(self, noisy, timesteps, tokens):
        return self.unet(noisy, timesteps, context=self.embed(tokens), transformer_options={})


def noise_levels() -> torch.Tensor:
    """alpha-bar of SD's 1000 timesteps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def loss_of(levels: torch.Tensor, model: Base, batch: Batch, rng: np.random.Generator) -> torch.Tensor:
    """Mean squared error of v; timesteps stratified over the batch."""
    latents, tokens = batch
    size = len(latents)
    timesteps = torch.from_numpy(((np.arange(size) + rng.uniform(size=size)) / size * 1000).astype(np.int64)).to(
        latents.device
    )
    noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(latents.device)
    signal, spread = (f.view(-1, 1, 1, 1) for f in (levels[timesteps].sqrt(), (1 - levels[timesteps]).sqrt()))
    predicted = model(signal * latents + spread * noise, timesteps, tokens)
    return (predicted.float() - (signal * noise - spread * latents)).square().mean()


def train_stage(rank: int, processes: int, name: str) -> None:
    torch.manual_seed(SEED)
    stage, statistics = STAGES[name], json.loads((CACHE / "vae_statistics.json").read_text())
    first = CACHE / f"base_{stage.start}.safetensors" if stage.start else None
    run = Run(f"base_{name}", stage, Base(), first)
    data = [Data(*part, stage.counts, statistics) for part in stage.data]
    train(run, data, partial(loss_of, noise_levels().to(device())), rank, processes)


if __name__ == "__main__":
    run_stage(__doc__, STAGES, train_stage)
