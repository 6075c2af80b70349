"""Multi-head attention, and a block's own cross-attention read by each ROI with its own caption."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .cache import KeyValueCache

AttentionFunction = Callable[..., Tensor]  # as multi_head_attention; a mask is given only where a method has one


def multi_head_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
    """Softmax attention: q `[N, T, I]`, k and v `[N, L, I]` to `[N, T, I]`, I split over the heads.

    mask: `[N or 1, T, L]` bool, True where a query may look.
    """
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in (q, k, v))  # [N, heads, T or L, I / heads]
    mask = None if mask is None else mask.unsqueeze(1)  # [N or 1, 1, T, L]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)  # [N, T, I]


class InstanceAttention(Protocol):
    """The block's own attn2, each ROI reading its own caption. `pairs` are indices into `InstanceBatch.pairs`;
    `grid`: rows and columns of an ROI's T bins, for whatever sits on attn2."""

    def attend(self, rois: Tensor, pairs: Sequence[int], grid: tuple[int, int]) -> Tensor:
        """The whole attn2, projections included: `[m, T, C]` of the m ROIs in `pairs` to `[m, T, C]`."""
        ...

    def project_queries(self, n: Tensor) -> Tensor | None:
        """Queries `[B, T, I]` of the normed state `[B, T, C]`, or None where they cannot
        be computed before ROI-Align."""
        ...

    def attend_queries(self, queries: Tensor, pairs: Sequence[int], grid: tuple[int, int]) -> Tensor:
        """What follows the query projection: `[m, T, I]` to `[m, T, C]`."""
        ...


class BlockAttention:
    """`InstanceAttention` over the projections of an attn2 with diffusers' and ComfyUI's names.

    Args:
        attn2: module with `to_q`, `to_k`, `to_v`, `to_out` (callable, or a list of layers as in diffusers) and `heads`.
        contexts: per used ROI its caption's embedding, `[L, c]`, or `[layers, L, c]` for per-layer text (ED-LoRA).
            Lengths may differ: each ROI attends to its own tokens only.
        layer: which layer of per-layer text this block reads, in forward order.
        cache: keeps the captions' keys and values between steps; None recomputes them.
        key: names this block in the cache.
    """

    def __init__(
        self,
        attn2: nn.Module,
        contexts: Sequence[Tensor],
        *,
        layer: int = 0,
        cache: KeyValueCache | None = None,
        key: Hashable = None,
    ) -> None:
        self.attn2, self.contexts, self.layer, self.cache, self.key = attn2, contexts, layer, cache, key

    def attend(self, rois: Tensor, pairs: Sequence[int], grid: tuple[int, int]) -> Tensor:
        return self.attend_queries(self.attn2.to_q(rois), pairs, grid)

    def project_queries(self, n: Tensor) -> Tensor | None:
        # Alignment is linear, so it commutes with to_q; with a bias it would not, as samples outside the map are 0.
        return None if getattr(self.attn2.to_q, "bias", None) is not None else self.attn2.to_q(n)

    def attend_queries(self, queries: Tensor, pairs: Sequence[int], grid: tuple[int, int]) -> Tensor:
        return self.project_out(self.attended(queries, pairs))

    def attended(self, queries: Tensor, pairs: Sequence[int]) -> Tensor:
        """`[m, T, I]` of as many queries, before the output projection."""
        result = None
        for members, unique, caption_of in self._groups(pairs):
            keys, values = self._keys_values(unique, queries)
            keys, values = _rows(keys, caption_of), _rows(values, caption_of)  # [m', L, I]
            attended = self.attention(_rows(queries, members), keys, values, [pairs[member] for member in members])
            if len(members) == len(pairs):
                result = attended
            else:
                result = torch.empty_like(queries, dtype=attended.dtype) if result is None else result
                result = result.index_copy(0, torch.tensor(members, device=queries.device), attended)
        return result

    def attention(self, q: Tensor, k: Tensor, v: Tensor, pairs: Sequence[int]) -> Tensor:
        """The attention kernel itself, `[m', T, I]` for the ROIs in `pairs`; a host replaces it with its own."""
        return multi_head_attention(q, k, v, self.attn2.heads)

    def project_out(self, attended: Tensor) -> Tensor:
        """attn2's output projection, bias included."""
        layers = self.attn2.to_out if isinstance(self.attn2.to_out, nn.ModuleList) else (self.attn2.to_out,)
        for layer in layers:
            attended = layer(attended)
        return attended

    def weights_version(self) -> Hashable:
        """Changes when the key and value weights do; a host that patches them while sampling says when."""
        parameters = (*self.attn2.to_k.parameters(), *self.attn2.to_v.parameters())
        return tuple((id(p), None if p.is_inference() else p._version) for p in parameters)

    def _groups(self, pairs: Sequence[int]) -> list[tuple[list[int], list[Tensor], list[int]]]:
        """ROIs of equal caption length: (positions in `pairs`, the distinct captions,
        each ROI's caption among them)."""
        by_length: dict[int, tuple[list[int], dict[int, int], list[Tensor], list[int]]] = {}
        for position, pair in enumerate(pairs):
            context = self.contexts[pair]
            members, place, unique, caption_of = by_length.setdefault(context.shape[-2], ([], {}, [], []))
            if id(context) not in place:
                place[id(context)] = len(unique)
                unique.append(context)
            members.append(position)
            caption_of.append(place[id(context)])
        return [(members, unique, caption_of) for members, _, unique, caption_of in by_length.values()]

    def _keys_values(self, captions: list[Tensor], like: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values `[u, L, I]` of the captions, from the cache where it holds them."""

        def compute() -> tuple[Tensor, Tensor]:
            layers = [c if c.ndim == 2 else c[self.layer] for c in captions]
            context = torch.stack(layers).to(like.device, like.dtype)  # [u, L, c]
            return self.attn2.to_k(context), self.attn2.to_v(context)

        if self.cache is None:
            return compute()
        return self.cache.get(
            (self.key, self.layer, like.dtype, like.device), captions, self.weights_version(), compute
        )


def _rows(tensor: Tensor, index: list[int]) -> Tensor:
    """`tensor[index]`, without a copy where that is the tensor itself."""
    return tensor if index == list(range(tensor.shape[0])) else tensor[index]
