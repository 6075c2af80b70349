"""Who reads whom where captions stand beside the prompt, word for word: one mask of tokens x tokens, in float64."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

NEVER = float("-inf")


def bias(owner: Sequence[int], captions: Sequence, mixed: bool = False) -> Tensor:
    """``[N, N]`` float64, what is added to the logits of each query (row) on each key (column).

    ``owner``: -1 an image token, 0 the prompt's, i the i-th caption's.  ``mixed``: image tokens read no caption.
    """
    image = [token for token, kind in enumerate(owner) if kind == -1]
    place = {token: number for number, token in enumerate(image)}

    def in_region(token: int, caption: int) -> bool:
        return captions[caption - 1] is not None and bool(captions[caption - 1].region[place[token]])

    def worth(query: int, key: int) -> float:
        reader, read = owner[query], owner[key]
        if reader == -1 and read > 0:
            reads = not mixed and in_region(query, read) and captions[read - 1].read
            return float(torch.tensor(captions[read - 1].strength, dtype=torch.float64).log()) if reads else NEVER
        if reader > 0 and read == -1:
            return 0.0 if in_region(key, reader) else NEVER
        return 0.0 if reader == read or {reader, read} == {-1, 0} else NEVER

    count = len(owner)
    return torch.tensor([[worth(q, k) for k in range(count)] for q in range(count)], dtype=torch.float64)


def shares(owner: Sequence[int], captions: Sequence) -> Tensor:
    """``[N]`` float64: how much of an attention without captions is mixed into each token's."""
    found, number = [], 0
    for kind in owner:
        weights = [0.0]
        if kind == -1:
            weights += [c.global_weight for c in captions if c is not None and c.read and c.region[number]]
            number += 1
        found.append(max(weights))
    return torch.tensor(found, dtype=torch.float64)


def attention(q: Tensor, k: Tensor, v: Tensor, added: Tensor) -> Tensor:
    """``[B, heads, N, D]`` in float64."""
    q, k, v = (t.double() for t in (q, k, v))
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5 + added).softmax(-1) @ v


def attend(q: Tensor, k: Tensor, v: Tensor, owner: Sequence[int], captions: Sequence, mask: Tensor | None = None):
    """``[B, heads, N, D]`` float64: the rule, on top of a mask of the model's own that can be added to ``[N, N]``."""
    if mask is not None and mask.dtype == torch.bool:
        mask = torch.zeros(mask.shape, dtype=torch.float64).masked_fill(~mask, NEVER)
    own = 0 if mask is None else mask.double()
    with_captions = attention(q, k, v, bias(owner, captions) + own)
    without = attention(q, k, v, bias(owner, captions, mixed=True) + own)
    return torch.lerp(with_captions, without, shares(owner, captions)[:, None])
