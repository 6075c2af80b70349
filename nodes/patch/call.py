"""What the blocks need to know of one UNet call: the instances of its rows, and the text each ROI reads."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

from ...roictrl_core.cache import KeyValueCache
from ...roictrl_core.coverage import PlacedMask
from ...roictrl_core.fuser import Record
from ...roictrl_core.instances import InstanceBatch
from .control import Slot
from .frames import FULL, Frame, project_box
from .roles import CAPTION
from .topology import Block, BlockKey

OURS = "_roictrl"  # marks our own patches: to a second Apply they are not other packs' patches

T = TypeVar("T")


class Memo(dict):
    """Values made once per sampling run, by key; two threads that meet make the same value twice."""

    def make(self, key: Hashable, value: Callable[[], T]) -> T:
        if key not in self:
            self[key] = value()
        return self[key]


@dataclass(frozen=True)
class Chunk:
    """The rows of one cond: its index in the list of the call, its role, and the crop it sees."""

    index: int
    role: str
    frame: Frame = FULL


@dataclass
class UNetCall:
    """One UNet call of one Apply.

    Attributes:
        size: rows, height, width of the UNet's input; a pass over something else is left alone.
        acting: the rows of the input that the method changes, or None for all; ``chunks``, ``instances`` and all that
            belongs to them are of these alone.
        contexts: the embedding ``[L, c]`` or ``[layers, L, c]`` that each used ROI reads, in the order of
            ``instances.pairs``.
        own_text: whether that is just the context of the ROI's row.
        cache: captions' keys and values, or None where they may change between steps.
        memo: what else the run keeps between steps.
        uuids: of the chunks' conds.
        context_patches: what other packs registered before attn2 (``attn2_patch``).
        box_tokens: ``[rows, S, width]`` of the adapter's box embedding.
        order: the slot permutation of a block, or None for the layout's order.
        record: takes (global weight, foreground) of every block in training.
        say: a note by its code and values, said once per run.
    """

    size: tuple[int, int, int]
    chunks: tuple[Chunk, ...]
    instances: InstanceBatch
    contexts: list[Tensor]
    own_text: list[bool]
    blocks: dict[BlockKey, Block]
    acting: Tensor | None = None
    cache: KeyValueCache | None = None
    memo: Memo = field(default_factory=Memo)
    strength: float = 1.0
    uuids: tuple = ()
    context_patches: Sequence[Callable] = ()
    box_tokens: Tensor | None = None
    order: Callable[[Block], Tensor | None] = lambda block: None
    record: Record | None = None
    say: Callable[..., None] = lambda code, **values: None

    def chunk_number(self, pair: int) -> int:
        """Which chunk the row of a pair (index into ``instances.pairs``) belongs to."""
        return self.instances.pairs[pair].row // (self.instances.rows // len(self.chunks))


def place_instances(
    slots: Sequence[Slot],
    active: Sequence[bool],
    chunks: Sequence[Chunk],
    rows_per_chunk: int,
    slot_count: int,
    zero_uncond: bool,
    device: torch.device,
) -> InstanceBatch:
    """The slots in every row, projected into the row's crop.

    A slot that is off now, or not visible in the crop, keeps its place: no ROI and the null token.  ``zero_uncond``
    takes the ROIs away from rows that do not read captions; their box tokens stay.
    """
    count = len(chunks)
    boxes = torch.zeros(count, slot_count, 4)
    token_mask = torch.zeros(count, slot_count, dtype=torch.bool)
    strength = torch.ones(count, slot_count)
    masks = {}
    for c, chunk in enumerate(chunks):
        for s, (slot, on) in enumerate(zip(slots, active)):
            box = project_box(slot.box, chunk.frame) if on else None
            if box is not None:
                boxes[c, s] = torch.tensor(box)
                token_mask[c, s] = True
                strength[c, s] = slot.strength
                if slot.mask is not None:
                    masks.update(
                        {(c * rows_per_chunk + r, s): PlacedMask(slot.mask, chunk.frame) for r in range(rows_per_chunk)}
                    )
    has_rois = torch.tensor([chunk.role == CAPTION or not zero_uncond for chunk in chunks])
    roi_mask = token_mask & has_rois[:, None]
    return InstanceBatch(
        *(t.repeat_interleave(rows_per_chunk, 0).to(device) for t in (boxes, roi_mask, token_mask, strength)), masks
    )
