"""The instances of one UNet call: which rows have which boxes, and which slots of the adapter they sit in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from .coverage import PlacedMask


class Pair(NamedTuple):
    """One used ROI: batch row `row`, adapter slot `slot` (both from 0)."""

    row: int
    slot: int


@dataclass(frozen=True)
class InstanceBatch:
    """Boxes and masks of every row of a UNet call, on the adapter's fixed number of slots S.

    Args:
        boxes: `[B, S, 4]` float32, xyxy normalised to 0..1 of the row's own frame; anything where the slot is empty.
        roi_mask: `[B, S]` bool, the slot takes part as an ROI (ROI cross-attention, self-attention, blending).
        token_mask: `[B, S]` bool, the slot's box token is the box's, else the null token.
        strength: `[B, S]` float32, multiplies the instance's blending weight; the rest goes to the global slot.
        masks: by (row, slot), for the instances that show only inside a mask.

    The two masks differ where the unconditional row keeps its box tokens and loses its ROIs: docs/roictrl.md section 6.

    Raises:
        ValueError: the shapes do not belong together.
    """

    boxes: Tensor
    roi_mask: Tensor
    token_mask: Tensor
    strength: Tensor
    masks: Mapping[tuple[int, int], PlacedMask] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows_slots = tuple(self.boxes.shape[:2])
        if self.boxes.ndim != 3 or self.boxes.shape[-1] != 4:
            raise ValueError(f"Instance boxes must have the shape [rows, slots, 4], not {list(self.boxes.shape)}.")
        for name in ("roi_mask", "token_mask", "strength"):
            shape = tuple(getattr(self, name).shape)
            if shape != rows_slots:
                raise ValueError(f"{name} must have the shape [rows, slots] = {list(rows_slots)}, not {list(shape)}.")

    @classmethod
    def from_boxes(cls, boxes: Tensor, mask: Tensor | None = None, *, slots: int = 30) -> InstanceBatch:
        """Puts `[B, n, 4]` boxes (and a `[B, n]` mask) into the first n of `slots` slots, strength 1."""
        rows, count = boxes.shape[:2]
        if count > slots:
            raise ValueError(
                f"{count} instances do not fit the adapter's {slots} slots. Remove or merge {count - slots} of them."
            )
        mask = torch.ones(rows, count) if mask is None else mask
        padded = boxes.new_zeros(rows, slots, 4, dtype=torch.float32)
        padded[:, :count] = boxes
        used = torch.zeros(rows, slots, dtype=torch.bool, device=boxes.device)
        used[:, :count] = mask.to(boxes.device) > 0
        return cls(padded, used, used.clone(), torch.ones(rows, slots, device=boxes.device))

    def to(self, device: torch.device | str) -> InstanceBatch:
        """The same instances with their tensors on another device; masks stay where they are, as they only become
        plans, which are computed on the CPU."""
        names = ("boxes", "roi_mask", "token_mask", "strength")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})

    @property
    def rows(self) -> int:
        return self.boxes.shape[0]

    @property
    def slots(self) -> int:
        return self.boxes.shape[1]

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """The M used (row, slot) pairs in row-major order; everything ROI-sized is `[M, ...]` in this order.

        Read to the host once, so a GPU is synchronised once per InstanceBatch and not per block.
        """
        return tuple(Pair(*pair) for pair in self.roi_mask.nonzero().tolist())

    @cached_property
    def pair_boxes(self) -> Tensor:
        """`[M, 4]` float32 on the CPU: the boxes of `pairs`; geometry is computed where every device agrees on it."""
        boxes = self.boxes.detach().to("cpu", torch.float32)
        if not self.pairs:
            return boxes.new_zeros(0, 4)
        rows, slots = zip(*self.pairs, strict=True)
        return boxes[list(rows), list(slots)]  # [M, 4]


def largest(areas: Sequence[float], limit: int) -> tuple[list[int], list[int]]:
    """Which instances get a slot where there are `limit`: indices of the largest, and of the others, in drawing order
    (docs/instance_diffusion.md section 2.6)."""
    order = sorted(range(len(areas)), key=lambda index: -areas[index])
    return sorted(order[:limit]), sorted(order[limit:])
