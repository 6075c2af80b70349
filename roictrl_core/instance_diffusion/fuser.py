"""The gated self-attention fuser of one transformer block, and its optional instance mask.

docs/instance_diffusion.md sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Attention = Callable[..., Tensor]


def attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Multi-head attention on [B, T, C], [B, S, C], [B, S, C] -> [B, T, C];
    mask [B or 1, T, S] bool, True = may look."""
    q, k, v = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k, v))  # [B, heads, T, C/heads]
    mask = None if mask is None else mask.unsqueeze(1)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)


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
        self.attn = _SelfAttention(channels, heads, operations=operations, **kw)
        self.ff = _FeedForward(channels, operations=operations, **kw)
        self.norm1 = operations.LayerNorm(channels, eps=1e-5, **kw)
        self.norm2 = operations.LayerNorm(channels, eps=1e-5, **kw)
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
        attend: Attention = attention,
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
        a = self.attn.to_out(attend(self.attn.to_q(y), k, v, self.attn.heads, allowed))
        x = x + (scale * torch.tanh(self.alpha_attn.float())).to(x) * a
        return x + (scale * torch.tanh(self.alpha_dense.float())).to(x) * self.ff(self.norm2(x))


class _SelfAttention(nn.Module):
    """The projections alone; the attention itself is handed in, so that a host can use its own."""

    def __init__(self, channels: int, heads: int, *, operations, dtype, device):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.heads = heads
        self.to_q = operations.Linear(channels, channels, bias=False, **kw)
        self.to_k = operations.Linear(channels, channels, bias=False, **kw)
        self.to_v = operations.Linear(channels, channels, bias=False, **kw)
        self.to_out = nn.Sequential(operations.Linear(channels, channels, **kw))


class _GEGLU(nn.Module):
    def __init__(self, channels: int, *, operations, dtype, device):
        super().__init__()
        self.proj = operations.Linear(channels, 8 * channels, dtype=dtype, device=device)

    def forward(self, x: Tensor) -> Tensor:
        h, gate = self.proj(x).chunk(2, dim=-1)  # [B, V, 4C] each
        return h * F.gelu(gate)


class _FeedForward(nn.Module):
    """Names as published: `net.0.proj` and `net.2` (1 is a dropout of rate 0)."""

    def __init__(self, channels: int, *, operations, dtype, device):
        super().__init__()
        kw = {"dtype": dtype, "device": device}
        self.net = nn.Sequential(
            _GEGLU(channels, operations=operations, **kw),
            nn.Identity(),
            operations.Linear(4 * channels, channels, **kw),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


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
