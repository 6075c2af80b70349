"""Checks of a layout's single fields: values of the right kind out of JSON, or a sentence that names them."""

from __future__ import annotations

import math

from .notes import quote

Box = tuple[float, float, float, float]  # xyxy, normalised
Point = tuple[float, float]  # x, y, normalised
Stroke = tuple[Point, ...]

MAX_POINTS = 10_000  # of all strokes of one instance

_TYPE_NAMES = {str: "text", float: "a number", int: "a whole number", bool: "true or false"}


def kind_of(value: object) -> str:
    """What a value out of JSON is, in words."""
    names = {dict: "an object", list: "a list", tuple: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def checked(value: object, kind: type, what: str):
    """``value`` as ``kind``; raises ValueError with a sentence that begins with ``what``."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and number and math.isfinite(result := _as_float(value)):
        return result
    if kind is int and number and math.isfinite(_as_float(value)) and value == int(value):
        return int(value)
    if kind in (str, bool) and isinstance(value, kind):
        return value
    raise ValueError(f"{what} must be {_TYPE_NAMES[kind]}, not {quote(value)}.")


def _as_float(value: int | float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def checked_box(box: object, who: str) -> Box:
    """``[x1, y1, x2, y2]`` as floats; raises ValueError with a sentence that names ``who``."""
    if not isinstance(box, (list, tuple)) or len(box) != 4:
        raise ValueError(f"The box of {who} must be a list of four numbers x1, y1, x2, y2, not {quote(box)}.")
    return tuple(checked(value, float, f"Each number in the box of {who}") for value in box)


def checked_point(point: object, what: str) -> Point:
    """``[x, y]`` as floats; raises ValueError with a sentence that begins with ``what``."""
    if not isinstance(point, (list, tuple)) or len(point) != 2:
        raise ValueError(f"{what} must be a list of two numbers x, y, not {quote(point)}.")
    return tuple(checked(value, float, f"{what}: each number") for value in point)


def checked_strokes(strokes: object, what: str) -> tuple[Stroke, ...]:
    """A list of strokes, each a list of points, at most MAX_POINTS in all; raises ValueError with a sentence."""
    lists = isinstance(strokes, (list, tuple)) and all(
        isinstance(stroke, (list, tuple)) and stroke for stroke in strokes
    )
    if not lists:
        raise ValueError(f"{what} must be a list of strokes, each a list of points [x, y], not {quote(strokes)}.")
    if (count := sum(map(len, strokes))) > MAX_POINTS:
        raise ValueError(f"{what} has {count} points; at most {MAX_POINTS} are read.")
    return tuple(tuple(checked_point(point, f"{what}: each point") for point in stroke) for stroke in strokes)


def area(box: Box) -> float:
    """Width times height."""
    return (box[2] - box[0]) * (box[3] - box[1])


def shared(one: Box, other: Box) -> Box:
    """What two boxes share; where they share nothing, a box without area."""
    x1, y1 = max(one[0], other[0]), max(one[1], other[1])
    return x1, y1, max(x1, min(one[2], other[2])), max(y1, min(one[3], other[3]))


def overlap(one: Box, other: Box) -> float:
    """The shared area as a share of the smaller box's."""
    smaller = min(area(one), area(other))
    return area(shared(one, other)) / smaller if smaller > 0 else 0.0


def show(box: Box) -> str:
    """The box as messages show it."""
    return "(" + ", ".join(f"{value:.4g}" for value in box) + ")"
