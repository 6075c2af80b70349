"""The fusers behind the Apply nodes: what happens in a block, once the hooks have found h, a, n and the boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.roi_prompts import fuse_prompts, plan_patches
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
        plan = call.memo.make(("plan", id(call.instances), spec.level, height, width, h.device), lambda: self.adapter.plan(
            call.instances, spec.level, height, width, h.device))
        fuser = self.adapter.fuser(block.key[:2], block.key[2])
        return fuser(h, a, n, call.instances, plan, CaptionAttention(call, block, options), call.box_tokens,
                     order=call.order(block), record=call.record, cache=call.cache)


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
        patches = call.memo.make(("patches", id(call.instances), size, h.device), lambda: plan_patches(
            call.instances, *size, self.global_weight, h.device))
        # A box that reads its row's own text would get `a` again.
        patches = [patch for patch in patches if not call.own_text[patch.pair]]
        if not patches:
            return h + a
        return h + fuse_prompts(a, n, patches, size, CaptionAttention(call, block, options).attend_cells)
