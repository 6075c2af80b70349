"""The fuser without an adapter: each box attends to its own caption through the block's own cross-attention,
blended by fixed weights.

Cross-attention treats every token alone, so no fixed grid and no resampling is needed: the cells inside a box are read
with the box's caption and put back (docs/roictrl.md section 10).  Cost follows the boxes' area.  Any model with text
cross-attention will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .coverage import coverage_maps
from .instances import InstanceBatch

AttendCells = Callable[
    [Tensor, Sequence[int], tuple[int, int]], Tensor
]  # [m, T, C], pairs, (height, width) -> [m, T, C]
MAX_CELLS = (
    1 << 15
)  # cells that are attended at once: what is held besides stays small (at 320 channels in float32, 40 MB a tensor)


@dataclass(frozen=True)
class Patch:
    """The cells ``[top:bottom, left:right]`` of one row's map that a box touches,
    and its weight ``[height, width]`` there."""

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

    @property
    def window(self) -> tuple:
        """Its cells in maps ``[B, (F,) H, W, C]``, in every frame."""
        return self.row, ..., slice(self.top, self.bottom), slice(self.left, self.right), slice(None)


def edge_weights(low: float, high: float, size: int) -> Tensor:
    """``[size]`` float32: 1 inside, 0 outside, and a linear ramp one cell wide across each edge.

    Edges are normalised; for a box of a cell or more this is the share of each cell that the box covers.
    """
    centre = torch.arange(size, dtype=torch.float32) + 0.5
    ramp = torch.minimum(centre - low * size, high * size - centre) + 0.5
    return ramp.clamp(0, min(1.0, max(0.0, (high - low) * size)))


def plan_patches(
    instances: InstanceBatch, height: int, width: int, global_weight: float, device: torch.device
) -> list[Patch]:
    """The patches of all used pairs on ``height`` x ``width`` maps.

    Inside one box its instance weighs ``(1 - global_weight) * strength`` and the global text the rest; where boxes
    overlap they share ``1 - global_weight`` in proportion, so that the weights of a cell never sum to more.  An
    instance with a mask weighs its coverage of each cell as much.
    """
    strength = instances.strength.cpu()
    coverage = coverage_maps([instances.masks.get(pair) for pair in instances.pairs], height, width)  # [M, H, W]
    found, total = [], torch.zeros(instances.rows, height, width)
    for pair, ((row, slot), (x1, y1, x2, y2)) in enumerate(
        zip(instances.pairs, instances.pair_boxes.tolist(), strict=True)
    ):
        across, down = edge_weights(x1, x2, width), edge_weights(y1, y2, height)  # [W], [H]
        if coverage is not None:  # a mask may leave less of the box
            across, down = across * coverage[pair].any(0), down * coverage[pair].any(1)
        rows, columns = _span(down), _span(across)
        weight = down[rows, None] * across[columns] * strength[row, slot]  # [h, w]
        if coverage is not None:
            weight = weight * coverage[pair][rows, columns]
        if weight.any():
            found.append((pair, row, rows, columns, weight))
            total[row, rows, columns] += weight
    share = (1 - global_weight) / total.clamp(min=1)  # [B, H, W]
    return [
        Patch(
            pair,
            row,
            rows.start,
            rows.stop,
            columns.start,
            columns.stop,
            (weight * share[row, rows, columns]).to(device),
        )
        for pair, row, rows, columns, weight in found
    ]


def _span(weights: Tensor) -> slice:
    """From the first to the last that is not 0."""
    used = weights.nonzero().flatten().tolist()
    return slice(used[0], used[-1] + 1) if used else slice(0, 0)


def cell_regions(instances: InstanceBatch, height: int, width: int) -> Tensor:
    """``[M, H, W]`` bool: the cells of a ``height`` x ``width`` map whose centre lies in the box of each used pair, and
    of whose area its mask covers half; of a box between the centres the cell that holds its middle."""
    down, across = ((torch.arange(size, dtype=torch.float32) + 0.5) / size for size in (height, width))
    coverage = coverage_maps([instances.masks.get(pair) for pair in instances.pairs], height, width)  # [M, H, W]
    regions = torch.zeros(len(instances.pairs), height, width, dtype=torch.bool)
    for region, (x1, y1, x2, y2) in zip(regions, instances.pair_boxes.tolist(), strict=True):
        rows, columns = (down >= y1) & (down < y2), (across >= x1) & (across < x2)
        for inside, middle in ((rows, (y1 + y2) / 2), (columns, (x1 + x2) / 2)):
            if not inside.any() and 0 <= middle < 1:
                inside[int(middle * len(inside))] = True
        region |= rows[:, None] & columns
    return regions if coverage is None else regions & (coverage >= 0.5)


def fuse_prompts(a: Tensor, n: Tensor, patches: Sequence[Patch], size: tuple[int, ...], attend: AttendCells) -> Tensor:
    """Cross-attention in which every box reads its own caption.

    Args:
        a: ``[B, T, C]``, the block's cross-attention output on the global text.
        n: ``[B, T, C]``, its normed input; T = (frames *) height * width.
        patches: of `plan_patches` for this map.
        size: (frames,) height, width.
        attend: the block's attn2 on the cells of boxes of one size, each reading the caption of its pair.

    Returns:
        ``[B, T, C]``: a + sum over boxes of weight * (attn2 on the box's caption - a).
    """
    maps, queries = a.unflatten(1, size), n.unflatten(1, size)  # [B, (F,) H, W, C]
    fused = maps.clone()
    for group in _by_size(patches):
        cells = torch.stack([queries[p.window].flatten(0, -2) for p in group])  # [m, (F *) h * w, C]
        for p, own in zip(group, attend(cells, [p.pair for p in group], group[0].size), strict=True):
            before = maps[p.window]  # [(F,) h, w, C]
            fused[p.window] += p.weight[..., None].to(a.dtype) * (own.view_as(before) - before)
    return fused.flatten(1, -2)


def _by_size(patches: Sequence[Patch]) -> Iterator[list[Patch]]:
    """Patches of one size together, at most MAX_CELLS cells (or one patch) at a time."""
    groups: dict[tuple[int, int], list[Patch]] = {}
    for patch in patches:
        groups.setdefault(patch.size, []).append(patch)
    for (height, width), group in groups.items():
        count = max(1, MAX_CELLS // (height * width))
        yield from (group[start : start + count] for start in range(0, len(group), count))
