"""A layout as the text of a prompt for the whole picture: its captions, their places in words, the background.

Texts that models read as JSON are in formats/captions.py and formats/comfyui.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .fields import Box
from .formats.captions import background_of
from .formats.common import imported_of, text_of
from .layout import Instance, Layout
from .masks import box_of

SPANS = 0.8  # share of a side from which on a box goes from one border to the other
HALF = 0.4  # share of the other side from which on such a box is half of the picture
LARGE, SMALL = 0.35, 0.015  # shares of the picture's area
ASIDE = 0.06  # share of a side from the middle on which a box is beside it

# By row and column of thirds.
PLACES = (
    ("in the upper left", "at the top", "in the upper right"),
    ("on the left", "in the centre", "on the right"),
    ("in the lower left", "at the bottom", "in the lower right"),
)


@dataclass(frozen=True)
class Words:
    """What stands around and between the captions."""

    prefix: str = ""
    separator: str = ", "
    suffix: str = ""

    def around(self, body: str) -> str:
        """The prefix, a space, ``body``, and the suffix set off by the separator."""
        text = " ".join(part for part in (self.prefix.strip(), body) if part)
        return self.separator.join(part for part in (text, self.suffix.strip()) if part)


def captions_text(layout: Layout, words: Words) -> str:
    """The global caption, else the captions of the enabled instances, equal ones once."""
    captions = dict.fromkeys(instance.caption.strip() for _, instance in layout.enabled)
    return words.around(layout.caption.strip() or words.separator.join(filter(None, captions)))


def background_text(layout: Layout, words: Words) -> str:
    """What the layout says about the picture without its instances; without a word of it the suffix takes its place."""
    if body := background_of(layout):
        return words.around(body)
    return " ".join(filter(None, (words.prefix.strip(), words.suffix.strip())))


def places_text(layout: Layout, words: Words) -> str:
    """The global caption, and after it the caption of each enabled instance with its place in the picture."""
    whole = " ".join(layout.caption.split())
    placed = words.separator.join(placed_captions([instance for _, instance in layout.enabled]))
    if not (whole and placed):
        return words.around(whole or placed)
    if whole[-1] in ".!?\u3002\uff01\uff1f":
        plain = re.match("[a-z]+ ", placed)  # not of "embedding:name", where capitals count
        return words.around(f"{whole} {placed[0].upper() if plain else placed[0]}{placed[1:]}")
    return words.around(whole + words.separator + placed)


def placed_captions(instances: Sequence[Instance]) -> list[str]:
    """One phrase for each caption, with the places of all instances that have it; those without words are left out."""
    named = [(subject, instance) for instance in instances if (subject := subject_of(instance))]
    places: dict[str, list[str]] = {}
    for (subject, _), where in zip(named, _told_apart([region_of(one) for _, one in named]), strict=True):
        places.setdefault(subject, []).append(where)
    return [f"{subject} {_listed(where, _several(subject))}" for subject, where in places.items()]


def _told_apart(regions: Sequence[Box]) -> list[str]:
    """The place of each region, finer where that tells it from another one in the same third."""
    both = [(place(region), place(region, fine=True)) for region in regions]
    finer = Counter(rough for rough, _ in set(both))
    return [fine if finer[rough] > 1 else rough for rough, fine in both]


def _several(subject: str) -> bool:
    """Whether the words are of several things, as "trees" and "two foxes" are, of which there is no other one."""
    return bool(re.search("[^s]s$", subject)) and not re.match("(?i)(an?|one|the) ", subject)


def _listed(places: Sequence[str], several: bool = False) -> str:
    """As in "on the left, another in the centre and another beside it", where the last two lie in one place."""
    if several:
        first, *others = dict.fromkeys(places)
    else:
        first, *others = places[0], *map(_other, places, places[1:])
    return " and ".join(filter(None, (", ".join([first, *others[:-1]]), *others[-1:])))


def _other(before: str, where: str) -> str:
    return "another beside it" if where == before else f"another {where}"


def subject_of(instance: Instance) -> str:
    """What an instance shows, in one line, ready for its place to follow: without the stop at its end.

    Of one that is written words (``type`` "text" of core's elements) the words as well.
    """
    caption = " ".join(instance.caption.split()).rstrip(" .,;:\u3002\uff0c\uff1b\uff1a")
    imported = imported_of(instance)
    shown = " ".join(text_of(imported.get("text")).split()) if imported.get("type") == "text" else ""
    if not shown or shown in caption:
        return caption
    return f'{caption} with the text "{shown}"' if caption else f'the text "{shown}"'


def region_of(instance: Instance) -> Box:
    """Where the instance shows, xyxy: its box inside the picture, and of that what its mask leaves; else its point."""
    box = tuple(min(max(value, 0.0), 1.0) for value in instance.box)
    if not (box[2] > box[0] and box[3] > box[1]):
        x, y = instance.point or ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        return x, y, x, y
    shape = box_of(instance.mask.to_array()) if instance.mask is not None else None
    if shape:
        inside = (*map(max, box[:2], shape[:2]), *map(min, box[2:], shape[2:]))
        if inside[2] > inside[0] and inside[3] > inside[1]:
            return inside
    return box


def place(region: Box, fine: bool = False) -> str:
    """Where ``region`` lies, to follow what it shows: "in the upper left"; ``fine`` tells apart what shares a third."""
    x1, y1, x2, y2 = region
    width, height, x, y = x2 - x1, y2 - y1, (x1 + x2) / 2, (y1 + y2) / 2
    if width >= SPANS and height >= SPANS:
        return "filling the picture"
    if width >= SPANS:
        return _across(height, y)
    if height >= SPANS:
        return _upright(width, x)
    where = PLACES[_third(y)][_third(x)]
    area = width * height
    if area >= LARGE:
        return "filling much of " + re.sub("^(in|on|at) ", "", where)
    where = _finer(where, x, y) if fine else where
    return f"seen small {where}" if 0 < area < SMALL else where


def _third(value: float) -> int:
    return min(int(value * 3), 2)


def _across(height: float, y: float) -> str:
    """From the left border to the right one."""
    if height >= HALF and abs(y - 0.5) > ASIDE:
        return f"across the {'upper' if y < 0.5 else 'lower'} half"
    return f"across the {('top', 'middle', 'bottom')[_third(y)]}"


def _upright(width: float, x: float) -> str:
    """From the upper border to the lower one."""
    if width >= HALF and abs(x - 0.5) > ASIDE:
        return f"filling the {'left' if x < 0.5 else 'right'} half"
    return f"from top to bottom {('on the left', 'in the middle', 'on the right')[_third(x)]}"


def _finer(where: str, x: float, y: float) -> str:
    """A place in five columns or rows where three are too few."""
    across, down = x - 0.5, y - 0.5
    if where in ("on the left", "on the right") and abs(across) > 1 / 3:
        return where.replace("the ", "the far ")
    beside = f"just {'left' if across < 0 else 'right'} of the middle" if abs(across) > ASIDE else ""
    if where in ("at the top", "at the bottom") and beside:
        return f"{where} {beside}"
    if where != "in the centre" or max(abs(across), abs(down)) <= ASIDE:
        return where
    if abs(across) >= abs(down):
        return f"just {'left' if across < 0 else 'right'} of the centre"
    return f"just {'above' if down < 0 else 'below'} the centre"
