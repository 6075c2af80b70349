"""Masked attention in place of ROI-Align and ROI-Unpool: the variant that the ROICtrl paper compares itself with.

Every instance's attention runs at the feature map's full resolution and is masked to its box,
so memory and time follow the picture's size times the number of instances. Everything else (blending, gate,
coordinate attention, feed-forward) is ROICtrl's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter
from roictrl_pack.roictrl_core.attention import InstanceAttention
from roictrl_pack.roictrl_core.fuser import ROIFuser
from roictrl_pack.roictrl_core.instances import InstanceBatch
from roictrl_pack.roictrl_core.plan import LevelPlan
from roictrl_pack.roictrl_core.roi import Taps, box_cells
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class MaskedPlan(LevelPlan):
    """A plan without a grid: "ROI" a holds all T cells of its row's map.
    inside: `[A, T]` bool, the cells of its box."""

    inside: Tensor | None = None


def plan_masks(instances: InstanceBatch, height: int, width: int, device: torch.device | str) -> MaskedPlan:
    """The boxes' cells, rounded as ROI-Unpool rounds them; none is lost to a grid."""
    x1, y1, x2, y2 = instances.pair_boxes.unbind(-1)  # [M] each
    inside = _between(y1, y2, height)[:, :, None] & _between(x1, x2, width)[:, None, :]  # [M, H, W]
    active = inside.flatten(1).any(1).nonzero().flatten()  # [A]
    inside = inside.flatten(1)[active]  # [A, T]
    row, slot = torch.tensor(instances.pairs, dtype=torch.long).view(-1, 2)[active].unbind(1)
    count, tokens = len(active), height * width
    cover = torch.zeros(instances.rows, tokens, count, dtype=torch.bool)  # [B, T, A]
    cover[row, :, torch.arange(count)] = inside
    cover = cover.flatten(0, 1)
    cells = cover.any(1).nonzero().flatten()  # [N]
    most = int(cover.sum(1).max()) if count else 0
    # A cell's instances in slot order, then the padding.
    cell_pair = torch.where(cover[cells], torch.arange(count), count).sort(1).values[:, :most]  # [N, K]
    here = (cell_pair < count).float()
    index = cell_pair.clamp(max=max(count - 1, 0)) * tokens + (cells % tokens)[:, None]
    nothing = Taps(torch.zeros(0, 16, dtype=torch.int32), torch.zeros(0, 16))
    return MaskedPlan(
        instances.rows,
        height,
        width,
        (),
        tuple(active.tolist()),
        row.to(device),
        slot.to(device),
        nothing,
        cells.to(device),
        cell_pair.to(device),
        Taps(index[..., None].int().to(device), here[..., None].to(device)),
        inside.all(1).to(device),
        inside=inside.to(device),
    )


def _between(low: Tensor, high: Tensor, size: int) -> Tensor:
    """`[M, size]` bool: the cells between two edges `[M]`."""
    first, count = box_cells(low, high, size)
    cell = torch.arange(size)[None] - first[:, None]
    return (cell >= 0) & (cell < count[:, None])


class MaskedFuser(ROIFuser):
    """A fuser whose instances live on the whole feature map."""

    def instance_features(self, n: Tensor, plan: MaskedPlan, attention: InstanceAttention) -> Tensor:
        """Instance cross-attention at every cell and self-attention among the box's: `[B, T, C]` to `[A * T, C]`."""
        if not plan.active:
            return n.new_zeros(0, n.shape[-1])
        queries, size = attention.project_queries(n), (plan.height, plan.width)
        if queries is None:
            r = attention.attend(n[plan.pair_row], plan.active, size)
        else:
            r = attention.attend_queries(queries[plan.pair_row], plan.active, size)  # [A, T, C]
        r = r + self._gate(self.alpha_roi_self_attn, r) * self._within(self.norm1(r), plan.inside)
        return r.flatten(0, 1)

    def _within(self, x: Tensor, inside: Tensor) -> Tensor:
        """Self-attention `[A, T, C]` over the keys inside the box `[A, T]`."""
        attention = self.roi_self_attn
        q, k, v = (
            layer(x).unflatten(-1, (attention.heads, -1)).transpose(1, 2)
            for layer in (attention.to_q, attention.to_k, attention.to_v)
        )
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=inside[:, None, None, :])  # [A, heads, T, c]
        return attention.to_out(out.transpose(1, 2).flatten(2))


class MaskedAdapter(ROICtrlAdapter):
    """ROICtrl's weights and keys, with masks for grids."""

    Fuser = MaskedFuser

    def plan(
        self,
        instances: InstanceBatch,
        level: int,
        height: int,
        width: int,
        device: torch.device | str,
        adaptive: bool = False,
    ) -> MaskedPlan:
        """`adaptive` has no meaning: every box is read at the map's own resolution."""
        return plan_masks(instances, height, width, device)
