"""ConvNeXt-Tiny, the mask branch's backbone, with the parameter names of the published checkpoint."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DEPTHS = (3, 3, 9, 3)
WIDTHS = (96, 192, 384, 768)


class ConvNeXtBlock(nn.Module):
    """Depthwise 7x7, LayerNorm, a 4x wide GELU MLP, layer scale, residual (Liu et al. 2022, figure 4)."""

    def __init__(self, width: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.dwconv = operations.Conv2d(width, width, 7, padding=3, groups=width, **kw)
        self.norm = operations.LayerNorm(width, eps=1e-6, **kw)
        self.pwconv1 = operations.Linear(width, 4 * width, **kw)
        self.pwconv2 = operations.Linear(4 * width, width, **kw)
        self.gamma = nn.Parameter(torch.full((width,), 1e-6, **kw))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, C, H, W]"""
        y = self.dwconv(x).permute(0, 2, 3, 1)  # [B, H, W, C]
        y = self.pwconv2(F.gelu(self.pwconv1(self.norm(y))))  # [B, H, W, C]
        return x + (y * self.gamma.to(y)).permute(0, 3, 1, 2)


class ConvNeXtTiny(nn.Module):
    """Features only: no final norm, no head (docs/instance_diffusion.md section 2.5)."""

    def __init__(self, *, operations=nn, dtype=None, device=None):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        stem = [operations.Conv2d(3, WIDTHS[0], 4, stride=4, **kw), operations.LayerNorm(WIDTHS[0], eps=1e-6, **kw)]
        self.downsample_layers = nn.ModuleList([nn.ModuleList(stem)])
        for narrow, wide in pairwise(WIDTHS):
            layers = [operations.LayerNorm(narrow, eps=1e-6, **kw), operations.Conv2d(narrow, wide, 2, stride=2, **kw)]
            self.downsample_layers.append(nn.ModuleList(layers))
        self.stages = nn.ModuleList(
            nn.ModuleList(ConvNeXtBlock(width, operations=operations, **kw) for _ in range(depth))
            for width, depth in zip(WIDTHS, DEPTHS, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, 768, H/32, W/32]"""
        for index, (reduce, blocks) in enumerate(zip(self.downsample_layers, self.stages, strict=True)):
            first, second = reduce
            x = _norm(second, first(x)) if index == 0 else second(_norm(first, x))
            for block in blocks:
                x = block(x)
        return x


def _norm(layer: nn.Module, x: Tensor) -> Tensor:
    """LayerNorm over the channels of [B, C, H, W]."""
    return layer(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
