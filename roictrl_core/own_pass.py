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


class Crop(NamedTuple):
    """Cells of a latent."""

    top: int
    left: int
    height: int
    width: int


def crop_of(
    box: Sequence[float], height: int, width: int, margin: float, least: int, step: int
) -> Crop | None:
    """The crop of a box, xyxy normalised, in a latent of ``height`` x ``width`` cells; None where the box is outside.

    On each side it is larger than the box by ``margin`` of the box's side, and it has at least ``least`` cells each way,
    as far as the latent has them.  It begins and ends at multiples of ``step``, or at the latent's border.
    """
    x1, y1, x2, y2 = box
    if min(x2, 1.0) <= max(x1, 0.0) or min(y2, 1.0) <= max(y1, 0.0):
        return None
    top, bottom = _span(y1, y2, height, margin, least, step)
    left, right = _span(x1, x2, width, margin, least, step)
    return Crop(top, left, bottom - top, right - left)


def _span(low: float, high: float, size: int, margin: float, least: int, step: int) -> tuple[int, int]:
    """First cell and the one after the last, of one axis."""
    low, high = max(low, 0.0) * size, min(high, 1.0) * size
    grow = margin * (high - low)
    low, high = low - grow, high + grow
    lack = max(0.0, min(least, size) - (high - low)) / 2
    low, high = low - lack, high + lack
    # What lies over the border goes to the other side, so that the crop stays as large.
    low, high = max(0.0, low - max(0.0, high - size)), min(float(size), high - min(0.0, low))
    return step * floor(low / step + 1e-6), min(size, step * ceil(high / step - 1e-6))


def box_weights(box: Sequence[float], crop: Crop, height: int, width: int, feather: bool) -> Tensor:
    """``[crop's height, crop's width]`` float32: the share of each cell that is the box's, with ``feather`` on a ramp a
    cell wide across its edges, else 1 where the cell's centre lies in it."""
    x1, y1, x2, y2 = box
    down, across = edge_weights(y1, y2, height), edge_weights(x1, x2, width)
    if not feather:
        down, across = (down >= 0.5).float(), (across >= 0.5).float()
    rows, columns = slice(crop.top, crop.top + crop.height), slice(crop.left, crop.left + crop.width)
    return down[rows, None] * across[columns]


def written(out: Tensor, own: Sequence[Tensor], weights: Sequence[Tensor]) -> Tensor:
    """``out`` ``[B, C, (F,) H, W]`` with each box's own prediction of the same shape over it, the later ones above.

    ``weights`` ``[H, W]``, of each.
    """
    for prediction, weight in zip(own, weights, strict=True):
        out = torch.lerp(out, prediction.to(out), weight.to(out))
    return out
