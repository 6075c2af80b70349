"""The gated self-attention fuser of one transformer block, and its optional instance mask.

docs/instance_diffusion.md sections 3 and 4.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..attention import AttentionFunction, multi_head_attention
from ..layers import NORM_EPS, FeedForward, SelfAttention


class GroundingKV(NamedTuple):
    """Keys and values of the grounding tokens in one block, [B, G, C] each. Independent
    of the step: compute once per run."""

    keys: Tensor
    values: Tensor


class InstanceFuser(nn.Module):
    """x + s tanh(alpha_attn) attention(x, grounding) + s tanh(alpha_dense) feed-forward.

    docs/instance_diffusion.md section 3.2.
    """

    def __init__(self, channels: int, token_width: int, heads: int, *, operations=nn, dtype=None, device=None):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.linear = operations.Linear(token_width, channels, **kw)
        self.attn = SelfAttention(channels, heads, operations=operations, **kw)
        self.ff = FeedForward(channels, operations=operations, **kw)
        self.norm1 = operations.LayerNorm(channels, eps=NORM_EPS, **kw)
        self.norm2 = operations.LayerNorm(channels, eps=NORM_EPS, **kw)
        self.alpha_attn = nn.Parameter(torch.zeros((), **kw))
        self.alpha_dense = nn.Parameter(torch.zeros((), **kw))

    def project(self, tokens: Tensor) -> GroundingKV:
        """The grounding half of keys and values: tokens [B, G, token_width].
        LayerNorm acts per token, so it splits off."""
        y = self.norm1(self.linear(tokens))  # [B, G, C]
        return GroundingKV(self.attn.to_k(y), self.attn.to_v(y))

    def forward(
        self,
        x: Tensor,
        grounding: GroundingKV,
        scale: float = 1.0,
        allowed: Tensor | None = None,
        attend: AttentionFunction = multi_head_attention,
    ) -> Tensor:
        """Visual tokens x [B, V, C] -> [B, V, C].

        grounding: from `project`, one row per row of x. scale: the schedule's s; 0 returns x itself.
        allowed: [B or 1, V, V + G] bool of `allow_matrix`, or what `attend` takes for it. Only visual rows are queried:
        the others' results are dropped by the method anyway.
        """
        if scale == 0:
            return x
        y = self.norm1(x)  # [B, V, C]
        k = torch.cat([self.attn.to_k(y), grounding.keys], 1)  # [B, V + G, C]
        v = torch.cat([self.attn.to_v(y), grounding.values], 1)
        a = self.attn.attend(y, k, v, partial(attend, mask=allowed))
        x = x + (scale * torch.tanh(self.alpha_attn.float())).to(x) * a
        return x + (scale * torch.tanh(self.alpha_dense.float())).to(x) * self.ff(self.norm2(x))


def box_regions(boxes: Tensor, used: Tensor, height: int, width: int, transposed: bool) -> Tensor:
    """Boxes rasterised on the token grid: boxes [B, n, 4] xyxy normalised, used [B, n] -> [B, n, height, width] bool.

    Edges are rounded half to even. `transposed` swaps x and y as the published code does, in training too, so these are
    the masks the released weights saw (docs/instance_diffusion.md section 4.1).
    """
    x1, y1, x2, y2 = boxes.float().unbind(-1)  # [B, n] each
    if transposed:
        x1, y1, x2, y2 = y1, x1, y2, x2
    rows = _interval(y1, y2, height)  # [B, n, height]
    columns = _interval(x1, x2, width)  # [B, n, width]
    return rows[..., :, None] & columns[..., None, :] & used.bool()[..., None, None]


def _interval(start: Tensor, end: Tensor, size: int) -> Tensor:
    cells = torch.arange(size, device=start.device)
    return (cells >= torch.round(start * size)[..., None]) & (cells < torch.round(end * size)[..., None])


def allow_matrix(regions: Tensor, seg_tokens: int = 64) -> Tensor:
    """Which keys a visual token may look at: regions [B, n, H, W] bool -> [B, V, V + 4n + seg_tokens] bool.

    docs/instance_diffusion.md section 4.2. Visual tokens see each other only inside a common region (and themselves);
    the box and polygon tokens of slot i only inside region i; point, scribble and segmentation tokens everywhere.
    A row without any region is not masked at all.
    """
    batch, slots = regions.shape[:2]
    inside = regions.flatten(2).bool()  # [B, n, V]
    tokens = inside.shape[2]
    allowed = torch.ones(batch, tokens, tokens + 4 * slots + seg_tokens, dtype=torch.bool, device=regions.device)
    for row in range(batch):
        if not inside[row].any():
            continue
        visual = torch.eye(tokens, dtype=torch.bool, device=regions.device)
        for region in inside[row]:
            visual |= region[:, None] & region[None, :]
        allowed[row, :, :tokens] = visual
        own = inside[row].T  # [V, n]
        allowed[row, :, tokens : tokens + slots] = own  # box tokens
        allowed[row, :, tokens + 3 * slots : tokens + 4 * slots] = own  # polygon tokens
    return allowed
