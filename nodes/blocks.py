"""Which of a model's blocks an Apply acts in, as people write it: "all", or numbers and ranges of them."""

from __future__ import annotations

import re

from comfy_api.latest import io

from ..roictrl_core.notes import quote
from .patch.hosts import Host
from .types import advanced

ALL = "all"

_RANGE = re.compile(r"(\d{1,4})(?:\s*-\s*(\d{1,4}))?")


def blocks_input() -> io.Input:
    """Optional and last, so that graphs saved before there was one still run."""
    return advanced(
        io.String.Input(
            "blocks",
            default=ALL,
            optional=True,
            tooltip="In which of the model's blocks the boxes act: all, or numbers and ranges in forward order from 0, "
            "such as 0-18, 40. SD1.x: 0-5 go down, 6 is the middle, 7-15 go up. FLUX.1: 0-18 are double, 19-56 single.",
        )
    )


def blocks_of(text: str, host: Host) -> frozenset[int] | None:
    """The numbers; None for all of them.  Raises ValueError for what is none, and for one that the model lacks."""
    if text.strip().lower() in ("", ALL):
        return None
    count, chosen = len(host.blocks), set()
    for part in filter(None, map(str.strip, re.split(r"[,;\n]", text))):
        found = _RANGE.fullmatch(part)
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ValueError(
                f"blocks holds {quote(part)}; it must be all, or numbers and ranges such as 0-{count - 1}, 4. "
                "Correct it."
            )
        if last >= count:
            raise ValueError(
                f"blocks names {last}, and this model ({host.name}) has {count} blocks, 0 to {count - 1}. Correct it."
            )
        chosen.update(range(first, last + 1))
    return None if len(chosen) == count else frozenset(chosen)
