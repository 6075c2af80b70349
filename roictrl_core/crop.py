"""A layout as a crop of its picture sees it: for tiles of an upscale, and for detailers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .fields import MAX_POINTS, Box, Point, Stroke, area, shared, show
from .layout import Instance, Layout
from .lines import cut_polygon, cut_stroke
from .masks import RunLengthMask
from .notes import Note

LEAST = 0.1  # share of a box, or of the crop, below which the crop does not see the box
NOTHING = (0.0, 0.0, None)  # share, fill and instance of a Sight
OUTLINE = "outline"  # the editor's field of an instance: the corners of the lasso that its mask was drawn with


@dataclass(frozen=True)
class Crop:
    """A part of a picture of ``width`` x ``height`` pixels: ``left`` and ``top`` belong to it, ``right`` and ``bottom``
    no more."""

    width: int
    height: int
    left: int
    top: int
    right: int
    bottom: int

    @classmethod
    def of(cls, width: int, height: int, x: int, y: int, across: int, down: int) -> Crop:
        """``across`` x ``down`` pixels from ``x``, ``y`` on, cut at the picture's border. Raises ValueError where
        nothing is left."""
        found = cls(width, height, max(x, 0), max(y, 0), min(x + across, width), min(y + down, height))
        if found.left >= found.right or found.top >= found.bottom:
            raise ValueError(
                f"The crop of {across} x {down} pixels at {x}, {y} has nothing of the picture of {width} x {height} "
                "pixels. Give a place inside it; where the layout is of another size than the picture that is cropped, "
                "connect that picture to image."
            )
        return found

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.right - self.left, self.bottom - self.top

    @property
    def box(self) -> Box:
        """xyxy in shares of the picture."""
        return self.left / self.width, self.top / self.height, self.right / self.width, self.bottom / self.height

    def xywh(self) -> dict[str, int]:
        """As core's BOUNDING_BOX."""
        width, height = self.size
        return {"x": self.left, "y": self.top, "width": width, "height": height}

    def place(self, point: Point) -> Point:
        """A point of the picture in shares of the crop; what is computed over its border by rounding is on it."""
        x1, y1, x2, y2 = self.box
        return _share(point[0], x1, x2), _share(point[1], y1, y2)


class Sight(NamedTuple):
    """What a crop has of the layout's ``index``-th instance: the share of the instance, the share of the crop that it
    fills, and the instance as it is there; shares of 0 and None where there is nothing."""

    index: int
    share: float
    fill: float
    instance: Instance | None

    def enough(self, least: float) -> bool:
        """Whether the crop sees the instance: it has at least ``least`` of it, or is filled by it as much."""
        return self.instance is not None and max(self.share, self.fill) >= least


def crop_layout(layout: Layout, crop: Crop, least: float = LEAST) -> tuple[Layout, list[Note]]:
    """The layout of the crop, of its size in pixels, and notes about what is left out although some of it is there.

    Boxes, points, scribbles, masks and outlines are cut at the crop's border and given in shares of the crop.  Of an
    instance with a mask the mask counts; one that is a point alone is there where its point is.
    """
    seen, notes = [], []
    for sight in sights(layout, crop):
        if sight.enough(least):
            seen.append(sight)
        elif sight.instance and sight.instance.enabled:
            values = {"percent": round(100 * sight.share, 1), "least": round(100 * least, 1)}
            notes.append(layout.instances[sight.index - 1].note("crop.little", sight.index, **values))
    found = seen_layout(layout, crop, seen)
    if layout.enabled and not found.enabled:
        notes.append(Note("crop.nothing", values={"box": show(crop.box)}))
    return found, notes


def seen_layout(layout: Layout, crop: Crop, seen: Sequence[Sight]) -> Layout:
    """The layout of a crop that has these."""
    width, height = crop.size
    return replace(layout, width=width, height=height, instances=tuple(sight.instance for sight in seen))


def sights(layout: Layout, crop: Crop) -> list[Sight]:
    """All instances, as the crop has them."""
    return [Sight(index, *_seen(instance, crop)) for index, instance in enumerate(layout.instances, 1)]


def _seen(instance: Instance, crop: Crop) -> tuple[float, float, Instance | None]:
    """Share, fill and instance of a :class:`Sight`."""
    frame, inside = crop.box, shared(instance.box, (0.0, 0.0, 1.0, 1.0))
    if not area(inside):
        there = instance.point is not None and _holds(frame, instance.point)
        return (1.0, 0.0, _cut(instance, crop, None)) if there else NOTHING
    both = area(shared(inside, frame))
    if not both:
        return NOTHING
    whole, mask = area(inside), None
    if instance.mask is not None:
        mask = cut_mask(instance.mask, crop)
        if pixels := instance.mask.area():
            both, whole = float(mask.mean()) * area(frame), pixels / math.prod(instance.mask.size)
            if not both:
                return NOTHING
    cut = _cut(instance, crop, mask)
    # Of a sliver the numbers' own precision may leave no area.
    return (min(both / whole, 1.0), both / area(frame), cut) if cut.has_area else NOTHING


def _holds(frame: Box, point: Point) -> bool:
    """Each point of a picture lies in one of the crops that share its borders: left and top belong to a crop."""
    return all(
        low <= value and (value < high or value == high == 1)
        for value, low, high in zip(point, frame[:2], frame[2:], strict=True)
    )


def _cut(instance: Instance, crop: Crop, mask: np.ndarray | None) -> Instance:
    """The instance in the crop, whatever of it is there."""
    frame = crop.box
    box = shared(instance.box, frame)
    if not area(box):
        box = (*(instance.point or frame[:2]),) * 2
    point = instance.point
    return replace(
        instance,
        box=(*crop.place(box[:2]), *crop.place(box[2:])),
        mask=None if mask is None else RunLengthMask.from_array(mask),
        point=crop.place(point) if point and shared((*point, *point), frame) == (*point, *point) else None,
        scribble=_cut_scribble(instance.scribble, crop),
        extra=_cut_extra(instance.extra, crop),
    )


def cut_mask(mask: RunLengthMask, crop: Crop) -> np.ndarray:
    """``[height, width]`` bool of the crop in pixels; each is the nearest one of the mask, as in
    :meth:`RunLengthMask.resized`."""
    own = mask.to_array()
    rows = _nearest(crop.top, crop.bottom, crop.height, own.shape[0])
    columns = _nearest(crop.left, crop.right, crop.width, own.shape[1])
    return own[rows[:, None], columns]


def _nearest(begin: int, end: int, count: int, own: int) -> np.ndarray:
    return np.minimum((np.arange(begin, end) * own + own // 2) // count, own - 1)


def _cut_scribble(scribble: Sequence[Stroke], crop: Crop) -> tuple[Stroke, ...]:
    """The parts of all strokes in the crop, as many as an instance may have points."""
    found: list[Stroke] = []
    left = MAX_POINTS
    for part in (part for stroke in scribble for part in cut_stroke(stroke, crop.box)):
        left -= len(part)
        if left < 0:
            break
        found.append(tuple(crop.place(point) for point in part))
    return tuple(found)


def _cut_extra(extra: dict, crop: Crop) -> dict:
    """The foreign fields, with the editor's outline in the crop; one that is damaged or not in it is left out."""
    if OUTLINE not in extra:
        return extra
    kept = {key: value for key, value in extra.items() if key != OUTLINE}
    corners = extra[OUTLINE]
    sound = isinstance(corners, (list, tuple)) and all(
        isinstance(corner, (list, tuple))
        and len(corner) == 2
        and all(isinstance(value, (int, float)) for value in corner)
        for corner in corners
    )
    cut = cut_polygon([(float(x), float(y)) for x, y in corners], crop.box) if sound else []
    return {**kept, OUTLINE: [list(crop.place(corner)) for corner in cut]} if len(cut) > 2 else kept


def _share(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
