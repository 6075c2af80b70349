"""MOTChallenge's rows: ``frame, id, left, top, width, height, score, ...``, in pixels, of all frames of a video.

Ten columns of a tracker or detector end in three of -1, which some leave out; nine of an annotation
end in a class and a visibility.
A layout is one frame: the first, or the one that is picked.
Source: motchallenge.net/instructions.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from ..layout import Layout
from ..notes import subject
from ..safe_text import lines_of
from .common import Reader, choose, entries
from .names import ClassNames
from .placing import Found, place
from .reading import PIXELS, XYWH, ways
from .xml_text import number

_WHAT = "The MOT file"
_LOOKED_AT = 5  # lines that tell whether a text is a MOT file
_LEAST = 2  # pixels that some number of a box passes; what stays below is normalised, and so YOLO's


class Row(NamedTuple):
    """One line: its number from 1, its frame, its track, its box, and what stands beside it."""

    index: int
    frame: int
    track: int
    box: tuple[float, ...]
    score: float | None
    category: int | None


def is_mot(data: object) -> bool:
    """Whether the first lines with anything on them are rows of a MOT file."""
    if not isinstance(data, str):
        return False
    first = list(islice((line for line in data[:10_000].splitlines() if line.strip()), _LOOKED_AT))
    return bool(first) and all(_row(i, line) for i, line in enumerate(first))


def read_mot(text: str, reader: Reader) -> Layout:
    written = [(i, line) for i, line in enumerate(lines_of(text, _WHAT), 1) if line.strip()]
    rows = []
    for i, line in written:
        if row := _row(i, line):
            rows.append(row)
        else:
            reader.note("read.mot_line", who=subject("line", i))
    frames = sorted({row.frame for row in rows})
    frame = frames[choose([f"frame {i}" for i in frames], reader.pick, "frame", reader)]
    names = ClassNames(reader)
    found = [_found(row, names) for row in entries([row for row in rows if row.frame == frame], _WHAT)]
    place(found, ways((XYWH,), (PIXELS,)), reader, _WHAT, always=False)
    names.close()
    return reader.layout()


def _row(index: int, line: str) -> Row | None:
    """A row of seven, nine or ten numbers; None for anything else."""
    values = [number(word) for word in line.split(",", 10)]
    if len(values) not in (7, 9, 10) or None in values:
        return None
    frame, track, *box = values[:6]
    annotated = len(values) == 9  # whose seventh number says whether it counts
    told = _is_class(values[7]) and _is_share(values[8]) if annotated else _is_end(values[6:], box)
    if not (told and frame.is_integer() and track.is_integer() and frame >= 1 and track >= -1 and max(box) > _LEAST):
        return None
    score = values[6] if not annotated and 0 <= values[6] <= 1 else None  # old detectors' have no end
    category = int(values[7]) if annotated and values[7] >= 0 else None
    return Row(index, int(frame), int(track), tuple(box), score, category)


def _is_end(after: list[float], box: list[float]) -> bool:
    """Whether a tracker or a detector writes that after a box: three of -1, or a score alone, which is never YOLO's."""
    return after[1:] == [-1, -1, -1] or len(after) == 1 and _is_share(after[0]) and min(box[2:]) > _LEAST


def _is_class(value: float) -> bool:
    return value.is_integer() and -1 <= value < 1000


def _is_share(value: float) -> bool:
    return 0 <= value <= 1 or value == -1


def _found(row: Row, names: ClassNames) -> Found:
    caption = "" if row.category is None else names.caption(row.category)
    who = subject("line", row.index, caption)
    if row.category is not None:
        names.say(row.category, who)
    imported = {"score": row.score, "track_id": row.track if row.track >= 0 else None}
    return Found(who, row.box, {"caption": caption, "imported": imported})
