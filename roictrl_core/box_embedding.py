"""Box tokens: Fourier features of the boxes through a small MLP (docs/roictrl.md section 5)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import fourier_features, mlp

FREQUENCIES = 8
FEATURES = FREQUENCIES * 2 * 4


class BoxEmbedding(nn.Module):
    """Boxes to box tokens; empty slots get the token of a learned null feature.
    Float32 whatever the adapter's dtype."""

    def __init__(
        self, width: int, hidden: int, operations: Any = nn, dtype: torch.dtype | None = None, device: Any = None
    ) -> None:
        super().__init__()
        self.null_position_feature = nn.Parameter(torch.zeros(FEATURES, dtype=dtype, device=device))
        self.linears = mlp(FEATURES, hidden, width, operations, dtype=dtype, device=device)

    def forward(self, boxes: Tensor, mask: Tensor) -> Tensor:
        """`[B, S, 4]` normalised xyxy and `[B, S]` bool to tokens `[B, S, width]` float32."""
        features = fourier_features(boxes, FREQUENCIES)  # [B, S, 64]
        null = self.null_position_feature.to(features)  # [64]
        tokens = torch.where(mask[..., None].to(features.device), features, null)
        with torch.autocast(tokens.device.type, enabled=False):
            for layer in self.linears:
                tokens = _in_float32(layer, tokens)
        return tokens


def _in_float32(layer: nn.Module, x: Tensor) -> Tensor:
    """torch's own Linear wants its input in the weights' dtype; layers of a host cast their weights themselves."""
    if type(layer) is nn.Linear and layer.weight.dtype != x.dtype:
        return F.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))
    return layer(x)
