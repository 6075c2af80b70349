"""What changes the weights: parameter groups, learning rate, one optimiser step, the moving average."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

GATE_PREFIX = "alpha_"


@dataclass(frozen=True)
class LearningRate:
    """Linear warm-up, flat, then a cosine down to `floor` times the peak over the last steps.

    decay_from: share 0..1 of the run at which the cosine begins; 1 = never.
    """

    peak: float
    steps: int
    warmup: int = 0
    decay_from: float = 1.0
    floor: float = 0.0

    def factor(self, step: int) -> float:
        """Learning rate of optimiser step `step` (from 0) as a multiple of the peak."""
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        begin = self.decay_from * self.steps
        if step < begin or begin >= self.steps:
            return 1.0
        progress = min((step - begin) / (self.steps - begin), 1.0)
        return self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * progress))


def parameter_groups(adapter: nn.Module, gate_factor: float, weight_decay: float) -> list[dict]:
    """Matrices with decay; vectors without; the tanh gates without decay and at `gate_factor` times the rate.

    Each group carries `factor`, its multiple of the run's learning rate.
    """
    groups: dict[str, list[nn.Parameter]] = {"matrices": [], "vectors": [], "gates": []}
    for name, parameter in adapter.named_parameters():
        gate = name.rsplit(".", 1)[-1].startswith(GATE_PREFIX)
        groups["gates" if gate else "matrices" if parameter.ndim > 1 else "vectors"].append(parameter)
    settings = {"matrices": (weight_decay, 1.0), "vectors": (0.0, 1.0), "gates": (0.0, gate_factor)}
    return [
        {"params": groups[kind], "weight_decay": decay, "factor": factor} for kind, (decay, factor) in settings.items()
    ]


def make_optimizer(
    adapter: nn.Module, rate: LearningRate, gate_factor: float = 1.0, weight_decay: float = 0.01
) -> torch.optim.AdamW:
    """AdamW, where possible fused: one kernel per step instead of a loop over tensors."""
    fused = next(adapter.parameters()).device.type in ("cpu", "cuda")
    return torch.optim.AdamW(
        parameter_groups(adapter, gate_factor, weight_decay), lr=rate.peak, betas=(0.9, 0.99), fused=fused
    )


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: LearningRate, step: int) -> float:
    """Set every group's rate for `step`; returns the run's own."""
    now = rate.peak * rate.factor(step)
    for group in optimizer.param_groups:
        group["lr"] = now * group["factor"]
    return now


def optimiser_step(
    losses: Iterable[Callable[[], tuple[Tensor, ...]]],
    accumulation: int,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    clip: float,
) -> tuple[Tensor, Tensor]:
    """Forward and backward of every micro-batch, then one update.

    losses: `accumulation` functions that run one micro-batch each and return (loss, parts to log ...), all scalars.
    Returns ([number of scalars] their means, gradient norm before clipping).
    """
    optimizer.zero_grad(set_to_none=True)
    sums = 0
    for compute in losses:
        scalars = compute()
        scaler.scale(scalars[0] / accumulation).backward()
        sums = sums + torch.stack([s.detach() for s in scalars])
    scaler.unscale_(optimizer)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(parameters, clip)
    scaler.step(optimizer)
    scaler.update()
    return sums / accumulation, norm


class MovingAverage:
    """Exponential moving average of the weights; its start follows the weights more closely (as in TF's warm-up)."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.parameters = dict(module.named_parameters())
        self.shadow = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """step: from 0, the optimiser step that was just done."""
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.shadow.values()), [p.detach() for p in self.parameters.values()], 1 - decay)
