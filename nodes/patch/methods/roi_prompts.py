"""ROI prompts: the boxes' captions through the model's own cross-attention, without an adapter.

The arithmetic is in `roictrl_core.roi_prompts`.  Where a family has no cross-attention, the captions stand beside the
prompt in its joint one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from ....roictrl_core.instances import InstanceBatch
from ....roictrl_core.roi_prompts import Patch, cell_regions, fuse_prompts, plan_patches
from ..hosts import Host
from ..points import AFTER, TEXT, Points, Reading, Segment, Size, Spot
from ..run import Run
from .beside import once, segments
from .captioned import CaptionedSession, Fuse, Order

GLOBAL_WEIGHT, END = 0.2, 0.6


def suited(host: Host) -> tuple[float, float]:
    """The global weight, and the end of the window, that suit a host.

    Where captions stand beside the prompt it is EliGen's rule, in all steps; elsewhere the last part of the schedule
    joins the boxes to one picture.
    """
    return (0.0, 1.0) if TEXT in host.offers else (GLOBAL_WEIGHT, END)


class ROIPrompts:
    """``global_weight``: the global prompt's share inside a box; ``blocks``: the numbers of those in which the boxes
    act, None for all."""

    title, trained_for = "ROI prompts", None
    acts = (frozenset({AFTER}), frozenset({TEXT}))
    models = ()

    def __init__(self, global_weight: float, blocks: frozenset[int] | None = None) -> None:
        self.global_weight, self.blocks = global_weight, blocks

    def open(self, run: Run) -> ROIPromptsSession:
        """A session for one sampling run."""
        return ROIPromptsSession(self, run)

    def slot_count(self, used: int) -> int:
        """As many as there are instances."""
        return used

    def fuse(self, instances: InstanceBatch, reading: Reading, order: Order) -> Fuse:
        """The function for one call."""

        def fuse(h: Tensor | None, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
            key, size = ("patches", id(instances), spot.size[-2:], a.device), spot.size[-2:]
            patches = reading.memo.make(key, lambda: plan_patches(instances, *size, self.global_weight, a.device))
            # A box that reads its row's own text as the row does would get `a` again.
            patches = [
                patch for patch in patches if not (reading.own[patch.pair] and reading.texts[patch.pair].is_plain)
            ]
            if patches:
                carry = partial(_at_patches, {patch.pair: patch for patch in patches}, spot.size)
                a = fuse_prompts(a, n, patches, spot.size, spot.attention(reading, carry).attend)
            return a if h is None else h + a

        return fuse


class ROIPromptsSession(CaptionedSession):
    """One sampling run of ROI prompts."""

    def points(self, instances: InstanceBatch, reading: Reading, order: Order) -> Points:
        """After cross-attention, or in the text, whichever the host has."""
        strength, weight, blocks = self.run.control.strength, self.fuser.global_weight, self.fuser.blocks
        everywhere = super().points(instances, reading, order).after

        def after(h: Tensor | None, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
            return everywhere(h, a, n, spot) if blocks is None or spot.block.number in blocks else a

        def make(size: Size) -> list[Segment]:
            regions = cell_regions(instances, *size[-2:])
            return segments(instances, reading, regions, strength, global_weight=weight, blocks=blocks)

        return Points(after=after, text=once(self.run.memo, instances, make))


def _at_patches(patches: Mapping[int, Patch], size: Size, maps: Tensor, pairs: Sequence[int]) -> Tensor:
    """The cells of the pairs' patches, all of one size, in ``maps`` ``[B, T, I]``: ``[m, cells, I]``."""
    maps = maps.unflatten(1, size)  # [B, (F,) H, W, I]
    return torch.stack([maps[patches[pair].window].flatten(0, -2) for pair in pairs])
