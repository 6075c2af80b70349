"""What detectors answer with: objects that hold a box, a label and a score, or lists of each side by side.

There is no standard.  Where the boxes are is found by pictures.py; what the keys and ``box_format`` and its like say is
believed (detection_keys.py); the rest is decided by :func:`~.placing.place` over all boxes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..layout import Layout
from ..masks import RunLengthMask
from ..notes import quote, subject
from .common import Reader, choose, entries, is_number, numbers, text_of
from .detection_keys import (
    CAPTION_KEYS,
    CLASS_KEYS,
    FORMAT_KEYS,
    KEYS,
    MASK_KEYS,
    NAMED,
    SCORE_KEYS,
    SHAPE_KEYS,
    SIZE_KEYS,
    plain_key,
    plain_keys,
)
from .names import ClassNames, names_in
from .pictures import box_of, left_over, pictures_in, quad_of
from .placing import Found, place
from .reading import CXCYWH, DETECTED, PIXELS, SHARES, XYWH, XYXY, Way, ways
from .shapes import array_mask, polygons_of, rle_mask

_GROUNDED = (Way(CXCYWH, SHARES), Way(XYXY, PIXELS), Way(XYXY, SHARES))  # Grounding DINO's own boxes first
_ANNOTATED = (Way(XYWH, PIXELS), Way(XYXY, PIXELS), Way(XYWH, SHARES))  # COCO's first


def is_detections(data: object) -> bool:
    return pictures_in(data) is not None


def read_detections(data: object, reader: Reader) -> Layout:
    pictures = pictures_in(data)
    titles = [picture.name or f"frame {i}" for i, picture in enumerate(pictures, 1)]
    picture = pictures[choose(titles, reader.pick, "image" if pictures[0].name else "frame", reader)]
    _own_size(picture.around, reader)
    for key, count in left_over(picture):
        reader.note("read.lists_differ", key=key, count=count, boxes=len(picture.items))
    names = ClassNames(reader, names_in(picture.around.get("names")))
    found = [
        _found(item if isinstance(item, Mapping) else {}, i, picture.around, names, reader)
        for i, item in enumerate(entries(picture.items, "The list of detections"), 1)
    ]
    place([entry for entry in found if entry], DETECTED, reader, "A list of detections")
    names.close()
    return reader.layout()


def _own_size(around: Mapping, reader: Reader) -> None:
    """The picture's size where something around the boxes names it."""
    inner = (around.get(key) for key in ("image", "metadata"))  # Azure's
    for keys in (around, *(plain_keys(item) for item in inner if isinstance(item, Mapping))):
        pairs = [(keys.get(width), keys.get(height)) for width, height in SIZE_KEYS]
        pairs += [
            (keys[key][1], keys[key][0])
            for key in SHAPE_KEYS
            if isinstance(keys.get(key), (list, tuple)) and len(keys[key]) > 1
        ]
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
    box = box_of(keys)
    if box is None:
        reader.note("read.no_box", who=who)
        return None
    if class_key:
        names.say(int(keys[class_key]), who)
    score_key = next((key for key in SCORE_KEYS if _score(keys.get(key)) is not None), "")
    mask, outline, shape_key = _shape(keys, who, reader)
    if mask is None and not outline and (quad := quad_of(keys)):
        outline = [quad]
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
    said = next(
        (
            NAMED[name]
            for key in FORMAT_KEYS
            for where in (keys, around)
            if (name := plain_key(str(where.get(key, "")))) in NAMED
        ),
        None,
    )
    if said:
        return said
    if among == DETECTED and ("phrase" in keys or "logit" in keys):
        return _GROUNDED
    if among == DETECTED and keys.keys() & {"iscrowd", "area", "categoryid"}:
        return _ANNOTATED
    if among == KEYS["xywh"] and keys.keys() & {"conf", "cls"}:
        return ways((CXCYWH,))  # Ultralytics' own xywh
    return among


def _shape(keys: Mapping, who: dict, reader: Reader) -> tuple[RunLengthMask | None, list, str]:
    """The mask, or the polygons in the boxes' own unit, and the key that holds them;
    one that cannot be read is said."""
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
