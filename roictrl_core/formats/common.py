"""What all readers and writers share: the picture's size, the notes, and checks of one box."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ..layout import DEFAULT_SIDE, LAYOUT_FIELDS, MAX_INSTANCES, MAX_SIDE, Box, Instance, Layout
from ..masks import RunLengthMask
from ..notes import MAX_NOTES, Note, capped, quote
from ..plain_data import PlainData
from .choices import Choice, numbered
from .outlines import MAX_CROSSINGS, Polygon, polygon_mask
from .reading import ReadAs

BORDER_SLACK = 1e-3  # share of the picture; rounding to whole pixels may lead this far over the border
MAX_MASK_PIXELS = 2**24  # of all masks that one reading draws pixel by pixel; 100 of 400 x 400
MAX_CARRIED = 2**21  # characters of what sources say beyond a layout's fields, of all instances together
HEX_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass
class Reader:
    """The state of one reading: the size in pixels (0 = unknown), what a person chose, and what was found so far."""

    width: int = 0
    height: int = 0
    pick: str = ""
    names: str = ""
    read_as: ReadAs = ReadAs()
    choice_used: bool = False  # whether the format left anything to choose by read_as
    pick_used: bool = False  # whether there was anything to pick from
    to_pixels: tuple[float, float] = (1.0, 1.0)  # by what a file's x and y, which should be pixels, become pixels
    notes: list[Note] = field(default_factory=list)
    choices: dict[str, Choice] = field(default_factory=dict)  # what a person may say otherwise
    places: dict[int, list[int]] = field(default_factory=dict)  # of the notes on a subject, by its id
    instances: list[Instance] = field(default_factory=list)
    unsaid: int = 0  # notes beyond MAX_NOTES
    crossings: int = MAX_CROSSINGS  # that outlines may still cost
    mask_pixels: int = MAX_MASK_PIXELS  # that masks may still draw one by one
    carried: PlainData = field(default_factory=lambda: PlainData(MAX_CARRIED))

    def note(self, code: str, **values) -> None:
        """One more thing to say; of an entry of the source, ``who`` is its subject."""
        if len(self.notes) < MAX_NOTES:
            self.places.setdefault(id(values.get("who")), []).append(len(self.notes))
            self.notes.append(Note(code, values=values))
        else:
            self.unsaid += 1

    def all_notes(self) -> list[Note]:
        """What was said, and how much more there was to say."""
        more = self.carried.notes("read.not_kept")
        if self.carried.crowded:
            more.append(Note("read.crowded", values={"count": self.carried.crowded, "most": MAX_CARRIED}))
        return capped([*more, *self.notes], self.unsaid)

    def own_size(self, width: object, height: object, what: str) -> None:
        """Take the size that the data itself names, where it names one; it wins over the given one.

        Where one is given, 0 x 0 says as little as no size, which some tools mean by it.
        """
        width, height = _side(width), _side(height)
        unknown = (None, None), *([(0, 0)] if self.width and self.height else [])
        if (width, height) in unknown:
            return
        if not all(
            type(side) in (int, float) and 0 < side <= MAX_SIDE and side == int(side) for side in (width, height)
        ):
            raise ValueError(
                f"{what} has the size {quote(width)} x {quote(height)}; "
                f"both must be whole numbers of pixels from 1 to {MAX_SIDE}."
            )
        if self.width and self.height and abs(width * self.height - height * self.width) > 0.01 * height * self.width:
            self.note(
                "read.other_shape", own_width=int(width), own_height=int(height), width=self.width, height=self.height
            )
        self.width, self.height = int(width), int(height)

    def need_size(self, what: str) -> None:
        """Boxes in pixels mean nothing without the picture's size."""
        if not (self.width and self.height):
            raise ValueError(f"{what} gives boxes in pixels, but not the picture's size. Give width and height.")

    def add(self, box: Box | None, who: dict, **fields) -> None:
        """Clip the normalised ``box`` to the picture and keep the instance; notes where that cannot be done.

        ``imported`` holds what the source said beyond the layout's own fields; empty values in it are left out.
        """
        if box is None:
            return
        # Nine decimals: far finer than float32, and without the noise of pixels / size in the JSON.
        x1, y1, x2, y2 = (round(min(max(value, 0.0), 1.0), 9) for value in box)
        if box[2] <= box[0] or box[3] <= box[1]:
            self.note("read.no_area", who=who)
        elif x2 <= x1 or y2 <= y1:
            self.note("read.outside", who=who)
        else:
            if max(-box[0], -box[1], box[2] - 1, box[3] - 1) > BORDER_SLACK:
                self.note("read.cut", who=who)
            self._keep((x1, y1, x2, y2), who, **fields)

    def add_point(self, who: dict, point: tuple[float, float], code: str = "read.point_alone", **fields) -> None:
        """Keep an instance that has a normalised point and no box, which ``code`` says; its box stays without area."""
        self.note(code, who=who)
        self._keep((*point, *point), who, point=point, **fields)

    def _keep(self, box: Box, who: dict, imported: dict | None = None, **fields) -> None:
        if len(self.instances) >= MAX_INSTANCES:
            raise ValueError(f"There are more than {MAX_INSTANCES} boxes here; at most that many are read.")
        imported = self.carried.fields(imported or {})
        self.instances.append(Instance(box, extra={"imported": imported} if imported else {}, **fields))
        # What was said of the entry so far, which only now is an instance.
        for place in self.places.pop(id(who), ()):
            self.notes[place] = replace(self.notes[place], instance=len(self.instances))

    def pixels(self, box: tuple[float, ...]) -> Box:
        """xyxy in pixels to normalised."""
        return (box[0] / self.width, box[1] / self.height, box[2] / self.width, box[3] / self.height)

    def outlines(self, polygons: Sequence[Polygon], who: dict) -> RunLengthMask | None:
        """The mask of an entry's polygons, points normalised; None with a note where it is too much work."""
        mask, cost = polygon_mask(polygons, *self.grid, self.crossings)
        self.crossings -= cost
        if mask is None:
            self.note("read.outlines", who=who)
        return mask

    @property
    def grid(self) -> tuple[int, int]:
        """Width and height of the picture in pixels, or what stands for them."""
        return self.width or DEFAULT_SIDE, self.height or DEFAULT_SIDE

    def layout(self, caption: str = "", extra: Mapping[str, object] | None = None) -> Layout:
        """What was read; ``extra`` are the source's own fields, of which those that
        a layout has itself are left out."""
        own = {key: value for key, value in (extra or {}).items() if key not in LAYOUT_FIELDS}
        return Layout(*self.grid, tuple(self.instances), caption, self.carried.of(own))


def _side(value: object) -> object:
    """A side in pixels as a number where a tool wrote it as text; anything else stays."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 9 else value


def text_of(*values: object) -> str:
    """The first of ``values`` that is text with something in it; else ""."""
    return next((value for value in values if isinstance(value, str) and value.strip()), "")


def numbers(value: object, count: int, who: dict, reader: Reader) -> tuple[float, ...] | None:
    """``count`` finite numbers, or None with a note where ``value`` is something else."""
    found = finite_numbers(value)
    if found is not None and len(found) == count:
        return found
    reader.note("read.not_numbers", who=who, count=count, value=quote(value))
    return None


def finite_numbers(value: object) -> tuple[float, ...] | None:
    """A list, tuple or array of finite numbers as floats; None where it is something else."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, (list, tuple)) and all(is_number(item) for item in value):
        return tuple(float(item) for item in value)
    return None


def is_number(value: object) -> bool:
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def entries(value: object, what: str) -> list:
    """``value`` as a list of at most MAX_INSTANCES entries; raises ValueError with a sentence."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"{what} must be a list, not {quote(value)}.")
    if len(value) > MAX_INSTANCES:
        raise ValueError(f"{what} has {len(value)} entries; at most {MAX_INSTANCES} boxes are read.")
    return list(value)


def first_filled(data: object) -> object:
    """The first item of a list that is not itself an empty list; None without one, or where ``data`` is no list."""
    items = data if isinstance(data, (list, tuple)) else ()
    return next((item for item in items if not isinstance(item, (list, tuple)) or item), None)


def choose(options: list[str], pick: str, what: str, reader: Reader) -> int:
    """Index from 0 of the one among ``options`` (names) that ``pick`` means: a name, or an index from 1; "" = first."""
    reader.pick_used = True
    if pick in options:
        pick = str(options.index(pick) + 1)
    if pick and not (pick.isdecimal() and len(pick) < 9 and 1 <= int(pick) <= len(options)):
        shown = ", ".join(quote(name) for name in options[:5]) + (", …" if len(options) > 5 else "")
        raise ValueError(
            f"There is no {what} {quote(pick)} here. Give an index from 1 to {len(options)} or one of: {shown}."
        )
    index = int(pick) - 1 if pick else 0
    if len(options) > 1:
        reader.choices["pick"] = numbered(options, index)
    if len(options) > 1 and not pick:
        reader.note(f"read.first_{what}", count=len(options), first=quote(options[0]))
    return index


def points_box(points: list[tuple[float, float]]) -> Box:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return (min(xs), min(ys), max(xs), max(ys))


def hex_color(rgb: object) -> str:
    """[r, g, b] in 0..255, or "#rrggbb", as "#rrggbb"; "" for anything else."""
    if isinstance(rgb, str) and HEX_COLOR.fullmatch(rgb):
        return rgb.lower()
    if isinstance(rgb, (list, tuple)) and len(rgb) == 3 and all(is_number(c) and 0 <= c <= 255 for c in rgb):
        return "#" + "".join(f"{int(c):02x}" for c in rgb)
    return ""


def imported_of(instance: Instance) -> dict:
    """What the source said beyond the layout's own fields; {} where a layout from
    elsewhere has something else there."""
    imported = instance.extra.get("imported")
    return PlainData().of(imported) if isinstance(imported, dict) else {}


def picture_rle(mask: RunLengthMask, layout: Layout) -> dict:
    """The mask as COCO's RLE, which is of the picture's size."""
    size = (layout.height, layout.width)
    return (mask if mask.size == size else RunLengthMask.from_array(mask.resized(*size))).to_dict()
