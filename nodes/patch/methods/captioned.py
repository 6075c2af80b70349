"""Methods whose ROIs read captions after cross-attention: which rows act, and which text each ROI reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from ....roictrl_core.blending import slot_order
from ....roictrl_core.instances import InstanceBatch
from ..control import NONE, Slot, Text
from ..points import Block, Points, Reading, Spot
from ..roles import CAPTION
from ..rows import Rows, place_instances
from ..run import Call, Run

Order = Callable[[Block], Tensor | None]  # the slot permutation of a block, or None for the layout's order
# h (or None), a, n [B, T, C], spot -> the state after the method [B, T, C]; where there is no h, what takes a's place
Fuse = Callable[[Tensor | None, Tensor, Tensor, Spot], Tensor]


class Fuser(Protocol):
    """What such a method brings."""

    def slot_count(self, used: int) -> int:
        """How many slots S a row has, where so many are in use."""

    def fuse(self, instances: InstanceBatch, reading: Reading, order: Order) -> Fuse:
        """The function for one call."""


class CaptionedSession:
    """One sampling run of such a method."""

    def __init__(self, fuser: Fuser, run: Run) -> None:
        self.fuser, self.run = fuser, run

    def __call__(self, call: Call) -> Points | None:
        rows = call.acting
        if not rows.chunks:
            return None
        slots = self.fuser.slot_count(max(len(slots) for _, slots, _ in rows))
        zero_uncond = self.run.control.uncond == NONE
        key = ("instances", rows.chunks, slots, call.device)
        instances = self.run.memo.make(key, lambda: place_instances(rows, slots, zero_uncond, call.device))
        reading, order = self._reading(call, rows, instances), self._order(call.batch.number, slots)
        return self.points(instances, reading, order)

    def points(self, instances: InstanceBatch, reading: Reading, order: Order) -> Points:
        """Where the method acts in a call."""
        fuse = self.fuser.fuse(instances, reading, order)
        return Points(after=_after(fuse, reading.rows.chosen, self.run.control.strength))

    def _order(self, batch: int, slots: int) -> Order:
        """One permutation for all rows of a batch, as in the published code."""
        seed = self.run.control.shuffle_seed
        return lambda block: None if seed is None else slot_order(slots, seed, batch, block.number)

    def _reading(self, call: Call, rows: Rows, instances: InstanceBatch) -> Reading:
        """What every ROI reads: its caption, or its own negative, or its row's own context."""
        context = call.context if rows.chosen is None else call.context[rows.chosen.to(call.context.device)]
        own = []
        for c, key in enumerate(zip(rows.chunks, rows.uuids, strict=True)):
            own += self._own_context(key, context[c * rows.count : (c + 1) * rows.count], call)
        texts, which = list(rows), []
        for row, slot in instances.pairs:
            chunk, slots, _ = texts[row]
            text = slots[slot].caption if chunk.role == CAPTION else slots[slot].negative
            read = self._as_read_by(slots[slot], own[row]) if text is None else self.run.text(text, call)
            which.append((read, text is None))
        texts, is_own = [text for text, _ in which], [flag for _, flag in which]
        return Reading(rows, instances.pairs, texts, is_own, self.run.cache(call.device), self.run.memo, self.run.say)

    def _as_read_by(self, slot: Slot, text: Text) -> Text:
        """A row's own text, as a box with a LoRA or an image prompt reads it."""
        if slot.lora is None and slot.image_prompt is None:
            return text
        # The text is kept as well, so that no other can get its identity.
        key = ("read by", id(text), id(slot.lora), id(slot.image_prompt))
        return self.run.memo.make(key, lambda: (text, text.under(slot.lora).beside(slot.image_prompt)))[1]

    def _own_context(self, key: tuple, context: Tensor, call: Call) -> list[Text]:
        """``[R, ...]`` -> R texts; the same ones as in the last call where the text is still the same."""
        key = ("own", *key, len(context), call.device)
        context = context.to(device=call.device, dtype=call.dtype)
        kept, texts = self.run.memo.get(key) or (None, [])
        if kept is not None and kept.shape == context.shape and torch.equal(kept, context):
            return texts
        first = Text(context[0])
        texts = [first if torch.equal(row, first.tokens) else Text(row) for row in context]
        self.run.memo[key] = (context, texts)
        return texts


def _after(fuse: Fuse, chosen: Tensor | None, strength: float) -> Callable[..., Tensor]:
    """What a block is to add to h instead of a, in the chosen rows.

    It is the method's state at the Apply's strength, less h.
    """

    def output(h: Tensor | None, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
        fused = fuse(h, a, n, spot)
        if strength != 1:
            base = a if h is None else h + a
            fused = base + strength * (fused - base)
        return fused if h is None else fused - h

    def after(h: Tensor | None, a: Tensor, n: Tensor, spot: Spot) -> Tensor:
        if chosen is None:
            return output(h, a, n, spot)
        return a.index_copy(0, chosen, output(h if h is None else h[chosen], a[chosen], n[chosen], spot))

    return after
