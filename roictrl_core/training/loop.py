"""The training loop: one optimiser step after another, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .batches import Batch, BatchStream
from .checkpoints import RunState
from .objective import Losses
from .optimisation import LearningRate, optimiser_step, set_learning_rate

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class LoopSettings:
    """precision: a key of PRECISIONS; below fp32 the forward pass runs under autocast, weights and optimiser stay fp32.

    clip: largest gradient norm.  seed: of the fusers' dropout; samples have their own (batches.py).
    """

    rate: LearningRate
    precision: str = "fp32"
    clip: float = 1.0
    seed: int = 0


class Report(NamedTuple):
    """step: optimiser steps done.  losses: [3] total, prediction, regulariser, on the device.
    norm: before clipping."""

    step: int
    losses: Tensor
    norm: Tensor
    learning_rate: float


def make_scaler(device: torch.device | str, precision: str) -> torch.amp.GradScaler:
    """fp16 needs its small gradients scaled; the others do not."""
    return torch.amp.GradScaler(torch.device(device).type, enabled=precision == "fp16")


def training_steps(
    objective: nn.Module,
    stream: BatchStream,
    state: RunState,
    settings: LoopSettings,
    *,
    start: int,
    device: torch.device,
) -> Iterator[Report]:
    """Train from optimiser step `start` (from 0) to the last; yields after each.

    objective: an `Objective`, or DistributedDataParallel around one.
    Every step's random numbers depend on (seed, step, rank) alone, so a resumed run needs no state of a generator.
    """
    for step in range(start, settings.rate.steps):
        torch.manual_seed(_step_seed(settings.seed, step, stream.rank))
        rate = set_learning_rate(state.optimizer, settings.rate, step)
        losses = _micro_losses(objective, stream, step, settings.precision, device)
        means, norm = optimiser_step(losses, stream.accumulation, state.optimizer, state.scaler, settings.clip)
        if state.average is not None:
            state.average.update(step)
        yield Report(step + 1, means, norm, rate)


def _micro_losses(
    objective: nn.Module, stream: BatchStream, step: int, precision: str, device: torch.device
) -> Iterator[Callable[[], Losses]]:
    """One function per micro-batch. DDP exchanges gradients in the backward pass of the last one only."""
    for number, batch in enumerate(stream.step(step), 1):
        last = number == stream.accumulation
        yield lambda batch=batch, last=last: _forward(objective, batch.to(device), precision, last)


def _forward(objective: nn.Module, batch: Batch, precision: str, exchange: bool) -> Losses:
    # DDP decides in its forward whether the backward that follows exchanges gradients.
    shared = isinstance(objective, nn.parallel.DistributedDataParallel)
    keep = objective.no_sync() if shared and not exchange else nullcontext()
    with keep, torch.autocast(batch.latents.device.type, PRECISIONS[precision], enabled=precision != "fp32"):
        return objective(batch)


def _step_seed(seed: int, step: int, rank: int) -> int:
    return (seed * 1_000_003 + step * 1_009 + rank) % (1 << 63)
