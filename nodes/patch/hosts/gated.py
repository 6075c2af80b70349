"""LoRAs in a model's own layers for some tokens alone: y + mask * (x A) B, the layers' forward swapped for a call.

A layer whose tokens are the picture's gets a mask token by token.  A cross-attention is called again under the LoRA,
and the tokens choose between the two: its keys are of a text, which belongs to no place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ....roictrl_core.low_rank import added
from ..gates import Gate
from ..memo import Memo
from ..points import Size
from .loras import placed, under
from .swap import Swap, base_of, marked, unwrapped

if TYPE_CHECKING:
    from . import Host

# A gate, a layer's name and its input -> how much each token gets [B, T, 1], or None where they are no tokens of a map.
Masks = Callable[[Gate, str, Tensor], "Tensor | None"]
Found = Callable[[Tensor], "list[tuple[Gate, Tensor]]"]  # the same for all gates of one layer


def on_maps(rows: int, grids: Sequence[Size]) -> Masks:
    """Of a call of so many rows whose maps of tokens have one of some sizes."""
    sizes = {torch.Size(size).numel(): size for size in grids}

    def mask(gate: Gate, name: str, x: Tensor) -> Tensor | None:
        size = sizes.get(x.shape[1]) if x.ndim == 3 and x.shape[0] == rows else None
        return None if size is None else gate.mask(size)

    return mask


def swaps(host: Host, gates: Sequence[Gate], masks: Masks, memo: Memo) -> Iterator[Swap]:
    """The layers of a model that the gates change."""
    for name, module in host.readers.items():
        own = [gate for gate in gates if gate.deltas.touches(name)]
        if own:
            yield module, partial(_reader, host, name, module, _found(own, name, masks), memo)
    for name in {name for gate in gates for name in gate.deltas.by_layer}:
        if not any(name.startswith(f"{reader}.") for reader in host.readers):
            own = [gate for gate in gates if name in gate.deltas.by_layer]
            layer = unwrapped(host.module.get_submodule(name))
            tokens_last = not isinstance(layer, torch.nn.Linear)  # a convolution of one cell
            yield layer, partial(_layer, name, tokens_last, _found(own, name, masks), memo)


def _found(gates: Sequence[Gate], name: str, masks: Masks) -> Found:
    def found(x: Tensor) -> list[tuple[Gate, Tensor]]:
        pairs = ((gate, masks(gate, name, x)) for gate in gates)
        return [(gate, mask) for gate, mask in pairs if mask is not None]

    return found


def _layer(name: str, tokens_last: bool, found: Found, memo: Memo, previous: Callable) -> Callable:
    @torch.compiler.disable()
    def forward(x: Tensor, *args, **kwargs) -> Tensor:
        y = previous(x, *args, **kwargs)
        if x.ndim < 3:
            return y  # a vector for all tokens
        inner = x.movedim(1, -1) if tokens_last else x  # [B, ..., D]
        tokens = inner.flatten(1, -2)
        for gate, mask in found(tokens):
            out = (y.movedim(1, -1) if tokens_last else y).flatten(1, -2)
            out = added(out, tokens, gate.deltas.by_layer[name], partial(placed, memo, x), mask)
            out = out.unflatten(1, inner.shape[1:-1])
            y = out.movedim(-1, 1) if tokens_last else out
        return y

    return marked(forward, previous)


def _reader(host: Host, name: str, module: torch.nn.Module, found: Found, memo: Memo, previous: Callable) -> Callable:
    base = base_of(previous)

    @torch.compiler.disable()
    def forward(x: Tensor, *args, **kwargs):
        out = previous(x, *args, **kwargs)
        gates = found(x)
        if not gates:
            return out
        plain = out if base is previous else base(x, *args, **kwargs)
        (a, pack), (plain, _) = host.unpacked(out), host.unpacked(plain)
        for gate, mask in gates:
            with under(module, name, gate.deltas, memo):
                read, _ = host.unpacked(base(x, *args, **kwargs))
            a = a + mask.to(a.dtype) * (read - plain)
        return pack(a)

    return marked(forward, previous)
