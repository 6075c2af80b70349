"""YOLO label files: a line a box, ``class cx cy w h``, normalised; or a polygon, or keypoints after the box.

What stands after the class is told by what it would mean: a line may be a box, a box with keypoints (x, y, or x, y and
visibility), or a polygon ``x1 y1 x2 y2 ...``; trackers and detectors add a score, a track's id, or both.  Every line
votes for the first of these that it can be; each is then read as the most common one that it can be, and what was
assumed is said.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..fields import MAX_POINTS
from ..layout import Layout
from ..notes import quote, subject
from ..safe_text import lines_of
from .common import Reader, entries, points_box
from .names import ClassNames
from .placing import Found, place
from .reading import AUTO, CXCYWH, PIXELS, SHARES, XYXY, Way, to_xyxy, ways

_GAP = re.compile(r"[\s,]+")
_BOX, _POSE3, _POSE2, _SCORED, _POLYGON = (
    "box",
    "keypoints of x, y, visibility",
    "keypoints of x, y",
    "keypoints of x, y, score",
    "polygon",
)
_SIZES = {_POSE3: 3, _POSE2: 2, _SCORED: 3}  # numbers of a keypoint
_SLACK = 0.05  # share of the picture that boxes and polygons may reach over its border
_NEAR = 0.1  # share of the box that keypoints may lie outside of it
_OFF_CENTRE = 0.15  # share of the keypoints' extent between their middle and the box's, where they fill the box
_FILLS = 0.6  # share of the box that keypoints span at least, where they fill it
_CROSSABLE = 150  # points of an outline that is searched for crossings; no set of keypoints has more
_MOST = 2 * MAX_POINTS + 1  # words of a line that are read
_LOOKED_AT = 5  # lines that tell whether a text is a YOLO file
_VOTERS = 200  # lines that tell what the lines are


class Line(NamedTuple):
    """One line: its number from 1, class, the numbers after it, and which of these can be ids."""

    index: int
    number: int
    values: tuple[float, ...]
    whole: tuple[bool, ...]


class Meaning(NamedTuple):
    """What the numbers are: a kind, how many numbers come after it, and of keypoints how many there are."""

    kind: str
    tail: int = 0
    points: int = 0


def is_yolo(text: str) -> bool:
    """Whether one of the first lines with anything on it is a YOLO line, though its numbers may be broken."""
    first = (line for line in text[:100_000].splitlines() if line.strip())
    return any(_looks_like_yolo(line) for line, _ in zip(first, range(_LOOKED_AT)))


def _looks_like_yolo(line: str) -> bool:
    words = _GAP.split(line.strip())[:7]
    return (
        len(words) >= 5 and _class_number(words[0]) is not None and all(_float(word) is not None for word in words[1:])
    )


def read_yolo(text: str, reader: Reader) -> Layout:
    written = [
        (i, line)
        for i, line in enumerate(lines_of(text, "The YOLO file"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    lines = [line for i, words in entries(written, "The YOLO file") if (line := _line(i, words, reader))]
    meanings = _meanings(lines, _sides(lines, reader), reader)
    ids = _ends_are_ids(lines, meanings)
    _say_columns(meanings, ids, reader)
    names = ClassNames(reader)
    found = [entry for line, meaning in zip(lines, meanings) if (entry := _found(line, meaning, ids, names, reader))]
    place(found, ways((CXCYWH,), (SHARES, PIXELS)), reader, "The YOLO file", always=False)
    names.close()
    return reader.layout()


def _line(index: int, text: str, reader: Reader) -> Line | None:
    """One line's class and numbers; None with a note where it has none."""
    first, *words = _GAP.split(text.strip(), _MOST)
    number, values = _class_number(first), [_float(word) for word in words]
    broken = next((word for word, value in zip(words, values) if value is None or not math.isfinite(value)), None)
    if len(words) >= _MOST:
        reader.note("read.too_many_points", who=subject("line", index), most=MAX_POINTS)
    elif number is None or len(words) < 4:
        reader.note("read.yolo_line", who=subject("line", index))
    elif broken is not None:
        reader.note("read.yolo_number", who=subject("line", index), value=quote(broken))
    else:
        whole = (value == int(value) and (value > 1 or word.isdecimal()) for word, value in zip(words, values))
        return Line(index, number, tuple(values), tuple(whole))
    return None


def _class_number(word: str) -> int | None:
    """A class, which numpy writes as 1.000e+00."""
    value = _float(word)
    return int(value) if value is not None and 0 <= value < 1e9 and value == int(value) else None


def _float(word: str) -> float | None:
    """A number as files write it, NaN and infinity included; None for anything else."""
    try:
        return float(word) if len(word) < 40 and "_" not in word else None
    except ValueError:
        return None


def _sides(lines: Sequence[Line], reader: Reader) -> tuple[float, float]:
    """What the picture measures in the lines' own unit: 1, or pixels where the numbers are far over 1."""
    most = max((abs(value) for line in lines for value in line.values[:4]), default=0)
    return (1, 1) if most <= 2 else (reader.width or most, reader.height or most)


# --- what a line can be ---


def _candidates(count: int) -> Iterator[Meaning]:
    """All that ``count`` numbers can be, the likeliest first."""
    tails = (0, 1, 2)
    yield from (Meaning(_BOX, tail) for tail in tails if count == 4 + tail)
    poses = [
        Meaning(kind, tail, (count - 4 - tail) // size)
        for kind, size in _SIZES.items()
        for tail in tails
        if count - 4 - tail >= size and (count - 4 - tail) % size == 0
    ]
    yield from (pose for pose in poses if pose.kind == _POSE3 or pose.points > 2)
    yield from (Meaning(_POLYGON, tail) for tail in tails if count - tail >= 6 and (count - tail) % 2 == 0)
    yield from (pose for pose in poses if pose.kind != _POSE3 and pose.points <= 2)


def _can_be(line: Line, meaning: Meaning, sides: tuple[float, float], order: str) -> bool:
    """Whether the numbers of the line, as many as the meaning needs, are plausible as that."""
    if not _tail_fits(line, meaning.tail):
        return False
    if meaning.kind == _POLYGON:
        return _is_polygon(line, meaning.tail, sides)
    if meaning.kind == _BOX and meaning.tail < 2:
        return True
    box = _box(line, sides, order)
    if box.min() < -_SLACK or box.max() > 1 + _SLACK:
        return False
    return meaning.kind == _BOX or _may_be_keypoints(_keypoints(line, meaning, sides), meaning.kind, box)


def _box(line: Line, sides: tuple[float, float], order: str = AUTO) -> np.ndarray:
    """x1, y1, x2, y2 of the line's first four numbers, normalised."""
    return to_xyxy(np.asarray([line.values[:4]]), Way(CXCYWH if order == AUTO else order, PIXELS), *sides)[0]


def _keypoints(line: Line, meaning: Meaning, sides: tuple[float, float]) -> np.ndarray:
    """``[K, 2 or 3]``, x and y normalised."""
    size = _SIZES[meaning.kind]
    return np.asarray(line.values[4 : 4 + size * meaning.points]).reshape(-1, size) / (*sides, 1)[:size]


def _tail_fits(line: Line, tail: int) -> bool:
    """Whether the last numbers can be nothing, a score or an id, or a score and an id."""
    if tail == 2:
        return 0 <= line.values[-2] <= 1 and line.whole[-1]
    return tail == 0 or 0 <= line.values[-1] <= 1 or line.whole[-1]


def _may_be_keypoints(points: np.ndarray, kind: str, box: np.ndarray) -> bool:
    """Whether ``[K, 2 or 3]`` points lie in the box, those that were not found, at 0, 0, apart; a third number fits its kind."""
    if kind == _POSE3 and not np.isin(points[:, 2], (0, 1, 2)).all():
        return False
    if kind == _SCORED and not ((points[:, 2] >= 0) & (points[:, 2] <= 1)).all():
        return False
    seen, side = points[points[:, :2].any(axis=1), :2], box[2:] - box[:2]
    return bool(len(seen) and ((seen >= box[:2] - _NEAR * side) & (seen <= box[2:] + _NEAR * side)).all())


def _is_polygon(line: Line, tail: int, sides: tuple[float, float]) -> bool:
    points = np.asarray(line.values[: len(line.values) - tail]).reshape(-1, 2) / sides
    in_picture = (points >= -_SLACK).all() and (points <= 1 + _SLACK).all()
    return bool(in_picture and (~points.any(axis=1)).sum() < 2)  # several points at 0, 0 are missing keypoints


# --- what it is ---


def _meanings(lines: list[Line], sides: tuple[float, float], reader: Reader) -> list[Meaning | None]:
    """Of each line the one that most lines speak for, among those that it can be."""

    def can_be(line: Line, among: Iterable[Meaning]) -> Iterator[Meaning]:
        return (meaning for meaning in among if _can_be(line, meaning, sides, reader.read_as.order))

    votes = Counter(_vote(line, list(can_be(line, _candidates(len(line.values)))), sides) for line in lines[:_VOTERS])
    ranked = [meaning for meaning, _ in votes.most_common() if meaning]
    found = []
    for line in lines:
        possible = list(_candidates(len(line.values)))
        among = [*(meaning for meaning in ranked if meaning in possible), *possible]
        found.append(next(can_be(line, among), None))
    return found


def _vote(line: Line, meanings: list[Meaning], sides: tuple[float, float]) -> Meaning | None:
    """What the line alone is likeliest to be: where it can be keypoints or a polygon, that tells whether the latter crosses
    itself, and whether the former fill their box."""
    polygon = next((meaning for meaning in meanings if meaning.kind == _POLYGON), None)
    for meaning in meanings:
        if meaning.kind not in (_POSE2, _SCORED) or polygon is None or meaning.points <= 2:
            return meaning
        flat = np.asarray(line.values[: len(line.values) - polygon.tail]).reshape(-1, 2) / sides
        if _crosses_itself(flat) or _fill(_keypoints(line, meaning, sides)[:, :2], _box(line, sides)):
            return meaning
    return None


def _fill(points: np.ndarray, box: np.ndarray) -> bool:
    """Whether ``[K, 2]`` points fill the box around its middle; a polygon's points do not where it was taken for a box."""
    seen, side = points[points.any(axis=1)], box[2:] - box[:2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    off = np.abs(low + high - box[:2] - box[2:]) / 2
    return bool((high - low >= _FILLS * side).all() and (off <= _OFF_CENTRE * (high - low)).all())


def _crosses_itself(points: np.ndarray) -> bool:
    """Whether two sides of the polygon ``[N, 2]`` that do not meet cross; of a long one that is not asked."""
    count = len(points)
    if count > _CROSSABLE:
        return False
    along = np.roll(points, -1, axis=0) - points  # [N, 2]
    between = points[None] - points[:, None]  # [N, N, 2], from point i to point j
    side = along[:, None, 0] * between[..., 1] - along[:, None, 1] * between[..., 0]  # [N, N], where j lies of side i
    splits = side * np.roll(side, -1, axis=1) < 0  # whether side i's line separates the ends of side j
    apart = np.subtract.outer(np.arange(count), np.arange(count)) % count
    return bool((splits & splits.T & (apart > 1) & (apart < count - 1)).any())


def _ends_are_ids(lines: list[Line], settled: list[Meaning | None]) -> bool:
    """Whether single numbers at the lines' ends are ids: all whole, and one of them over 1."""
    ends = [line for line, meaning in zip(lines, settled) if meaning and meaning.tail == 1]
    return all(line.whole[-1] for line in ends) and any(line.values[-1] > 1 for line in ends)


def _found(line: Line, meaning: Meaning | None, ids: bool, names: ClassNames, reader: Reader) -> Found | None:
    """One line as an entry; None with a note where it can be nothing."""
    caption = names.caption(line.number)
    who = subject("line", line.index, caption)
    names.say(line.number, who)
    if meaning is None:
        reader.note("read.yolo_line", who=who)
        return None
    fields = {"caption": caption, "imported": _imported(line, meaning, ids)}
    if meaning.kind != _POLYGON:
        return Found(who, line.values[:4], fields)
    flat = line.values[: len(line.values) - meaning.tail]
    points = list(zip(flat[::2], flat[1::2]))
    return Found(who, points_box(points), fields, ways((XYXY,), (SHARES, PIXELS)), [points])


def _imported(line: Line, meaning: Meaning, ids: bool) -> dict:
    """Keypoints, score and id, as what the source said beyond a layout's fields."""
    found: dict = {}
    if meaning.points:
        size = _SIZES[meaning.kind]
        found["keypoints"] = [list(line.values[4 + size * i : 4 + size * (i + 1)]) for i in range(meaning.points)]
    if meaning.tail == 1:
        found["track_id" if ids else "score"] = int(line.values[-1]) if ids else line.values[-1]
    elif meaning.tail == 2:
        found |= {"score": line.values[-2], "track_id": int(line.values[-1])}
    return found


def _say_columns(meanings: list[Meaning | None], ids: bool, reader: Reader) -> None:
    """Say once of every meaning what it is, except of plain boxes, which can be nothing else."""
    for kind, tail, points in dict.fromkeys(meaning for meaning in meanings if meaning and meaning != Meaning(_BOX)):
        body = {_BOX: CXCYWH, _POLYGON: "x1, y1, x2, y2, x3, y3, ..."}.get(kind, f"{CXCYWH}, {points} {kind}")
        ends = ["", "track id" if ids else "score", "score, track id"][tail]
        reader.note("read.yolo_columns", columns=", ".join(filter(None, ("class", body, ends))))
