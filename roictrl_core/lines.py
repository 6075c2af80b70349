"""Lines and outlines cut at a rectangle. Points are (x, y), rectangles xyxy with both borders inside, in one unit."""

from __future__ import annotations

from collections.abc import Sequence

from .fields import Box, Point, Stroke


def cut_stroke(stroke: Stroke, frame: Box) -> list[Stroke]:
    """The parts of a line through points that lie in ``frame``, in its order; a single point is kept where it is in."""
    if len(stroke) == 1:
        return [stroke] if _contains(frame, stroke[0]) else []
    parts: list[list[Point]] = []
    for one, other in zip(stroke, stroke[1:], strict=False):
        found = _cut_segment(one, other, frame)
        if found is None:
            continue
        begin, end = found
        if not parts or parts[-1][-1] != begin:
            parts.append([begin])
        if end != begin:
            parts[-1].append(end)
    return [tuple(part) for part in parts]


def _contains(frame: Box, point: Point) -> bool:
    return frame[0] <= point[0] <= frame[2] and frame[1] <= point[1] <= frame[3]


def _cut_segment(one: Point, other: Point, frame: Box) -> tuple[Point, Point] | None:
    """The part of a segment in ``frame`` by Liang and Barsky's rule (1984); None where there is none."""
    first, last = 0.0, 1.0  # shares of the way
    for axis in (0, 1):
        way = other[axis] - one[axis]
        for low, gap in ((True, frame[axis] - one[axis]), (False, frame[2 + axis] - one[axis])):
            if way == 0:
                if (gap > 0) if low else (gap < 0):
                    return None
                continue
            share = gap / way
            if low == (way > 0):
                first = max(first, share)
            else:
                last = min(last, share)
    if first > last:
        return None
    return _at(one, other, first), _at(one, other, last)


def _at(one: Point, other: Point, share: float) -> Point:
    """A point on the way, the ends as they are."""
    if share in (0.0, 1.0):
        return other if share else one
    return one[0] + share * (other[0] - one[0]), one[1] + share * (other[1] - one[1])


def cut_polygon(corners: Sequence[Point], frame: Box) -> list[Point]:
    """The corners of what of a polygon lies in ``frame``, by Sutherland and Hodgman's rule (1974); parts that fall
    asunder stay joined along the frame."""
    found = list(corners)
    for axis, bound, sign in ((0, frame[0], 1), (0, frame[2], -1), (1, frame[1], 1), (1, frame[3], -1)):
        cut: list[Point] = []
        for before, corner in zip([*found[-1:], *found[:-1]], found, strict=True):
            was, now = (sign * (point[axis] - bound) for point in (before, corner))
            if (was < 0) != (now < 0):
                cut.append(_at(before, corner, was / (was - now)))
            if now >= 0:
                cut.append(corner)
        found = cut
    return found
