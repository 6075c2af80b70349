"""How much of each cell a box's caption has, word for word: for the families that read text by cross-attention."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def weights(boxes: Sequence[Sequence[float]], height: int, width: int, global_weight: float) -> Tensor:
    """``[boxes, height, width]``: inside 1, a cell beside the edge less; of all that overlap at most what the global
    prompt leaves."""
    maps = torch.zeros(len(boxes), height, width)
    for number, (x1, y1, x2, y2) in enumerate(boxes):
        for row in range(height):
            for column in range(width):
                maps[number, row, column] = _edge(row, y1, y2, height) * _edge(column, x1, x2, width)
    for row in range(height):
        for column in range(width):
            here = float(maps[:, row, column].sum())
            maps[:, row, column] *= (1 - global_weight) / max(here, 1.0)
    return maps


def _edge(cell: int, low: float, high: float, size: int) -> float:
    centre = cell + 0.5
    ramp = min(centre - low * size, high * size - centre) + 0.5
    return max(0.0, min(ramp, 1.0, (high - low) * size))
