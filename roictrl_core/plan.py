"""The sampling plan of one U-Net level: where every used ROI reads the feature map, and every covered cell the ROIs.

Depends on layout and latent size alone, so one plan serves every block of a level and every step of a run.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .coverage import coverage_maps
from .instances import InstanceBatch
from .roi import Taps, align_plane, fills_cell, unpool_taps


@dataclass(frozen=True)
class LevelPlan:
    """Sampling of the A active ROIs (used, and filling at least one cell at this level) of B feature maps H x W.

    Attributes:
        size, rows, height, width: P, B, H, W.
        active: A indices into `InstanceBatch.pairs`.
        pair_row, pair_slot: `[A]` int64.
        align: taps `[A * P * P, 16]` over the `B * H * W` cells.
        cells: `[N]` int64, the cells that at least one ROI fills, as row * H * W + y * W + x.
        cell_pair: `[N, K]` int64, the ROIs filling each cell in slot order, A where there are fewer than K.
        unpool: taps `[N, K, 4]` over the `A * P * P` ROI bins, weights zero where there are fewer than K.
        fills_map: `[A]` bool, the ROI fills its whole map.
        coverage: `[N, K]` float32, how much of the cell each ROI's mask covers, 1 without a mask;
            None where no ROI has one.
    """

    size: int
    rows: int
    height: int
    width: int
    active: tuple[int, ...]
    pair_row: Tensor
    pair_slot: Tensor
    align: Taps
    cells: Tensor
    cell_pair: Tensor
    unpool: Taps
    fills_map: Tensor
    coverage: Tensor | None = None


def plan_level(
    instances: InstanceBatch, *, size: int, height: int, width: int, device: torch.device | str = "cpu"
) -> LevelPlan:
    """Plans one level: ROI grid side `size` (P) and feature maps of `height` x `width` cells.

    Computed on the CPU, so that every device gets the same geometry, and then moved to `device`.
    """
    x1, y1, x2, y2 = instances.pair_boxes.unbind(-1)  # [M] each
    rows, columns = unpool_taps(y1, y2, size, height), unpool_taps(x1, x2, size, width)
    filled = fills_cell(rows.weight, columns.weight)  # [M, H, W]
    active = filled.flatten(1).any(1).nonzero().flatten()  # [A]
    pairs = torch.tensor(instances.pairs, dtype=torch.long).view(-1, 2)[active]  # [A, 2]
    row, slot = pairs.unbind(1)
    rows, columns, filled = _select(rows, active), _select(columns, active), filled[active]

    align = align_plane(instances.pair_boxes[active], size, height, width)  # [A, P * P, 16]
    align = Taps(align.index + (row * height * width)[:, None, None], align.weight)
    cells, cell_pair = _cover(filled, row)
    unpool = _unpool_at(cells % (height * width), cell_pair, rows, columns, size, width)
    masks = [instances.masks.get(pair) for pair in map(tuple, pairs.tolist())]
    coverage = coverage_maps(masks, height, width)  # [A, H, W]
    if coverage is not None:
        coverage = _coverage_at(cells % (height * width), cell_pair, coverage).to(device)

    return LevelPlan(
        size,
        instances.rows,
        height,
        width,
        tuple(active.tolist()),
        row.to(device),
        slot.to(device),
        _to(Taps(*(t.flatten(0, 1) for t in align)), device),
        cells.to(device),
        cell_pair.to(device),
        _to(unpool, device),
        filled.flatten(1).all(1).to(device),
        coverage,
    )


def _select(taps: Taps, index: Tensor) -> Taps:
    return Taps(taps.index[index], taps.weight[index])


def _to(taps: Taps, device: torch.device | str) -> Taps:
    # int32 halves the bytes read per tap.
    return Taps(taps.index.int().to(device), taps.weight.to(device))


def _cover(filled: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """From `[A, H, W]` bool and rows `[A]`: the covered cells `[N]` and, per cell, its ROIs
    in order `[N, K]`, padded with A."""
    count, height, width = filled.shape
    pair, y, x = filled.nonzero().unbind(1)  # [E] each, pair-major
    cell, by_cell = ((row[pair] * height + y) * width + x).sort(stable=True)
    cells, position, overlap = cell.unique_consecutive(return_inverse=True, return_counts=True)
    rank = torch.arange(len(cell)) - (overlap.cumsum(0) - overlap)[position]  # [E]
    cell_pair = torch.full((len(cells), int(overlap.max()) if len(cells) else 0), count)
    cell_pair[position, rank] = pair[by_cell]
    return cells, cell_pair


def _unpool_at(pixel: Tensor, cell_pair: Tensor, rows: Taps, columns: Taps, size: int, width: int) -> Taps:
    """Taps `[N, K, 4]` over ROI bins at the pixels `[N]` of one map, for the ROIs `[N, K]` there."""
    count = rows.index.shape[0]
    real = cell_pair < count  # [N, K]
    pair = cell_pair.clamp(max=max(count - 1, 0))
    y, x = (pixel // width)[:, None], (pixel % width)[:, None]  # [N, 1] each
    y_index, y_weight = rows.index[pair, y], rows.weight[pair, y]  # [N, K, 2] each
    x_index, x_weight = columns.index[pair, x], columns.weight[pair, x]
    index = y_index[..., :, None] * size + x_index[..., None, :]  # [N, K, 2, 2]
    weight = y_weight[..., :, None] * x_weight[..., None, :] * real[..., None, None]
    return Taps((index + (pair * size * size)[..., None, None]).flatten(2), weight.flatten(2))


def _coverage_at(pixel: Tensor, cell_pair: Tensor, maps: Tensor) -> Tensor:
    """`[N, K]` of `maps` `[A, H, W]` at the pixels `[N]` of one map, for the ROIs `[N, K]` there; 1 for the padding."""
    maps = torch.cat([maps, maps.new_ones(1, *maps.shape[1:])]).flatten(1)  # [A + 1, H * W]
    return maps[cell_pair, pixel[:, None]]
