"""Captions beside the prompt: which rows of a call have which, and what they hold of the picture."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ....roictrl_core.instances import InstanceBatch
from ..memo import Memo
from ..points import Reading, Segment, Size


def segments(
    instances: InstanceBatch,
    reading: Reading,
    regions: Tensor,
    strength: float,
    *,
    global_weight: float = 0.0,
    blocks: frozenset[int] | None = None,
    own: bool = False,
) -> list[Segment]:
    """Each instance's caption once for all rows in which it lies alike.

    ``regions`` ``[M, H, W]`` bool are the used pairs' tokens.  A ROI that reads its row's own text has no caption,
    except where ``own`` says that the text itself is one.
    """
    rows, found = reading.rows, {}
    for number, pair in enumerate(reading.pairs):
        if (own or not reading.own[number]) and regions[number].any():
            found.setdefault((pair.row // rows.count, pair.slot, id(reading.texts[number])), []).append(number)
    made = []
    for numbers in found.values():
        first = numbers[0]
        at = [reading.pairs[number].row for number in numbers]
        made.append(
            Segment(
                reading.texts[first],
                tuple(at if rows.chosen is None else rows.chosen[at].tolist()),
                regions[first],
                strength * float(instances.strength[reading.pairs[first]]),
                global_weight,
                blocks,
            )
        )
    return made


def once(
    memo: Memo, instances: InstanceBatch, make: Callable[[Size], list[Segment]]
) -> Callable[[Size], list[Segment]]:
    """``make``, asked once per run for the same instances and size: a host keeps what it derives of the segments."""
    return lambda size: memo.make(("segments", id(instances), size), lambda: make(size))
