"""ROIFuser: the instance path of one transformer block (docs/roictrl.md section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .attention import AttentionFunction, InstanceAttention, multi_head_attention
from .blending import AttentionBlending
from .cache import KeyValueCache
from .instances import InstanceBatch
from .layers import NORM_EPS, FeedForward, SelfAttention
from .plan import Group, LevelPlan
from .sampling import weighted_rows, working_dtype

CHUNK_ELEMENTS = 8 * 1024 * 1024  # ROI tokens x channels computed at a time; about ten such buffers live at once

Record = Callable[[Tensor, Tensor], None]


class ROIFuser(nn.Module):
    """One block's adapter. State-dict names are the published checkpoint's; all three gates are zero at creation.

    Args:
        channels: C, the block's width.
        heads: the block's head count.
        slots: S.
        token_width: width of the box tokens.
        operations: where the layers come from (`torch.nn`, or a host's own).
        attention: kernel for the two self-attentions.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        *,
        slots: int = 30,
        token_width: int = 64,
        dropout: float = 0.2,
        operations: Any = nn,
        attention: AttentionFunction = multi_head_attention,
        dtype: torch.dtype | None = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        factory = {"dtype": dtype, "device": device}
        self.norm1, self.norm2, self.norm3 = (operations.LayerNorm(channels, eps=NORM_EPS, **factory) for _ in range(3))
        self.roi_self_attn = SelfAttention(channels, heads, dropout, operations, attention, **factory)
        self.roiattn_fuser = AttentionBlending(channels, slots, operations, **factory)
        self.context_proj = operations.Linear(token_width, channels, **factory)
        self.coord_self_attn = SelfAttention(channels, heads, dropout, operations, attention, **factory)
        self.ff = FeedForward(channels, dropout, operations, **factory)
        for name in ("alpha_roi_self_attn", "alpha_coord_self_attn", "alpha_dense"):
            self.register_parameter(name, nn.Parameter(torch.zeros((), **factory)))

    def forward(
        self,
        h: Tensor,
        a: Tensor,
        n: Tensor,
        instances: InstanceBatch,
        plan: LevelPlan,
        attention: InstanceAttention,
        box_tokens: Tensor,
        *,
        order: Tensor | None = None,
        record: Record | None = None,
        cache: KeyValueCache | None = None,
    ) -> Tensor:
        """The state after the adapter.

        Args:
            h: `[B, T, C]`, the state after self-attention.
            a: `[B, T, C]`, attn2's output on the global text, output projection included.
            n: `[B, T, C]`, attn2's normed input.
            instances: boxes and masks of the B rows.
            plan: the level's plan for these instances, T = H * W.
            attention: the block's own attn2 on the ROIs' captions.
            box_tokens: `[B, S, 64]` of the adapter's box embedding.
            order: `[S]` slot permutation for the gate; None keeps the layout's order.
            record: called with the global slot's blending weight `[B, T]` and the covered cells `[B, T]` (training).
            cache: keeps the box tokens' keys and values between steps.

        Returns:
            `[B, T, C]` in the dtype of h.
        """
        rois = self.instance_features(n, plan, attention)  # [R, C]
        blend = self.roiattn_fuser(a, rois, instances, plan, order)
        if record is not None:
            record(blend.global_weight, blend.foreground)
        h = h + blend.fused.to(h.dtype)
        h = h + self._gate(self.alpha_coord_self_attn, h) * self._coordinate_attention(h, box_tokens, cache)
        return h + self._gate(self.alpha_dense, h) * self.ff(self.norm3(h))

    def instance_features(self, n: Tensor, plan: LevelPlan, attention: InstanceAttention) -> Tensor:
        """ROI-Align, instance cross-attention and ROI self-attention: `[B, T, C]`
        to `[R, C]`, the bins of the active ROIs."""
        channels, total = n.shape[-1], len(plan.align.index)
        if not total:
            return n.new_zeros(0, channels)
        # Alignment is linear: where the map has fewer tokens than the ROIs together, queries are projected on the map.
        queries = attention.project_queries(n) if n.shape[0] * n.shape[1] < total else None
        source = n if queries is None else queries
        read = attention.attend if queries is None else attention.attend_queries
        table = source.reshape(-1, source.shape[-1]).to(working_dtype(source.dtype))  # [B * T, C]
        parts = []
        for groups in _chunks(plan.groups, CHUNK_ELEMENTS // channels):
            bins = slice(groups[0].all_bins.start, groups[-1].all_bins.stop)
            rois = weighted_rows(table, plan.align.index[bins], plan.align.weight[bins]).to(n.dtype)  # [r, C]
            r = _joined([read(x, plan.active[g.start : g.stop], g.grid) for g, x in _by_group(groups, rois)])  # [r, C]
            parts.append(r + self._gate(self.alpha_roi_self_attn, r) * self._within_rois(self.norm1(r), groups))
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _within_rois(self, x: Tensor, groups: Sequence[Group]) -> Tensor:
        """ROI self-attention: `[r, C]`, the bins of the groups' ROIs, to `[r, C]`; each ROI attends to itself."""

        def kernel(q: Tensor, k: Tensor, v: Tensor, heads: int) -> Tensor:
            parts = zip(*(_by_group(groups, t) for t in (q, k, v)), strict=True)
            return _joined([self.roi_self_attn.attention(*(t for _, t in part), heads) for part in parts])

        return self.roi_self_attn.attend(x, self.roi_self_attn.to_k(x), self.roi_self_attn.to_v(x), kernel)

    @staticmethod
    def _gate(alpha: Tensor, like: Tensor) -> Tensor:
        return alpha.to(like.device, working_dtype(like.dtype)).tanh().to(like.dtype)

    def _coordinate_attention(self, h: Tensor, box_tokens: Tensor, cache: KeyValueCache | None) -> Tensor:
        """Visual tokens of the whole map attend to themselves and to the box tokens;
        the tokens' own queries are not needed."""
        attention, visual = self.coord_self_attn, self.norm2(h)  # [B, T, C]

        def token_keys_values() -> tuple[Tensor, Tensor]:
            tokens = self.norm2(self.context_proj(box_tokens.to(h.dtype)))  # [B, S, C]
            return attention.to_k(tokens), attention.to_v(tokens)

        if cache is None:
            token_keys, token_values = token_keys_values()
        else:
            token_keys, token_values = cache.get((id(self), h.dtype), [box_tokens], None, token_keys_values)
        keys = torch.cat([attention.to_k(visual), token_keys], dim=1)  # [B, T + S, C]
        values = torch.cat([attention.to_v(visual), token_values], dim=1)
        return attention.attend(visual, keys, values)


def _chunks(groups: Sequence[Group], most: int) -> Iterator[list[Group]]:
    """The groups cut, and small ones gathered, to at most so many bins at a time, or one ROI."""
    chunk, room = [], most
    for group in groups:
        start = group.start
        while start < group.stop:
            count = min(max(room, 0) // group.bins, group.stop - start)
            if not count and chunk:
                yield chunk
                chunk, room = [], most
                continue
            chunk.append(group.part(start, start + max(count, 1)))
            room -= chunk[-1].all_bins.stop - chunk[-1].all_bins.start
            start = chunk[-1].stop
    yield chunk


def _by_group(groups: Sequence[Group], x: Tensor) -> list[tuple[Group, Tensor]]:
    """`[r, I]`, the bins of the groups' ROIs, as each group's `[m, bins, I]`."""
    parts = x.split([group.all_bins.stop - group.all_bins.start for group in groups])
    return [(group, part.unflatten(0, (-1, group.bins))) for group, part in zip(groups, parts, strict=True)]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """The groups' `[m, bins, I]` as `[r, I]`."""
    flat = [part.flatten(0, 1) for part in parts]
    return flat[0] if len(flat) == 1 else torch.cat(flat)
