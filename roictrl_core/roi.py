"""ROI-Align and ROI-Unpool between feature maps and fixed P x P grids (docs/roictrl.md section 3).

Both are linear and separable: per axis, every result reads a few cells with bilinear weights (its taps), and the taps
of a two-dimensional result are the products of its two axes' taps. Boxes are xyxy, normalised to 0..1 of the map,
half-pixel aligned. Coordinates and weights are float32 whatever the dtype of the features. `plan.py` lays the taps out
for a level; `sampling.weighted_rows` reads them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SAMPLES_PER_BIN = 2  # per axis; torchvision's sampling_ratio=2
WEIGHT_SUM_TOLERANCE = 1e-5  # published: a cell whose in-range bilinear weights sum to less is not part of the ROI


class Taps(NamedTuple):
    """Which entries of an axis each result reads, and how much of each:
    both `[N, results, taps]`, int64 and float32."""

    index: Tensor
    weight: Tensor


def align_taps(low: Tensor, high: Tensor, bins: int, size: int, read: int | None = None) -> Taps:
    """ROI-Align along one axis: 2 samples of 2 cells per bin, as torchvision's `aligned=True, sampling_ratio=2`.

    A sample less than a cell outside the map reads its border cell; one further out is 0 and still counts in the mean,
    so a result's weights may sum to less than 1. That is torchvision's compiled kernel, which the published code runs;
    its Python fallback reads the border cell everywhere.

    Args:
        low, high: `[N]`, the boxes' normalised edges on this axis.
        bins: P, the side of the ROI grid.
        size: the map's cells on this axis.
        read: S <= P, where the box has so many cells: only the bins at i / S * P, which ROI-Unpool reads.

    Returns:
        Taps `[N, P or S, 4]` over the map's cells.
    """
    low, high = low.float() * size, high.float() * size  # [N], [N]
    bin_size = ((high - low) / bins)[:, None, None]  # [N, 1, 1]
    start = (low - 0.5)[:, None, None]
    bin_index = torch.arange(bins if read is None else read, dtype=torch.float32, device=low.device)
    if read not in (None, bins):
        bin_index = bin_index / read * bins
    bin_index = bin_index[None, :, None]  # [1, P or S, 1]
    sample = torch.arange(SAMPLES_PER_BIN, dtype=torch.float32, device=low.device) + 0.5  # [2]
    # The order of these operations is part of the method: another one is off by up to 3e-5.
    position = start + bin_index * bin_size + sample * bin_size / SAMPLES_PER_BIN  # [N, P, 2]
    inside = (position >= -1) & (position <= size)
    position = position.clamp(0, size - 1)
    lower = position.floor()
    fraction = position - lower
    upper = (lower + 1).clamp(max=size - 1)
    index = torch.stack([lower, upper], dim=-1).flatten(2).long()  # [N, P, 4]
    weight = torch.stack([1 - fraction, fraction], dim=-1) * inside[..., None]
    return Taps(index, weight.flatten(2) / SAMPLES_PER_BIN)


def box_cells(low: Tensor, high: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """First cell and cell count `[N]` (float32) of boxes on one axis: edges at ceil(v *
    size - 0.5), so 0.5 rounds down.

    The first cell of a box over the border is negative; the count of an inverted box is not positive.
    """
    first, last = (torch.ceil(edge.float() * size - 0.5) for edge in (low, high))
    return first, last - first


def unpool_taps(low: Tensor, high: Tensor, bins: int | Tensor, size: int) -> Taps:
    """ROI-Unpool along one axis: cell i of a box of S cells reads the ROI at i / S * P,
    bilinear between floor and ceil.

    Args: as `align_taps`; `bins` may be a P for each box, `[N]` int64.

    Returns:
        Taps `[N, size, 2]` over the P bins, with zero weights outside the box and beyond the last bin.
    """
    bins = torch.as_tensor(bins, device=low.device).view(-1, 1)  # [N, 1], or [1, 1]
    first, count = box_cells(low, high, size)
    cell = torch.arange(size, dtype=torch.float32, device=low.device)[None] - first[:, None]  # [N, size]
    inside = (cell >= 0) & (cell < count[:, None])
    position = cell / count.clamp(min=1)[:, None] * bins  # [N, size]
    lower, upper = position.floor(), position.ceil()
    fraction = position - lower  # an integer position has lower == upper, and all of its weight in the first tap
    index = torch.stack([lower, upper], dim=-1)  # [N, size, 2]
    weight = torch.stack([1 - fraction, fraction], dim=-1)
    last = bins[..., None] - 1  # [N, 1, 1], or [1, 1, 1]
    weight = weight * (inside[..., None] & (index >= 0) & (index <= last))
    return Taps(index.long().clamp(min=0).minimum(last), weight)


def fills_cell(row_weight: Tensor, column_weight: Tensor) -> Tensor:
    """`[N, H, W]` bool: the ROI's in-range weights sum to 1 at this cell; from the weights
    `[N, H, 2]` and `[N, W, 2]`."""
    total = row_weight.sum(-1)[:, :, None] * column_weight.sum(-1)[:, None, :]  # [N, H, W]
    return (total - 1).abs() < WEIGHT_SUM_TOLERANCE


def combine_taps(rows: Taps, columns: Taps, stride: int) -> Taps:
    """Taps of two axes to taps over the flattened plane: `[N, a, s]` and `[N, b, t]` to `[N, a * b, s * t]`."""
    index = rows.index[:, :, None, :, None] * stride + columns.index[:, None, :, None, :]  # [N, a, b, s, t]
    weight = rows.weight[:, :, None, :, None] * columns.weight[:, None, :, None, :]
    return Taps(index.flatten(3).flatten(1, 2), weight.flatten(3).flatten(1, 2))


def align_plane(boxes: Tensor, bins: int, grid: tuple[int, int], height: int, width: int) -> Taps:
    """ROI-Align of boxes `[N, 4]`, rows x columns of the P x P bins: taps `[N, rows * columns, 16]` over the map's
    H * W cells."""
    x1, y1, x2, y2 = boxes.unbind(-1)  # [N] each
    rows, columns = align_taps(y1, y2, bins, height, grid[0]), align_taps(x1, x2, bins, width, grid[1])
    return combine_taps(rows, columns, width)
