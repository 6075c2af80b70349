"""Several layouts in one sampler call, a row of the batch each, which costs less than half of one call each.

The pack's own hooks and methods; only the rows differ: a node gives every row of a batch the same instances.
Pictures equal those of the nodes up to the rounding of larger matrix products (tests/comfy/benchmark).
Import after the pack is loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from roictrl_pack.nodes.captions import CaptionEncoder
from roictrl_pack.nodes.patch.control import PROMPT, Control, Reuse, Window
from roictrl_pack.nodes.patch.hooks import attach
from roictrl_pack.nodes.patch.methods import Method, Session
from roictrl_pack.nodes.patch.rows import Rows
from roictrl_pack.nodes.patch.run import Run
from roictrl_pack.nodes.slots import make_slots, usable_instances
from roictrl_pack.roictrl_core.layout import Instance, Layout

from .layouts import Case

NODE = "benchmark"


def layout_of(case: Case) -> Layout:
    """The case's boxes and captions."""
    boxes = zip(case.boxes, case.captions, strict=True)
    return Layout(case.size, case.size, tuple(Instance(box, caption) for box, caption in boxes))


class OtherRows:
    """A method whose session is told of other rows than those of the call: what ``change`` makes of them."""

    def __init__(self, method: Method, change: Callable[[Rows], Rows]) -> None:
        self.method, self.models, self.change = method, method.models, change

    def open(self, run: Run) -> Session:
        """The method's own session."""
        session = self.method.open(run)
        return lambda call: session(replace(call, rows=self.change(call.rows)))


def in_every_chunk(rows: Rows, **fields: object) -> Rows:
    """The rows with these fields in place of their chunks' own."""
    return replace(rows, chunks=tuple(replace(chunk, **fields) for chunk in rows.chunks))


def apply_rows(
    model,
    clip,
    layouts: Sequence[Layout],
    method: Method,
    window: Window = (0.0, 1.0),
    uncond: str = PROMPT,
    reuse: Reuse | None = None,
):
    """What an Apply node returns, for a batch of as many rows as there are layouts."""
    encoder = CaptionEncoder(clip)
    slots = [make_slots(usable_instances(layout, None)[0], encoder) for layout in layouts]
    # Row r of every chunk has the slots of layout r; all are on whenever one is.
    rows = OtherRows(method, partial(in_every_chunk, slots=tuple(slots)))
    return attach(model, Control(NODE, slots[0], window=window, uncond=uncond, reuse=reuse), rows)
