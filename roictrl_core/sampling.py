"""Weighted sums of table rows: the one gather that ROI-Align, ROI-Unpool and the blending share."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

# Apple GPUs have no embedding_bag in the torch versions that ComfyUI 0.3.75 runs on.
DEVICES_WITHOUT_EMBEDDING_BAG = ("mps",)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """Sums run in float32 whatever the features' dtype, and in float64 only for float64 features."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def weighted_rows(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Sum of k weighted rows of a table per result row.

    Args:
        table: `[N, C]`, float32 or float64.
        index: `[R, k]` int32 or int64, rows of the table.
        weight: `[R, k]`, float32 or float64.

    Returns:
        `[R, C]`. The terms of a row are added in the order of its indices, so the result is deterministic.
        Differentiable in `table` and `weight`.
    """
    if not index.numel():
        return table.new_zeros(index.shape[0], table.shape[1]) + 0 * table.sum()
    if table.device.type in DEVICES_WITHOUT_EMBEDDING_BAG:
        return _weighted_rows_by_column(table, index, weight)
    return F.embedding_bag(index, table, per_sample_weights=weight.to(table.dtype), mode="sum")


def _weighted_rows_by_column(table: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    total = table[index[:, 0].long()] * weight[:, :1]  # [R, C]
    for column in range(1, index.shape[1]):
        total = total + table[index[:, column].long()] * weight[:, column, None]
    return total
