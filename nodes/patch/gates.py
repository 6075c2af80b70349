"""LoRAs that act in all layers of a model, for the tokens of their instances' boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...roictrl_core.instances import InstanceBatch
from ...roictrl_core.low_rank import Deltas
from ...roictrl_core.roi_prompts import cell_regions
from .control import Slot
from .points import Size
from .rows import Rows, place_instances
from .run import Call


@dataclass(frozen=True, eq=False)
class Gate:
    """One LoRA, or several together, in one call of the model.

    Attributes:
        mask: (frames,) rows and columns of a map of tokens -> ``[rows of the call, T, 1]``, how much each gets of it.
        texts: the captions of its instances, by identity, as the model reads them.
    """

    deltas: Deltas
    mask: Callable[[Size], Tensor]
    texts: frozenset[int] = frozenset()


def gates_of(call: Call) -> list[Gate]:
    """Those of a call's slots; a LoRA that several boxes have is one, so that it does not act twice where they meet."""
    slots = {number: slot for number, slot in enumerate(call.batch.slots) if slot is not None and slot.everywhere}
    rows = call.acting if slots else None
    if rows is None or not rows.chunks:
        return []
    key = ("gated instances", rows.chunks, call.device)
    instances = call.run.memo.make(key, lambda: place_instances(rows, len(call.batch.slots), False, call.device))
    found: dict[int, list[int]] = {}
    for number, slot in slots.items():
        found.setdefault(id(slot.everywhere), []).append(number)
    return [_gate(call, rows, instances, [slots[n] for n in numbers], numbers) for numbers in found.values()]


def _gate(call: Call, rows: Rows, instances: InstanceBatch, slots: list[Slot], numbers: list[int]) -> Gate:
    memo, strength = call.run.memo, call.run.control.strength
    texts = [call.run.text(text, call) for slot in slots for text in (slot.caption, slot.negative) if text is not None]
    key = ("gate", id(instances), *numbers, len(call.context))
    make = partial(_mask, rows, instances, frozenset(numbers), strength, len(call.context))
    return Gate(
        slots[0].everywhere,
        lambda size: memo.make((*key, size), lambda: make(size).to(call.device)),
        frozenset(map(id, texts)),
    )


def _mask(
    rows: Rows, instances: InstanceBatch, numbers: frozenset[int], strength: float, count: int, size: Size
) -> Tensor:
    """``[count, T, 1]`` on the CPU: in each of the call's rows the tokens inside the boxes, at their strength."""
    regions, strengths = cell_regions(instances, *size[-2:]), instances.strength.cpu()
    branches = [branch for _, _, branch in rows]
    mask = torch.zeros(count, *size[-2:])
    for region, pair in zip(regions, instances.pairs, strict=True):
        if pair.slot in numbers and branches[pair.row] in (0, pair.slot + 1):
            row = pair.row if rows.chosen is None else int(rows.chosen[pair.row])
            mask[row] = torch.maximum(mask[row], region * (strengths[pair] * strength))
    frames = torch.Size(size[:-2]).numel()
    return mask.flatten(1).repeat(1, frames)[..., None]
