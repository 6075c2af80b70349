"""Learned attention blending: which slot shows at each cell (docs/roictrl.md section 4)."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from .instances import InstanceBatch
from .plan import LevelPlan
from .sampling import weighted_rows, working_dtype


class Blend(NamedTuple):
    """f `[B, T, C]`, and at every cell the global slot's weight `[B, T]` and whether any
    instance shows there `[B, T]`."""

    fused: Tensor
    global_weight: Tensor
    foreground: Tensor


def slot_order(slots: int, seed: int, call: int, block: int) -> Tensor:
    """A random permutation `[slots]` that depends on its arguments alone: the published shuffle, made reproducible."""
    return torch.tensor(random.Random(f"{seed} {call} {block}").sample(range(slots), slots))


class SlotGate(nn.Module):
    """MLP over the slots' maxima `[B, 1 + S]`, slot 0 the global one; the sigmoid scales each slot's logits."""

    def __init__(self, slots: int, operations: Any = nn, dtype: torch.dtype | None = None, device: Any = None) -> None:
        super().__init__()
        size = slots + 1
        self.mlp = nn.Sequential(
            operations.Linear(size, size, dtype=dtype, device=device),
            nn.ReLU(),
            operations.Linear(size, size, dtype=dtype, device=device),
        )

    def forward(self, maxima: Tensor, order: Tensor | None = None) -> Tensor:
        """`order[s]` is the instance that sits in slot s while the gate looks; None leaves them in place."""
        if order is None:
            return self.mlp(maxima).sigmoid()
        place = torch.cat([order.new_zeros(1), order + 1]).to(maxima.device)  # [1 + S]
        gates = self.mlp(maxima[:, place]).sigmoid()
        return gates[:, place.argsort()]


class AttentionBlending(nn.Module):
    """Weighs the global slot and the ROIs at each cell by a softmax over gated logits."""

    def __init__(
        self, channels: int, slots: int, operations: Any = nn, dtype: torch.dtype | None = None, device: Any = None
    ) -> None:
        super().__init__()
        self.channel_reduction = operations.Conv2d(channels, 1, 1, bias=False, dtype=dtype, device=device)
        self.channel_gate = SlotGate(slots, operations, dtype, device)

    def forward(
        self, a: Tensor, rois: Tensor, instances: InstanceBatch, plan: LevelPlan, order: Tensor | None = None
    ) -> Blend:
        """Blends.

        Args:
            a: `[B, T, C]`, the block's cross-attention output: the global slot.
            rois: `[R, C]`, the bins of the plan's active ROIs.
            order: `[S]` slot permutation for the gate.
        """
        dtype = working_dtype(a.dtype)
        global_logit = self._logits(a).to(dtype)  # [B, T]
        bin_logit = self._logits(rois[None]).to(dtype)  # [1, R]
        cell_logit = (bin_logit[0][plan.unpool.index.long()] * plan.unpool.weight).sum(-1)  # [N, K]

        gates = self.channel_gate(self._maxima(global_logit, cell_logit, instances, plan).to(a.dtype), order).to(
            dtype
        )  # [B, 1 + S]
        weights = self._cell_weights(global_logit, cell_logit, gates, plan)  # [N, 1 + K]
        if plan.coverage is not None:
            weights = self._apply_masks(weights, plan.coverage)
        weights = self._apply_strength(weights, instances, plan)
        return self._gather(a, rois, weights, plan)

    def _logits(self, tokens: Tensor) -> Tensor:
        """The channel reduction on `[N, T, C]`: `[N, T]`. A 1x1 convolution commutes with ROI-Unpool."""
        if not tokens.numel():
            return tokens.new_zeros(tokens.shape[:2])
        image = tokens.reshape(1, -1, 1, tokens.shape[-1]).permute(
            0, 3, 1, 2
        )  # [1, C, N * T, 1], channels last in memory
        return self.channel_reduction(image).view(tokens.shape[:2])

    def _maxima(self, global_logit: Tensor, cell_logit: Tensor, instances: InstanceBatch, plan: LevelPlan) -> Tensor:
        """The gate's input `[B, 1 + S]`: maxima over the whole map, zeros outside the ROI
        included, zero for empty slots."""
        maxima = global_logit.new_zeros(plan.rows, 1 + instances.slots)
        maxima[:, 0] = global_logit.amax(1)
        if plan.active:
            lowest = torch.where(plan.fills_map, -torch.inf, 0.0).to(global_logit)  # [A]
            lowest = torch.cat([lowest, lowest.new_zeros(1)])  # the last one takes the padding
            highest = lowest.scatter_reduce(0, plan.cell_pair.flatten(), cell_logit.flatten(), "amax")  # [A + 1]
            maxima[plan.pair_row, 1 + plan.pair_slot] = highest[:-1]
        return maxima

    def _cell_weights(self, global_logit: Tensor, cell_logit: Tensor, gates: Tensor, plan: LevelPlan) -> Tensor:
        """Softmax over the slots that show at each covered cell: `[N, 1 + K]`, the global slot first."""
        global_gate = gates[:, :1].expand_as(global_logit)  # [B, T]
        global_part = (global_logit * global_gate).flatten()[plan.cells]  # [N]
        pair_gate = torch.cat([gates[plan.pair_row, 1 + plan.pair_slot], gates.new_zeros(1)])  # [A + 1]
        instance_part = cell_logit * pair_gate[plan.cell_pair]  # [N, K]
        instance_part = instance_part.masked_fill(plan.cell_pair == len(plan.active), -torch.inf)
        return torch.cat([global_part[:, None], instance_part], dim=1).softmax(dim=1)

    @staticmethod
    def _apply_masks(weights: Tensor, coverage: Tensor) -> Tensor:
        """What a mask takes from an instance goes to all others at that cell, in proportion to what those show there.

        A cell outside the only mask thus looks as if that instance did not exist, and a soft edge
        fades linearly between the two.

        Args:
            weights: `[N, 1 + K]` of the softmax, the global slot first.
            coverage: `[N, K]` of the plan.
        """
        shown = weights[:, 1:] * coverage  # [N, K]
        taken = weights[:, 1:] - shown
        others = 1 - torch.eye(shown.shape[1], device=shown.device, dtype=shown.dtype)  # [K, K]
        beside = weights[:, :1] + shown @ others  # [N, K], what shows at the cell besides each instance
        growth = (taken / beside.clamp(min=torch.finfo(beside.dtype).tiny)) @ others  # [N, K]
        shown = shown + shown * growth
        return torch.cat([1 - shown.sum(1, keepdim=True), shown], dim=1)

    def _apply_strength(self, weights: Tensor, instances: InstanceBatch, plan: LevelPlan) -> Tensor:
        """Each instance keeps its strength's share of its weight; the global slot gets what is left."""
        strength = instances.strength.to(weights.device)[plan.pair_row, plan.pair_slot]  # [A]
        share = torch.cat([strength, strength.new_ones(1)])[plan.cell_pair]  # [N, K]
        rest = (weights[:, 1:] * (1 - share)).sum(1, keepdim=True)  # [N, 1]
        return torch.cat([weights[:, :1] + rest, weights[:, 1:] * share], dim=1)

    def _gather(self, a: Tensor, rois: Tensor, weights: Tensor, plan: LevelPlan) -> Blend:
        """Reads the ROIs at the covered cells only; elsewhere f is a itself."""
        batch, tokens, channels = a.shape
        flat = a.reshape(-1, channels)  # [B * T, C]
        taps = (weights[:, 1:, None] * plan.unpool.weight).flatten(1)  # [N, 4 K]
        shown = weighted_rows(rois.to(weights.dtype), plan.unpool.index.flatten(1), taps)  # [N, C]
        shown = shown + flat[plan.cells] * weights[:, :1]
        fused = flat.index_copy(0, plan.cells, shown.to(a.dtype))
        global_weight = weights.new_ones(batch * tokens).index_copy(0, plan.cells, weights[:, 0])
        foreground = torch.zeros(batch * tokens, dtype=torch.bool, device=a.device)
        foreground[plan.cells] = True
        return Blend(fused.view_as(a), global_weight.view(batch, tokens), foreground.view(batch, tokens))
