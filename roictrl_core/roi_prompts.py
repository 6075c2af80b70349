"""The fuser without an adapter: each box attends to its own caption through the block's own attn2, blended by fixed weights.

Cross-attention treats every token alone, so no fixed grid and no resampling is needed: the cells inside a box are read
with the box's caption and put back (design "Without an adapter").  Cost follows the boxes' area.  Any UNet with text
cross-attention will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .coverage import coverage_maps
from .instances import InstanceBatch

AttendCells = Callable[[Tensor, int, tuple[int, int]], Tensor]   # [T, C], pair, (height, width) -> [T, C]


@dataclass(frozen=True)
class Patch:
    """The cells ``[top:bottom, left:right]`` of one row's map that a box touches, and its weight ``[height, width]`` there."""

    pair: int
    row: int
    top: int
    bottom: int
    left: int
    right: int
    weight: Tensor

    @property
    def size(self) -> tuple[int, int]:
        return self.bottom - self.top, self.right - self.left


def edge_weights(low: float, high: float, size: int) -> Tensor:
    """``[size]`` float32: 1 inside, 0 outside, and a linear ramp one cell wide across each edge.

    Edges are normalised; for a box of a cell or more this is the share of each cell that the box covers.
    """
    centre = torch.arange(size, dtype=torch.float32) + 0.5
    ramp = torch.minimum(centre - low * size, high * size - centre) + 0.5
    return ramp.clamp(0, min(1.0, max(0.0, (high - low) * size)))


def plan_patches(instances: InstanceBatch, height: int, width: int, global_weight: float, device: torch.device) -> list[Patch]:
    """The patches of all used pairs on ``height`` x ``width`` maps.

    Inside one box its instance weighs ``(1 - global_weight) * strength`` and the global text the rest; where boxes
    overlap they share ``1 - global_weight`` in proportion, so that the weights of a cell never sum to more.  An
    instance with a mask weighs its coverage of each cell as much.
    """
    strength = instances.strength.cpu()
    coverage = coverage_maps([instances.masks.get(pair) for pair in instances.pairs], height, width)  # [M, H, W]
    edges, total = [], torch.zeros(instances.rows, height, width)
    for pair, ((row, slot), (x1, y1, x2, y2)) in enumerate(zip(instances.pairs, instances.pair_boxes.tolist())):
        weight = edge_weights(y1, y2, height)[:, None] * edge_weights(x1, x2, width) * strength[row, slot]  # [H, W]
        if coverage is not None:
            weight = weight * coverage[pair]
        edges.append(weight)
        total[row] += weight
    share = (1 - global_weight) / total.clamp(min=1)  # [B, H, W]
    patches = []
    for pair, ((row, _), weight) in enumerate(zip(instances.pairs, edges)):
        ys, xs = weight.sum(1).nonzero().flatten().tolist(), weight.sum(0).nonzero().flatten().tolist()
        if ys and xs:
            window = slice(ys[0], ys[-1] + 1), slice(xs[0], xs[-1] + 1)
            patches.append(Patch(pair, row, ys[0], ys[-1] + 1, xs[0], xs[-1] + 1, (weight * share[row])[window].to(device)))
    return patches


def fuse_prompts(a: Tensor, n: Tensor, patches: Sequence[Patch], size: tuple[int, int], attend: AttendCells) -> Tensor:
    """Cross-attention in which every box reads its own caption.

    Args:
        a: ``[B, T, C]``, the block's cross-attention output on the global text.
        n: ``[B, T, C]``, its normed input; T = height * width.
        patches: of `plan_patches` for this map.
        size: height, width.
        attend: the block's attn2 on some cells, reading the caption of a pair.

    Returns:
        ``[B, T, C]``: a + sum over boxes of weight * (attn2 on the box's caption - a).
    """
    maps, queries = a.unflatten(1, size), n.unflatten(1, size)  # [B, H, W, C]
    fused = maps.clone()
    for p in patches:
        window = p.row, slice(p.top, p.bottom), slice(p.left, p.right)
        own = attend(queries[window].flatten(0, 1), p.pair, p.size).view(*p.size, -1)  # [h, w, C]
        fused[window] += p.weight[..., None].to(a.dtype) * (own - maps[window])
    return fused.flatten(1, 2)
