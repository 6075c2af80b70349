"""The sampling plan of one U-Net level: where every used ROI reads the feature map, and every covered cell the ROIs.

Depends on layout and latent size alone, so one plan serves every block of a level and every step of a run.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .coverage import coverage_maps
from .instances import InstanceBatch
from .roi import Taps, align_plane, box_cells, fills_cell, unpool_taps

Grid = tuple[int, int]  # rows and columns of bins


class Group(NamedTuple):
    """Active ROIs from `start` to before `stop` that have one `grid`; their bins begin at bin `first`."""

    start: int
    stop: int
    grid: Grid
    first: int

    @property
    def bins(self) -> int:
        """Of one ROI."""
        return self.grid[0] * self.grid[1]

    @property
    def all_bins(self) -> slice:
        """Of all its ROIs, among those of all active ones."""
        return slice(self.first, self.first + (self.stop - self.start) * self.bins)

    def part(self, start: int, stop: int) -> Group:
        """Its ROIs from `start` to before `stop`, counted as in `active`."""
        return Group(start, stop, self.grid, self.first + (start - self.start) * self.bins)


@dataclass(frozen=True)
class LevelPlan:
    """Sampling of the A active ROIs (used, and filling at least one cell at this level) of B feature maps H x W.

    The bins of the ROIs, R in all, lie one ROI after the other, each ROI's row by row.

    Attributes:
        rows, height, width: B, H, W.
        groups: the active ROIs by grid, in order; one group of P x P bins each unless grids adapt to the boxes.
        active: A indices into `InstanceBatch.pairs`.
        pair_row, pair_slot: `[A]` int64.
        align: taps `[R, 16]` over the `B * H * W` cells.
        cells: `[N]` int64, the cells that at least one ROI fills, as row * H * W + y * W + x.
        cell_pair: `[N, K]` int64, the ROIs filling each cell in the order of `active`, A where there are fewer than K.
        unpool: taps `[N, K, 4]` over the R bins, weights zero where there are fewer than K.
        fills_map: `[A]` bool, the ROI fills its whole map.
        coverage: `[N, K]` float32, how much of the cell each ROI's mask covers, 1 without a mask;
            None where no ROI has one.
    """

    rows: int
    height: int
    width: int
    groups: tuple[Group, ...]
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
    instances: InstanceBatch, *, size: int, height: int, width: int, device: str | torch.device = "cpu", adaptive=False
) -> LevelPlan:
    """Plans one level: ROI grid side `size` (P) and feature maps of `height` x `width` cells.

    `adaptive`: an ROI of fewer than P rows or columns of cells has as many bins there (docs/roictrl.md section 7.4).
    Computed on the CPU, so that every device gets the same geometry, and then moved to `device`.
    """
    x1, y1, x2, y2 = instances.pair_boxes.unbind(-1)  # [M] each
    grids = _grids(instances.pair_boxes, size, height, width, adaptive)  # [M, 2]
    rows, columns = unpool_taps(y1, y2, grids[:, 0], height), unpool_taps(x1, x2, grids[:, 1], width)
    filled = fills_cell(rows.weight, columns.weight)  # [M, H, W]
    active = filled.flatten(1).any(1).nonzero().flatten()  # [A]
    # Equal grids side by side, else in slot order.
    active = active[(grids[active, 0] * (size + 1) + grids[active, 1]).argsort(stable=True)]
    pairs = torch.tensor(instances.pairs, dtype=torch.long).view(-1, 2)[active]  # [A, 2]
    row, slot = pairs.unbind(1)
    rows, columns, filled, grids = _select(rows, active), _select(columns, active), filled[active], grids[active]

    groups = _groups(grids.tolist())
    cells, cell_pair = _cover(filled, row)
    unpool = _unpool_at(cells % (height * width), cell_pair, rows, columns, grids, width)
    masks = [instances.masks.get(pair) for pair in map(tuple, pairs.tolist())]
    coverage = coverage_maps(masks, height, width)  # [A, H, W]
    return LevelPlan(
        instances.rows,
        height,
        width,
        groups,
        tuple(active.tolist()),
        row.to(device),
        slot.to(device),
        _to(_align(instances.pair_boxes[active], row, groups, size, height, width), device),
        cells.to(device),
        cell_pair.to(device),
        _to(unpool, device),
        filled.flatten(1).all(1).to(device),
        None if coverage is None else _coverage_at(cells % (height * width), cell_pair, coverage).to(device),
    )


def _grids(boxes: Tensor, size: int, height: int, width: int, adaptive: bool) -> Tensor:
    """`[M, 2]` int64: rows and columns of bins, 1 to P, of each box `[M, 4]` on a map of `height` x `width` cells."""
    if not adaptive:
        return torch.full((len(boxes), 2), size)
    x1, y1, x2, y2 = boxes.unbind(-1)
    counts = torch.stack([box_cells(y1, y2, height)[1], box_cells(x1, x2, width)[1]], dim=-1)  # [M, 2]
    return counts.clamp(1, size).long()


def _groups(grids: list[list[int]]) -> tuple[Group, ...]:
    """Neighbours of one grid together."""
    groups, first = [], 0
    for start, grid in enumerate(map(tuple, grids)):
        if groups and groups[-1].grid == grid:
            groups[-1] = groups[-1]._replace(stop=start + 1)
        else:
            groups.append(Group(start, start + 1, grid, first))
        first += groups[-1].bins
    return tuple(groups)


def _align(boxes: Tensor, row: Tensor, groups: tuple[Group, ...], size: int, height: int, width: int) -> Taps:
    """ROI-Align of the active ROIs' boxes `[A, 4]` in the batch rows `[A]`: taps `[R, 16]`."""
    index, weight = [torch.zeros(0, 16, dtype=torch.long)], [torch.zeros(0, 16)]
    for start, stop, grid, _ in groups:
        taps = align_plane(boxes[start:stop], size, grid, height, width)  # [m, bins, 16]
        index.append((taps.index + (row[start:stop] * height * width)[:, None, None]).flatten(0, 1))
        weight.append(taps.weight.flatten(0, 1))
    return Taps(torch.cat(index), torch.cat(weight))


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


def _unpool_at(pixel: Tensor, cell_pair: Tensor, rows: Taps, columns: Taps, grids: Tensor, width: int) -> Taps:
    """Taps `[N, K, 4]` over ROI bins at the pixels `[N]` of one map, for the ROIs `[N, K]` there; grids `[A, 2]`."""
    count = rows.index.shape[0]
    real = cell_pair < count  # [N, K]
    pair = cell_pair.clamp(max=max(count - 1, 0))
    bins = grids.prod(1)  # [A]
    first, stride = (bins.cumsum(0) - bins)[pair], grids[pair, 1]  # [N, K] each
    y, x = (pixel // width)[:, None], (pixel % width)[:, None]  # [N, 1] each
    y_index, y_weight = rows.index[pair, y], rows.weight[pair, y]  # [N, K, 2] each
    x_index, x_weight = columns.index[pair, x], columns.weight[pair, x]
    index = y_index[..., :, None] * stride[..., None, None] + x_index[..., None, :]  # [N, K, 2, 2]
    weight = y_weight[..., :, None] * x_weight[..., None, :] * real[..., None, None]
    return Taps((index + first[..., None, None]).flatten(2), weight.flatten(2))


def _coverage_at(pixel: Tensor, cell_pair: Tensor, maps: Tensor) -> Tensor:
    """`[N, K]` of `maps` `[A, H, W]` at the pixels `[N]` of one map, for the ROIs `[N, K]` there; 1 for the padding."""
    maps = torch.cat([maps, maps.new_ones(1, *maps.shape[1:])]).flatten(1)  # [A + 1, H * W]
    return maps[cell_pair, pixel[:, None]]
