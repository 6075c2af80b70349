"""Where in an answer of a detector the boxes of each picture are, whatever objects and lists stand around them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np

from ..layout import MAX_INSTANCES
from .arrays import is_row
from .common import entries, finite_numbers, first_filled, points_box
from .detection_keys import CORNERS, KEYS, NAME_KEYS, QUAD, SIDE_BY_SIDE, WRAPPERS, plain_keys
from .reading import CXCYWH, XYWH, XYXY, Way, ways

_DEPTH = 4  # objects around the boxes
_LOOKED_AT = 100  # entries among which one with a box must be


class Picture(NamedTuple):
    """The objects of one picture, what stands around them, by plain keys, and its name, "" where it has none."""

    items: Sequence
    around: dict
    name: str = ""


def pictures_in(data: object, depth: int = 0) -> list[Picture] | None:
    """The pictures of detections in ``data``; None where it holds none."""
    if depth > _DEPTH:
        return None
    if isinstance(data, Mapping):
        return _in_object(data, depth)
    first = first_filled(data)
    if isinstance(first, Mapping):
        if "image_id" in first and "category_id" in first:
            return None  # COCO results, which name no picture
        if any(isinstance(item, Mapping) and box_of(plain_keys(item)) for item in data[:MAX_INSTANCES]):
            return [Picture(data, {})]
    elif _is_pair(first):
        return [Picture([{"label": item[0], "box": item[1]} if _is_pair(item) else {} for item in data], {})]
    if not isinstance(first, (Mapping, list, tuple)) or is_row(first) or pictures_in(first, depth + 1) is None:
        return None
    return [
        picture
        for item in entries(data, "The list of pictures")
        for picture in pictures_in(item, depth + 1) or [Picture([], {})]
    ]


def _is_pair(value: object) -> bool:
    """A phrase and its box."""
    return isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[0], str) and is_row(value[1])


def _in_object(data: Mapping, depth: int) -> list[Picture] | None:
    if len(data) > MAX_INSTANCES:
        return None
    keys = plain_keys(data)
    name = next((keys[key] for key in NAME_KEYS if isinstance(keys.get(key), str)), "")
    column = next((key for key in KEYS if _is_column(keys.get(key))), None)
    if column:
        return [Picture(_side_by_side(keys, column), keys, name)]
    if box_of(keys):
        return [Picture([data], {})]
    for key in WRAPPERS:
        inner = pictures_in(keys[key], depth + 1) if isinstance(keys.get(key), (list, tuple, Mapping)) else None
        if inner:
            return [Picture(items, {**keys, **around}, own or name) for items, around, own in inner]
    return _by_name(data, depth) or _by_label(data)


_SIZES = ("origshape", "imagesize", "imgsize", "imgshape", "inputsize", "size", "shape")  # a picture's, no box's


def _is_column(value: object) -> bool:
    """Boxes in a list, which may be empty."""
    return isinstance(value, (list, tuple)) and not is_row(value) and (not value or is_row(first_filled(value)))


def _side_by_side(keys: dict, column: str) -> list[dict]:
    """One object for each box of lists that stand side by side."""
    rows = keys[column]
    more = plain_keys(keys["data"]) if isinstance(keys.get("data"), Mapping) else {}  # Supervision's names
    beside = {
        SIDE_BY_SIDE.get(key, key): values
        for key, values in {**more, **keys}.items()
        if key not in (column, *_SIZES) and _is_list(values) and len(values) == len(rows)
    }
    return [{column: row, **{key: values[i] for key, values in beside.items()}} for i, row in enumerate(rows)]


def _is_list(value: object) -> bool:
    return isinstance(value, (list, tuple, np.ndarray))


def left_over(picture: Picture) -> Iterator[tuple[str, int]]:
    """Lists that should stand beside the boxes and have another length: their keys and lengths."""
    if any(_is_column(picture.around.get(key)) for key in KEYS):
        yield from (
            (key, len(values))
            for key, values in picture.around.items()
            if key in SIDE_BY_SIDE and key != "names" and _is_list(values) and len(values) != len(picture.items)
        )


def _by_name(data: Mapping, depth: int) -> list[Picture] | None:
    """An object of pictures by their names."""
    if not any(map(_is_answer, islice(data.values(), _LOOKED_AT))):
        return None
    entries(list(data), "The object of pictures")
    inner = {str(key): pictures_in(value, depth + 1) for key, value in data.items() if _is_answer(value)}
    return [Picture(items, around, key) for key, found in inner.items() for items, around, _ in found or ()] or None


def _is_answer(value: object) -> bool:
    """Objects in a list, or lists side by side; what MIG-Bench has in this place are lists by captions."""
    if isinstance(value, Mapping):
        keys = plain_keys(value)
        return any(_is_column(keys.get(key)) for key in KEYS)
    return isinstance(first_filled(value), Mapping)


def _by_label(data: Mapping) -> list[Picture] | None:
    """An object of boxes, or lists of them, by their captions."""
    if not data or not all(
        isinstance(label, str) and (is_row(rows) or is_row(first_filled(rows))) for label, rows in data.items()
    ):
        return None
    return [
        Picture(
            [
                {"label": label, "box": row}
                for label, rows in data.items()
                for row in ([rows] if is_row(rows) else rows)
            ],
            {},
        )
    ]


def box_of(keys: dict) -> tuple[object, tuple[Way, ...], tuple[str, ...]] | None:
    """Four numbers (or what stands in their place), the ways that they may mean, and the keys that hold them."""
    for key, among in KEYS.items():
        value = keys.get(key)
        if isinstance(value, Mapping) and (inner := _corners(plain_keys(value))):
            centered = key == "coordinates" and inner[1] == ways((XYWH,))  # Create ML's x and y are the middle
            return inner[0], ways((CXCYWH,)) if centered else inner[1], (key,)
        if (
            is_row(value)
            or isinstance(value, (list, tuple))
            and not any(isinstance(part, (list, tuple, Mapping)) for part in value)
        ):
            return value, among, (key,)
    return _corners(keys)


def quad_of(keys: dict) -> list[tuple[float, float]] | None:
    """The four corners of a turned box, which Ultralytics names one by one; None where there are none."""
    for holder in (keys, *(plain_keys(keys[key]) for key in KEYS if isinstance(keys.get(key), Mapping))):
        values = finite_numbers([holder.get(key) for key in QUAD])
        if values is not None:
            return list(zip(values[::2], values[1::2], strict=True))
    return None


def _corners(keys: dict) -> tuple[list, tuple[Way, ...], tuple[str, ...]] | None:
    """The same of four keys, or of the eight of a turned box, which is then the upright one around it."""
    if all(key in keys for key in QUAD):
        quad = quad_of(keys)
        return list(points_box(quad)) if quad else [keys[key] for key in QUAD], ways((XYXY,)), QUAD
    for corners, order in CORNERS:
        if all(key in keys for key in corners):
            if order == XYWH and corners[0] == "x" and {"class", "confidence"} <= keys.keys():
                order = CXCYWH  # Roboflow's x and y are the middle
            return [keys[key] for key in corners], ways((order,)), corners
    return None
