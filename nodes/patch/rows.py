"""The rows of one call of the model: whose text they read, which crop they see, which instances act in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ...roictrl_core.coverage import PlacedMask
from ...roictrl_core.instances import InstanceBatch
from .control import Slot
from .frames import FULL, Frame, project_box
from .roles import CAPTION

Slots = tuple[Slot | None, ...]  # what sits in each slot; None where it is off now


@dataclass(frozen=True)
class Chunk:
    """The rows of one cond: its index in the list of the call, its role, the crop it sees, and each row's slots."""

    index: int
    role: str
    frame: Frame = FULL
    slots: tuple[Slots, ...] = ()


@dataclass(frozen=True)
class Rows:
    """Rows of one call, ``count`` to a chunk.

    Attributes:
        size: rows, (frames,) height, width of the model's input, of which these are all or some.
        uuids: of the chunks' conds.
        branches: the rows of a chunk are as many equal parts, one for each of these: 0, every instance, or the number
            of the only one that is drawn there (the Multi-Instance Sampler's).
        chosen: which rows of the input these are, int64; None: all of them.
    """

    chunks: tuple[Chunk, ...]
    count: int
    size: tuple[int, ...]
    uuids: tuple = ()
    branches: tuple[int, ...] = (0,)
    chosen: Tensor | None = None

    def __iter__(self) -> Iterator[tuple[Chunk, Slots, int]]:
        """Chunk, slots and branch of each row."""
        share = self.count // len(self.branches)
        for chunk in self.chunks:
            for row, slots in enumerate(chunk.slots):
                yield chunk, slots, self.branches[row // share]

    def __len__(self) -> int:
        return len(self.chunks) * self.count

    def only(self, belongs: Callable[[Chunk], bool], device: torch.device) -> Rows:
        """The rows of some chunks."""
        kept = [c for c, chunk in enumerate(self.chunks) if belongs(chunk)]
        if len(kept) == len(self.chunks):
            return self
        chosen = torch.tensor([c * self.count + row for c in kept for row in range(self.count)], device=device)
        chunks, uuids = tuple(self.chunks[c] for c in kept), tuple(self.uuids[c] for c in kept)
        return Rows(chunks, self.count, self.size, uuids, self.branches, chosen)


def place_instances(rows: Rows, slot_count: int, zero_uncond: bool, device: torch.device) -> InstanceBatch:
    """The slots of every row, projected into the row's crop.

    A slot that is off, or not visible in the crop, keeps its place: no ROI and the null token.  ``zero_uncond`` takes
    the ROIs away from rows that do not read captions; their box tokens stay.
    """
    boxes = torch.zeros(len(rows), slot_count, 4)
    token_mask = torch.zeros(len(rows), slot_count, dtype=torch.bool)
    strength = torch.ones(len(rows), slot_count)
    has_rois = torch.tensor([chunk.role == CAPTION or not zero_uncond for chunk, _, _ in rows])
    masks = {}
    for r, (chunk, slots, _) in enumerate(rows):
        for s, slot in enumerate(slots):
            box = None if slot is None else project_box(slot.box, chunk.frame)
            if box is not None:
                boxes[r, s] = torch.tensor(box)
                token_mask[r, s] = True
                strength[r, s] = slot.strength
                if slot.mask is not None:
                    masks[r, s] = PlacedMask(slot.mask, chunk.frame)
    roi_mask = token_mask & has_rois[:, None]
    return InstanceBatch(*(tensor.to(device) for tensor in (boxes, roi_mask, token_mask, strength)), masks)
