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

import argparse
import json
import math
import os
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist

from demo_common import CACHE, Log, device, start
from devtools.pack import pack_module

start()
from safetensors.torch import load_file, save_file  # noqa: E402

from roictrl_core.files import write_atomically  # noqa: E402

SEED = 40
CAPTION_DROPOUT = 0.1
EMA = 0.998
CHECKPOINT_EVERY = 250  # steps
LOG_EVERY = 50


@dataclass(frozen=True)
class Stage:
    data: tuple[tuple[str, int], ...]  # data sets, taken in turn step by step, and their batch over all processes
    steps: int
    start: str | None  # the stage whose weights it begins with
    rate: float
    decay_from: float  # fraction of the steps after which the rate falls (cosine, to a fiftieth)
    counts: tuple[int, ...] = (6, 5, 4, 2, 2, 1)  # how often pictures of 1, 2, ... instances are shown
    keeps: tuple[str, ...] = ()  # beginnings of the names of weights that it leaves as they are


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

    def initialise(self) -> None:
        """torch's default initialisation, with zeros at the end of every residual branch."""
        for name, module in self.named_modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
                torch.nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
                if module.bias is not None:
                    torch.nn.init.zeros_(module.bias)
            elif isinstance(module, torch.nn.Embedding):
                torch.nn.init.normal_(module.weight, std=0.02)
            elif isinstance(module, (torch.nn.LayerNorm, torch.nn.GroupNorm)):
                torch.nn.init.ones_(module.weight)
                torch.nn.init.zeros_(module.bias)
            if name.endswith(("out_layers.3", "proj_out")) or name == "unet.out.2":
                torch.nn.init.zeros_(module.weight)

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


class Data:
    """Normalised latents and tokenised captions of a data set."""

    def __init__(self, name: str, size: int, counts: tuple[int, ...]):
        self.size = size
        statistics = json.loads((CACHE / "vae_statistics.json").read_text())
        mean, std = (np.array(statistics[k], np.float32)[None, :, None, None] for k in ("mean", "std"))
        self.latents = ((np.load(CACHE / f"{name}_latents.npy") - mean) / std).astype(np.float32)
        with open(CACHE / f"{name}_captions.jsonl") as file:
            rows = [json.loads(line) for line in file]
        weights = np.array([counts[len(row["instances"]) - 1] for row in rows], np.float64)
        self.share = np.cumsum(weights / weights.sum())
        encode = pack_module("nodes.demo_model.tokenizer").DemoTokenizer()

        def tokens(text):
            chunks = encode.tokenize_with_weights(text)
            return [token for token, _ in chunks[0]]

        self.tokens = np.array(
            [[tokens(text) for text in row] for row in (row["captions"] for row in rows)], np.int16
        )  # [n, wordings, 77]
        self.empty = np.array(tokens(""), np.int16)

    def batch(self, rng: np.random.Generator, processes: int):
        """One process's part of a batch: latents [B, 4, h, w] and tokens [B, 77]."""
        size = self.size // processes
        index = np.minimum(np.searchsorted(self.share, rng.uniform(size=size)), len(self.latents) - 1)
        tokens = self.tokens[index, rng.integers(self.tokens.shape[1], size=size)]
        tokens = np.where((rng.uniform(size=size) < CAPTION_DROPOUT)[:, None], self.empty, tokens)
        return torch.from_numpy(self.latents[index]).to(device()), torch.from_numpy(tokens.astype(np.int64)).to(
            device()
        )


def noise_levels() -> torch.Tensor:
    """alpha-bar of SD's 1000 timesteps."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0).float()


def loss_of(
    model: Base, levels: torch.Tensor, latents: torch.Tensor, tokens: torch.Tensor, rng: np.random.Generator
) -> torch.Tensor:
    """Mean squared error of v; timesteps stratified over the batch."""
    size = len(latents)
    timesteps = torch.from_numpy(((np.arange(size) + rng.uniform(size=size)) / size * 1000).astype(np.int64)).to(
        latents.device
    )
    noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(latents.device)
    signal, spread = (f.view(-1, 1, 1, 1) for f in (levels[timesteps].sqrt(), (1 - levels[timesteps]).sqrt()))
    predicted = model(signal * latents + spread * noise, timesteps, tokens)
    return (predicted.float() - (signal * noise - spread * latents)).square().mean()


def learning_rate(stage: Stage, step: int) -> float:
    late = max(0.0, (step / stage.steps - stage.decay_from) / max(1e-9, 1 - stage.decay_from))
    return stage.rate * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * (1 + math.cos(math.pi * late)) / 2)


class Run:
    """Model, averaged weights and optimizer of a stage, with their checkpoint."""

    def __init__(self, name: str):
        torch.manual_seed(SEED)
        self.name, self.stage, self.step = name, STAGES[name], 0
        self.model = Base().to(device())
        self.model.initialise()
        if self.stage.start:
            self.model.load_state_dict(load_file(CACHE / f"base_{self.stage.start}.safetensors"))
        for parameter_name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not parameter_name.startswith(self.stage.keeps))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, self.stage.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.checkpoint = CACHE / f"base_{name}_checkpoint.pt"
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, weights_only=True, map_location=device())
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.step = state["average"], state["step"]

    def update(self) -> None:
        """One optimizer step on the gradients, which all processes share by then."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.stage, self.step)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        keep = min(EMA, self.step / (self.step + 10))
        floats = [(self.average[k], v) for k, v in self.model.state_dict().items()]
        torch._foreach_lerp_([a for a, _ in floats], [v.detach() for _, v in floats], 1 - keep)

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
        }
        write_atomically(self.checkpoint, lambda p: torch.save(state, p))
        write_atomically(
            CACHE / f"base_{self.name}.safetensors",
            lambda p: save_file({k: v.contiguous() for k, v in self.average.items()}, p),
        )


def share_gradients(model: Base, processes: int) -> None:
    """The mean over processes, in one message."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= processes
    torch._foreach_copy_(
        gradients,
        [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)],
    )


def train(rank: int, processes: int, name: str) -> None:
    if processes > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29577", rank=rank, world_size=processes)
    run, levels = Run(name), noise_levels().to(device())
    data = [Data(*part, run.stage.counts) for part in run.stage.data]
    log = (
        Log(CACHE / f"base_{name}_log.csv", ("step", "loss", "rate"), run.stage.steps, run.step) if rank == 0 else None
    )
    recent = []
    while run.step < run.stage.steps:
        rng = np.random.default_rng((SEED, run.step, rank))
        loss = loss_of(run.model, levels, *data[run.step % len(data)].batch(rng, processes), rng)
        loss.backward()
        if processes > 1:
            share_gradients(run.model, processes)
        run.update()
        recent.append(loss.item())
        if rank == 0 and run.step % LOG_EVERY == 0:
            log.row(run.step, step=run.step, loss=float(np.mean(recent)), rate=learning_rate(run.stage, run.step - 1))
            recent = []
        if rank == 0 and (run.step % CHECKPOINT_EVERY == 0 or run.step == run.stage.steps):
            run.save()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=list(STAGES))
    parser.add_argument(
        "--processes", type=int, default=1, help="on a CPU, one per core is faster than one with all cores"
    )
    arguments = parser.parse_args()
    if arguments.processes > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.multiprocessing.spawn(train, (arguments.processes, arguments.stage), arguments.processes)
    else:
        train(0, 1, arguments.stage)


if __name__ == "__main__":
    main()
