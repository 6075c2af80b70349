"""The points of a model at which a method may act, and what its functions are told there.

A host (`hosts/`) says where its family has these points and calls the functions; a method (`methods/`) brings functions
for some of them.  Neither knows the other's classes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from torch import Tensor

from ...roictrl_core.attention import InstanceAttention
from ...roictrl_core.cache import KeyValueCache
from ...roictrl_core.instances import Pair
from .control import Text
from .memo import Memo
from .rows import Rows

# The points that a host can have; STATE: the state beside cross-attention's input is handed out as well.
BEFORE, AFTER, STATE, SKIP, TEXT = "before", "after", "state", "skip", "text"

OURS = "_roictrl"  # marks our own patches: to another Apply they are not other packs' patches

# (Frames,) rows and columns of a map of tokens, frames outermost.
Size = tuple[int, ...]
Carry = Callable[[Tensor, Sequence[int]], Tensor]  # maps [rows, T, I], ROIs -> what they read there, [m, T of a ROI, I]


class CannotAct(ValueError):
    """Why instances cannot act in a call of the model, as the sentence to say; who runs it names the node."""


class Block(Protocol):
    """One transformer block that reads text, the ``number``-th in forward order.

    ``name`` is its name in diffusers, ``official`` the one in the checkpoints of the model's authors; adapters are
    published under one or the other.  ``level`` 0 is the finest, and each one more halves the map.
    """

    name: str
    official: str
    number: int
    level: int
    channels: int
    heads: int
    text_width: int


@dataclass(frozen=True)
class Reading:
    """What the ROIs of a call read.

    Attributes:
        rows: the rows that the ROIs lie in; ``pairs``: row and slot of each ROI.
        texts: what each reads, as the model does.
        own: whether that is just the text of the ROI's row (which may be read under a LoRA).
        cache: their keys and values, or None where they may change between steps.
        memo: what else is kept for the sampling run.
        say: a note by its code and values, said once per run.
    """

    rows: Rows
    pairs: Sequence[Pair]
    texts: list[Text]
    own: list[bool]
    cache: KeyValueCache | None = None
    memo: Memo = field(default_factory=Memo)
    say: Callable[..., None] = lambda code, **values: None


class Spot(Protocol):
    """One block in one call of the model. ``size``: (frames,) rows and columns of its tokens."""

    block: Block
    size: Size

    def attention(self, reading: Reading, carry: Carry) -> InstanceAttention:
        """The block's own cross-attention on other cells and other text.

        ``carry`` reads maps as the method reads its own.
        """

    def kernel(self, q: Tensor, k: Tensor, v: Tensor, heads: int, mask: Tensor | None = None) -> Tensor:
        """The attention kernel that the model runs with: ``[B, T, C]`` of queries, keys and values."""


@dataclass(frozen=True, eq=False)
class Segment:
    """A caption's tokens beside the prompt's in the joint sequence of some rows.

    It reads itself and the image tokens of its region, and those read it besides all image tokens and the prompt
    (docs/any_model.md section 2).

    Attributes:
        rows: of the call, those that have it.
        region: ``[H, W]`` bool, the picture's tokens.
        strength: what it is worth to the image tokens that read it: its logarithm is added to their logits.
        global_weight: the share of an attention without captions that is mixed in, in its region.
        blocks: the numbers of those in which image tokens read it; None: in all.
    """

    text: Text
    rows: tuple[int, ...]
    region: Tensor
    strength: float = 1.0
    global_weight: float = 0.0
    blocks: frozenset[int] | None = None


class Inputs(NamedTuple):
    """Of one call of the model: latents ``[B, C, (F,) H, W]``, text ``[B, (layers,) L, c]``, transformer_options, and
    its other keyword arguments."""

    x: Tensor
    text: Tensor | None
    options: Mapping
    others: Mapping


class Points(NamedTuple):
    """A method's functions for one call of the model; the state of the call is in their closures.

    Attributes:
        before: state ``[B, T, C]``, spot -> the state before cross-attention.
        after: state h, cross-attention's output a and its input n, ``[B, T, C]`` each, spot -> what takes a's place.  h
            is None where a family has no state beside n.
        skip: number of a decoder's step, its state and its skip ``[B, C, H, W]`` -> both.
        text: (frames,) rows and columns of the picture's tokens -> what is read beside the prompt.
    """

    before: Callable[[Tensor, Spot], Tensor] | None = None
    after: Callable[[Tensor | None, Tensor, Tensor, Spot], Tensor] | None = None
    skip: Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]] | None = None
    text: Callable[[Size], Sequence[Segment]] | None = None
