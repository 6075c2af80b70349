"""Own passes: where the crop of a box lies, and what of each cell of the latent is the box's.

A model draws what its text says and cannot be told how large; a crop around a box, denoised by itself on the box's
caption, has its object where and as large as the box is (docs/any_model.md section 3).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import NamedTuple

import torch
from torch import Tensor

from .roi_prompts import edge_weights

ALMOST = 1e-6  # cells: an edge this near to a boundary lies on it


class Crop(NamedTuple):
    """Cells of a latent."""

    top: int
    left: int
    height: int
    width: int


def crop_of(
    box: Sequence[float], height: int, width: int, margin: float, least: int, grain: int, step: int
) -> Crop | None:
    """The crop of a box, xyxy normalised, in a latent of ``height`` x ``width`` cells; None where the box is outside.

    On each side it is larger than the box by ``margin`` of the box's side, and it has at least ``least`` cells each
    way, as far as the latent has them.  Its sides are multiples of ``grain``, so that many boxes have equal ones and go
    through the model together; it begins and ends at multiples of ``step``, or at the latent's border.
    """
    x1, y1, x2, y2 = box
    if min(x2, 1.0) <= max(x1, 0.0) or min(y2, 1.0) <= max(y1, 0.0):
        return None
    top, bottom = _span(y1, y2, height, margin, least, grain, step)
    left, right = _span(x1, x2, width, margin, least, grain, step)
    return Crop(top, left, bottom - top, right - left)


def _span(low: float, high: float, size: int, margin: float, least: int, grain: int, step: int) -> tuple[int, int]:
    """First cell and the one after the last, of one axis."""
    low, high = max(low, 0.0) * size, min(high, 1.0) * size
    first, end = step * floor(low / step + ALMOST), min(size, step * ceil(high / step - ALMOST))
    unit = max(step, step * round(grain / step))
    length = min(size, unit * ceil(max(least, end - first + 2 * margin * (high - low)) / unit - ALMOST))
    start = min(first, max(end - length, step * round((low + high - length) / 2 / step)))
    start = max(0, min(start, size - length))  # what would lie over the border goes inside
    start -= start % step
    return start, max(start + length, end)


def box_weights(box: Sequence[float], crop: Crop, height: int, width: int, feather: bool) -> Tensor:
    """``[height, width]`` float32: the share of each cell that is the box's, 0 outside the crop.

    With ``feather`` it falls off within the cell across each edge, else it is 1 where a cell's centre lies in the box.
    """
    x1, y1, x2, y2 = box
    down, across = edge_weights(y1, y2, height), edge_weights(x1, x2, width)
    if not feather:
        down, across = (down >= 0.5).float(), (across >= 0.5).float()
    weight = torch.zeros(height, width)
    rows, columns = slice(crop.top, crop.top + crop.height), slice(crop.left, crop.left + crop.width)
    weight[rows, columns] = down[rows, None] * across[columns]
    return weight


def written(out: Tensor, own: Tensor, weight: Tensor) -> Tensor:
    """A prediction ``[B, C, (F,) H, W]`` with a box's own over it, in the cells where ``weight`` ``[H, W]`` says so."""
    return torch.lerp(out, own.to(out), weight.to(out))
