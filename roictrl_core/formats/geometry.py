"""Turned boxes, ellipses, outlines and strokes of labelling tools, as what a layout holds: a box, a mask, a scribble."""

from __future__ import annotations

import math

from ..fields import MAX_POINTS
from ..layout import DEFAULT_SIDE, Box, Point
from .common import Reader, is_number, points_box, polygon_mask

ELLIPSE_POINTS = 64
FAR = 1e6      # pictures; no shape reaches so far, and nothing could be computed of it (nor of NaN)


def turned(points: list[Point], degrees: float, pivot: Point) -> list[Point]:
    """Points in pixels turned clockwise (y points down) around ``pivot``."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(pivot[0] + (x - pivot[0]) * cos - (y - pivot[1]) * sin,
             pivot[1] + (x - pivot[0]) * sin + (y - pivot[1]) * cos) for x, y in points]


def corners(box: Box) -> list[Point]:
    """The four corners of an xyxy box, in turn."""
    x1, y1, x2, y2 = box
    return [(x1, y1), (x2, y1), (x2, y2), (x1, y2)]


def ellipse(center: Point, radii: Point) -> list[Point]:
    """A polygon around an upright ellipse."""
    angles = [2 * math.pi * i / ELLIPSE_POINTS for i in range(ELLIPSE_POINTS)]
    return [(center[0] + radii[0] * math.cos(angle), center[1] + radii[1] * math.sin(angle)) for angle in angles]


def pairs(flat: object) -> list[Point] | None:
    """[x1, y1, x2, y2, ...] or [[x1, y1], ...] as points; None where it is neither, or not finite numbers."""
    if isinstance(flat, (list, tuple)) and flat and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in flat):
        flat = [value for pair in flat for value in pair]
    if not isinstance(flat, (list, tuple)) or not flat or len(flat) % 2 or not all(map(is_number, flat)):
        return None
    return [(float(x), float(y)) for x, y in zip(flat[::2], flat[1::2])]


def add_outline(polygons: list[list[Point]], who: dict, reader: Reader, **fields) -> None:
    """An instance in the shape of normalised polygons: the box around them, and their mask."""
    points = [point for polygon in polygons for point in polygon]
    if not all(abs(value) <= FAR for point in points for value in point):
        reader.note("read.outside", who=who)
        return
    box = points_box(points)
    mask = polygon_mask(polygons, reader.width or DEFAULT_SIDE, reader.height or DEFAULT_SIDE)
    reader.add(box, who, mask=mask, **fields)


def add_stroke(points: list[Point], who: dict, reader: Reader, **fields) -> None:
    """An instance with a stroke through normalised points: the box around them, a pixel wide at least, and the scribble."""
    if len(points) > MAX_POINTS:
        reader.note("read.too_many_points", who=who, count=len(points), most=MAX_POINTS)
        return
    x1, y1, x2, y2 = points_box(points)
    wide, high = 0.5 / (reader.width or DEFAULT_SIDE), 0.5 / (reader.height or DEFAULT_SIDE)
    box = (x1 - wide, y1 - high, x2 + wide, y2 + high) if x2 - x1 < 2 * wide or y2 - y1 < 2 * high else (x1, y1, x2, y2)
    stroke = tuple((min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0)) for x, y in points)
    reader.add(box, who, scribble=(stroke,), **fields)
