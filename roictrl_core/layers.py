"""The layers that the methods share; state-dict names are the published checkpoints'."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .attention import AttentionFunction, multi_head_attention

NORM_EPS = 1e-5
FEED_FORWARD_FACTOR = 4
FREQUENCY_BASE = 100.0


def fourier_features(coordinates: Tensor, frequencies: int) -> Tensor:
    """Fourier features of coordinates `[..., D]`, normalised to 0..1: `[..., frequencies * 2 * D]` float32.

    In the order [frequency][sin, cos][coordinate]; the i-th of n frequencies is 100^(i / n), without 2 pi. Float32
    whatever comes in: a 16-bit product loses the place (docs/roictrl.md section 5, docs/instance_diffusion.md
    section 2.3).
    """
    index = torch.arange(frequencies, dtype=torch.float32, device=coordinates.device)
    frequency = FREQUENCY_BASE ** (index / frequencies)  # [f]
    angle = coordinates.float()[..., None, :] * frequency[:, None]  # [..., f, D]
    return torch.stack([angle.sin(), angle.cos()], dim=-2).flatten(-3)  # [..., f, 2, D] -> [..., f * 2 * D]


def mlp(width: int, hidden: int, out: int, operations: Any = nn, **factory: Any) -> nn.Sequential:
    """Three linear layers with SiLU between them, `[..., width]` to `[..., out]`: how places become tokens."""
    first, second, third = (
        operations.Linear(i, o, **factory) for i, o in ((width, hidden), (hidden, hidden), (hidden, out))
    )
    return nn.Sequential(first, nn.SiLU(), second, nn.SiLU(), third)


class SelfAttention(nn.Module):
    """Attention over one sequence, diffusers' key names: to_q, to_k, to_v without bias, to_out.0 with.

    Args:
        operations: where the layers come from (`torch.nn`, or a host's own).
        attention: the kernel.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        dropout: float = 0.0,
        operations: Any = nn,
        attention: AttentionFunction = multi_head_attention,
        **factory: Any,
    ) -> None:
        super().__init__()
        self.heads, self.attention = heads, attention
        self.to_q = operations.Linear(channels, channels, bias=False, **factory)
        self.to_k = operations.Linear(channels, channels, bias=False, **factory)
        self.to_v = operations.Linear(channels, channels, bias=False, **factory)
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **factory), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        return self.attend(x, self.to_k(x), self.to_v(x))

    def attend(self, x: Tensor, keys: Tensor, values: Tensor, attention: AttentionFunction | None = None) -> Tensor:
        """Queries of x `[N, T, C]` on given keys and values `[N, L, C]`, by another kernel where one is given."""
        kernel = self.attention if attention is None else attention
        return self.to_out(kernel(self.to_q(x), keys, values, self.heads))


class GEGLU(nn.Module):
    """A linear layer gated by the exact GELU of its second half."""

    def __init__(self, channels: int, inner: int, operations: Any = nn, **factory: Any) -> None:
        super().__init__()
        self.proj = operations.Linear(channels, 2 * inner, **factory)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class FeedForward(nn.Module):
    """GEGLU feed-forward, inner width 4C; keys net.0.proj and net.2."""

    def __init__(self, channels: int, dropout: float = 0.0, operations: Any = nn, **factory: Any) -> None:
        super().__init__()
        inner = FEED_FORWARD_FACTOR * channels
        self.net = nn.Sequential(
            GEGLU(channels, inner, operations, **factory),
            nn.Dropout(dropout),
            operations.Linear(inner, channels, **factory),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


def add_submodule(root: nn.Module, path: str, module: nn.Module) -> None:
    """Hangs `module` under a dotted path, with empty modules on the way."""
    *parents, name = path.split(".")
    for parent in parents:
        if parent not in root._modules:
            root.add_module(parent, nn.Module())
        root = root._modules[parent]
    root.add_module(name, module)
