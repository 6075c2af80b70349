"""The outline of a binary mask as closed walks, in the order that the published conversion sees them.

Marching squares (Lorensen and Cline 1987) at level 0 of a 0/1 image: every crossing lies exactly on a background pixel,
so an outline runs over the pixels just outside the mask. Squares are visited row by row, and pieces are joined so that
the walk begins where its first piece began: which points a later subsampling picks depends on that beginning. The test
suite holds it against scikit-image's `find_contours`, which is not needed at run time.
"""

from __future__ import annotations

from collections import deque

import numpy as np

Point = tuple[int, int]

_TOP_LEFT, _TOP_RIGHT, _BOTTOM_LEFT, _BOTTOM_RIGHT = 1, 2, 4, 8
_EDGES = {  # the two corners of each edge of a square, as (bit, row offset, column offset)
    "top": ((_TOP_LEFT, 0, 0), (_TOP_RIGHT, 0, 1)),
    "bottom": ((_BOTTOM_LEFT, 1, 0), (_BOTTOM_RIGHT, 1, 1)),
    "left": ((_TOP_LEFT, 0, 0), (_BOTTOM_LEFT, 1, 0)),
    "right": ((_TOP_RIGHT, 0, 1), (_BOTTOM_RIGHT, 1, 1)),
}
_WALKS = {  # which edge a walk enters and leaves by, foreground on one fixed side; diagonals are not connected
    1: [("top", "left")],
    2: [("right", "top")],
    3: [("right", "left")],
    4: [("left", "bottom")],
    5: [("top", "bottom")],
    6: [("right", "top"), ("left", "bottom")],
    7: [("right", "bottom")],
    8: [("bottom", "right")],
    9: [("top", "left"), ("bottom", "right")],
    10: [("bottom", "top")],
    11: [("bottom", "left")],
    12: [("left", "right")],
    13: [("top", "right")],
    14: [("left", "top")],
}


def outlines(mask: np.ndarray) -> list[np.ndarray]:
    """Closed outlines of a boolean mask [H, W] as (row, column) points [n, 2], one array per outline.

    Coordinates are those of `mask`; foreground that touches the border leaves an open walk there, so pad it first.
    """
    return [np.array(walk) for walk in _join(_pieces(np.asarray(mask, dtype=bool)))]


def _pieces(mask: np.ndarray):
    """Yield one (from, to) per crossing of a 2x2 square, squares in row-major order."""
    m = mask.astype(np.uint8)
    case = m[:-1, :-1] * _TOP_LEFT + m[:-1, 1:] * _TOP_RIGHT + m[1:, :-1] * _BOTTOM_LEFT + m[1:, 1:] * _BOTTOM_RIGHT
    for row, column in np.argwhere((case != 0) & (case != 15)).tolist():
        corners = int(case[row, column])
        for enter, leave in _WALKS[corners]:
            start, end = (_background_corner(corners, edge, row, column) for edge in (enter, leave))
            if start != end:
                yield start, end


def _background_corner(corners: int, edge: str, row: int, column: int) -> Point:
    bit, down, right = next(corner for corner in _EDGES[edge] if not corners & corner[0])
    return row + down, column + right


def _join(pieces) -> list[deque]:
    """Link pieces end to start; of two walks that meet the older one keeps its place in the result."""
    walks: dict[int, deque] = {}
    starts: dict[Point, int] = {}
    ends: dict[Point, int] = {}
    made = 0
    for start, end in pieces:
        after, before = starts.pop(end, None), ends.pop(start, None)
        if after is None and before is None:
            walks[made] = deque((start, end))
            starts[start] = ends[end] = made
            made += 1
        elif before is None:
            walks[after].appendleft(start)
            starts[start] = after
        elif after is None:
            walks[before].append(end)
            ends[end] = before
        elif after == before:
            walks[before].append(end)
        else:
            _merge(walks, starts, ends, before, after)
    return [walks[key] for key in sorted(walks)]


def _merge(walks, starts, ends, before: int, after: int) -> None:
    """Put walk `after` behind walk `before`, under the older key."""
    kept, gone = min(before, after), max(before, after)
    if kept == after:
        starts.pop(walks[before][0], None)
        walks[after].extendleft(reversed(walks[before]))
    else:
        walks[before].extend(walks[after])
    del walks[gone]
    starts[walks[kept][0]] = ends[walks[kept][-1]] = kept
