"""What the four numbers of a box mean, where the data does not say it: their order and their unit.

A :class:`Way` is one order in one unit; :func:`decide` takes the first among several that goes best with all boxes and
the picture.  A :class:`ReadAs` is what a person says instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np

AUTO = "auto"
XYXY, XYWH, CXCYWH, YXYX = (
    "x1, y1, x2, y2",
    "x, y, width, height",
    "center x, center y, width, height",
    "y1, x1, y2, x2",
)
PIXELS, SHARES, THOUSANDTHS, PERCENT = "pixels", "0 to 1", "0 to 1000", "percent"
ORDERS = (XYXY, XYWH, CXCYWH, YXYX)
UNITS = (PIXELS, SHARES, THOUSANDTHS, PERCENT)

_TINY = 2.0  # a box list that stays under this many units in all its numbers cannot mean pixels
_WIDE = 400  # pixels of the shorter side from which boxes that all lie in the first 100 are suspicious
_SPREAD = 60  # of 100, which boxes in percent reach at least
_OUTSIDE = 0.5  # share of a box beyond the picture that speaks against a reading
_STRICT = 0.02  # share of the picture that a box may reach over its border in an order that is not the usual one


class ReadAs(NamedTuple):
    """How a person says that boxes are to be read: one of ORDERS and one of UNITS, or AUTO."""

    order: str = AUTO
    unit: str = AUTO

    @property
    def chosen(self) -> bool:
        return self != (AUTO, AUTO)

    def checked(self) -> ReadAs:
        """Itself; raises ValueError with a sentence where a choice is none."""
        for value, known, what in ((self.order, ORDERS, "order"), (self.unit, UNITS, "unit")):
            if value not in (AUTO, *known):
                raise ValueError(
                    f"There is no {what} of a box's numbers '{value!s:.40}'. Use one of: {'; '.join((AUTO, *known))}."
                )
        return self


class Way(NamedTuple):
    """One reading of four numbers."""

    order: str
    unit: str


def ways(orders: Sequence[str], units: Sequence[str] = (PIXELS, SHARES)) -> tuple[Way, ...]:
    """Every order in every unit; the units change last."""
    return tuple(Way(order, unit) for unit, order in product(units, orders))


DETECTED = (
    *ways((XYXY, XYWH), (PIXELS,)),
    *ways((XYXY, CXCYWH, XYWH), (SHARES,)),
    Way(XYXY, PERCENT),
    Way(XYWH, PERCENT),
)


def decide(rows: np.ndarray, among: Sequence[Way], width: float, height: float) -> Way:
    """The first of the ways against which the fewest of the ``[N, 4]`` rows speak."""
    tiny = float(np.max(np.abs(rows))) <= _TINY
    percent = any(way.unit == PERCENT for way in among) and _is_percent(rows, width, height)
    absurd = {PIXELS: tiny or percent, SHARES: not tiny, THOUSANDTHS: tiny, PERCENT: not percent}
    possible = [way for way in among if not absurd[way.unit]] or among
    against = [conflicts(rows, way, among[0].order, width, height) for way in possible]
    return possible[int(np.argmin(against))]


def conflicts(rows: np.ndarray, way: Way, usual: str, width: float, height: float) -> int:
    """How many rows speak against a way: boxes of negative size, or beyond the picture for the greater part.

    Boxes in another than the usual order must lie inside the picture.  Boxes without area say nothing.
    """
    x1, y1, x2, y2 = to_xyxy(rows, way, width, height).T
    negative = (x2 < x1) | (y2 < y1)
    if way.unit == PIXELS and not (width and height):
        return int(negative.sum())
    with np.errstate(all="ignore"):
        inside = (np.minimum(x2, 1) - np.maximum(x1, 0)).clip(0) * (np.minimum(y2, 1) - np.maximum(y1, 0)).clip(0)
        bad = negative | ~(inside >= (1 - _OUTSIDE) * (x2 - x1) * (y2 - y1))
    if way.order != usual:
        bad |= (np.minimum(x1, y1) < -_STRICT) | (np.maximum(x2, y2) > 1 + _STRICT)
    return int((bad & (x1 != x2) & (y1 != y2)).sum())


def to_xyxy(rows: np.ndarray, way: Way, width: float, height: float) -> np.ndarray:
    """``[N, 4]`` numbers to normalised x1, y1, x2, y2; pixels of an unknown picture stay pixels."""
    sides = sides_in(way.unit, width, height)
    rows = np.asarray(rows, dtype=np.float64)
    if way.order == YXYX:
        rows = rows[:, [1, 0, 3, 2]]
    first, second = rows[:, :2] / sides, rows[:, 2:] / sides
    with np.errstate(over="ignore"):  # numbers near the end of what a float holds
        if way.order == XYWH:
            second = first + second
        elif way.order == CXCYWH:
            first, second = first - second / 2, first + second / 2
    return np.concatenate((first, second), axis=1)


def sides_in(unit: str, width: float, height: float) -> tuple[float, float]:
    """What the picture measures in the unit."""
    return {PIXELS: (width or 1, height or 1), THOUSANDTHS: (1000, 1000), PERCENT: (100, 100)}.get(unit, (1, 1))


def _is_percent(rows: np.ndarray, width: float, height: float) -> bool:
    """Whether several boxes all lie in the first 100 of a much larger picture, and reach across most of these 100."""
    return len(rows) > 1 and in_the_first_100(rows, width, height) and float(np.max(rows)) >= _SPREAD


def in_the_first_100(rows: np.ndarray, width: float, height: float) -> bool:
    return min(width, height) >= _WIDE and float(np.max(rows)) <= 100 and float(np.min(rows)) >= 0
