"""Reads a picture of the demo world: which object is in a box, how far it reaches, and its colour, texture and shape.

Nothing here is learned and nothing is told to the judge but the picture and the box: objects are bright on
a dark ground, so a pixel belongs to the hue it shows, an object is a connected patch of one hue, its shape
is the best of the world's outlines stretched to its extent, and its texture shows in how its brightness varies.
Success = IoU of the extent with the box >= 0.5 and all three attributes right (the counting of MIG-Bench's ISR).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .world import COLOURS, SHAPES, Attributes, inside_shape

GROUND = (
    0.38  # a pixel is ground when its largest channel is below (backgrounds stay under 0.28, second tones above 0.42)
)
WHITE_SATURATION = 0.33  # a pixel is white when its saturation is below
MIN_AREA = 60  # px, smaller patches are no objects
PLAIN_DEVIATION = 0.085  # brightness deviation inside an object, relative; below: plain
STRIPE_COHERENCE = 0.5  # of the structure tensor; above: striped
IOU_SUCCESS = 0.5
_HUES = {"red": 0, "yellow": 56, "green": 125, "cyan": 181, "blue": 233, "magenta": 303}  # degrees


@dataclass(frozen=True)
class Verdict:
    """What the judge saw in one box. `found` is None and `extent` too when there is no object; boxes xyxy in 0..1."""

    wanted: Attributes
    box: tuple[float, float, float, float]
    found: Attributes | None
    extent: tuple[float, float, float, float] | None
    iou: float

    @property
    def attributes_right(self) -> bool:
        return self.found == self.wanted

    @property
    def success(self) -> bool:
        return self.iou >= IOU_SUCCESS and self.attributes_right

    @property
    def gated_iou(self) -> float:
        """The IoU, 0 when an attribute is wrong (MIG-Bench's mIoU)."""
        return self.iou if self.attributes_right else 0.0


def box_iou(a, b) -> float:
    """IoU of two xyxy boxes of any one unit."""
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(0.0, wide) * max(0.0, high)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return float(shared / total) if total > 0 else 0.0


def _classes(image: np.ndarray) -> np.ndarray:
    """[H, W, 3] in 0..1 -> int [H, W]: 0 ground, 1.. = index of the colour in COLOURS + 1;
    single odd pixels follow their neighbours."""
    high, low = image.max(-1), image.min(-1)
    span = np.maximum(high - low, 1e-6)
    r, g, b = image[..., 0], image[..., 1], image[..., 2]
    hue = np.where(high == r, ((g - b) / span) % 6, np.where(high == g, (b - r) / span + 2, (r - g) / span + 4)) * 60
    distance = np.stack([np.abs((hue - centre + 180) % 360 - 180) for centre in _HUES.values()])
    kind = distance.argmin(0) + 1
    names = list(COLOURS)
    kind[(high - low) < WHITE_SATURATION * high] = names.index("white") + 1
    kind[high < GROUND] = 0
    padded = np.pad(kind, 1, mode="edge")
    h, w = kind.shape
    votes = np.zeros((len(names) + 1, h, w), np.int8)
    for dy in range(3):
        for dx in range(3):
            near = padded[dy : dy + h, dx : dx + w]
            votes += (np.arange(len(names) + 1)[:, None, None] == near).astype(np.int8)
    return votes.argmax(0)


def _patches(kinds: np.ndarray) -> np.ndarray:
    """Connected patches of equal kind (4-neighbours): int [H, W], 0 on the ground, one positive number per patch."""
    labels = np.where(kinds > 0, np.arange(1, kinds.size + 1).reshape(kinds.shape), 0)
    across, down = kinds[:, 1:] == kinds[:, :-1], kinds[1:] == kinds[:-1]
    while True:
        before = labels.copy()
        for _ in range(8):
            top = np.maximum(labels[:, 1:], labels[:, :-1]) * across
            np.maximum(labels[:, 1:], top, out=labels[:, 1:])
            np.maximum(labels[:, :-1], top, out=labels[:, :-1])
            top = np.maximum(labels[1:], labels[:-1]) * down
            np.maximum(labels[1:], top, out=labels[1:])
            np.maximum(labels[:-1], top, out=labels[:-1])
        if np.array_equal(before, labels):
            return labels


def _extent(mask: np.ndarray):
    """Pixel box x1, y1, x2, y2 of a mask, by its rows and columns of at least two pixels."""
    xs, ys = np.flatnonzero(mask.sum(0) >= 2), np.flatnonzero(mask.sum(1) >= 2)
    if not len(xs) or not len(ys):
        return None
    return int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1


def _read_shape(mask: np.ndarray, unknown: np.ndarray) -> str:
    """The outline that agrees best (IoU) with a mask [h, w] cut to its extent; `unknown` pixels
    are covered by other objects."""
    h, w = mask.shape
    u, v = np.meshgrid((np.arange(w) + 0.5) / w * 2 - 1, (np.arange(h) + 0.5) / h * 2 - 1)
    scores = []
    for shape in SHAPES:
        outline = inside_shape(shape, u, v)
        known = ~unknown
        scores.append((mask & outline).sum() / max(1, ((mask | outline) & known).sum()))
    return SHAPES[int(np.argmax(scores))]


def _shrink(mask: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        padded = np.pad(mask, 1)
        mask = padded[1:-1, 1:-1] & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    return mask


def _read_texture(bright: np.ndarray, mask: np.ndarray) -> str:
    """Plain, striped or dotted, from the brightness [h, w] inside an object's mask."""
    inner = _shrink(mask, 2)
    if inner.sum() < 40:
        inner = _shrink(mask, 1)
    if inner.sum() < 12:
        return "plain"
    level = bright / np.percentile(bright[inner], 90)
    if level[inner].std() < PLAIN_DEVIATION:
        return "plain"
    gx, gy = np.zeros_like(level), np.zeros_like(level)
    gx[:, 1:-1], gy[1:-1] = level[:, 2:] - level[:, :-2], level[2:] - level[:-2]
    xx, yy, xy = (gx * gx)[inner].sum(), (gy * gy)[inner].sum(), (gx * gy)[inner].sum()
    coherence = np.hypot(xx - yy, 2 * xy) / max(xx + yy, 1e-9)
    return "striped" if coherence > STRIPE_COHERENCE else "dotted"


class Reading:
    """One picture, segmented once; `object_in(box)` tells what is in a box. image: uint8 [H, W, 3] or float in 0..1."""

    def __init__(self, image: np.ndarray):
        picture = np.asarray(image)
        self.image = picture.astype(np.float32) / 255 if picture.dtype == np.uint8 else picture.astype(np.float32)
        self.bright = self.image.max(-1)
        self.kinds = _classes(self.image)
        self.patches = _patches(self.kinds)
        self._extents = self._objects()

    def _objects(self):
        numbers, areas = np.unique(self.patches, return_counts=True)
        objects = {}
        for number, area in zip(numbers, areas, strict=True):
            extent = _extent(self.patches == number) if number and area >= MIN_AREA else None
            if extent:
                objects[int(number)] = extent
        return objects

    def object_in(self, box):
        """(attributes, extent, iou) of the object whose extent agrees best with a box
        (xyxy in 0..1), or (None, None, 0)."""
        h, w = self.bright.shape
        wanted = (box[0] * w, box[1] * h, box[2] * w, box[3] * h)
        overlaps = {number: box_iou(extent, wanted) for number, extent in self._extents.items()}
        best = max(overlaps, key=overlaps.get, default=None)
        if best is None or overlaps[best] <= 0:
            return None, None, 0.0
        x1, y1, x2, y2 = self._extents[best]
        return self._attributes(best), (x1 / w, y1 / h, x2 / w, y2 / h), overlaps[best]

    def largest_object(self) -> Attributes | None:
        """What the object of the largest extent is."""
        best = max(
            self._extents,
            key=lambda n: (self._extents[n][2] - self._extents[n][0]) * (self._extents[n][3] - self._extents[n][1]),
            default=None,
        )
        return None if best is None else self._attributes(best)

    def object_masks(self) -> list[np.ndarray]:
        """The pixels of each object, bool [H, W]."""
        return [self.patches == number for number in self._extents]

    def verdicts(self, boxes: Sequence, wanted: Sequence[Attributes]) -> list[Verdict]:
        """One verdict per box (xyxy in 0..1) and the attributes asked for there."""
        return [
            Verdict(attributes, tuple(box), *self.object_in(box)) for box, attributes in zip(boxes, wanted, strict=True)
        ]

    def _attributes(self, number: int) -> Attributes:
        x1, y1, x2, y2 = self._extents[number]
        patch, kinds = self.patches[y1:y2, x1:x2], self.kinds[y1:y2, x1:x2]
        mask = patch == number
        colour = list(COLOURS)[int(kinds[mask][0]) - 1]
        unknown = (kinds > 0) & ~mask
        return Attributes(_read_shape(mask, unknown), colour, _read_texture(self.bright[y1:y2, x1:x2], mask))


def judge(image: np.ndarray, boxes: Sequence, wanted: Sequence[Attributes]) -> list[Verdict]:
    """One verdict per box. image uint8 [H, W, 3] or float in 0..1, boxes xyxy in 0..1,
    wanted the attributes asked for."""
    return Reading(image).verdicts(boxes, wanted)


def summarise(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Rates over instances: isr, miou (attribute-gated), fit (IoU >= 0.5), iou (ungated)
    and each attribute's accuracy."""
    if not verdicts:
        raise ValueError("The judge has no verdicts to summarise: judge at least one box first.")

    def rate(value):
        return float(np.mean([value(v) for v in verdicts]))

    return {
        "isr": rate(lambda v: v.success),
        "miou": rate(lambda v: v.gated_iou),
        "fit": rate(lambda v: v.iou >= IOU_SUCCESS),
        "iou": rate(lambda v: v.iou),
        **{
            name: rate(lambda v, n=name: v.found is not None and getattr(v.found, n) == getattr(v.wanted, n))
            for name in ("shape", "colour", "texture")
        },
    }
