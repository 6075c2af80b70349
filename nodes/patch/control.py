"""What an Apply node asks for, ready for any number of sampling runs: immutable, shared by clones of the model."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...roictrl_core.coverage import SoftMask
from ...roictrl_core.instances import largest
from ...roictrl_core.layout import Instance, Layout
from ...roictrl_core.notes import Note, capped
from .frames import visible_area

PROMPT, NONE, OFF = "negative prompt", "none", "off"  # what rows that read no captions have of the boxes
Window = tuple[float, float]  # percents of the schedule, 0..1; in a run: sigmas, high to low


@dataclass(frozen=True, eq=False)
class Slot:
    """One instance in its slot; the same only as itself.

    ``caption`` and ``negative`` are text embeddings ``[L, c]``, or ``[layers, L, c]`` with one per transformer
    (ED-LoRA).  Without a ``negative`` the uncond rows read their own context.  Equal captions share one tensor.
    With a ``mask`` the instance shows only inside it.
    """

    name: str
    box: tuple[float, float, float, float]
    strength: float
    window: Window
    enabled: bool
    caption: Tensor | None
    negative: Tensor | None = None
    mask: SoftMask | None = None


@dataclass(frozen=True)
class Control:
    """The slots and settings of one Apply.

    ``uncond``, for the rows that read the negative prompt: PROMPT, their ROIs read it as well; NONE, they have box
    tokens alone; OFF, they are the model's own.
    ``shuffle_seed`` permutes the slots for the gate, as the published code does, but from a seed.
    ``picture``: width, height that the layout was drawn for, in pixels; None where it is not known.
    """

    node: str
    slots: tuple[Slot, ...]
    strength: float = 1.0
    window: Window = (0.0, 1.0)
    uncond: str = PROMPT
    shuffle_seed: int | None = None
    picture: tuple[int, int] | None = None

    @property
    def is_off(self) -> bool:
        """Whether nothing of it can ever act: the model stays as it is."""
        return bool(self.why_off)

    @property
    def why_off(self) -> list[Note]:
        """Why it changes nothing, in one note; none where it acts. A picture without control must not be silent."""
        start, end = self.window
        if self.strength == 0:
            return [Note("apply.strength_zero")]
        if start >= end:
            return [Note("apply.window_empty", values={"start": start, "end": end})]
        return [] if any(slot.enabled for slot in self.slots) else [Note("apply.no_instance")]


def usable_instances(layout: Layout, limit: int | None, node: str) -> tuple[list[tuple[int, Instance]], list[Note]]:
    """The layout's instances, index from 1 each, that fit the adapter's ``limit`` slots, and notes on the others.

    Disabled instances keep their slots: which slot an instance sits in matters to the gate.  Raises ValueError with
    a sentence per problem where the layout is unusable.
    """
    if not isinstance(layout, Layout):
        raise ValueError(
            f"{node}: the layout input holds {type(layout).__name__}; connect Instance Box Prompt or "
            "another node with a ROICTRL_LAYOUT output."
        )
    if problems := layout.problems():
        raise ValueError("\n".join(f"{node}: {note.sentence()}" for note in capped(problems)))
    numbered = list(enumerate(layout.instances, 1))
    if limit is not None and len(numbered) > limit:
        # Muted ones give way first: a slot is worth more to an instance that is on.
        numbered = [pair for pair in numbered if pair[1].enabled]
        return numbered[:limit], [instance.note("apply.no_slot", i, limit=limit) for i, instance in numbered[limit:]]
    return numbered, []


def largest_instances(layout: Layout, limit: int, node: str) -> tuple[list[tuple[int, Instance]], list[Note]]:
    """The instances that are on, index from 1 each, of more than ``limit`` the largest; and notes on the others.

    Raises as `usable_instances` does.
    """
    numbered = [pair for pair in usable_instances(layout, None, node)[0] if pair[1].enabled and pair[1].strength > 0]
    kept, left = largest([visible_area(instance.box) for _, instance in numbered], limit)
    notes = [instance.note("apply.not_among_largest", i, limit=limit) for i, instance in (numbered[i] for i in left)]
    return [numbered[i] for i in kept], notes
