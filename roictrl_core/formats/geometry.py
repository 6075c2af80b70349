"""Turned boxes, ellipses, outlines and strokes of labelling tools, as what a layout holds:
a box, a mask, a scribble."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..layout import Box, Point
from .common import Reader, points_box
from .outlines import MASK_COST, Polygon
from .shapes import point_of, strokes_of

LINE_ALONE = "read.line_alone"  # what is said of an upright or level line, of which only the middle is kept as a point
ELLIPSE_POINTS = 64
_CIRCLE = np.stack([turn(np.arange(ELLIPSE_POINTS) * 2 * np.pi / ELLIPSE_POINTS) for turn in (np.cos, np.sin)], axis=1)
FAR = 1e6  # pictures; no shape reaches so far, and nothing could be computed of it (nor of NaN)


def turned(points: np.ndarray, degrees: float, pivot: Point) -> np.ndarray:
    """Points in pixels, ``[N, 2]``, turned clockwise (y points down) around ``pivot``."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    with np.errstate(all="ignore"):  # numbers near the end of what a float holds
        return (points - pivot) @ ((cos, sin), (-sin, cos)) + pivot


def corners(box: Box) -> np.ndarray:
    """The four corners of an xyxy box, in turn, ``[4, 2]``."""
    x1, y1, x2, y2 = box
    return np.asarray([(x1, y1), (x2, y1), (x2, y2), (x1, y2)])


def ellipse(center: Point, radii: Point) -> np.ndarray:
    """A polygon around an upright ellipse, ``[ELLIPSE_POINTS, 2]``."""
    with np.errstate(over="ignore"):
        return center + _CIRCLE * radii


def add_outline(polygons: Sequence[Polygon], who: dict, reader: Reader, **fields) -> None:
    """An instance in the shape of normalised polygons: the box around them, and their mask."""
    points = np.concatenate([np.asarray(polygon, dtype=np.float64) for polygon in polygons])
    if not (np.abs(points) <= FAR).all():
        reader.note("read.outside", who=who)
        return
    box = (*points.min(axis=0).tolist(), *points.max(axis=0).tolist())
    reader.add(box, who, mask=reader.outlines(polygons, who), **fields)


def add_ellipse(center: Point, radii: Point, degrees: float, who: dict, reader: Reader, **fields) -> None:
    """An instance in the shape of an ellipse in pixels, turned around its middle: the box around it, and its mask while
    there are crossings left to draw one; without them no point is computed."""
    (x, y), (width, height) = center, reader.grid
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    reach = math.hypot(radii[0] * cos, radii[1] * sin), math.hypot(radii[0] * sin, radii[1] * cos)
    box = ((x - reach[0]) / width, (y - reach[1]) / height, (x + reach[0]) / width, (y + reach[1]) / height)
    if not all(abs(value) <= FAR for value in box):
        reader.note("read.outside", who=who)
        return
    mask = None
    if reader.crossings < MASK_COST + ELLIPSE_POINTS:
        reader.note("read.outlines", who=who)
    else:
        mask = reader.outlines([turned(ellipse(center, radii), degrees, center) / (width, height)], who)
    reader.add(box, who, mask=mask, **fields)


def add_strokes(strokes: list[list[Point]], who: dict, reader: Reader, **fields) -> None:
    """An instance with strokes through points in pixels and the box around them;
    of an upright or level line its middle."""
    scribble, box = strokes_of(strokes, who, reader), points_box([point for stroke in strokes for point in stroke])
    if scribble and (box[0] == box[2] or box[1] == box[3]):
        middle = point_of([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], who, reader)
        if middle:
            reader.add_point(who, code=LINE_ALONE, **{"point": middle, "scribble": scribble, **fields})
    else:
        reader.add(reader.pixels(box), who, scribble=scribble, **fields)
