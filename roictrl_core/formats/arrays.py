"""Bare rows of numbers, as detectors give them: lists or arrays of boxes, with scores, classes or ids beside them.

Which of the columns are the box is told by what they hold, over all rows, and is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..layout import Layout
from ..notes import subject
from ..plain_data import scalar
from .common import Reader, choose, entries, finite_numbers, first_filled, is_number, numbers
from .detection_keys import PICTURE_KEYS, plain_key
from .names import ClassNames
from .placing import Found, place
from .reading import CXCYWH, DETECTED, PIXELS, SHARES, XYXY, Way, conflicts, decide, ways

_FIELDS = ("boxes", "obb", "names", "orig_shape", "xyxy", "conf", "cls", "confidence", "class_id", "tracker_id", "mask")
_BESIDE = 4096  # numbers of an array beside a box, such as its keypoints, that is kept with it
LENGTHS = range(4, 8)  # numbers of a row: a box, and up to three beside it


class Columns(NamedTuple):
    """The names of a row's columns, "box" standing for four, and the ways that this box may mean."""

    names: tuple[str, ...]
    among: tuple[Way, ...] = DETECTED

    def place_of(self, name: str) -> int | None:
        """Where in a row the column, or the box, begins."""
        if name not in self.names:
            return None
        at = self.names.index(name)
        return at + 3 if "box" in self.names[:at] else at

    def shown(self, order: str) -> str:
        return ", ".join(order if name == "box" else name for name in self.names)


_PLAIN = ways((XYXY,))
_CLASS_FIRST = (Way(CXCYWH, SHARES), Way(XYXY, PIXELS), Way(XYXY, SHARES))

# By the length of a row, the likeliest first.
_COLUMNS = {
    4: (Columns(("box",)),),
    5: (
        Columns(("box", "score"), _PLAIN),
        Columns(("class", "box"), _CLASS_FIRST),
        Columns(("box", "score")),
        Columns(("box", "class")),
    ),
    6: (
        Columns(("box", "score", "class")),
        Columns(("box", "class", "score")),
        Columns(("class", "box", "score"), _CLASS_FIRST),
        Columns(("image", "box", "class")),
    ),
    7: (
        Columns(("box", "track id", "score", "class")),
        Columns(("image", "box", "class", "score")),
        Columns(("image", "class", "score", "box")),
        Columns(("box", "objectness", "score", "class")),
    ),
}


# --- what is an array of boxes ---


def plain(data: object, mask: bool = True) -> object:
    """``data`` with its tensors and arrays as lists, its numbers Python's own. Pictures stay arrays where they may
    be masks, and are None elsewhere."""
    data = scalar(data)
    if hasattr(data, "detach"):  # a tensor
        data = data.detach().float().cpu().numpy()
    elif any(hasattr(data, name) for name in ("xyxy", "boxes", "obb")):
        data = _as_mapping(data)
    if isinstance(data, np.ndarray):
        data = plain(data.tolist(), mask) if data.dtype == object else _listed(data)
        if mask or not isinstance(data, np.ndarray):
            return data
        return data.tolist() if data.size <= _BESIDE else None
    if isinstance(data, dict):
        return {key: plain(value, plain_key(key) in PICTURE_KEYS) for key, value in data.items()}
    if type(data) in (list, tuple):
        return [plain(value, mask) for value in data]
    return data


def _as_mapping(detected: object) -> dict:
    """The objects in which Ultralytics and Supervision keep what was detected, as their own fields."""
    beside = data if isinstance(data := getattr(detected, "data", None), dict) else {}
    quads = getattr(detected, "xyxyxyxy", beside.get("xyxyxyxy"))  # [N, 4, 2], of turned boxes
    return {
        **{key: value for key in _FIELDS if (value := getattr(detected, key, None)) is not None},
        **({} if quads is None else {"polygons": quads.tolist()}),
        **{key: value for key, value in beside.items() if key != "xyxyxyxy"},
    }


def _listed(array: np.ndarray) -> object:
    """Numbers, one row, or rows of boxes, also of several pictures, as lists;
    any other array is a picture and stays."""
    if array.ndim < 2 or array.ndim == 2 and array.shape[1] == 2:  # points are no picture
        return array.tolist()
    boxes = array.shape[-1] in LENGTHS and (array.ndim == 2 or not np.isin(array, (0, 1)).all())
    if array.size == 0 and array.shape[-1] in (0, *LENGTHS):
        return []
    if not boxes or array.ndim > 3 and array.size != array.shape[-1] * array.shape[-2]:
        return array
    return (array.reshape(array.shape[-2:]) if array.size == array.shape[-1] * array.shape[-2] else array).tolist()


def is_box_list(data: object) -> bool:
    """One row, rows, or rows of several pictures."""
    return is_row(data) or _are_rows(data) or _are_rows(first_filled(data))


def is_row(value: object) -> bool:
    return isinstance(value, (list, tuple)) and len(value) in LENGTHS and all(map(_is_cell, value))


def _is_cell(value: object) -> bool:
    return is_number(value) or isinstance(value, float)  # NaN as well: it is named row by row


def _are_rows(data: object) -> bool:
    return is_row(first_filled(data))


# --- reading them ---


def read_box_list(data: Sequence, reader: Reader) -> Layout:
    names = ClassNames(reader)
    if is_row(data):
        data = [data]
    elif not _are_rows(data):
        data = _of_pictures(data, reader)
    rows = [(subject("box", i), row) for i, row in enumerate(entries(data, "The list of boxes"), 1)]
    lengths = [len(row) for _, row in rows if is_row(row)]
    length = max(set(lengths), key=lengths.count, default=4)
    rows = [(who, row) for who, row in rows if numbers(row, length, who, reader) is not None]
    columns = _columns([finite_numbers(row) for _, row in rows], length, reader)
    place(
        [_found(who, row, columns, names) for who, row in rows],
        columns.among,
        reader,
        "A list of boxes over 1",
        shown=columns.shown,
    )
    names.close()
    return reader.layout()


def _of_pictures(data: Sequence, reader: Reader) -> Sequence:
    """The rows of one of several pictures; or of all classes, which old detectors give one list each, with scores."""
    lists = [item for item in entries(data, "The list of boxes") if isinstance(item, (list, tuple))]
    rows = [row for item in lists for row in item]
    if len(lists) > 1 and any(not item for item in lists) and all(is_row(row) and len(row) == 5 for row in rows):
        reader.note("read.class_lists", count=len(lists))
        return [[*row, number] for number, item in enumerate(lists) for row in item]
    return lists[choose([f"frame {i}" for i in range(1, len(lists) + 1)], reader.pick, "frame", reader)]


def _columns(rows: Sequence[tuple[float, ...]], length: int, reader: Reader) -> Columns:
    """What the columns of the rows, all of one length, are: the first possibility that nothing speaks against."""
    table = np.asarray(rows).reshape(-1, length)
    fitting = [columns for columns in _COLUMNS[length] if all(_fits(table, columns, name) for name in columns.names)]
    if not fitting:
        reader.note("read.columns_unknown", count=length - 4)
        return Columns(("box", *["?"] * (length - 4)))
    return min(fitting, key=lambda columns: _against(table, columns, reader))


def _fits(table: np.ndarray, columns: Columns, name: str) -> bool:
    """Whether a column holds what its name says."""
    if name == "box":
        return True
    values = table[:, columns.place_of(name)]
    whole = (values == np.floor(values)).all()
    if name in ("score", "objectness"):
        return bool(((values > 0) & (values <= 1)).all() and (not whole or (values == 1).all()))
    return bool(whole and (values >= 0).all())


def _against(table: np.ndarray, columns: Columns, reader: Reader) -> int:
    at = columns.place_of("box")
    boxes = table[:, at : at + 4]
    if not len(boxes):
        return 0
    way = decide(boxes, columns.among, reader.width, reader.height)
    return conflicts(boxes, way, columns.among[0].order, reader.width, reader.height)


def _found(who: dict, row: Sequence[float], columns: Columns, names: ClassNames) -> Found:
    at = columns.place_of("box")
    beside = {
        name: row[place] for name in ("score", "class", "track id") if (place := columns.place_of(name)) is not None
    }
    imported = {"score": round(float(beside["score"]), 6)} if "score" in beside else {}
    imported |= {"track_id": int(beside["track id"])} if "track id" in beside else {}
    caption = ""
    if "class" in beside:
        caption = names.caption(int(beside["class"]))
        names.say(int(beside["class"]), who)
    return Found(who, tuple(map(float, row[at : at + 4])), {"caption": caption, "imported": imported})
