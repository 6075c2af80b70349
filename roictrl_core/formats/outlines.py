"""Polygons to masks in one pass: all outlines of an entry at once, from their crossings straight to run lengths.

Cost and memory follow the number of crossings of edges with columns of pixels, which :data:`MAX_CROSSINGS` bounds for
one reading, not the number of polygons or their size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..masks import RunLengthMask

MASK_SIDE = 1024  # pixels; a polygon's mask is drawn no larger than this on its longer side
MAX_CROSSINGS = 1_000_000  # and points, of all outlines of one reading; an outline across the whole picture has 2048
MASK_COST = 400  # crossings that take as long as all else that a mask needs
_FAR = 1e6  # pictures; a point beyond is no place, and would overflow

Polygon = Sequence[tuple[float, float]] | np.ndarray  # [N, 2]


def polygon_mask(
    polygons: Sequence[Polygon], width: int, height: int, most: int = MAX_CROSSINGS
) -> tuple[RunLengthMask | None, int]:
    """The union of polygons, points normalised, on a grid of the picture's shape, its longer side at most MASK_SIDE.

    A pixel belongs to a polygon when its centre lies inside by the even-odd rule.  Also returns what was spent of
    ``most`` crossings; there is no mask where it would have cost more.
    """
    scale = min(1.0, MASK_SIDE / max(width, height))
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    points = [len(polygon) for polygon in polygons]
    if MASK_COST + sum(points) > most:
        return None, 0
    a = np.concatenate([np.asarray(polygon, dtype=np.float64) for polygon in polygons]).clip(-_FAR, _FAR) * (
        columns,
        rows,
    )
    b = a[_following(points)]
    first, last = (
        np.ceil(x - 0.5).clip(0, columns).astype(np.int64) for x in (np.minimum(a, b)[:, 0], np.maximum(a, b)[:, 0])
    )
    cost = MASK_COST + len(a) + int((last - first).sum())
    if cost > most:
        return None, MASK_COST
    owners = np.repeat(np.arange(len(points)), points)
    begin, end = _spans(a, b, owners, first, last, columns, rows)
    return RunLengthMask.from_array_of_runs((rows, columns), _runs(begin, end, rows * columns)), cost


def _following(points: list[int]) -> np.ndarray:
    """Of each point of polygons with so many ``points`` the index of the one after it: the first after the last."""
    after, stops = np.arange(1, sum(points) + 1), np.cumsum(points)
    after[stops - 1] = stops - points
    return after


def _spans(
    a: np.ndarray,
    b: np.ndarray,
    owners: np.ndarray,
    first: np.ndarray,
    last: np.ndarray,
    columns: int,
    rows: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where the polygons' edges from ``a`` to ``b``, [E, 2] in pixels, let pixels begin and end,
    counted column by column.

    Every column between an edge's ``first`` and ``last`` has its centre crossed by it.
    """
    counts = last - first
    edge = np.repeat(np.arange(len(a)), counts)  # [K], the edge of each crossing
    column = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts)
    # From left to right whichever way the polygon goes, so that an edge there and back is crossed at the same place.
    a, b = np.where((a[:, 0] > b[:, 0])[:, None], (b, a), (a, b))
    slope = (b[:, 1] - a[:, 1])[edge] / (b[:, 0] - a[:, 0])[edge]
    row = a[edge, 1] + (column + 0.5 - a[edge, 0]) * slope
    place = column * rows + np.ceil(row - 0.5).clip(0, rows).astype(np.int64)
    # A polygon crosses a column an even number of times: sorted, every odd crossing ends what the even one began.
    size = columns * rows + 1
    place = np.sort(owners[edge] * size + place) % size
    return place[::2], place[1::2]


def _runs(begin: np.ndarray, end: np.ndarray, size: int) -> np.ndarray:
    """Run lengths, zeros first, of the union of the spans ``begin``..``end`` in a row of ``size`` pixels."""
    begin, end = np.sort(begin[end > begin]), np.sort(end[end > begin])
    places = np.unique(np.concatenate((begin, end)))
    covered = np.searchsorted(begin, places, "right") > np.searchsorted(end, places, "right")
    changes = places[covered != np.concatenate(([False], covered[:-1]))]
    runs = np.diff(np.concatenate(([0], changes, [size])))
    return runs if runs[-1] else runs[:-1]
