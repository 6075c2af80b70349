"""The host for diffusion transformers that read text by cross-attention: Anima, Wan, LTX-Video and their like.

Its point is after cross-attention.  What differs between the families is in `cross_families.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial

import torch
from torch import Tensor

from ..control import Text
from ..gates import Gate
from ..memo import Memo
from ..points import AFTER, Carry, Inputs, Points, Reading, Size
from .cross_families import FAMILIES, CrossFamily, OwnCall
from .gated import on_maps, swaps
from .loras import UnderLoRAs
from .swap import base_of, marked, swapped
from .transformer import Transformer, TransformerBlock


class CrossAttentionDiT(Transformer):
    """A transformer of one of the families with text cross-attention."""

    kinds = FAMILIES
    families = tuple(name for kind in FAMILIES.values() for name in kind.names)
    offers = frozenset({AFTER})

    @cached_property
    def readers(self) -> Mapping[str, torch.nn.Module]:
        """As `Host.readers`."""
        return {self.kind.reader(block.name): block.module for block in self.blocks}

    @contextmanager
    def gated(self, gates: Sequence[Gate], inputs: Inputs, memo: Memo) -> Iterator[Inputs]:
        """As `Host.gated`."""
        rows, _, *size = inputs.x.shape
        with swapped(swaps(self, gates, on_maps(rows, [self.kind.tokens(size)]), memo)):
            yield inputs

    def unpacked(self, out: object) -> tuple[Tensor, Callable]:
        """The tensor in what a reader gives, and how it is put back."""
        return self.kind.unpacked(out)

    @staticmethod
    def installer(key: str) -> Callable:
        """As `Host.installer`."""
        return _install

    @staticmethod
    @contextmanager
    def together(inputs: Inputs) -> Iterator[Inputs]:
        """Applies stack by themselves: one's forward stands in for the other's."""
        yield inputs


@dataclass
class _Acting:
    """What the swapped modules need in one call of the model."""

    kind: CrossFamily
    points: Points
    size: tuple[int, Size]  # rows of the call, and its tokens
    options: Mapping
    memo: Memo
    say: Callable[..., None]
    met: int = 0  # blocks that were called
    own: Memo = field(default_factory=Memo)  # what is kept for the time of the call


@contextmanager
def _install(
    host: CrossAttentionDiT, inputs: Inputs, points: Points, size: tuple[int, ...], memo: Memo, say: Callable
) -> Iterator[Inputs]:
    tokens = host.kind.tokens(size[1:])
    acting = _Acting(host.kind, points, (size[0], tokens), inputs.options, memo, say)
    changes = [(block.module, partial(_hooked, acting, block)) for block in host.blocks]
    with swapped([*changes, *host.kind.swaps(acting.own)]):
        yield inputs
    # Only the first call must meet some: caches that skip steps are no fault.
    if not memo.make("blocks met", lambda: acting.met):
        say("run.not_reached")


def _hooked(acting: _Acting, block: TransformerBlock, previous: Callable) -> Callable:
    base, (rows, size) = base_of(previous), acting.size
    count = torch.Size(size).numel()

    @torch.compiler.disable()
    def forward(x: Tensor, *args, **kwargs):
        out = previous(x, *args, **kwargs)
        acting.met += 1
        if x.shape[:2] != (rows, count):
            acting.say("run.other_tokens")
            return out
        spot = CrossSpot(block, size, acting, OwnCall(base, x, args, kwargs, acting.options, acting.own))
        a, pack = acting.kind.unpacked(out)
        return pack(acting.points.after(None, a, x, spot))

    return marked(forward, previous)


@dataclass(frozen=True)
class CrossSpot:
    """One block in one call, with the call of its cross-attention."""

    block: TransformerBlock
    size: Size
    acting: _Acting
    call: OwnCall

    def attention(self, reading: Reading, carry: Carry) -> CellAttention | UnderLoRAs:
        """The block's cross-attention on other cells and other text."""
        name = self.acting.kind.reader(self.block.name)
        return UnderLoRAs.around(CellAttention(self, reading, carry), self.block.module, name, reading)


@dataclass(frozen=True)
class CellAttention:
    """A block's cross-attention, each patch of the map reading its caption."""

    spot: CrossSpot
    reading: Reading
    carry: Carry

    def attend(self, cells: Tensor, pairs: Sequence[int], size: Size) -> Tensor:
        """``[m, T, C]`` -> ``[m, T, C]``: patches of the map, each of ``size``, one for each of ``pairs``."""
        groups: dict[tuple, list[int]] = {}  # the rows of a chunk read an instance's caption at one place
        for position, number in enumerate(pairs):
            row, slot = self.reading.pairs[number]
            text = self.reading.texts[number]
            groups.setdefault((id(text), slot, row // self.reading.rows.count), []).append(position)
        out = torch.empty_like(cells)
        for positions in groups.values():
            out[positions] = self._read(cells[positions], [pairs[position] for position in positions])
        return out

    def _read(self, cells: Tensor, pairs: list[int]) -> Tensor:
        acting, text, rows = self.spot.acting, self.reading.texts[pairs[0]], self.reading.rows
        if self.reading.own[pairs[0]]:  # the row's own call, masks and all, under a LoRA
            call = self.spot.call
            whole, _ = acting.kind.unpacked(call.base(call.x, *call.args, **call.kwargs))
            return self.carry(whole if rows.chosen is None else whole[rows.chosen], pairs)
        numbers = [self.reading.pairs[pair].row for pair in pairs]
        numbers = numbers if rows.chosen is None else rows.chosen[numbers].tolist()
        read = self._text(text)
        return acting.kind.own(self.spot.call, cells, text, read, numbers, lambda maps: self.carry(maps, pairs))

    def _text(self, text: Text) -> Tensor:
        """The caption ``[1, L, D]`` after the family's text layers: once per run where its weights stay as they are."""
        acting = self.spot.acting
        memo = acting.own if self.reading.cache is None else acting.memo
        return memo.make(("text layers", id(text)), lambda: acting.kind.text(text))
