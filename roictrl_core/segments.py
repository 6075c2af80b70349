"""Joint attention in which captions stand beside the prompt, and who reads whom: EliGen's rule without its mask.

A text segment reads itself and the image tokens of its region; the prompt itself and the whole image; an image token
the whole image, the prompt, and the captions whose regions it lies in (docs/any_model.md section 2).  Queries that
may read the same keys attend together, so that no mask of tokens x tokens is needed and any kernel will do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

IMAGE, PROMPT = -1, 0  # owners of tokens; captions are 1, 2, ...

# q, k, v, mask (or None) -> as the kernel gives it
Kernel = Callable[[Tensor, Tensor, Tensor, "Tensor | None"], Tensor]


@dataclass(frozen=True)
class Caption:
    """How a caption is read: ``region`` ``[I]`` bool, which of the I image tokens; its strength, and the share of an
    attention without captions that is mixed in there.  One that is not ``read`` reads on, and no image token reads
    it."""

    region: Tensor
    strength: float = 1.0
    global_weight: float = 0.0
    read: bool = True


@dataclass(frozen=True)
class Readers:
    """Queries ``[n]`` that read the same keys ``[m]``, both indices into the joint sequence in its order.

    Attributes:
        bias: ``[m]`` float32 for their logits, or None.
        plain: the keys without captions, of whose attention ``global_weight`` is mixed in.
    """

    queries: Tensor
    keys: Tensor
    bias: Tensor | None = None
    plain: Tensor | None = None
    global_weight: float = 0.0

    def to(self, device: torch.device) -> Readers:
        """The same with its indices on a device."""
        moved = (None if t is None else t.to(device) for t in (self.queries, self.keys, self.bias, self.plain))
        return Readers(*moved, self.global_weight)


def readers(owner: Tensor, captions: Sequence[Caption | None]) -> list[Readers]:
    """The groups of rows that have some of the captions; None for one that they do not have.

    Args:
        owner: ``[N]`` int64, whose each token of the joint sequence is.
        captions: of the owners 1, 2, ...; one whose region is empty is read by nobody.
    """
    image, prompt = ((owner == kind).nonzero().flatten() for kind in (IMAGE, PROMPT))
    everywhere = ((owner == PROMPT) | (owner == IMAGE)).nonzero().flatten()
    present = [number for number, caption in enumerate(captions, 1) if caption is not None and caption.region.any()]
    if not present:
        return [Readers(everywhere, everywhere)]
    regions = torch.stack([captions[number - 1].region for number in present])  # [present, I]
    own = [(owner == number).nonzero().flatten() for number in present]
    found = [
        Readers(text, torch.cat([text, image[region]]).sort().values) for text, region in zip(own, regions, strict=True)
    ]
    regions = regions & torch.tensor([captions[number - 1].read for number in present])[:, None].to(regions.device)
    kinds, kind_of = torch.unique(regions.T.long(), dim=0, return_inverse=True)  # [kinds, present], [I]
    alike = []  # image tokens that read no caption read what the prompt reads
    for kind, members in enumerate(kinds.bool()):
        queries = image[kind_of == kind]
        if members.any():
            read = [number for number, has in zip(present, members.tolist(), strict=True) if has]
            found.append(_image_readers(owner, everywhere, queries, read, captions))
        else:
            alike.append(queries)
    return [*found, Readers(torch.cat([prompt, *alike]).sort().values, everywhere)]


def _image_readers(
    owner: Tensor, everywhere: Tensor, queries: Tensor, read: Sequence[int], captions: Sequence[Caption | None]
) -> Readers:
    keys = torch.cat([everywhere, *((owner == number).nonzero().flatten() for number in read)]).sort().values
    bias = torch.zeros(len(keys))
    for number in read:
        bias[owner[keys] == number] = torch.tensor(captions[number - 1].strength).log()
    weight = max(captions[number - 1].global_weight for number in read)
    return Readers(queries, keys, bias if bias.any() else None, everywhere if weight else None, weight)


def attend(
    kernel: Kernel,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    groups: Sequence[tuple[Tensor | None, Sequence[Readers]]],
    mask: Tensor | None = None,
    axis: int = 2,
    out_axis: int = 1,
) -> Tensor:
    """Joint attention by groups of equal readers.

    Args:
        kernel: the attention itself.
        q, k, v: their tokens lie on ``axis``, as they do on ``out_axis`` of what the kernel gives.
        groups: of rows (None: all of them), the readers.  A token that no group names gets zeros.
        mask: of the model's own, whose last axis is the keys, and the last but one the queries where it has them;
            ``[queries, keys]`` for all rows, else with an axis of rows first.
    """
    out, mask = None, mask[None] if mask is not None and mask.ndim == 2 else mask
    for rows, members in groups:
        part = _Part(kernel, *(t if rows is None or t is None else _rows(t, rows) for t in (q, k, v, mask)), axis)
        own = None  # of these rows
        for group in members:
            found = part.read(group.queries, group.keys, group.bias)
            if group.plain is not None:
                found = torch.lerp(found, part.read(group.queries, group.plain, None), group.global_weight)
            if own is None:
                own = found.new_zeros([*found.shape[:out_axis], q.shape[axis], *found.shape[out_axis + 1 :]])
            own.index_copy_(out_axis, group.queries, found)
        if rows is None:
            return own
        out = own.new_zeros(len(q), *own.shape[1:]) if out is None else out
        out.index_copy_(0, rows, own)
    return out


@dataclass(frozen=True)
class _Part:
    """Some rows of a joint attention."""

    kernel: Kernel
    q: Tensor
    k: Tensor
    v: Tensor
    mask: Tensor | None
    axis: int

    def read(self, queries: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor:
        """The kernel on some queries and keys."""
        k, v = (t.index_select(self.axis, keys) for t in (self.k, self.v))
        return self.kernel(self.q.index_select(self.axis, queries), k, v, self._cut(queries, keys, bias))

    def _cut(self, queries: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor | None:
        """The model's mask for some queries and keys, with a bias added; None where there is neither."""
        mask = self.mask
        if mask is None:
            return None if bias is None else bias.to(self.q.dtype)[None, None, None]  # [1, 1, 1, keys]
        if mask.ndim > 1 and mask.shape[-2] == self.q.shape[self.axis]:
            mask = mask.index_select(-2, queries)
        mask = mask.index_select(-1, keys)
        if bias is None:
            return mask
        if mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=self.q.dtype).masked_fill(~mask, float("-inf"))
        return mask + bias.to(mask.dtype)


def _rows(t: Tensor, rows: Tensor) -> Tensor:
    """The rows of a batch; what is the same for all of them stays."""
    return t if t.shape[0] == 1 else t.index_select(0, rows)
