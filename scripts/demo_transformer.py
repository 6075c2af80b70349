"""Trains the demo transformer, a small DiT of Anima's kind, on the latents of demo_data.py.

    python scripts/demo_data.py small_8k train_4k --vae demo_model/vae.safetensors
    python scripts/demo_transformer.py small && python scripts/demo_transformer.py train [--processes 2]

Texts are encoded by the demo model's own text encoder, which stays as it is.  Objective: rectified flow, noise levels
from a logistic normal distribution (SD3, arXiv 2403.03206), caption dropout.  Stages as in demo_base.py.
Resumes from its last checkpoint.  Writes transformer_STAGE.safetensors (averaged weights) and transformer_STAGE_log.csv
into the cache folder, and what the benchmark reads (`dev.py bench`).
"""

from __future__ import annotations

import numpy as np
import torch

from demo_common import CACHE, device, start
from devtools.pack import ROOT, load_pack, pack_module

start()
load_pack()
from safetensors.torch import load_file, save_file  # noqa: E402

from benchmark.places import BASE, TRANSFORMER, digest  # noqa: E402
from demo_base import Base  # noqa: E402
from demo_training import SEED, Batch, Data, Run, Stage, initialise, run_stage, train  # noqa: E402
from devtools.transformer import STEPS_OF_TIME, new_transformer  # noqa: E402
from roictrl_core.files import write_atomically  # noqa: E402

DEMO = ROOT / "demo_model"
STAGES = {
    "small": Stage((("small_8k", 64),), 1500, None, 1e-3, 1.0),
    "train": Stage((("train_4k", 32), ("small_8k", 64)), 1600, "small", 1e-3, 0.3),
}
LAST = ("adaln_modulation_self_attn.2", "adaln_modulation_cross_attn.2", "adaln_modulation_mlp.2", "linear_2")


class Transformer(torch.nn.Module):
    """The network that is trained."""

    def __init__(self):
        super().__init__()
        self.dit = new_transformer().diffusion_model
        self.requires_grad_(True)
        initialise(self, lambda name: name.endswith(LAST) or name == "dit.final_layer.linear")

    def forward(self, noisy: torch.Tensor, times: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """The velocity [B, 4, h, w] at times [B] in 0..1; text [B, 77, 128]."""
        return self.dit(noisy[:, :, None], times * STEPS_OF_TIME, text)[:, :, 0]


class Loss:
    """Mean squared error of the velocity."""

    def __init__(self) -> None:
        self.base = Base().to(device())
        self.base.load_state_dict({k: v.float() for k, v in load_file(DEMO / "base.safetensors").items()})

    def __call__(self, model: Transformer, batch: Batch, rng: np.random.Generator) -> torch.Tensor:
        latents, tokens = batch
        with torch.no_grad():
            text = self.base.embed(tokens)
        times = torch.from_numpy(1 / (1 + np.exp(-rng.standard_normal(len(latents), np.float32)))).to(latents)
        noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(latents)
        at = times.view(-1, 1, 1, 1)
        predicted = model((1 - at) * latents + at * noise, times, text)
        return (predicted.float() - (noise - latents)).square().mean()


def train_stage(rank: int, processes: int, name: str) -> None:
    torch.manual_seed(SEED)
    torch.set_float32_matmul_precision("high")  # TF32, on a GPU
    stage = STAGES[name]
    statistics = pack_module("nodes.demo_model.files").load_vae_file(DEMO / "vae.safetensors")[1]
    first = CACHE / f"transformer_{stage.start}.safetensors" if stage.start else None
    run = Run(f"transformer_{name}", stage, Transformer(), first)
    data = [Data(*part, stage.counts, statistics) for part in stage.data]
    train(run, data, Loss(), rank, processes)
    if rank == 0 and name == "train":
        publish(run)


def publish(run: Run) -> None:
    """The averaged weights, in half precision, for the benchmark, which wants to know whose texts they read."""
    path = CACHE / "benchmark" / "trained" / TRANSFORMER / "weights.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name.removeprefix("dit."): tensor.half().contiguous() for name, tensor in run.average.items()}
    about = {BASE: digest(DEMO / "base.safetensors"), "stage": run.name, "training_steps": str(run.step)}
    write_atomically(path, lambda file: save_file(weights, file, about))


if __name__ == "__main__":
    run_stage(__doc__, STAGES, train_stage)
