"""What detectors answer with: objects that hold a box, a label and a score, or lists of each side by side.

There is no standard.  What the keys and ``box_format`` and its like say is believed (detection_keys.py); the rest is
decided by :func:`~.placing.place` over all boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..layout import Layout
from ..masks import RunLengthMask
from ..notes import quote, subject
from .arrays import is_row
from .common import Reader, choose, entries, first_filled, is_number, numbers, text_of
from .detection_keys import (CAPTION_KEYS, CLASS_KEYS, CORNERS, FORMAT_KEYS, KEYS, MASK_KEYS, NAMED, SCORE_KEYS, SHAPE_KEYS,
                             SIDE_BY_SIDE, SIZE_KEYS, WRAPPERS, plain_key, plain_keys)
from .names import ClassNames, names_in
from .placing import Found, place
from .reading import CXCYWH, DETECTED, PIXELS, SHARES, XYWH, XYXY, Way, ways
from .shapes import array_mask, polygons_of, rle_mask

_GROUNDED = (Way(CXCYWH, SHARES), Way(XYXY, PIXELS), Way(XYXY, SHARES))      # Grounding DINO's own boxes first
_ANNOTATED = (Way(XYWH, PIXELS), Way(XYXY, PIXELS), Way(XYWH, SHARES))       # COCO's first
_DEPTH = 4   # objects around the boxes


class Sources(NamedTuple):
    """The objects of each picture, and what stands around them, by plain keys."""

    pictures: list[list]
    around: dict


# --- finding them ---

def is_detections(data: object) -> bool:
    return _sources(data) is not None


def _sources(data: object, depth: int = 0) -> Sources | None:
    """The pictures of detections in ``data``; None where it holds none."""
    if depth > _DEPTH:
        return None
    if isinstance(data, Mapping):
        return _in_object(data, depth)
    first = first_filled(data)
    if isinstance(first, Mapping):
        if "image_id" in first and "category_id" in first:
            return None                                    # COCO results, which name no picture
        if any(isinstance(item, Mapping) and _box(plain_keys(item)) for item in data):
            return Sources([list(data)], {})
    elif isinstance(first, (list, tuple)) and len(first) == 2 and isinstance(first[0], str) and is_row(first[1]):
        return Sources([[{"label": pair[0], "box": pair[1]} if isinstance(pair, (list, tuple)) and len(pair) == 2 else {} for pair in data]], {})
    if not isinstance(first, (Mapping, list, tuple)) or is_row(first):
        return None
    found = [_sources(item, depth + 1) for item in data]
    if found[0] is None:
        return None
    pictures = [items for source in found for items in (source.pictures if source else [[]])]
    return Sources(pictures, found[0].around)


def _in_object(data: Mapping, depth: int) -> Sources | None:
    keys = plain_keys(data)
    box = _box(keys)
    column = next((key for key in KEYS if isinstance(keys.get(key), (list, tuple)) and not is_row(keys[key])
                   and (is_row(first_filled(keys[key])) or not keys[key])), None)
    if column:
        return Sources([_side_by_side(keys, column)], keys)
    if box:
        return Sources([[data]], {})
    for key in WRAPPERS:
        inner = _sources(keys[key], depth + 1) if isinstance(keys.get(key), (list, tuple, Mapping)) else None
        if inner:
            return Sources(inner.pictures, {**keys, **inner.around})
    if data and all(isinstance(label, str) and (is_row(rows) or is_row(first_filled(rows))) for label, rows in data.items()):
        return Sources([[{"label": label, "box": row} for label, rows in data.items() for row in ([rows] if is_row(rows) else rows)]], {})
    return None


def _side_by_side(keys: dict, column: str) -> list[dict]:
    """One object for each box of lists that stand side by side."""
    rows = keys[column]
    beside = {SIDE_BY_SIDE.get(key, key): values for key, values in keys.items()
              if key != column and isinstance(values, (list, tuple, np.ndarray)) and len(values) == len(rows)}
    return [{column: row, **{key: values[i] for key, values in beside.items()}} for i, row in enumerate(rows)]


def _box(keys: dict) -> tuple[object, tuple[Way, ...], tuple[str, ...]] | None:
    """Four numbers (or what stands in their place), the ways that they may mean, and the keys that hold them."""
    for key, among in KEYS.items():
        value = keys.get(key)
        if isinstance(value, Mapping) and (inner := _corners(plain_keys(value))):
            return inner[0], inner[1], (key,)
        if is_row(value) or isinstance(value, (list, tuple)) and not any(isinstance(part, (list, tuple, Mapping)) for part in value):
            return value, among, (key,)
    return _corners(keys)


def _corners(keys: dict) -> tuple[list, tuple[Way, ...], tuple[str, ...]] | None:
    """The same of four keys."""
    for corners, order in CORNERS:
        if all(key in keys for key in corners):
            if order == XYWH and corners[0] == "x" and {"class", "confidence"} <= keys.keys():
                order = CXCYWH                             # Roboflow's x and y are the middle
            return [keys[key] for key in corners], ways((order,)), corners
    return None


# --- reading them ---

def read_detections(data: object, reader: Reader) -> Layout:
    pictures, around = _sources(data)
    items = pictures[choose([f"frame {i}" for i in range(1, len(pictures) + 1)], reader.pick, "frame", reader)]
    _own_size(around, reader)
    names = ClassNames(reader, names_in(around.get("names")))
    found = [_found(item if isinstance(item, Mapping) else {}, i, around, names, reader)
             for i, item in enumerate(entries(items, "The list of detections"), 1)]
    place([entry for entry in found if entry], DETECTED, reader, "A list of detections")
    names.close()
    return reader.layout()


def _own_size(around: Mapping, reader: Reader) -> None:
    """The picture's size where something around the boxes names it."""
    image = around.get("image")
    for keys in (around, plain_keys(image) if isinstance(image, Mapping) else {}):
        pairs = [(keys.get(width), keys.get(height)) for width, height in SIZE_KEYS]
        pairs += [(keys[key][1], keys[key][0]) for key in SHAPE_KEYS if isinstance(keys.get(key), (list, tuple)) and len(keys[key]) > 1]
        for pair in pairs:
            if all(is_number(side) and side > 0 for side in pair):
                reader.own_size(*pair, "The picture of the detections")
                return


def _found(item: Mapping, index: int, around: Mapping, names: ClassNames, reader: Reader) -> Found | None:
    """One detection; None with a note where it has no box."""
    keys = plain_keys(item)
    title = next((key for key in CAPTION_KEYS if text_of(keys.get(key))), "")
    class_key = "" if title else next((key for key in CLASS_KEYS if _is_class(keys.get(key))), "")
    caption = keys[title] if title else names.caption(int(keys[class_key])) if class_key else ""
    who = subject("box", index, caption)
    box = _box(keys)
    if box is None:
        reader.note("read.no_box", who=who)
        return None
    if class_key:
        names.say(int(keys[class_key]), who)
    score_key = next((key for key in SCORE_KEYS if _score(keys.get(key)) is not None), "")
    mask, outline, shape_key = _shape(keys, who, reader)
    used = {title, class_key, score_key, shape_key, *box[2], *FORMAT_KEYS}
    imported = {key: value for key, value in item.items() if plain_key(key) not in used}
    imported |= {"score": _score(keys[score_key])} if score_key else {}
    fields = {"caption": caption, "imported": imported, **({"mask": mask} if mask else {})}
    return Found(who, numbers(box[0], 4, who, reader), fields, _among(keys, around, box[1]), outline)


def _is_class(value: object) -> bool:
    return is_number(value) and value == int(value) and value >= 0


def _score(value: object) -> float | None:
    """A number, or a list of one."""
    value = value[0] if isinstance(value, (list, tuple)) and len(value) == 1 else value
    return round(float(value), 6) if is_number(value) else None


def _among(keys: Mapping, around: Mapping, among: tuple[Way, ...]) -> tuple[Way, ...]:
    """The ways that a box may mean, by what else is said of it."""
    said = next((NAMED[name] for key in FORMAT_KEYS for where in (keys, around)
                 if (name := plain_key(str(where.get(key, "")))) in NAMED), None)
    if said:
        return said
    if among == DETECTED and ("phrase" in keys or "logit" in keys):
        return _GROUNDED
    if among == DETECTED and keys.keys() & {"iscrowd", "area", "categoryid"}:
        return _ANNOTATED
    if among == KEYS["xywh"] and keys.keys() & {"conf", "cls"}:
        return ways((CXCYWH,))                             # Ultralytics' own xywh
    return among


def _shape(keys: Mapping, who: dict, reader: Reader) -> tuple[RunLengthMask | None, list, str]:
    """The mask, or the polygons in the boxes' own unit, and the key that holds them; one that cannot be read is said."""
    for key in MASK_KEYS:
        value = keys.get(key)
        if isinstance(value, np.ndarray):
            return array_mask(value, who, reader), [], key
        if isinstance(value, Mapping) and "counts" in value:
            return rle_mask(value, who, reader), [], key
        if polygons := polygons_of(value):
            return None, polygons, key
        if value and isinstance(value, str):
            reader.note("read.mask_as_picture", who=who, value=quote(value, 30))
            return None, [], key
        if value and isinstance(value, (list, tuple, Mapping)):
            reader.note("read.mask", who=who, reason="It is neither run lengths nor polygons.")
            return None, [], key
    return None, [], ""
