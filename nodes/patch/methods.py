"""The fusers behind the Apply nodes: what happens in a block, once the hooks have found h, a, n and the boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.plan import LevelPlan
from ...roictrl_core.roi_prompts import Patch, fuse_prompts, plan_patches
from ...roictrl_core.sampling import weighted_rows, working_dtype
from .attention import CaptionAttention
from .call import UNetCall
from .control import Control
from .topology import Block


class Method(Protocol):
    """One way to let the boxes act in a UNet."""

    def models(self) -> Sequence:
        """ModelPatchers that ComfyUI is to load along with the model."""

    def slot_count(self, control: Control) -> int:
        """How many slots S a row has."""

    def begin(self, call: UNetCall) -> None:
        """Prepares a UNet call."""

    def fuse(self, call: UNetCall, block: Block, h: Tensor, a: Tensor, n: Tensor, options: dict) -> Tensor:
        """``h``, ``a``, ``n`` ``[B, T, C]`` -> the state after the method ``[B, T, C]``; h + a where it has nothing to do."""


class AdapterMethod:
    """ROICtrl: the adapter's fuser of each block (spec section 1).  ``patcher`` is the ModelPatcher around the adapter."""

    def __init__(self, adapter: ROICtrlAdapter, patcher=None) -> None:
        self.adapter, self.patcher = adapter, patcher

    def models(self) -> Sequence:
        return [] if self.patcher is None else [self.patcher]

    def slot_count(self, control: Control) -> int:
        return self.adapter.config.slots

    def begin(self, call: UNetCall) -> None:
        instances = call.instances
        call.box_tokens = call.memo.make(("tokens", id(instances)), lambda: self.adapter.box_tokens(instances))

    def fuse(self, call: UNetCall, block: Block, h: Tensor, a: Tensor, n: Tensor, options: dict) -> Tensor:
        spec = self.adapter.config.block(block.key[:2], block.key[2])
        if spec is None:
            return h + a
        height, width = options["activations_shape"][-2:]
        plan = call.memo.make(
            ("plan", id(call.instances), spec.level, height, width, h.device),
            lambda: self.adapter.plan(call.instances, spec.level, height, width, h.device),
        )
        fuser = self.adapter.fuser(block.key[:2], block.key[2])
        return fuser(
            h,
            a,
            n,
            call.instances,
            plan,
            CaptionAttention(call, block, options, partial(_at_rois, plan)),
            call.box_tokens,
            order=call.order(block),
            record=call.record,
            cache=call.cache,
        )


class PromptMethod:
    """The boxes' captions through the model's own cross-attention, without an adapter (`roictrl_core.roi_prompts`)."""

    def __init__(self, global_weight: float) -> None:
        self.global_weight = global_weight

    def models(self) -> Sequence:
        return []

    def slot_count(self, control: Control) -> int:
        return len(control.slots)

    def begin(self, call: UNetCall) -> None:
        """Nothing to prepare."""

    def fuse(self, call: UNetCall, block: Block, h: Tensor, a: Tensor, n: Tensor, options: dict) -> Tensor:
        size = tuple(options["activations_shape"][-2:])
        patches = call.memo.make(
            ("patches", id(call.instances), size, h.device),
            lambda: plan_patches(call.instances, *size, self.global_weight, h.device),
        )
        # A box that reads its row's own text would get `a` again.
        patches = [patch for patch in patches if not call.own_text[patch.pair]]
        if not patches:
            return h + a
        carry = partial(_at_patches, {patch.pair: patch for patch in patches}, size)
        return h + fuse_prompts(a, n, patches, size, CaptionAttention(call, block, options, carry).attend_cells)


def _at_rois(plan: LevelPlan, maps: Tensor, pairs: Sequence[int]) -> Tensor:
    """ROI-Align of ``maps`` ``[B, T, I]`` for some of the plan's active pairs: ``[m, P * P, I]``."""
    bins, places = plan.size * plan.size, [plan.active.index(pair) for pair in pairs]
    index, weight = (taps.unflatten(0, (-1, bins))[places].flatten(0, 1) for taps in plan.align)  # [m * P * P, 16]
    table = maps.flatten(0, 1).to(working_dtype(maps.dtype))  # [B * T, I]
    return weighted_rows(table, index, weight).unflatten(0, (-1, bins))


def _at_patches(patches: Mapping[int, Patch], size: tuple[int, int], maps: Tensor, pairs: Sequence[int]) -> Tensor:
    """The cells of the pairs' patches, all of one size, in ``maps`` ``[B, T, I]``: ``[m, height * width, I]``."""
    maps = maps.unflatten(1, size)  # [B, H, W, I]
    return torch.stack([maps[patches[pair].window].flatten(0, 1) for pair in pairs])
