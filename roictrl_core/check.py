"""What became of a layout in a picture: each instance's object, its place and its name, and the objects beside them.

The objects come from any detector, as a layout that :func:`formats.read` made of its answer.  An instance is obeyed
where the object matched to it covers its box (IoU as in MIG-Bench, 0.5 there) and is not called something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .agreement import agrees
from .fields import Box, area, shared
from .layout import Instance, Layout
from .matching import iou_table, matched
from .notes import Note
from .wording import region_of

IOU_SUCCESS = 0.5  # as in MIG-Bench
MARK = "missed"  # field of an instance's `extra`, and so of its JSON: why it is not obeyed, as one of these
NOTHING, PLACE, NAME = "nothing there", "another place", "another thing"
MAX_NAMED = 8  # extra objects in one sentence

Agree = Callable[[Instance, Instance], bool | None]  # of what was asked for and what was found


@dataclass(frozen=True)
class Verdict:
    """What was found for one instance, ``index`` from 1 in the layout.

    ``object`` is the detection matched to it, with its box (None: nothing overlaps it), ``iou`` theirs, and ``agrees``
    whether it is what the caption asks for (None: one of them says nothing).
    """

    index: int
    iou: float = 0.0
    agrees: bool | None = None
    object: Instance | None = None
    least: float = IOU_SUCCESS

    @property
    def missed(self) -> str:
        """Why the instance is not obeyed: one of the words beside :data:`MARK`; "" where it is."""
        if self.object is None:
            return NOTHING
        if self.iou < self.least:
            return PLACE
        return NAME if self.agrees is False else ""


@dataclass(frozen=True)
class Check:
    """A verdict for each enabled instance, and the objects that nobody asked for."""

    verdicts: tuple[Verdict, ...]
    extras: tuple[Instance, ...]

    @property
    def score(self) -> float:
        """The share of the enabled instances that are obeyed; 1 where there are none. Extra objects do not lower it:
        detectors also find what belongs to the background."""
        hits = sum(not verdict.missed for verdict in self.verdicts)
        return hits / len(self.verdicts) if self.verdicts else 1.0

    def notes(self, layout: Layout) -> list[Note]:
        """One for each instance that is not obeyed, and one for all extra objects."""
        notes = [_note(layout.instances[one.index - 1], one) for one in self.verdicts if one.missed]
        names = [title_of(extra) or "?" for extra in self.extras]
        more = ["…"] if len(names) > MAX_NAMED else []
        values = {"count": len(names), "names": names[:MAX_NAMED] + more}
        notes += [] if self.verdicts else [Note("check.no_instances")]
        return notes + ([Note("check.extras", values=values)] if names else [])


def by_words(wanted: Instance, found: Instance) -> bool | None:
    """Whether a detection's label is what the caption, else the label, of an instance says."""
    return agrees(wanted.caption.strip() or wanted.label, title_of(found))


def title_of(found: Instance) -> str:
    """What a detector calls an object."""
    return found.label.strip() or found.caption.strip()


def check(layout: Layout, objects: Layout, least: float = IOU_SUCCESS, agree: Agree = by_words) -> Check:
    """Matches the objects found in a picture to the enabled instances of its layout, one to one.

    Of an instance with a mask, what the mask leaves of its box counts, and of one that is a point alone, whether the
    object's box holds it.  An object is an extra one where it is matched to nobody and less than half of it lies in any
    one of the boxes: what lies inside is a part, or was found twice.
    """
    wanted, found = layout.enabled, [one for one in objects.instances if one.enabled and one.has_area]
    regions, boxes = [region_of(instance) for _, instance in wanted], [one.box for one in found]
    iou = _with_points(iou_table(regions, boxes), regions, boxes)
    agreed = [
        [agree(instance, one) if iou[r, c] > 0 else None for c, one in enumerate(found)]
        for r, (_, instance) in enumerate(wanted)
    ]
    named = np.array([[verdict is not False for verdict in row] for row in agreed], bool).reshape(iou.shape)
    pairs = matched(iou, named & (iou >= least))
    verdicts = [
        Verdict(index, least=least) if c is None else Verdict(index, float(iou[r, c]), agreed[r][c], found[c], least)
        for r, ((index, _), c) in enumerate(zip(wanted, pairs, strict=True))
    ]
    extras = [one for c, one in enumerate(found) if c not in pairs and not _inside_any(one.box, regions)]
    return Check(tuple(verdicts), tuple(extras))


def marked(layout: Layout, result: Check) -> Layout:
    """The layout with :data:`MARK` on the instances that are not obeyed, and on no other."""
    why = {verdict.index: verdict.missed for verdict in result.verdicts}
    return replace(layout, instances=tuple(_marked(one, why.get(i, "")) for i, one in enumerate(layout.instances, 1)))


def missed(layout: Layout) -> list[int]:
    """The indices, from 1, of the enabled instances that :func:`marked` marked."""
    return [i for i, instance in layout.enabled if instance.extra.get(MARK)]


def _marked(instance: Instance, why: str) -> Instance:
    extra = {key: value for key, value in instance.extra.items() if key != MARK}
    return replace(instance, extra={**extra, MARK: why} if why else extra)


def _note(instance: Instance, verdict: Verdict) -> Note:
    if verdict.missed == NOTHING:
        return instance.note("check.nothing", verdict.index)
    seen = title_of(verdict.object) or "?"
    if verdict.missed == PLACE:
        return instance.note("check.place", verdict.index, seen=seen, iou=round(verdict.iou, 3), least=verdict.least)
    return instance.note("check.name", verdict.index, seen=seen)


def _with_points(iou: np.ndarray, regions: Sequence[Box], boxes: Sequence[Box]) -> np.ndarray:
    """The table with 1 in place of 0 where a region without area lies in a box."""
    for r, (x1, y1, x2, y2) in enumerate(regions):
        if x2 <= x1 or y2 <= y1:
            iou[r] = [box[0] <= x1 <= box[2] and box[1] <= y1 <= box[3] for box in boxes]
    return iou


def _inside_any(box: Box, regions: Sequence[Box]) -> bool:
    """Whether at least half of the box lies in one of the regions."""
    return 2 * max((area(shared(box, region)) for region in regions), default=0.0) >= area(box)
