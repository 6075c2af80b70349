"""How many feature cells of each UNet level a box covers: what a box is too small for can be told before a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .fields import Box
from .layout import Instance, Layout
from .notes import Note
from .roi import box_cells

LATENT_STRIDE = 8  # pixels per latent cell
STRIDES = (8, 16, 32, 64)  # pixels per feature cell at the levels of SD1.x


def level_size(side: int, stride: int) -> int:
    """Cells along a side of ``side`` pixels: the latent rounds down, each halving inside the UNet rounds up."""
    cells = max(1, side // LATENT_STRIDE)
    for _ in range((stride // LATENT_STRIDE).bit_length() - 1):
        cells = (cells + 1) // 2
    return cells


def covered(boxes: Sequence[Box], width: int, height: int, stride: int) -> list[tuple[int, int]]:
    """(columns, rows) of cells that ROI-Unpool writes for each box, on a picture of ``width`` x ``height`` pixels.

    A cell counts when its centre lies in the box and in the picture.
    """
    x1, y1, x2, y2 = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4).unbind(1)  # [n] each
    return list(zip(_spans(x1, x2, level_size(width, stride)), _spans(y1, y2, level_size(height, stride)), strict=True))


def _spans(low: torch.Tensor, high: torch.Tensor, size: int) -> list[int]:
    start, cells = box_cells(low, high, size)
    return ((start + cells).clamp(max=size) - start.clamp(min=0)).clamp(min=0).int().tolist()


def _levels(layout: Layout) -> list[tuple[int, Instance, list[tuple[int, int]]]]:
    """The enabled instances, index from 1 each, with what they cover at each of :data:`STRIDES`."""
    boxes = [instance.box for _, instance in layout.enabled]
    levels = zip(*(covered(boxes, layout.width, layout.height, stride) for stride in STRIDES), strict=True)
    return [(i, instance, list(spans)) for (i, instance), spans in zip(layout.enabled, levels, strict=True)]


def table(layout: Layout) -> list[list[str]]:
    """Rows of text, the header first: the instance, then columns x rows of cells at each of :data:`STRIDES`."""
    rows = [["#", "caption", *(f"{stride} px" for stride in STRIDES)]]
    for i, instance, spans in _levels(layout):
        rows.append([str(i), " ".join((instance.caption or instance.label).split()), *(f"{w} x {h}" for w, h in spans)])
    return rows


def warnings(layout: Layout) -> list[Note]:
    """One note for each enabled instance that covers no cell at some level, naming the finest such level."""
    found = []
    for i, instance, spans in _levels(layout):
        missed = [stride for stride, span in zip(STRIDES, spans, strict=True) if 0 in span]
        if not missed:
            continue
        code = "cells.none" if missed[0] == STRIDES[0] else "cells.few"
        found.append(instance.note(code, i, px=missed[0]))
    return found
