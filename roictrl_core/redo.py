"""Which boxes of a picture are drawn anew, and which cells of the latent that changes (docs/roictrl.md section 7.5).

A cell that a redone box touches is free; the cells around them are a soft edge; all others keep the latents of the
first picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional as F

from .check import missed
from .fields import Box
from .layout import Instance, Layout

EDGE = 0.5  # how much of a cell of the soft edge is new
REACH = 0.125  # of the picture's sides, around a point: it does not say how large its object is


def to_redo(before: Layout, layout: Layout) -> list[tuple[int, Instance]]:
    """The instances, with their indices from 1, that were missed or are not in ``before`` as they are now."""
    old, marks = [_acts(one) for _, one in before.enabled], missed(layout)
    return [(i, one) for i, one in layout.enabled if i in marks or _acts(one) not in old]


def left_behind(before: Layout, layout: Layout) -> list[Box]:
    """The boxes of ``before`` that an instance has left: it is gone, or stands elsewhere now."""
    now = [_acts(one) for _, one in layout.enabled]
    redone = [freed(one) for _, one in to_redo(before, layout)]
    return [freed(one) for _, one in before.enabled if _acts(one) not in now and freed(one) not in redone]


def freed(instance: Instance) -> Box:
    """Where an instance may be drawn anew: its box, or what lies around a point that has none."""
    if instance.has_area or instance.point is None:
        return instance.box
    x, y = instance.point
    return (x - REACH, y - REACH, x + REACH, y + REACH)


def redo_mask(boxes: Iterable[Box], height: int, width: int) -> Tensor:
    """``[height, width]`` float32: 1 in every cell of the latent that a box touches, :data:`EDGE` in the cells around
    them, else 0."""
    mask = torch.zeros(1, 1, height, width)
    for x1, y1, x2, y2 in boxes:
        columns = slice(max(0, math.floor(x1 * width)), max(0, math.ceil(x2 * width)))
        rows = slice(max(0, math.floor(y1 * height)), max(0, math.ceil(y2 * height)))
        mask[..., rows, columns] = 1
    around = F.max_pool2d(mask, 3, stride=1, padding=1)
    return torch.maximum(mask, EDGE * around)[0, 0]


def pixels_of(mask: Tensor, height: int, width: int) -> Tensor:
    """The mask of cells, ``[h, w]``, as ``[height, width]`` pixels: its edge goes on for half a cell beyond it."""
    grown = torch.clamp(2 * mask, max=1)  # the soft edge's cells changed as well
    return F.interpolate(grown[None, None], (height, width), mode="bilinear", align_corners=False)[0, 0]


def _acts(instance: Instance) -> tuple:
    """All of an instance that acts while a model samples."""
    shapes = (instance.mask, instance.point, instance.scribble)
    beside = (id(instance.conditioning), instance.loras, instance.reference)
    return (
        *(instance.box, instance.caption.strip(), instance.negative.strip()),
        *(instance.strength, instance.start, instance.end, *shapes, *beside),
    )
