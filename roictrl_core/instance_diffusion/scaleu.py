"""ScaleU: learned gains on the decoder feature and on the lowest frequencies of the skip feature.

docs/instance_diffusion.md section 7.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor


def scale_decoder(h: Tensor, gain: Tensor, strength: float = 1.0) -> Tensor:
    """Multiply each channel of the decoder feature by 1 + strength tanh(gain).

    h [B, C, H, W], gain [C] -> [B, C, H, W]. Computed in float32, returned in h's dtype. strength 1 is as published.
    """
    factor = 1 + strength * torch.tanh(gain.to(h.device, torch.float32))  # [C]
    return (h.float() * factor[:, None, None]).to(h.dtype)


def scale_skip(skip: Tensor, gain: Tensor, strength: float = 1.0) -> Tensor:
    """Multiply the four lowest frequencies (-1, 0 per axis) of the skip feature by 1 + strength
    tanh(gain), real part kept.

    skip [B, C, H, W] of any size, gain [1] -> [B, C, H, W]. Computed in float32, returned in skip's dtype.
    The window is not symmetric around frequency 0, so the filter's real part is not a mere low-pass.
    """
    x = skip.float()
    extra = strength * torch.tanh(gain.to(skip.device, torch.float32))  # [1]
    return (x + extra * _lowest_frequencies(x)).to(skip.dtype)


def _lowest_frequencies(x: Tensor) -> Tensor:
    """Real part of x restricted to the frequencies {-1, 0} x {-1, 0}: [B, C, H, W] -> [B, C, H, W].

    With a, b the phase differences along y and x this is the mean of x' (1 + cos a + cos b + cos(a + b)); by the
    addition theorems it needs only nine inner products per channel with 1, cos and sin of each axis: no FFT.
    """
    height, width = x.shape[-2:]
    rows, columns = _basis(height, x), _basis(width, x)  # [3, H], [3, W]: 1, cos, sin
    t = rows @ (x @ columns.T) / (height * width)  # [B, C, 3, 3]
    one, cos, sin = range(3)
    mix = torch.empty_like(t)
    mix[..., one, :] = t[..., one, :]  # 1 and cos b
    mix[..., cos, one], mix[..., sin, one] = t[..., cos, one], t[..., sin, one]  # cos a
    mix[..., cos, cos] = t[..., cos, cos] - t[..., sin, sin]  # cos(a + b)
    mix[..., sin, sin] = t[..., sin, sin] - t[..., cos, cos]
    mix[..., cos, sin] = mix[..., sin, cos] = t[..., cos, sin] + t[..., sin, cos]
    return rows.T @ mix @ columns  # [B, C, H, W]


def _basis(size: int, like: Tensor) -> Tensor:
    """1, cos and sin of one period over an axis: [3, size]. An axis of length 1 has only frequency 0."""
    phase = torch.arange(size, device=like.device, dtype=like.dtype) * (2 * math.pi / size)
    wave = torch.stack([torch.ones_like(phase), phase.cos(), phase.sin()])
    if size == 1:
        wave[1:] = 0
    return wave
