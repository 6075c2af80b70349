"""The outline of a mask as polygons, for formats that hold no masks."""

from __future__ import annotations

import numpy as np

MAX_EDGES = 100_000  # pixel edges of one outline; a mask with more is noise, or far too fine to edit by hand

Point = tuple[int, int]
Edge = tuple[Point, Point]  # where a step along a pixel's side begins, and the step; the mask is on its right

# Where a walk goes on after a step: to the right if it can, so that pixels which only touch at a corner part; else
# straight on, else to the left.
_TURNS = {
    (1, 0): ((0, 1), (1, 0), (0, -1)),
    (0, 1): ((-1, 0), (0, 1), (1, 0)),
    (-1, 0): ((0, -1), (-1, 0), (0, 1)),
    (0, -1): ((1, 0), (0, -1), (-1, 0)),
}


def outlines(mask: np.ndarray) -> tuple[list[list[Point]], int] | None:
    """The closed walks along pixel edges around the parts of a bool [H, W] mask, and how many holes it has.

    A walk is the corners (x, y) in pixels at which it turns; filling it by pixel centres gives the part back, holes
    filled.  None where the mask has more than :data:`MAX_EDGES` edges.
    """
    edges = _edges(mask)
    if len(edges) > MAX_EDGES:
        return None
    edges = dict.fromkeys(((x, y), (dx, dy)) for x, y, dx, dy in edges.tolist())
    walks, seen = [], set()
    for edge in edges:
        if edge not in seen:
            walks.append(_walk(edge, edges, seen))
    parts = [walk for walk in walks if _area(walk) > 0]
    return parts, len(walks) - len(parts)


def _edges(mask: np.ndarray) -> np.ndarray:
    """[n, 4] x, y, dx, dy of every step between a pixel of the mask and one outside."""
    inside = np.pad(mask, 1).astype(np.int8)
    down = inside[1:, 1:-1] - inside[:-1, 1:-1]  # [H + 1, W], 1 where the mask begins below
    right = inside[1:-1, 1:] - inside[1:-1, :-1]  # [H, W + 1], 1 where it begins to the right
    found = []
    for change, value, offset, step in (
        (down, 1, (0, 0), (1, 0)),
        (down, -1, (1, 0), (-1, 0)),
        (right, 1, (0, 1), (0, -1)),
        (right, -1, (0, 0), (0, 1)),
    ):
        at = np.argwhere(change == value)[:, ::-1] + offset
        found.append(np.hstack([at, np.broadcast_to(step, at.shape)]))
    return np.concatenate(found)


def _walk(first: Edge, edges: dict[Edge, None], seen: set[Edge]) -> list[Point]:
    """The corners of the closed walk that ``first`` belongs to; its edges go into ``seen``."""
    corners, edge = [], first
    while True:
        seen.add(edge)
        (x, y), step = edge
        at = (x + step[0], y + step[1])
        turn = next(turn for turn in _TURNS[step] if (at, turn) in edges)
        if turn != step:
            corners.append(at)
        edge = (at, turn)
        if edge == first:
            return corners


def _area(walk: list[Point]) -> int:
    """Twice the enclosed area; negative around a hole, where the walk runs the other way round."""
    return sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in zip(walk, walk[1:] + walk[:1], strict=True))
