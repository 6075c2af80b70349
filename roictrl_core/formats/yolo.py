"""YOLO label files: a line a box, ``class cx cy w h``, normalised; or a polygon, or keypoints after the box.

What stands after the class is told by what it would mean: a line may be a box, a box with keypoints (x, y, or x, y and
visibility), or a polygon ``x1 y1 x2 y2 ...``; trackers and detectors add a score, a track's id, or both.  Every line
votes for the first of these that it can be; each is then read as the most common one that it can be, and what was
assumed is said.
"""

from __future__ import annotations

import math
import re
from itertools import islice

from ..fields import MAX_POINTS
from ..layout import Layout
from ..notes import quote, subject
from ..safe_text import lines_of
from .common import Reader, entries, points_box
from .names import ClassNames
from .placing import Found, place
from .reading import CXCYWH, PIXELS, SHARES, XYXY, ways
from .yolo_meanings import BOX, POLYGON, SIZES, Line, Meaning, meanings_of, sides_of

_GAP = re.compile(r"[\s,]+")
_WHOLE = re.compile(r"\d+(?:\.0)?")  # how ids are written; a coordinate at the border has more digits
_LONGEST = 40  # characters of a number
_MOST = 2 * MAX_POINTS + 1  # words of a line that are read
_LOOKED_AT = 5  # lines that tell whether a text is a YOLO file


def is_yolo(text: str) -> bool:
    """Whether one of the first lines with anything on it is a YOLO line, though its numbers may be broken."""
    first = (line for line in text[:100_000].splitlines() if line.strip())
    return any(map(_looks_like_yolo, islice(first, _LOOKED_AT)))


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
    meanings = meanings_of(lines, sides_of(lines, reader), reader)
    ids = _ends_are_ids(lines, meanings)
    _say_columns(meanings, ids, reader)
    names = ClassNames(reader)
    found = [
        entry
        for line, meaning in zip(lines, meanings, strict=True)
        if (entry := _found(line, meaning, ids, names, reader))
    ]
    place(found, ways((CXCYWH,), (SHARES, PIXELS)), reader, "The YOLO file", always=False)
    names.close()
    return reader.layout()


def _line(index: int, text: str, reader: Reader) -> Line | None:
    """One line's class and numbers; None with a note where it has none."""
    first, *words = _GAP.split(text.strip(), _MOST)
    number, values = _class_number(first), _floats(words)
    finite = None not in values and all(map(math.isfinite, values))
    if len(words) >= _MOST:
        reader.note("read.too_many_points", who=subject("line", index), most=MAX_POINTS)
    elif number is None or len(words) < 4:
        reader.note("read.yolo_line", who=subject("line", index))
    elif not finite:
        broken = next(
            word for word, value in zip(words, values, strict=True) if value is None or not math.isfinite(value)
        )
        reader.note("read.yolo_number", who=subject("line", index), value=quote(broken))
    else:
        whole = values[-1] == int(values[-1]) and (values[-1] > 1 or bool(_WHOLE.fullmatch(words[-1])))
        return Line(index, number, tuple(values), whole)
    return None


def _class_number(word: str) -> int | None:
    """A class, which numpy writes as 1.000e+00."""
    value = _float(word)
    return int(value) if value is not None and 0 <= value < 1e9 and value == int(value) else None


def _floats(words: list[str]) -> list[float | None]:
    try:
        values = list(map(float, words))  # in one go, as almost always they are numbers
    except ValueError:
        values = []
    plain = values and max(map(len, words)) < _LONGEST and "_" not in "".join(words)
    return values if plain else list(map(_float, words))


def _float(word: str) -> float | None:
    """A number as files write it, NaN and infinity included; None for anything else."""
    try:
        return float(word) if len(word) < _LONGEST and "_" not in word else None
    except ValueError:
        return None


# --- what was found ---


def _ends_are_ids(lines: list[Line], settled: list[Meaning | None]) -> bool:
    """Whether single numbers at the lines' ends are ids: all whole, and one of them over 1."""
    ends = [line for line, meaning in zip(lines, settled, strict=True) if meaning and meaning.tail == 1]
    return all(line.whole for line in ends) and any(line.values[-1] > 1 for line in ends)


def _found(line: Line, meaning: Meaning | None, ids: bool, names: ClassNames, reader: Reader) -> Found | None:
    """One line as an entry; None with a note where it can be nothing."""
    caption = names.caption(line.number)
    who = subject("line", line.index, caption)
    names.say(line.number, who)
    if meaning is None:
        reader.note("read.yolo_line", who=who)
        return None
    fields = {"caption": caption, "imported": _imported(line, meaning, ids)}
    if meaning.kind != POLYGON:
        return Found(who, line.values[:4], fields)
    flat = line.values[: len(line.values) - meaning.tail]
    points = list(zip(flat[::2], flat[1::2], strict=True))
    return Found(who, points_box(points), fields, ways((XYXY,), (SHARES, PIXELS)), [points])


def _imported(line: Line, meaning: Meaning, ids: bool) -> dict:
    """Keypoints, score and id, as what the source said beyond a layout's fields."""
    found: dict = {}
    if meaning.points:
        size = SIZES[meaning.kind]
        found["keypoints"] = [list(line.values[4 + size * i : 4 + size * (i + 1)]) for i in range(meaning.points)]
    if meaning.tail == 1:
        found["track_id" if ids else "score"] = int(line.values[-1]) if ids else line.values[-1]
    elif meaning.tail == 2:
        found |= {"score": line.values[-2], "track_id": int(line.values[-1])}
    return found


def _say_columns(meanings: list[Meaning | None], ids: bool, reader: Reader) -> None:
    """Say once of every meaning what it is, except of plain boxes, which can be nothing else."""
    for kind, tail, points in dict.fromkeys(meaning for meaning in meanings if meaning and meaning != Meaning(BOX)):
        body = {BOX: CXCYWH, POLYGON: "x1, y1, x2, y2, x3, y3, ..."}.get(kind, f"{CXCYWH}, {points} {kind}")
        ends = ["", "track id" if ids else "score", "score, track id"][tail]
        reader.note("read.yolo_columns", columns=", ".join(filter(None, ("class", body, ends))))
