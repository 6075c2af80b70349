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
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, entries, points_box
from .names import ClassNames
from .placing import Found, place
from .reading import AUTO, CXCYWH, PIXELS, SHARES, XYXY, Way, to_xyxy, ways

_GAP = re.compile(r"[\s,]+")
_BOX, _POSE3, _POSE2, _SCORED, _POLYGON = "box", "keypoints of x, y, visibility", "keypoints of x, y", "keypoints of x, y, score", "polygon"
_SLACK = 0.05        # share of the picture that boxes and polygons may reach over its border
_NEAR = 0.1          # share of the box that keypoints may lie outside of it
_OFF_CENTRE = 0.3    # share of the keypoints' extent between their middle and the box's
_HOLDS = 0.2         # share of the box that keypoints span at least
_LOOKED_AT = 5       # lines that tell whether a text is a YOLO file


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
    return len(words) >= 5 and _class_number(words[0]) is not None and all(_float(word) is not None for word in words[1:])


def read_yolo(text: str, reader: Reader) -> Layout:
    written = [(i, line) for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.lstrip().startswith("#")]
    lines = [line for i, words in entries(written, "The YOLO file") if (line := _line(i, words, reader))]
    sides = _sides(lines, reader)
    possible = [list(_meanings(line, sides, reader.read_as.order)) for line in lines]
    settled = _settled(possible)
    ids = _ends_are_ids(lines, settled)
    names = ClassNames(reader)
    found = [entry for line, meaning in zip(lines, settled) if (entry := _found(line, meaning, ids, names, reader))]
    _say_columns(settled, possible, ids, reader)
    place(found, ways((CXCYWH,), (SHARES, PIXELS)), reader, "The YOLO file", always=False)
    names.close()
    return reader.layout()


def _line(index: int, text: str, reader: Reader) -> Line | None:
    """One line's class and numbers; None with a note where it has none."""
    first, *words = _GAP.split(text.strip())
    number, values = _class_number(first), [_float(word) for word in words]
    broken = next((word for word, value in zip(words, values) if value is None or not math.isfinite(value)), None)
    if number is None or len(words) < 4:
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

def _meanings(line: Line, sides: tuple[float, float], order: str) -> Iterator[tuple[Meaning, bool]]:
    """All that the line can be, the likeliest first, and whether it speaks for that by itself."""
    box = to_xyxy(np.asarray([line.values[:4]]), Way(CXCYWH if order == AUTO else order, PIXELS), *sides)[0]
    inside = box.min() >= -_SLACK and box.max() <= 1 + _SLACK
    count = len(line.values)
    if count in (4, 5) or (count == 6 and inside):
        yield from ((Meaning(_BOX, tail), True) for tail in (count - 4,) if _tail_fits(line, tail))
    poses = list(_poses(line, box, sides)) if inside else []
    yield from ((meaning, sure) for meaning, sure in poses if meaning.kind == _POSE3 or meaning.points > 2)
    for tail in (0, 1, 2):
        if count - tail >= 6 and (count - tail) % 2 == 0 and _tail_fits(line, tail) and _is_polygon(line, tail, sides):
            yield Meaning(_POLYGON, tail), True
    yield from ((meaning, sure) for meaning, sure in poses if meaning.kind != _POSE3 and meaning.points <= 2)


def _poses(line: Line, box: np.ndarray, sides: tuple[float, float]) -> Iterator[tuple[Meaning, bool]]:
    """All ways in which the numbers after the box can be keypoints, and whether these are spread as keypoints are."""
    for kind, size in ((_POSE3, 3), (_POSE2, 2), (_SCORED, 3)):
        for tail in (0, 1, 2):
            count, rest = divmod(len(line.values) - 4 - tail, size)
            if rest or count < 1 or not _tail_fits(line, tail):
                continue
            points = np.asarray(line.values[4:4 + size * count]).reshape(count, size)
            if _may_be_keypoints(points / (*sides, 1)[:size], kind, box):
                yield Meaning(kind, tail, count), kind == _POSE3 or _are_spread(points[:, :2] / sides, box)


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


def _are_spread(points: np.ndarray, box: np.ndarray) -> bool:
    """Whether ``[K, 2]`` points fill the box around its middle; a polygon's points do not where it was taken for a box."""
    seen, side = points[points.any(axis=1)], box[2:] - box[:2]
    low, high = seen.min(axis=0), seen.max(axis=0)
    off = np.abs(low + high - box[:2] - box[2:]) / 2
    return bool((high - low >= _HOLDS * side).all() and (off <= _OFF_CENTRE * (high - low)).all())


def _is_polygon(line: Line, tail: int, sides: tuple[float, float]) -> bool:
    points = np.asarray(line.values[:len(line.values) - tail]).reshape(-1, 2) / sides
    in_picture = (points >= -_SLACK).all() and (points <= 1 + _SLACK).all()
    return bool(in_picture and (~points.any(axis=1)).sum() < 2)        # several points at 0, 0 are missing keypoints


# --- what it is ---

def _settled(possible: list[list[tuple[Meaning, bool]]]) -> list[Meaning | None]:
    """Of each line the one that most lines speak for, among those that it can be."""
    votes = Counter(next((meaning for meaning, sure in meanings if sure), None) for meanings in possible)
    return [max((meaning for meaning, _ in meanings), key=votes.__getitem__, default=None) for meanings in possible]


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
    flat = line.values[:len(line.values) - meaning.tail]
    points = list(zip(flat[::2], flat[1::2]))
    return Found(who, points_box(points), fields, ways((XYXY,), (SHARES, PIXELS)), [points])


def _imported(line: Line, meaning: Meaning, ids: bool) -> dict:
    """Keypoints, score and id, as what the source said beyond a layout's fields."""
    size = 2 if meaning.kind == _POSE2 else 3
    found: dict = {}
    if meaning.points:
        found["keypoints"] = [list(line.values[4 + size * i:4 + size * (i + 1)]) for i in range(meaning.points)]
    if meaning.tail == 1:
        found["track_id" if ids else "score"] = int(line.values[-1]) if ids else line.values[-1]
    elif meaning.tail == 2:
        found |= {"score": line.values[-2], "track_id": int(line.values[-1])}
    return found


def _say_columns(settled: list[Meaning | None], possible: list, ids: bool, reader: Reader) -> None:
    """Say once of every meaning what it is, except of boxes and polygons that could be nothing else."""
    plain = (Meaning(_BOX), Meaning(_POLYGON))
    assumed = [meaning for meaning, meanings in zip(settled, possible) if meaning and (len(meanings) > 1 or meaning not in plain)]
    for kind, tail, points in dict.fromkeys(assumed):
        body = {_BOX: CXCYWH, _POLYGON: "x1, y1, x2, y2, x3, y3, ..."}.get(kind, f"{CXCYWH}, {points} {kind}")
        ends = ["", "track id" if ids else "score", "score, track id"][tail]
        reader.note("read.yolo_columns", columns=", ".join(filter(None, ("class", body, ends))))


def write_yolo(layout: Layout) -> tuple[str, str]:
    """The label file and the file of names, one class per caption; enabled instances only."""
    captions = list(dict.fromkeys(instance.caption for _, instance in layout.enabled))
    lines = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = instance.box
        values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(" ".join([str(captions.index(instance.caption)), *(f"{value:.6f}" for value in values)]))
    return ("".join(line + "\n" for line in lines),
            "".join(" ".join(caption.split()) + "\n" for caption in captions))
