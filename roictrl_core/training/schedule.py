"""The noise schedule of a variance-preserving base, and what its UNet is trained to predict."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

PREDICTIONS = ("eps", "v")


@dataclass(frozen=True)
class NoiseSchedule:
    """x_t = signal[t] * x_0 + noise[t] * eps, with signal^2 + noise^2 = 1 (DDPM, arXiv 2006.11239, eq. 4).

    signal, noise: [N] float32, N timesteps, noise growing.  prediction: "eps", or "v" = signal * eps - noise * x_0
    (progressive distillation, arXiv 2202.00512, appendix D).
    """

    signal: Tensor
    noise: Tensor
    prediction: str

    def __post_init__(self) -> None:
        if self.prediction not in PREDICTIONS:
            raise ValueError(f"prediction is {self.prediction!r}; the trainer knows {' and '.join(PREDICTIONS)}")

    @classmethod
    def from_sigmas(cls, sigmas: Tensor, prediction: str) -> NoiseSchedule:
        """sigmas [N] = noise / signal per timestep, as ComfyUI's discrete model sampling keeps them."""
        sigmas = sigmas.detach().to("cpu", torch.float32)
        signal = torch.rsqrt(sigmas.square() + 1)
        return cls(signal, sigmas * signal, prediction)

    def __len__(self) -> int:
        return len(self.signal)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """latents, noise [B, C, h, w], timesteps [B] int64 -> noisy latents, the UNet's input."""
        signal, sigma = self._at(timesteps, latents)
        return signal * latents + sigma * noise

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the raw UNet output shall be: eps, or v."""
        if self.prediction == "eps":
            return noise
        signal, sigma = self._at(timesteps, latents)
        return signal * noise - sigma * latents

    def _at(self, timesteps: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
        pick = timesteps.to(self.signal.device)
        return tuple(t[pick].to(like).view(-1, 1, 1, 1) for t in (self.signal, self.noise))
