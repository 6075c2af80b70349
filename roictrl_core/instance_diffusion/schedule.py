"""When the fusers are on and the published PLMS noise levels (docs/instance_diffusion.md sections 5 and 8.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

TRAINING_STEPS = 1000
_BETA_START, _BETA_END = 0.00085, 0.012


def alpha_schedule(steps: int, alpha: float) -> list[float]:
    """The fusers' scale at each of `steps` steps: 1 for the first int(alpha * steps), then 0."""
    on = int(alpha * steps)
    return [1.0 if step < on else 0.0 for step in range(steps)]


def plms_timesteps(steps: int) -> list[int]:
    """Training timesteps of the published sampler, descending: 1 + k * (1000 // steps).

    Raises ValueError outside 1..999 steps.
    """
    if not 1 <= steps < TRAINING_STEPS:
        raise ValueError(
            f"InstanceDiffusion: {steps} steps are not possible; choose between 1 and {TRAINING_STEPS - 1}."
        )
    stride = TRAINING_STEPS // steps
    return [1 + k * stride for k in reversed(range(steps))]


def training_sigmas() -> list[float]:
    """Sigma of each of SD1.5's 1000 training timesteps: betas linear in their square roots."""
    betas = np.linspace(_BETA_START**0.5, _BETA_END**0.5, TRAINING_STEPS) ** 2
    kept = np.cumprod(1.0 - betas)  # alpha bar
    return np.sqrt((1.0 - kept) / kept).tolist()


def plms_sigmas(steps: int, table: Sequence[float] | None = None) -> list[float]:
    """steps + 1 noise levels. The last is that of timestep 0 (0.0292 for SD1.5), not 0: some noise stays, as published.

    table: the model's own sigma per training timestep; SD1.5's when left out.
    """
    table = training_sigmas() if table is None else table
    return [float(table[t]) for t in [*plms_timesteps(steps), 0]]


def noised(noise, sigma: float):
    """Starting latent in sigma space for unit noise: the published start has variance 1
    before the change of variables."""
    return noise * math.sqrt(1.0 + sigma**2)


def as_latent(x, sigma: float):
    """A sigma-space latent at level `sigma` as the latent that the published sampler hands to the VAE."""
    return x / math.sqrt(1.0 + sigma**2)
