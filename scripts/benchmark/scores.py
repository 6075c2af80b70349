"""Scores of the demo benchmark: what one picture is worth, rates over many pictures, and how sure they are.

Counting follows MIG-Bench: an instance succeeds when the IoU of the object's extent with its box
is at least 0.5 and all of its attributes are right; rates are over instances, so layouts with many weigh more.
Intervals come from resampling layouts, not instances: those of one picture share its fate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from demo_world.judge import IOU_SUCCESS, Reading, Verdict
from demo_world.world import Attributes

MARGIN = 4  # px around every box that count as the box's own: half a latent cell, over which the VAE rings
RESAMPLES = 2000
CONFIDENCE = 0.95
KINDS = ("shape", "colour", "texture")


@dataclass(frozen=True)
class Marks:
    """What the judge says of one picture; the tuples have an entry per instance, in the layout's order.

    iou: of the found object's extent with the box, 0 where nothing was found.
    right: all attributes are the wanted ones.
    leaked: it wears an attribute that another instance was to have and it was not; None where nothing was found.
    background: share 0..1 of the pixels outside all boxes (and MARGIN) that show an object.
    strays: objects of which less than half lies in the boxes.
    """

    iou: tuple[float, ...]
    right: tuple[bool, ...]
    leaked: tuple[bool | None, ...]
    background: float
    strays: int

    @property
    def instances(self) -> int:
        return len(self.iou)

    @property
    def successes(self) -> tuple[bool, ...]:
        return tuple(right and iou >= IOU_SUCCESS for iou, right in zip(self.iou, self.right, strict=True))

    @property
    def gated(self) -> tuple[float, ...]:
        """IoUs, 0 where an attribute is wrong (MIG-Bench's mIoU is their mean)."""
        return tuple(iou if right else 0.0 for iou, right in zip(self.iou, self.right, strict=True))


def mark(image: np.ndarray, boxes: Sequence, wanted: Sequence[Attributes]) -> Marks:
    """Judges a picture, uint8 [H, W, 3] or float in 0..1, against its layout: boxes xyxy in 0..1
    and the attributes asked for."""
    reading = Reading(image)
    verdicts = reading.verdicts(boxes, wanted)
    inside = inside_boxes(boxes, *reading.bright.shape)
    masks = reading.object_masks()
    shown = np.any(masks, axis=0) if masks else np.zeros_like(inside)
    return Marks(
        iou=tuple(verdict.iou for verdict in verdicts),
        right=tuple(verdict.attributes_right for verdict in verdicts),
        leaked=tuple(leaks(verdict, [*wanted[:i], *wanted[i + 1 :]]) for i, verdict in enumerate(verdicts)),
        background=float(shown[~inside].mean()) if not inside.all() else 0.0,
        strays=sum(int(mask[inside].sum() * 2 < mask.sum()) for mask in masks),
    )


def inside_boxes(boxes: Sequence, height: int, width: int) -> np.ndarray:
    """The pixels of all boxes (xyxy in 0..1) and MARGIN around them: bool [height, width]."""
    inside = np.zeros((height, width), bool)
    for x1, y1, x2, y2 in boxes:
        left, top = max(0, int(np.floor(x1 * width)) - MARGIN), max(0, int(np.floor(y1 * height)) - MARGIN)
        inside[top : int(np.ceil(y2 * height)) + MARGIN, left : int(np.ceil(x2 * width)) + MARGIN] = True
    return inside


def leaks(verdict: Verdict, others: Sequence[Attributes]) -> bool | None:
    """Whether the found object wears an attribute of the others' that its own caption does not ask for;
    None without an object."""
    if verdict.found is None:
        return None
    return any(
        getattr(verdict.found, kind) != getattr(verdict.wanted, kind)
        and getattr(verdict.found, kind) in {getattr(other, kind) for other in others}
        for kind in KINDS
    )


@dataclass(frozen=True)
class Measure:
    """A rate as a ratio of sums over pictures: what a picture adds above and below the line."""

    above: np.ndarray
    below: np.ndarray

    @property
    def value(self) -> float:
        total = self.below.sum()
        return float(self.above.sum() / total) if total else 0.0


def measures(marks: Sequence[Marks]) -> dict[str, Measure]:
    """isr, miou and leakage per instance (leakage: of those with an object), background and strays per picture."""
    if not marks:
        raise ValueError("There are no marks to score: judge at least one picture first.")
    count, ones = np.array([m.instances for m in marks], float), np.ones(len(marks))
    found = np.array([sum(leak is not None for leak in m.leaked) for m in marks], float)
    return {
        "isr": Measure(np.array([sum(m.successes) for m in marks], float), count),
        "miou": Measure(np.array([sum(m.gated) for m in marks]), count),
        "leakage": Measure(np.array([sum(bool(leak) for leak in m.leaked) for m in marks], float), found),
        "background": Measure(np.array([m.background for m in marks]), ones),
        "strays": Measure(np.array([m.strays for m in marks], float), ones),
    }


def resampled(measure: Measure, levels: Sequence[int], seed: int = 0) -> np.ndarray:
    """The rate in RESAMPLES bootstrap samples of the pictures, drawn within each level:
    how many a level has is fixed by design.

    The draws depend on levels and seed alone: two methods on the same layouts are resampled alike, so the difference
    of their results is a paired bootstrap.
    """
    rng, levels = np.random.default_rng(seed), np.asarray(levels)
    above, below = np.zeros(RESAMPLES), np.zeros(RESAMPLES)
    for level in np.unique(levels):
        of_level = levels == level
        count = int(of_level.sum())
        times = rng.multinomial(count, np.full(count, 1 / count), RESAMPLES)  # [RESAMPLES, count]
        above += times @ measure.above[of_level]
        below += times @ measure.below[of_level]
    return above / np.maximum(below, 1e-12)


def interval(samples: np.ndarray) -> tuple[float, float]:
    """The percentile interval of CONFIDENCE."""
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(samples, (tail, 100 - tail))
    return float(low), float(high)


def diversity(pictures: Sequence[np.ndarray]) -> float:
    """Mean absolute difference, 0..1, of every two pictures (uint8 [H, W, 3]) of one layout: what the seed decides."""
    if len(pictures) < 2:
        raise ValueError("Diversity needs at least two pictures of one layout.")
    as_float = [np.asarray(picture, np.float32) / 255 for picture in pictures]
    return float(np.mean([np.abs(a - b).mean() for a, b in combinations(as_float, 2)]))
