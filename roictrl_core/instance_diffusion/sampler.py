"""The published PLMS sampler and the Multi-Instance Sampler, free of any host.

docs/instance_diffusion.md sections 8.2 and 8.3.

A host supplies `model(x, sigma, step, branches) -> eps`: x [k, B, C, H, W] in sigma space (x / sqrt(alpha bar)), one
entry per branch; sigma the noise level; step the index of the step, which decides whether the fusers are on; branches
the k branch numbers, 0 for the whole picture and i for instance i alone. The result is the noise prediction after CFG,
shaped like x. All branches of a step come in one call, so the host may batch them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

History = tuple[Tensor, ...]
"""Up to three earlier noise predictions, newest first."""


class Model(Protocol):
    def __call__(self, x: Tensor, sigma: float, step: int, branches: Sequence[int]) -> Tensor: ...


Report = Callable[[int, float, Tensor, Tensor], None]
"""Called after the model of each step: step, sigma, x [k, B, C, H, W], eps [k, B, C, H, W]."""


def plms(
    model: Model,
    x: Tensor,
    sigmas: Sequence[float],
    branches: Sequence[int] = (0,),
    *,
    history: History = (),
    first: int = 0,
    last: int | None = None,
    report: Report | None = None,
) -> tuple[Tensor, History]:
    """Steps `first` up to `last` (excluded; all when None) of PLMS over steps + 1 `sigmas`: x -> (x, history).

    Without a history the first step averages two evaluations, so a whole run takes steps + 1 of them. (A run of one
    single step is the one case that differs from the published code, which then asks twice at timestep 1.)
    """
    for step in range(first, len(sigmas) - 1 if last is None else last):
        sigma, following = float(sigmas[step]), float(sigmas[step + 1])
        eps = model(x, sigma, step, branches)
        if report is not None:
            report(step, sigma, x, eps)
        if history or following == 0:
            direction = _multistep(eps, history)
        else:
            ahead = model(x + (following - sigma) * eps, following, step, branches)
            direction = (eps + ahead) / 2
        x = x + (following - sigma) * direction
        history = (eps, *history)[:3]
    return x, history


def _multistep(e: Tensor, history: History) -> Tensor:
    """Adams-Bashforth of order 1 to 4, by the history's length."""
    if len(history) == 0:
        return e
    if len(history) == 1:
        return (3 * e - history[0]) / 2
    if len(history) == 2:
        return (23 * e - 16 * history[0] + 5 * history[1]) / 12
    return (55 * e - 59 * history[0] + 37 * history[1] - 9 * history[2]) / 24


def alone_steps(steps: int, share: float) -> int:
    """How many steps the branches run alone: int(share * steps); 0.36 of 50 is 18. Published advice: share below 0.4.

    Raises ValueError for a share outside 0..1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"InstanceDiffusion: the multi-instance share is {share:g}; it must lie between 0 and 1.")
    return int(share * steps)


def multi_instance_plms(
    model: Model,
    x: Tensor,
    sigmas: Sequence[float],
    instances: int,
    share: float,
    *,
    report: Report | None = None,
) -> Tensor:
    """PLMS with the Multi-Instance Sampler: x [B, C, H, W] at sigmas[0] -> x at sigmas[-1].

    The whole picture and each of the n instances start from the same x and run the first steps alone, each with its own
    history; then their mean goes on with branch 0's conditioning and history. share 0 is plain PLMS.
    Costs (steps + 1) + n (alone + 1) evaluations.
    """
    alone = alone_steps(len(sigmas) - 1, share)
    branches = range(instances + 1) if alone else (0,)
    x = x.expand(len(branches), *x.shape)  # [k, B, C, H, W]
    x, history = plms(model, x, sigmas, branches, last=alone, report=report)
    history = tuple(eps[:1] for eps in history)
    x, _ = plms(model, x.mean(0, keepdim=True), sigmas, history=history, first=alone, report=report)
    return x[0]


def multi_instance(
    sample: Callable[[Tensor, Sequence[float], int, int], Tensor],
    x: Tensor,
    sigmas: Sequence[float],
    instances: int,
    share: float,
) -> Tensor:
    """The Multi-Instance Sampler around any sampler, which restarts without history on the remaining sigmas.

    sample(x, sigmas, first_step, branch) -> x runs one branch over a part of the schedule that begins at `first_step`.
    x [B, C, H, W] at sigmas[0] -> at sigmas[-1].
    """
    alone = alone_steps(len(sigmas) - 1, share)
    if alone:
        ends = [sample(x, sigmas[: alone + 1], 0, branch) for branch in range(instances + 1)]
        x = sum(ends[1:], ends[0]) / len(ends)
    return sample(x, sigmas[alone:], alone, 0) if alone < len(sigmas) - 1 else x
