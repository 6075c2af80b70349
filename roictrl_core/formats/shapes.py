"""Masks, polygons, points and strokes as formats write them, to an instance's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..fields import MAX_POINTS, Point, Stroke
from ..masks import MAX_PIXELS, RunLengthMask
from ..notes import quote
from .common import BORDER_SLACK, MAX_MASK_PIXELS, Reader, finite_numbers, numbers


def rle_mask(data: object, who: dict, reader: Reader) -> RunLengthMask | None:
    """A COCO RLE as a mask; None without one, or with a note where it is damaged."""
    if not data:
        return None
    try:
        return RunLengthMask.from_dict(data)
    except ValueError as error:
        reader.note("read.mask", who=who, reason=str(error))
        return None


def array_mask(data: np.ndarray, who: dict, reader: Reader) -> RunLengthMask | None:
    """A [H, W] array, or one with sides of 1 around it, as a mask; None with a note where it is none."""
    array = data.squeeze()
    if array.ndim == 2 and 0 < array.size <= MAX_PIXELS:
        return RunLengthMask.from_array(array)
    reader.note("read.mask", who=who, reason=f"It has the shape {' x '.join(map(str, data.shape))}.")
    return None


def polygons_of(data: object) -> list[list[Point]] | None:
    """Polygons in their own unit from [x1, y1, x2, ...], [[x, y], ...], {"x": [...], "y": [...]}, or a list of these.

    None where one of them is no list of at least three pairs of finite numbers.
    """
    if isinstance(data, Mapping):
        x, y = (data.get(axis) if isinstance(data.get(axis), (list, tuple)) else () for axis in "xy")
        data = list(zip(x, y, strict=False))  # a foreign file's: what has no partner is no point
    if not isinstance(data, (list, tuple)) or not data:
        return None
    if isinstance(data[0], (list, tuple)) and len(data[0]) != 2 or isinstance(data[0], Mapping):
        found = [polygons_of(part) if isinstance(part, (list, tuple, Mapping)) else None for part in data]
        return None if None in found else [polygon for polygons in found for polygon in polygons]
    pairs = data if isinstance(data[0], (list, tuple)) else [data[i : i + 2] for i in range(0, len(data), 2)]
    points = [finite_numbers(pair) for pair in pairs]
    if len(points) < 3 or any(point is None or len(point) != 2 for point in points):
        return None
    return [points]


def segmentation_mask(data: object, who: dict, reader: Reader) -> RunLengthMask | None:
    """COCO's segmentation: polygons in pixels, an RLE, or both in one list, as one mask;
    None with a note where it is unusable."""
    if isinstance(data, np.ndarray):
        return array_mask(data, who, reader)
    if not data or isinstance(data, Mapping):
        return rle_mask(data, who, reader)
    parts = data if isinstance(data, list) else [data]
    runs = [part for part in parts if isinstance(part, Mapping)]
    flat = [part for part in parts if not isinstance(part, Mapping)]
    polygons = polygons_of(flat) if flat else []
    if polygons is None:
        reader.note("read.polygon", who=who)
        return None
    normalised = [[(x / reader.width, y / reader.height) for x, y in polygon] for polygon in polygons]
    masks = [reader.outlines(normalised, who)] if polygons else []
    return _union([*masks, *(rle_mask(part, who, reader) for part in runs)], who, reader)


def _union(masks: list[RunLengthMask | None], who: dict, reader: Reader) -> RunLengthMask | None:
    """Of several masks on the largest one's pixels; of one, itself. None with a note where they are too many pixels."""
    masks = [mask for mask in masks if mask is not None]
    if len(masks) < 2:
        return masks[0] if masks else None
    height, width = max((mask.size for mask in masks), key=lambda size: size[0] * size[1])
    if height * width * len(masks) > reader.mask_pixels:
        reader.note(
            "read.mask", who=who, reason=f"The masks of the file have more than {MAX_MASK_PIXELS} pixels together."
        )
        return None
    reader.mask_pixels -= height * width * len(masks)
    canvas = np.zeros((height, width), dtype=bool)
    for mask in masks:
        own = mask.to_array()
        canvas |= own[
            np.ix_(*(np.arange(side) * have // side for side, have in zip((height, width), own.shape, strict=True)))
        ]
    return RunLengthMask.from_array(canvas)


def point_of(data: object, who: dict, reader: Reader) -> Point | None:
    """x, y in pixels, normalised; None without one, or with a note where it is unusable."""
    if not data:
        return None
    values = numbers(data, 2, who, Reader())
    point = values and _inside([values], reader)
    if not point:
        reader.note("read.point", who=who, value=quote(data))
        return None
    return point[0]


def strokes_of(data: object, who: dict, reader: Reader) -> tuple[Stroke, ...]:
    """[[x, y], ...] in pixels, or a list of such strokes, normalised; none with a note where they are unusable."""
    if not data:
        return ()
    nested = (
        isinstance(data, (list, tuple))
        and isinstance(data[0], (list, tuple))
        and data[0]
        and isinstance(data[0][0], (list, tuple))
    )
    strokes = [_stroke(stroke, reader) for stroke in (data if nested else [data])]
    if None in strokes or sum(map(len, strokes)) > MAX_POINTS:
        reader.note("read.scribble", who=who, most=MAX_POINTS)
        return ()
    return tuple(strokes)


def _stroke(data: object, reader: Reader) -> Stroke | None:
    points = [finite_numbers(pair) for pair in data] if isinstance(data, (list, tuple)) and data else [None]
    return None if any(point is None or len(point) != 2 for point in points) else _inside(points, reader)


def _inside(points: list[Point], reader: Reader) -> Stroke | None:
    """Points in pixels, normalised and moved onto the border from just beyond; None where one is further out."""
    normalised = [(x / reader.width, y / reader.height) for x, y in points]
    if any(not -BORDER_SLACK <= value <= 1 + BORDER_SLACK for point in normalised for value in point):
        return None
    return tuple((round(min(max(x, 0.0), 1.0), 9), round(min(max(y, 0.0), 1.0), 9)) for x, y in normalised)
