"""Pictures through ComfyUI's own sampler. Import after ComfyUI is on sys.path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import comfy.sample
import numpy as np
import torch


@dataclass(frozen=True)
class Sampler:
    """What all methods share."""

    steps: int = 20
    name: str = "euler"
    scheduler: str = "normal"

    def to_dict(self) -> dict:
        return asdict(self)


class Conditioned(NamedTuple):
    """What a KSampler node takes."""

    model: Any
    positive: list
    negative: list


def encode(clip, text: str) -> list:
    """CLIP Text Encode."""
    return clip.encode_from_tokens_scheduled(clip.tokenize(text))


def encode_rows(clip, texts: Sequence[str]) -> list:
    """One conditioning of a batch, each row with its own text."""
    return [[torch.cat([encode(clip, text)[0][0] for text in texts]), {}]]


@torch.inference_mode()
def sample(vae, conditioned: Conditioned, size: int, cfg: float, sampler: Sampler, seeds: Sequence[int]) -> np.ndarray:
    """KSampler on an empty latent and VAE Decode: a picture per seed, uint8 [B, size, size, 3],
    each with its own seed's noise."""
    model, positive, negative = conditioned
    form = model.get_model_object("latent_format")
    frame = (1,) * (form.latent_dimensions - 2)  # of models whose latents have an axis of time
    latent = torch.zeros(1, form.latent_channels, *frame, size // 8, size // 8)
    noise = torch.cat([comfy.sample.prepare_noise(latent, seed) for seed in seeds])
    out = comfy.sample.sample(
        model,
        noise,
        sampler.steps,
        cfg,
        sampler.name,
        sampler.scheduler,
        positive,
        negative,
        torch.zeros_like(noise),
        seed=seeds[0],
        disable_pbar=True,
    )
    return as_bytes(vae.decode(out[:, :, 0] if frame else out))


@torch.inference_mode()
def round_trip(vae, picture: np.ndarray) -> np.ndarray:
    """A picture, uint8 [H, W, 3], through the VAE: what no method can surpass."""
    return as_bytes(vae.decode(vae.encode(torch.from_numpy(picture).float()[None] / 255))[0])


def as_bytes(picture: torch.Tensor) -> np.ndarray:
    """float [..., 3] in 0..1 -> uint8."""
    return (picture.clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()
