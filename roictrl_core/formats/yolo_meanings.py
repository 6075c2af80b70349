"""What the numbers after the class of a YOLO line are: all that they can be, and what the lines of a file say together.

A line that could end in one more point or in a score and an id is told by its neighbours, else by its outline.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .common import Reader
from .reading import AUTO, CXCYWH, PIXELS, Way, to_xyxy

BOX, _POSE3, _POSE2, _SCORED, POLYGON = (
    "box",
    "keypoints of x, y, visibility",
    "keypoints of x, y",
    "keypoints of x, y, score",
    "polygon",
)
SIZES = {_POSE3: 3, _POSE2: 2, _SCORED: 3}  # numbers of a keypoint
_SLACK = 0.05  # share of the picture that boxes and polygons may reach over its border
_NEAR = 0.1  # share of the box that keypoints may lie outside of it
_OFF_CENTRE = 0.15  # share of the keypoints' extent between their middle and the box's, where they fill the box
_FILLS = 0.6  # share of the box that keypoints span at least, where they fill it
_CROSSABLE = 150  # points of an outline that is searched for crossings; no set of keypoints has more
_VOTERS = 200  # lines that tell what the lines are
_LEAP = 2  # times its longest side that an outline of few points may leap to its last one
_SQUARE = 0.02  # share of an outline's extent by which a box that is turned may miss being one


class Line(NamedTuple):
    """One line: its number from 1, class, the numbers after it, and whether the last of these can be an id."""

    index: int
    number: int
    values: tuple[float, ...]
    whole: bool


class Meaning(NamedTuple):
    """What the numbers are: a kind, how many numbers come after it, and of keypoints how many there are."""

    kind: str
    tail: int = 0
    points: int = 0


_TAILED = Meaning(POLYGON, 2)


def sides_of(lines: Sequence[Line], reader: Reader) -> tuple[float, float]:
    """What the picture measures in the lines' own unit: 1, or pixels where the numbers are far over 1."""
    most = max((abs(value) for line in lines for value in line.values[:4]), default=0)
    return (1, 1) if most <= 2 else (reader.width or most, reader.height or most)


# --- what a line can be ---


def _candidates(count: int) -> Iterator[Meaning]:
    """All that ``count`` numbers can be, the likeliest first."""
    tails = (0, 1, 2)
    yield from (Meaning(BOX, tail) for tail in tails if count == 4 + tail)
    poses = [
        Meaning(kind, tail, (count - 4 - tail) // size)
        for kind, size in SIZES.items()
        for tail in tails
        if count - 4 - tail >= size and (count - 4 - tail) % size == 0
    ]
    yield from (pose for pose in poses if pose.kind == _POSE3 or pose.points > 2)
    yield from (Meaning(POLYGON, tail) for tail in tails if count - tail >= 6 and (count - tail) % 2 == 0)
    yield from (pose for pose in poses if pose.kind != _POSE3 and pose.points <= 2)


def _can_be(line: Line, meaning: Meaning, sides: tuple[float, float], order: str) -> bool:
    """Whether the numbers of the line, as many as the meaning needs, are plausible as that."""
    if not _tail_fits(line, meaning.tail):
        return False
    if meaning.kind == POLYGON:
        return _is_polygon(line, meaning.tail, sides)
    if meaning.kind == BOX and meaning.tail < 2:
        return True
    box = _box(line, sides, order)
    if box.min() < -_SLACK or box.max() > 1 + _SLACK:
        return False
    return meaning.kind == BOX or _may_be_keypoints(_keypoints(line, meaning, sides), meaning.kind, box)


def _box(line: Line, sides: tuple[float, float], order: str = AUTO) -> np.ndarray:
    """x1, y1, x2, y2 of the line's first four numbers, normalised."""
    return to_xyxy(np.asarray([line.values[:4]]), Way(CXCYWH if order == AUTO else order, PIXELS), *sides)[0]


def _keypoints(line: Line, meaning: Meaning, sides: tuple[float, float]) -> np.ndarray:
    """``[K, 2 or 3]``, x and y normalised."""
    size = SIZES[meaning.kind]
    return np.asarray(line.values[4 : 4 + size * meaning.points]).reshape(-1, size) / (*sides, 1)[:size]


def _tail_fits(line: Line, tail: int) -> bool:
    """Whether the last numbers can be nothing, a score or an id, or a score and an id."""
    if tail == 2:
        return 0 <= line.values[-2] <= 1 and line.whole
    return tail == 0 or 0 <= line.values[-1] <= 1 or line.whole


def _may_be_keypoints(points: np.ndarray, kind: str, box: np.ndarray) -> bool:
    """Whether ``[K, 2 or 3]`` points lie in the box, a third number fitting its kind; those that were not found,
    at 0, 0 or -1, -1, say nothing, though they be all."""
    missing, side = _missing(points), box[2:] - box[:2]
    third = points[:, 2:][~(missing & (points[:, -1] == -1))]
    if kind == _POSE3 and not np.isin(third, (0, 1, 2)).all():
        return False
    if kind == _SCORED and not ((third >= 0) & (third <= 1)).all():
        return False
    seen = points[~missing, :2]
    return bool(((seen >= box[:2] - _NEAR * side) & (seen <= box[2:] + _NEAR * side)).all())


def _missing(points: np.ndarray) -> np.ndarray:
    """Which of ``[K, 2 or more]`` points a detector did not find."""
    return (points[:, :2] == 0).all(axis=1) | (points[:, :2] < 0).all(axis=1)


def _is_polygon(line: Line, tail: int, sides: tuple[float, float]) -> bool:
    """Whether the points lie in the picture; several of them at 0, 0 are missing keypoints."""
    flat = line.values[: len(line.values) - tail]
    x, y = flat[::2], flat[1::2]
    in_picture = all(
        -_SLACK * side <= min(values) and max(values) <= (1 + _SLACK) * side
        for values, side in zip((x, y), sides, strict=True)
    )
    return in_picture and (flat.count(0) < 4 or list(zip(x, y, strict=True)).count((0, 0)) < 2)


# --- what it is ---


def meanings_of(lines: list[Line], sides: tuple[float, float], reader: Reader) -> list[Meaning | None]:
    """Of each line the one that most lines speak for, among those that it can be."""

    def can_be(line: Line, among: Iterable[Meaning]) -> Iterator[Meaning]:
        return (meaning for meaning in among if _can_be(line, meaning, sides, reader.read_as.order))

    voters = [(line, list(can_be(line, _candidates(len(line.values))))) for line in lines[:_VOTERS]]
    tailed = _tailed([meanings for _, meanings in voters])
    votes = Counter(_vote(line, meanings, sides, tailed) for line, meanings in voters)
    ranked = [meaning for meaning, _ in votes.most_common() if meaning]
    among = {count: _in_order(ranked, list(_candidates(count))) for count in {len(line.values) for line in lines}}
    return [next(can_be(line, among[len(line.values)]), None) for line in lines]


def _in_order(ranked: list[Meaning], possible: list[Meaning]) -> list[Meaning]:
    return [*(meaning for meaning in ranked if meaning in possible), *possible]


def _tailed(among: list[list[Meaning]]) -> bool | None:
    """Whether the file's polygons have a score and an id after them: some must, and none cannot.
    None where nothing tells."""
    must = any(_TAILED in meanings and Meaning(POLYGON) not in meanings for meanings in among)
    cannot = any(Meaning(POLYGON) in meanings and _TAILED not in meanings for meanings in among)
    return None if must == cannot else must


def _vote(line: Line, meanings: list[Meaning], sides: tuple[float, float], tailed: bool | None) -> Meaning | None:
    """What the line alone is likeliest to be: where it can be keypoints or a polygon, that tells whether the latter
    crosses itself, and whether the former fill their box or lie well inside of it."""
    polygons = [meaning for meaning in meanings if meaning.kind == POLYGON]
    if len(polygons) > 1 and (_ends_in_id(line, sides) if tailed is None else tailed):
        polygons = [_TAILED]
    for meaning in meanings:
        if meaning.kind == POLYGON:
            return polygons[0]
        if meaning.kind not in (_POSE2, _SCORED) or not polygons or meaning.points <= 2:
            return meaning
        outline, box = _pairs(line, polygons[0].tail, sides), _box(line, sides)
        points = _keypoints(line, meaning, sides)
        seen = points[~_missing(points), :2]
        if _crosses_itself(outline) or len(seen) and (_fill(seen, box) or _lie_inside(seen, box, outline)):
            return meaning
    return None


def _pairs(line: Line, tail: int, sides: tuple[float, float]) -> np.ndarray:
    """``[N, 2]`` points, normalised, of the numbers before the last ``tail``."""
    return np.asarray(line.values[: len(line.values) - tail]).reshape(-1, 2) / sides


def _ends_in_id(line: Line, sides: tuple[float, float]) -> bool:
    """Whether the last two numbers, which could be one more point at the border, are likelier a score and an id:
    without them the outline is clean, and with them it crosses itself or leaps much further than anywhere else."""
    outline = _pairs(line, 0, sides)
    points, last = outline[:-1], outline[-1]
    if line.values[-1] < 1 or (last == points[0]).all() or _crosses_itself(points):
        return False
    if len(points) == 4 and _is_turned_box(points):
        return True
    leap = np.linalg.norm(points[[0, -1]] - last, axis=1).min()
    return bool(_crosses_itself(outline) or leap > _LEAP * np.linalg.norm(np.diff(points, axis=0), axis=1).max())


def _is_turned_box(points: np.ndarray) -> bool:
    """Whether ``[4, 2]`` points are a parallelogram, which a box that is turned is also in shares of the picture."""
    miss = np.abs(points[0] + points[2] - points[1] - points[3])
    return bool((miss <= _SQUARE * np.ptp(points, axis=0).max()).all())


def _fill(seen: np.ndarray, box: np.ndarray) -> bool:
    """Whether ``[K, 2]`` points fill the box around its middle; a polygon's points do not
    where it was taken for a box."""
    side, low, high = box[2:] - box[:2], seen.min(axis=0), seen.max(axis=0)
    off = np.abs(low + high - box[:2] - box[2:]) / 2
    return bool((high - low >= _FILLS * side).all() and (off <= _OFF_CENTRE * (high - low)).all())


def _lie_inside(seen: np.ndarray, box: np.ndarray, outline: np.ndarray) -> bool:
    """Whether ``[K, 2]`` points lie inside the box and around its middle, and its size, taken for the second point
    of an outline, is further from all others than these are from each other."""
    low, high = seen.min(axis=0), seen.max(axis=0)
    around = (low <= outline[0]) & (outline[0] <= high)
    if not ((box[:2] < low) & around & (high < box[2:])).all():
        return False
    away = np.linalg.norm(np.concatenate((seen, outline[:1])) - outline[1], axis=1).min()
    return bool(away > np.linalg.norm(high - low))


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
