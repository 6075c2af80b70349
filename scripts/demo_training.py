"""What the demo's networks share in training: stages, data, averaged weights with checkpoints, several processes.

Import after ComfyUI is started.
"""

from __future__ import annotations

import argparse
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from demo_common import CACHE, Log, device
from devtools.pack import pack_module
from roictrl_core.files import write_atomically

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


Batch = tuple[torch.Tensor, torch.Tensor]  # latents [B, 4, h, w] and tokens [B, 77]


class Data:
    """Normalised latents and tokenised captions of a data set."""

    def __init__(self, name: str, size: int, counts: tuple[int, ...], statistics: Mapping):
        self.size = size
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

    def batch(self, rng: np.random.Generator, processes: int) -> Batch:
        """One process's part of a batch."""
        size = self.size // processes
        index = np.minimum(np.searchsorted(self.share, rng.uniform(size=size)), len(self.latents) - 1)
        tokens = self.tokens[index, rng.integers(self.tokens.shape[1], size=size)]
        tokens = np.where((rng.uniform(size=size) < CAPTION_DROPOUT)[:, None], self.empty, tokens)
        return torch.from_numpy(self.latents[index]).to(device()), torch.from_numpy(tokens.astype(np.int64)).to(
            device()
        )


def initialise(model: torch.nn.Module, is_last: Callable[[str], bool]) -> None:
    """torch's default initialisation, with zeros in the modules at the end of every residual branch."""
    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            torch.nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5))
            if module.bias is not None:
                torch.nn.init.zeros_(module.bias)
        elif isinstance(module, torch.nn.Embedding):
            torch.nn.init.normal_(module.weight, std=0.02)
        elif isinstance(module, (torch.nn.LayerNorm, torch.nn.GroupNorm, torch.nn.RMSNorm)):
            if module.weight is not None:
                torch.nn.init.ones_(module.weight)
            if getattr(module, "bias", None) is not None:
                torch.nn.init.zeros_(module.bias)
        if is_last(name):
            torch.nn.init.zeros_(module.weight)


def learning_rate(stage: Stage, step: int) -> float:
    late = max(0.0, (step / stage.steps - stage.decay_from) / max(1e-9, 1 - stage.decay_from))
    return stage.rate * min(1.0, (step + 1) / 100) * (0.02 + 0.98 * (1 + math.cos(math.pi * late)) / 2)


class Run:
    """Model, averaged weights and optimizer of a stage, with their checkpoint and log.

    The files in the cache folder begin with ``name``; ``first``: weights to begin with, unless there is a checkpoint.
    """

    def __init__(self, name: str, stage: Stage, model: torch.nn.Module, first: Path | None):
        self.name, self.stage, self.step, self.model = name, stage, 0, model.to(device())
        if first:
            self.model.load_state_dict(load_file(first))
        for parameter_name, parameter in self.model.named_parameters():
            parameter.requires_grad_(not parameter_name.startswith(stage.keeps))
        trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        self.optimizer = torch.optim.AdamW(trained, stage.rate, betas=(0.9, 0.99), weight_decay=0.01, fused=True)
        self.average = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.checkpoint = CACHE / f"{name}_checkpoint.pt"
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
            CACHE / f"{self.name}.safetensors",
            lambda p: save_file({k: v.contiguous() for k, v in self.average.items()}, p),
        )


def share_gradients(model: torch.nn.Module, processes: int) -> None:
    """The mean over processes, in one message."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= processes
    torch._foreach_copy_(
        gradients,
        [part.view_as(g) for part, g in zip(flat.split([g.numel() for g in gradients]), gradients, strict=True)],
    )


def train(
    run: Run,
    data: list[Data],
    loss_of: Callable[[torch.nn.Module, Batch, np.random.Generator], torch.Tensor],
    rank: int,
    processes: int,
) -> None:
    """All steps that are left; every process has its own part of each batch."""
    if processes > 1:
        torch.set_num_threads(1)
        dist.init_process_group("gloo", init_method="tcp://127.0.0.1:29577", rank=rank, world_size=processes)
    fields = ("step", "loss", "rate")
    log = Log(CACHE / f"{run.name}_log.csv", fields, run.stage.steps, run.step) if rank == 0 else None
    recent = []
    while run.step < run.stage.steps:
        rng = np.random.default_rng((SEED, run.step, rank))
        loss = loss_of(run.model, data[run.step % len(data)].batch(rng, processes), rng)
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


def run_stage(about: str, stages: Iterable[str], train_one: Callable[[int, int, str], None]) -> None:
    """The command line: a stage by its name, and ``train_one(rank, processes, stage)`` in every process."""
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("stage", choices=list(stages))
    parser.add_argument(
        "--processes", type=int, default=1, help="on a CPU, one per core is faster than one with all cores"
    )
    options = parser.parse_args()
    if options.processes > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        torch.multiprocessing.spawn(train_one, (options.processes, options.stage), options.processes)
    else:
        train_one(0, 1, options.stage)
