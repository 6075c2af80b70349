"""Masks inside boxes: how much of each feature cell an instance's mask covers, soft at its edge.

An extension, docs/roictrl.md section 7.2: the paper leaves masks as future work.
Coverage multiplies the instance's blending weight at each cell, and
whatever else shows there gets what is left (blending.py, roi_prompts.py).  A mask is averaged over the area of each
cell, after a moving average as wide as the feather, which turns a straight edge into a linear ramp of that width,
half of it on either side.  Both averages are separable, so a map is rows x mask x columns: for a mask of h x w pixels
and H x W cells 2 (H h w + H w W) FLOPs, 0.3 G at 1024 x 1024 and 128 x 128, once per plan and not per step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .fields import Box
from .masks import RunLengthMask


@dataclass(frozen=True, eq=False)
class SoftMask:
    """A mask of the whole picture, `pixels` `[h, w]` bool, and the width of its soft edge
    in its own pixels, `feather` (x, y)."""

    pixels: Tensor
    feather: tuple[float, float]

    @classmethod
    def of(cls, mask: RunLengthMask, feather: float, width: int, height: int) -> SoftMask | None:
        """The mask with a feather in pixels of a `width` x `height` picture;
        None for a mask of ones, which is no mask."""
        if mask.area() == mask.size[0] * mask.size[1]:
            return None
        rows, columns = mask.size
        return cls(torch.from_numpy(mask.to_array()), (feather * columns / width, feather * rows / height))

    def touches(self, box: Box) -> bool:
        """Whether a pixel of the mask lies in a box, xyxy normalised."""
        height, width = self.pixels.shape
        left, top, right, bottom = (max(edge, 0.0) * size for edge, size in zip(box, (width, height) * 2, strict=True))
        return bool(self.pixels[int(top) : ceil(bottom), int(left) : ceil(right)].any())

    def coverage(self, frame: Box, height: int, width: int) -> Tensor:
        """`[height, width]` float32 in 0..1 of a feature map that shows `frame` (xyxy, normalised);
        on the CPU, where all devices agree on it."""
        left, top, right, bottom = frame
        rows = axis_weights(top, bottom, height, self.pixels.shape[0], self.feather[1])  # [H, h]
        columns = axis_weights(left, right, width, self.pixels.shape[1], self.feather[0])  # [W, w]
        return (rows @ self.pixels.float() @ columns.T).clamp(0, 1)  # [H, W]


class PlacedMask(NamedTuple):
    """A mask, and the part of the picture (xyxy, normalised) that its row's feature maps show."""

    mask: SoftMask
    frame: Box


def coverage_maps(masks: Sequence[PlacedMask | None], height: int, width: int) -> Tensor | None:
    """`[n, height, width]` of n instances, 1 where one has no mask; None where none has.
    Equal ones are computed once."""
    if not any(masks):
        return None
    made = {placed: placed.mask.coverage(placed.frame, height, width) for placed in set(masks) - {None}}
    whole = torch.ones(height, width)
    return torch.stack([made.get(placed, whole) for placed in masks])


def axis_weights(low: float, high: float, cells: int, pixels: int, feather: float) -> Tensor:
    """`[cells, pixels]` float32: how much each of a mask's pixels counts in each cell, on one axis; rows sum to 1.

    The cells divide `low`..`high`, normalised.  A cell's weights are a box as wide as the cell, convolved with one as
    wide as the feather (a trapezoid); at the picture's border they are averages of what lies inside.
    """
    edges = low + (high - low) * np.arange(cells) / cells
    side = (high - low) * pixels / cells
    # In double precision, as a thin crop's weights are small differences of sums;
    # in numpy, as no run may make double tensors (Apple GPUs).
    offset = np.arange(pixels + 1) - edges[:, None] * pixels  # [cells, pixels + 1]
    # Clamped before it is squared: far away only rounding would be left.
    offset = offset.clip(-feather / 2, side + feather / 2) + feather / 2
    share = (_ramp(offset, feather) - _ramp(offset - side, feather)) / side  # of the trapezoid, left of each pixel edge
    weights = np.diff(share, axis=1)
    return torch.from_numpy((weights / weights.sum(1, keepdims=True)).astype(np.float32))


def _ramp(x: np.ndarray, width: float) -> np.ndarray:
    """Integral from 0 to x of a line that climbs from 0 to 1 within `width`, and of zeros
    before it and ones after it."""
    climbed = x.clip(0, width) ** 2 / (2 * width) if width else 0
    return climbed + (x - width).clip(min=0)
