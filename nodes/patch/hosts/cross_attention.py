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
from ..memo import Memo
from ..points import AFTER, Carry, Inputs, Points, Reading, Size
from .cross_families import FAMILIES, Family, OwnCall
from .encoding import encoded
from .swap import base_of, class_of, marked, swapped, unwrapped


@dataclass(frozen=True)
class CrossBlock:
    """One transformer block; ``module`` is its cross-attention."""

    name: str
    module: torch.nn.Module
    number: int
    channels: int
    heads: int
    text_width: int
    level: int = 0

    @property
    def official(self) -> str:
        """These models have one name for it."""
        return self.name


class CrossAttentionDiT:
    """A transformer of one of the families; ``family`` is what ComfyUI recognised the model as."""

    families = tuple(name for kind in FAMILIES.values() for name in kind.names)
    offers = frozenset({AFTER})

    def __init__(self, diffusion_model: torch.nn.Module, family: str = "") -> None:
        self.module, self.family = unwrapped(diffusion_model), family
        self.kind: Family = FAMILIES[class_of(diffusion_model)](self.module)

    @staticmethod
    def owns(diffusion_model: torch.nn.Module) -> bool:
        """Whether a diffusion model is of one of the families, exactly: relatives have other blocks."""
        return class_of(diffusion_model) in FAMILIES

    @cached_property
    def blocks(self) -> Sequence[CrossBlock]:
        """Its blocks, in forward order."""
        return [
            CrossBlock(name, unwrapped(module), number, self.kind.width, self.kind.heads, self.kind.text_width)
            for number, (name, module) in enumerate(self.kind.attentions())
        ]

    @property
    def name(self) -> str:
        """Which of the families it is of."""
        return self.kind.name

    @property
    def text_width(self) -> int:
        """Numbers per token of the text that it reads."""
        return self.kind.text_width

    def why_not(self, config) -> str:
        """Why instances cannot act in it, as the end of a sentence; "" where they can."""
        return self.kind.why_not()

    @property
    def shape(self) -> str:
        """In words, for a sentence that says that something does not fit."""
        return self.described(self.blocks)

    @staticmethod
    def described(blocks: Sequence) -> str:
        """In words, a transformer with these blocks."""
        return f"a diffusion transformer with {len(blocks)} text blocks of {blocks[0].channels} channels"

    @staticmethod
    def at_skips(options: Mapping) -> tuple[bool, list[Callable]]:
        """It has no skips."""
        return False, []

    encoded = staticmethod(encoded)

    @staticmethod
    def installer(key: str) -> Callable:
        """As `Host.installer`."""
        return _install

    @staticmethod
    @contextmanager
    def together(diffusion_model: torch.nn.Module, inputs: Inputs) -> Iterator[Inputs]:
        """Applies stack by themselves: one's forward stands in for the other's."""
        yield inputs


@dataclass
class _Acting:
    """What the swapped modules need in one call of the model."""

    kind: Family
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


def _hooked(acting: _Acting, block: CrossBlock, previous: Callable) -> Callable:
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

    block: CrossBlock
    size: Size
    acting: _Acting
    call: OwnCall

    def attention(self, reading: Reading, carry: Carry) -> CellAttention:
        """The block's cross-attention on other cells and other text."""
        return CellAttention(self, reading, carry)


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
        numbers = [self.reading.pairs[pair].row for pair in pairs]
        numbers = numbers if rows.chosen is None else rows.chosen[numbers].tolist()
        read = self._text(text)
        return acting.kind.own(self.spot.call, cells, text, read, numbers, lambda maps: self.carry(maps, pairs))

    def _text(self, text: Text) -> Tensor:
        """The caption ``[1, L, D]`` after the family's text layers: once per run where its weights stay as they are."""
        acting = self.spot.acting
        memo = acting.own if self.reading.cache is None else acting.memo
        return memo.make(("text layers", id(text)), lambda: acting.kind.text(text))
