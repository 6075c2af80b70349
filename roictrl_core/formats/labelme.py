"""labelme: shapes of points in pixels; shapes of one label and one ``group_id`` are one object.

Source: labelme's own files, github.com/wkentaro/labelme, and its LabelFile's defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..fields import Point
from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, entries, finite_numbers, is_number, points_box, text_of
from .geometry import add_strokes, corners, ellipse
from .outlines import Polygon
from .placing import in_pixels, settle_unit
from .shapes import point_of, strokes_of

_LEAST = {
    "rectangle": 2,
    "polygon": 3,
    "rotation": 3,
    "circle": 2,
    "point": 1,
    "line": 2,
    "linestrip": 2,
}  # points of each kind
_LINES = ("line", "linestrip")
_FAR = 1e9  # pixels


class Shape(NamedTuple):
    """A shape that can be read: whom notes mean, its kind, its points, what else the file says of it."""

    who: dict
    kind: str
    points: list[Point]
    caption: str
    imported: dict


def is_labelme(data: object) -> bool:
    return isinstance(data, dict) and "shapes" in data


def read_labelme(data: dict, reader: Reader) -> Layout:
    reader.own_size(data.get("imageWidth"), data.get("imageHeight"), "The labelme file")
    reader.need_size("The labelme file")
    shapes = [
        _shape(shape if isinstance(shape, dict) else {}, i, reader)
        for i, shape in enumerate(entries(data["shapes"], "shapes"), 1)
    ]
    shapes = [shape for shape in shapes if shape]
    settle_unit((value for shape in shapes for point in shape.points for value in point), reader)
    for group in _groups(shape._replace(points=in_pixels(shape.points, reader)) for shape in shapes):
        _add(group, reader)
    return reader.layout(extra={key: data[key] for key in ("imagePath",) if text_of(data.get(key))})


def _shape(shape: dict, index: int, reader: Reader) -> Shape | None:
    """One shape; None with a note where it cannot be read."""
    label, kind = shape.get("label"), text_of(shape.get("shape_type")) or "polygon"  # labelme's own default
    caption = f"{label}" if is_number(label) else text_of(label)
    who = subject("shape", index, caption)
    if kind not in _LEAST:
        reader.note("read.shape_type", who=who, kind=quote(kind))
        return None
    pairs = shape.get("points")
    points = [finite_numbers(pair) for pair in pairs] if isinstance(pairs, list) else [None]
    if any(point is None or len(point) != 2 for point in points):
        reader.note("read.points_not_numbers", who=who, value=quote(pairs))
        return None
    if len(points) < _LEAST[kind]:
        reader.note("read.too_few_points", who=who, kind=quote(kind))
        return None
    imported = {key: value for key, value in shape.items() if key not in ("label", "shape_type", "points", "mask")}
    return Shape(who, kind, points, caption, imported)


def _groups(shapes: Iterable[Shape]) -> Iterable[list[Shape]]:
    groups: dict[object, list[Shape]] = {}
    for shape in shapes:
        number = shape.imported.get("group_id")
        key = (number, shape.caption) if isinstance(number, int) else shape.who["number"]
        groups.setdefault(key, []).append(shape)
    return groups.values()


def _add(group: list[Shape], reader: Reader) -> None:
    """One object: the box around its areas and their mask, its first point, its lines as strokes."""
    who = group[0].who
    fields: dict = {"caption": group[0].caption, "imported": group[0].imported}
    points = [shape.points[0] for shape in group if shape.kind == "point"]
    if len(points) > 1:
        reader.note("read.first_point", who=who, count=len(points))
    point = point_of(points[0], who, reader) if points else None
    fields |= {"point": point} if point else {}
    areas = [shape for shape in group if shape.kind not in ("point", *_LINES)]
    strokes = [shape.points for shape in group if shape.kind in _LINES]
    if areas:
        fields |= {"scribble": strokes_of(strokes, who, reader)} if strokes else {}
        _add_areas(areas, who, reader, **fields)
    elif strokes:
        add_strokes(strokes, who, reader, **fields)
    elif point:
        reader.add_point(who, **fields)


def _add_areas(areas: list[Shape], who: dict, reader: Reader, **fields) -> None:
    polygons = [np.asarray(_outline(shape)) / (reader.width, reader.height) for shape in areas]
    if len(areas) > 1 or areas[0].kind != "rectangle":
        fields["mask"] = reader.outlines(polygons, who)
    points = np.concatenate(polygons)
    reader.add((*points.min(axis=0).tolist(), *points.max(axis=0).tolist()), who, **fields)


def _outline(shape: Shape) -> Polygon:
    """A rectangle's corners, a circle's edge from its centre and a point on it, a polygon's points."""
    if shape.kind == "rectangle":
        return corners(points_box(shape.points))
    if shape.kind == "circle":
        radius = min(math.dist(*shape.points[:2]), _FAR)
        return ellipse(shape.points[0], (radius, radius))
    return shape.points
