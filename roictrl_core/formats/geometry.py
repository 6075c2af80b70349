"""Turned boxes, ellipses, outlines and strokes of labelling tools, as what a layout holds: a box, a mask, a scribble."""

from __future__ import annotations

import math

from ..layout import Box, Point
from .common import LINE_ALONE, Reader, points_box
from .shapes import point_of, strokes_of

ELLIPSE_POINTS = 64
FAR = 1e6  # pictures; no shape reaches so far, and nothing could be computed of it (nor of NaN)


def turned(points: list[Point], degrees: float, pivot: Point) -> list[Point]:
    """Points in pixels turned clockwise (y points down) around ``pivot``."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (pivot[0] + (x - pivot[0]) * cos - (y - pivot[1]) * sin, pivot[1] + (x - pivot[0]) * sin + (y - pivot[1]) * cos)
        for x, y in points
    ]


def corners(box: Box) -> list[Point]:
    """The four corners of an xyxy box, in turn."""
    x1, y1, x2, y2 = box
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def ellipse(center: Point, radii: Point) -> list[Point]:
    """A polygon around an upright ellipse."""
    angles = [2 * math.pi * i / ELLIPSE_POINTS for i in range(ELLIPSE_POINTS)]
    return [(center[0] + radii[0] * math.cos(angle), center[1] + radii[1] * math.sin(angle)) for angle in angles]


def add_outline(polygons: list[list[Point]], who: dict, reader: Reader, **fields) -> None:
    """An instance in the shape of normalised polygons: the box around them, and their mask."""
    points = [point for polygon in polygons for point in polygon]
    if not all(abs(value) <= FAR for point in points for value in point):
        reader.note("read.outside", who=who)
        return
    reader.add(points_box(points), who, mask=reader.outlines(polygons, who), **fields)


def add_strokes(strokes: list[list[Point]], who: dict, reader: Reader, **fields) -> None:
    """An instance with strokes through points in pixels and the box around them; of an upright or level line its middle."""
    scribble, box = strokes_of(strokes, who, reader), points_box([point for stroke in strokes for point in stroke])
    if scribble and (box[0] == box[2] or box[1] == box[3]):
        middle = point_of([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2], who, reader)
        if middle:
            reader.add_point(who, code=LINE_ALONE, **{"point": middle, "scribble": scribble, **fields})
    else:
        reader.add(reader.pixels(box), who, scribble=scribble, **fields)
