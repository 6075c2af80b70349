"""From the numbers of all entries of a source to instances: how they are read is decided
once for all of them, and said.

A reader of a format gives its entries as :class:`Found`, and the ways that its format may mean, the likeliest first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ..layout import Box, Point
from . import choices
from .choices import Choice
from .common import Reader
from .outlines import Polygon
from .reading import (
    AUTO,
    ORDERS,
    PERCENT,
    PIXELS,
    SHARES,
    THOUSANDTHS,
    UNITS,
    Way,
    conflicts,
    decide,
    in_the_first_100,
    sides_in,
    to_xyxy,
)

_NOTES = {
    PIXELS: "read.assumed_pixels",
    SHARES: "read.assumed_shares",
    THOUSANDTHS: "read.assumed_thousandths",
    PERCENT: "read.assumed_percent",
}


class Found(NamedTuple):
    """One entry of a source: its subject, its four numbers (None = said to be unusable), the fields of its instance.

    ``among`` are the ways that this entry may mean, where they are not those of the whole source;
    ``outline`` are polygons in the unit of the numbers, which become the instance's mask.
    What is ``alone`` has a point in place of a box.
    """

    who: dict
    values: tuple[float, ...] | None
    fields: dict
    among: tuple[Way, ...] = ()
    outline: Sequence[Polygon] = ()
    alone: bool = False


def place(
    found: Sequence[Found],
    among: Sequence[Way],
    reader: Reader,
    what: str,
    *,
    always: bool = True,
    shown: Callable[[str], str] = str,
) -> None:
    """Add every entry to the layout, read in the way that a person chose, else in the best of ``among``.

    ``what`` is what gives the boxes, for a refusal.  The way is said ``always``, where there were several,
    or only where it is not the first; ``shown`` turns an order into the columns that are said.
    """
    groups: dict[tuple[Way, ...], list[int]] = {}
    for index, entry in enumerate(found):
        if entry.values is not None:
            groups.setdefault(entry.among or tuple(among), []).append(index)
    placed: dict[int, tuple[str, Box]] = {}
    for possible, members in groups.items():
        rows = np.asarray([found[index].values for index in members])
        way = chosen_way(rows, possible, reader)
        if way.unit == PIXELS:
            reader.need_size(what)
        if len(possible) > 1 and (always or way != possible[0]):
            say(way, reader, shown)
        if _doubtful(rows, way, reader):
            reader.choices |= _readings(way)
        placed |= {
            index: (way.unit, tuple(box))
            for index, box in zip(members, to_xyxy(rows, way, reader.width, reader.height).tolist(), strict=True)
        }
    for index, entry in enumerate(found):
        if entry.alone:
            reader.add_point(entry.who, **entry.fields)
        elif index in placed:
            _add(entry, *placed[index], reader)


def say(way: Way, reader: Reader, shown: Callable[[str], str] = str) -> None:
    """What was assumed, where a person did not choose it; it may be read otherwise."""
    reader.choices |= _readings(way)
    if AUTO in reader.read_as:
        reader.note(_NOTES[way.unit], order=shown(way.order))


def chosen_way(rows: Sequence | np.ndarray, among: Sequence[Way], reader: Reader) -> Way:
    """The person's choice, completed by the best of ``among`` that agrees with it."""
    order, unit = reader.read_as
    reader.choice_used = True
    among = among if order == AUTO else [way._replace(order=order) for way in among]
    among = among if unit == AUTO else [way._replace(unit=unit) for way in among]
    way = decide(np.asarray(rows), list(dict.fromkeys(among)), reader.width, reader.height)
    if reader.read_as.chosen:  # who has chosen may choose again
        reader.choices |= _readings(way)
    return way


def _readings(way: Way) -> dict[str, Choice]:
    """Every order and unit, of which ``way`` was taken."""
    return {"box_order": choices.among(ORDERS, way.order), "box_unit": choices.among(UNITS, way.unit)}


def settle_unit(numbers: Iterable[float], reader: Reader) -> None:
    """For a format of pixels, whose picture's size is known: the unit of a file's numbers, by a person's choice,
    else shares where all lie in 0..1; from then on :func:`in_pixels` makes pixels of them."""
    unit = reader.read_as.unit
    if unit != AUTO:
        reader.choice_used = True
        if reader.read_as.order != AUTO:
            reader.note("read.order_unused")
    if unit == AUTO and _are_shares(numbers):
        unit = SHARES
        reader.note("read.shares_not_pixels")
    if unit != AUTO:
        reader.choices["box_unit"] = choices.among(UNITS, unit)
    if unit not in (AUTO, PIXELS):
        across, down = sides_in(unit, reader.width, reader.height)
        reader.to_pixels = (reader.width / across, reader.height / down)


def _are_shares(numbers: Iterable[float]) -> bool:
    """Whether all numbers lie in 0..1 and are not whole, as they are of one pixel in the corner."""
    broken = False
    for number in numbers:
        if not 0 <= number <= 1:
            return False
        broken |= 0 < number < 1
    return broken


def in_pixels(points: Iterable[Point], reader: Reader) -> list[Point]:
    """Points of a file as pixels."""
    across, down = reader.to_pixels
    return [(x * across, y * down) for x, y in points]


def _add(entry: Found, unit: str, box: Box, reader: Reader) -> None:
    mask = {"mask": reader.outlines(_normalised(entry.outline, unit, reader), entry.who)} if entry.outline else {}
    reader.add(box, entry.who, **entry.fields, **mask)


def _normalised(outline: Sequence[Polygon], unit: str, reader: Reader) -> list[np.ndarray]:
    """Polygons, points in ``unit``, as polygons of normalised points, ``[N, 2]``."""
    sides = sides_in(unit, reader.width, reader.height)
    return [np.asarray(polygon, dtype=np.float64) / sides for polygon in outline]


def _doubtful(rows: np.ndarray, way: Way, reader: Reader) -> bool:
    """Say what makes a reading in pixels doubtful, where that decided nothing."""
    if way.unit != PIXELS or reader.read_as.unit != AUTO:
        return False
    said = len(reader.notes)
    if in_the_first_100(rows, reader.width, reader.height):
        reader.note("read.perhaps_percent", width=reader.width, height=reader.height)
    if conflicts(rows, way, way.order, reader.width, reader.height):
        x, y = np.max(to_xyxy(rows, way, reader.width, reader.height)[:, 2:], axis=0).tolist()
        if max(x, y) > 1:
            reader.note(
                "read.beyond",
                right=f"{x * reader.width:.6g}",
                bottom=f"{y * reader.height:.6g}",
                width=reader.width,
                height=reader.height,
            )
    return len(reader.notes) > said
