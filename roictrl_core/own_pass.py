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

SPREAD = 3.0  # of a patch, in deviations of latents, which are 1; under 2 it is not followed, from 3 on all are alike
CORE, RIM = 0.6, 1.1  # half axes of the box within which a patch is whole, and where it ends
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


def inside_crop(latents: Tensor, crop: Crop) -> Tensor:
    """The crop of ``[..., H, W]``."""
    return latents[..., crop.top : crop.top + crop.height, crop.left : crop.left + crop.width]


def background(predicted: Tensor, taken: Tensor) -> Tensor:
    """``[B, C, (F,) 1, 1]``: the mean of a prediction over the cells that no box takes, or over all where boxes take
    all; ``taken`` ``[H, W]``, 0..1."""
    free = (taken == 0).to(predicted)
    free = free if free.any() else torch.ones_like(free)
    return (predicted * free).sum((-2, -1), keepdim=True) / free.sum()


def patch(predicted: Tensor, even: Tensor, box: Sequence[float], weight: Tensor) -> Tensor:
    """An even ground with a soft-edged ellipse on it that fills the box, of the colour that a prediction has there.

    The colour is the mean of what differs from ``even``, weighed by its square and made `SPREAD` large: the first
    steps, which settle where things are and how large, see little else.  ``weight`` ``[H, W]``: the cells that count.
    """
    height, width = predicted.shape[-2:]
    own = (predicted - even) * (weight > 0).to(predicted)
    strength = own.square().sum(1, keepdim=True)
    colour = (own * strength).sum((-2, -1), keepdim=True) / strength.sum((-2, -1), keepdim=True).clamp(min=1e-12)
    colour = colour / colour.square().mean(1, keepdim=True).sqrt().clamp(min=1e-6)
    x1, y1, x2, y2 = box
    across, down = _from_centre(x1, x2, width), _from_centre(y1, y2, height)
    radius = (across[None] ** 2 + down[:, None] ** 2).sqrt()
    return even + SPREAD * colour * ((RIM - radius) / (RIM - CORE)).clamp(0, 1).to(predicted)


def _from_centre(low: float, high: float, size: int) -> Tensor:
    """``[size]``: where cells' centres lie between two edges, -1 to 1."""
    return ((torch.arange(size) + 0.5) / size - (low + high) / 2) / max(high - low, 1e-6) * 2
