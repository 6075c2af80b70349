"""The outline of a binary mask as closed walks, in the order that the published conversion sees them.

Marching squares (Lorensen and Cline 1987) at level 0 of a 0/1 image: every crossing lies exactly on a background pixel,
so an outline runs over the pixels just outside the mask, and may come through a pixel more than once. Which segments
are joined there, and where a walk begins, decides which points a later subsampling picks: segments are joined in the
row-major order of their squares. The test suite holds it against scikit-image, which is not needed at run time.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

Point = tuple[int, int]
Segment = tuple[Point, Point]

_CORNERS = ((0, 0), (0, 1), (1, 1), (1, 0))  # (row, column) of a square's corners, clockwise: the bits of its case


def _of_case(case: int) -> list[Segment]:
    """The directed segments in a square, one around each run of foreground corners: diagonals are not connected.

    From the background corner behind the run, clockwise, to the one before it; where these are one, there is none.
    """
    inside = [bool(case >> corner & 1) for corner in range(4)]
    segments = []
    for first in range(4):
        if inside[first] and not inside[first - 1]:
            behind = next(corner % 4 for corner in range(first, first + 4) if not inside[corner % 4])
            if behind != (first - 1) % 4:
                segments.append((_CORNERS[behind], _CORNERS[first - 1]))
    return segments


_SEGMENTS = [_of_case(case) for case in range(16)]


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed outlines of a boolean mask [H, W] as (row, column) points [n, 2], one array per outline.

    Coordinates are those of `mask`; foreground that touches the border leaves an open walk there, so pad it first.
    """
    segments = list(_segments(np.asarray(mask, dtype=bool)))
    following, leading = _joined(segments)
    walks, seen = [], set()
    for number in range(len(segments)):  # a walk takes the place of its earliest segment
        if number not in seen:
            chain = _chain(number, following, leading)
            seen.update(chain)
            walks.append(np.array([segments[chain[0]][0], *(segments[link][1] for link in chain)]))
    return walks


def _segments(mask: np.ndarray) -> Iterator[Segment]:
    """From and to of every segment, squares in row-major order."""
    bits = mask.astype(np.uint8)
    case = bits[:-1, :-1] + 2 * bits[:-1, 1:] + 4 * bits[1:, 1:] + 8 * bits[1:, :-1]
    for row, column in np.argwhere((case != 0) & (case != 15)).tolist():
        for (down, right), (down_to, right_to) in _SEGMENTS[case[row, column]]:
            yield (row + down, column + right), (row + down_to, column + right_to)


def _joined(segments: list[Segment]) -> tuple[dict[int, int], dict[int, int]]:
    """Which segment follows each, and which leads to it: of those that are still free at its ends, the latest."""
    following: dict[int, int] = {}
    starts: dict[Point, int] = {}  # segments to which none leads yet, by where they begin
    ends: dict[Point, int] = {}  # and such that none follows, by where they end
    for number, (start, end) in enumerate(segments):
        after, before = starts.pop(end, None), ends.pop(start, None)
        if after is None:
            ends[end] = number
        else:
            following[number] = after
        if before is None:
            starts[start] = number
        else:
            following[before] = number
    return following, {after: before for before, after in following.items()}


def _chain(number: int, following: dict[int, int], leading: dict[int, int]) -> list[int]:
    """The walk that a segment is part of; a closed one ends with its latest segment, which closed it."""
    back = _links(number, leading)
    first = following[max(back)] if back[-1] in leading else back[-1]
    return _links(first, following)


def _links(first: int, following: dict[int, int]) -> list[int]:
    """A segment and those that follow it, once round where they are a loop."""
    links = [first]
    while (link := following.get(links[-1], first)) != first:
        links.append(link)
    return links
