"""ROI prompts: the boxes' captions through the model's own cross-attention, without an adapter.

The arithmetic is in `roictrl_core.roi_prompts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ....roictrl_core.instances import InstanceBatch
from ....roictrl_core.roi_prompts import Patch, fuse_prompts, plan_patches
from ..points import Reading, Size, Spot
from ..run import Run
from .captioned import CaptionedSession, Fuse, Order


class ROIPrompts:
    """``global_weight``: the global prompt's share inside a box."""

    models = ()

    def __init__(self, global_weight: float) -> None:
        self.global_weight = global_weight

    def open(self, run: Run) -> CaptionedSession:
        """A session for one sampling run."""
        return CaptionedSession(self, run)

    def slot_count(self, used: int) -> int:
        """As many as there are instances."""
        return used

    def fuse(self, instances: InstanceBatch, reading: Reading, order: Order) -> Fuse:
        """The function for one call."""

        def fuse(h: Tensor, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
            key = ("patches", id(instances), spot.size, h.device)
            patches = reading.memo.make(key, lambda: plan_patches(instances, *spot.size, self.global_weight, h.device))
            # A box that reads its row's own text would get `a` again.
            patches = [patch for patch in patches if not reading.own[patch.pair]]
            if not patches:
                return h + a
            carry = partial(_at_patches, {patch.pair: patch for patch in patches}, spot.size)
            return h + fuse_prompts(a, n, patches, spot.size, spot.attention(reading, carry).attend)

        return fuse


def _at_patches(patches: Mapping[int, Patch], size: Size, maps: Tensor, pairs: Sequence[int]) -> Tensor:
    """The cells of the pairs' patches, all of one size, in ``maps`` ``[B, T, I]``: ``[m, height * width, I]``."""
    maps = maps.unflatten(1, size)  # [B, H, W, I]
    return torch.stack([maps[patches[pair].window].flatten(0, 1) for pair in pairs])
