"""Instance and Layout: boxes, captions and per-instance settings; the one currency between nodes.

Plain data, frozen, with JSON both ways (docs/layout_format.md).  Boxes are xyxy, normalised 0..1, x first; pixels only
give the frame its shape.  Unknown fields survive a round trip at both levels.  What exists only at run time (a custom
CONDITIONING) is left out of JSON, and :meth:`Layout.left_out` names it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .fields import Box, Point, Stroke, checked, checked_box, checked_point, checked_strokes, kind_of, overlap, show
from .masks import MAX_SIDE, RunLengthMask
from .notes import Note, capped, log, named, quote, sentences, subject
from .plain_data import PlainData
from .safe_text import check_depth, parse_json

VERSION = 1
MAX_INSTANCES = 10_000
MAX_STRENGTH = 2.0
MAX_FAR = 1000  # pictures that a box may reach beyond the border; float32 still tells cells apart there
MAX_MASK_PIXELS = 10**9  # of all masks together
MAX_COMPARED = 50  # instances of one caption whose boxes are compared with one another for warnings
DEFAULT_SIDE = 512  # pixels, where a layout names no size: SD1.x's own
LAYOUT_FIELDS = ("version", "width", "height", "caption", "instances")


# Old version -> function that turns its dict into the next version's. Version 1 is the first.
MIGRATIONS: dict[int, Callable[[dict], dict]] = {}


@dataclass(frozen=True)
class Instance:
    """One box and what it is to hold.

    ``negative`` is the instance's own negative caption ("" = none); ``strength`` 1 is as trained, 0 off; ``start`` and
    ``end`` are shares 0..1 of the schedule; ``color`` is "#rrggbb" or "" (the palette's); ``mask`` covers the whole
    picture; ``point`` and the strokes of ``scribble`` are normalised x, y.  An instance with a point needs no area of
    its box, since some methods place it by the point alone.  ``conditioning``, a ComfyUI CONDITIONING that replaces
    the encoded caption, ``loras``, each with the name of its ``file``, and ``reference``, an image prompt, exist at run
    time only and take no part in comparisons.  ``extra`` holds the fields that this version does not know.
    """

    box: Box
    caption: str = ""
    negative: str = ""
    strength: float = 1.0
    start: float = 0.0
    end: float = 1.0
    enabled: bool = True
    color: str = ""
    label: str = ""
    mask: RunLengthMask | None = None
    point: Point | None = None
    scribble: tuple[Stroke, ...] = ()
    conditioning: object = field(default=None, compare=False, repr=False)
    loras: tuple = field(default=(), compare=False, repr=False)
    reference: object = field(default=None, compare=False, repr=False)
    extra: dict = field(default_factory=dict, hash=False)

    @property
    def has_area(self) -> bool:
        """Whether the box has one; only an instance with a point may be without."""
        return self.box[2] > self.box[0] and self.box[3] > self.box[1]

    def name(self, index: int) -> str:
        """How messages call the instance: its index from 1, and its label or the beginning of its caption."""
        return named(self.subject(index))

    def subject(self, index: int) -> dict:
        """The same for notes."""
        return subject("instance", index, self.label or self.caption)

    def note(self, code: str, index: int, **values) -> Note:
        """A note about the instance, which the sentence calls ``{who}``."""
        return Note(code, index, {"who": self.subject(index), **values})

    def to_dict(self) -> dict:
        """Plain data for JSON; fields at their default are left out."""
        data: dict = {"box": list(self.box)}
        for key, (default, _) in _FIELDS.items():
            if getattr(self, key) != default:
                data[key] = getattr(self, key)
        if self.mask is not None:
            data["mask"] = self.mask.to_dict()
        if self.point is not None:
            data["point"] = list(self.point)
        if self.scribble:
            data["scribble"] = [[list(point) for point in stroke] for stroke in self.scribble]
        return {**data, **PlainData().of(self.extra)} if self.extra else data

    @classmethod
    def from_dict(cls, data: object, index: int = 1) -> Instance:
        """The inverse of :meth:`to_dict`; raises ValueError with a sentence naming the instance and the field."""
        if not isinstance(data, dict):
            raise ValueError(f"Instance {index} must be an object with a box, not {kind_of(data)}.")
        known = {key: data[key] for key in _FIELDS if data.get(key) is not None}
        title = known.get("label") or known.get("caption")
        who = cls((0, 0, 1, 1), label=title if isinstance(title, str) else "").name(index)
        for key, value in known.items():
            known[key] = checked(value, _FIELDS[key][1], f'The field "{key}" of {who}')
        extra = {key: value for key, value in data.items() if key not in _FIELDS and key not in _SHAPES}
        shapes = {
            key: read(data.get(key), who) for key, read in _SHAPES.items() if key == "box" or data.get(key) is not None
        }
        return cls(**shapes, **known, extra=extra)

    def problems(self, index: int) -> list[Note]:
        """What makes the instance unusable; empty when it is sound."""
        if len(self.box) != 4 or not all(math.isfinite(value) for value in self.box):
            return [self.note("layout.box_not_finite", index, box=quote(self.box))]
        if max(map(abs, self.box)) > MAX_FAR:
            return [self.note("layout.box_far", index, box=show(self.box), most=MAX_FAR)]
        x1, y1, x2, y2 = self.box
        found = []
        if not self.has_area and self.point is None:
            found.append(self.note("layout.box_without_area", index, box=show(self.box)))
        elif (x1 >= 1 or y1 >= 1 or x2 <= 0 or y2 <= 0) and self.point is None:
            found.append(self.note("layout.box_outside", index, box=show(self.box)))
        if not 0 <= self.strength <= MAX_STRENGTH:
            found.append(self.note("layout.strength", index, strength=self.strength, most=MAX_STRENGTH))
        if not 0 <= self.start < self.end <= 1:
            found.append(self.note("layout.schedule", index, start=self.start, end=self.end))
        points = [*([self.point] if self.point else []), *(point for stroke in self.scribble for point in stroke)]
        if not all(0 <= value <= 1 for point in points for value in point):
            found.append(self.note("layout.points_outside", index))
        if self.color and not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            found.append(self.note("layout.color", index, color=quote(self.color)))
        return found

    def left_out(self, index: int) -> list[Note]:
        """What of it JSON does not carry."""
        found = [] if self.conditioning is None else [self.note("layout.conditioning_left_out", index)]
        found += [self.note("layout.lora_left_out", index, file=lora.file) for lora in self.loras]
        return found + ([] if self.reference is None else [self.note("layout.reference_left_out", index)])

    def warnings(self, index: int) -> list[Note]:
        """What will work, but perhaps not as meant."""
        if not self.enabled:
            return []
        found = []
        if not self.caption.strip() and self.conditioning is None:
            found.append(self.note("layout.caption_empty", index))
        if not self.has_area:
            found.append(self.note("layout.point_alone", index))
        if min(self.box[:2]) < 0 or max(self.box[2:]) > 1:
            found.append(self.note("layout.over_border", index, box=show(self.box)))
        if self.mask is not None and self.mask.area() == 0:
            found.append(self.note("layout.mask_empty", index))
        return found


@dataclass(frozen=True)
class Layout:
    """All instances of one picture, in z-order, and the picture's size in pixels.

    ``caption`` is the global caption where one came with the boxes ("" = none).
    """

    width: int = DEFAULT_SIDE
    height: int = DEFAULT_SIDE
    instances: tuple[Instance, ...] = ()
    caption: str = ""
    extra: dict = field(default_factory=dict, hash=False)

    @property
    def enabled(self) -> list[tuple[int, Instance]]:
        """The instances that take part, each with its index from 1 in the whole layout."""
        return [(i, instance) for i, instance in enumerate(self.instances, 1) if instance.enabled]

    def resized(self, width: int, height: int) -> Layout:
        """The same boxes, which are normalised, on a picture of another size."""
        return replace(self, width=width, height=height)

    def to_dict(self) -> dict:
        """Plain data for JSON; see :meth:`left_out` for what it cannot carry."""
        caption = {"caption": self.caption} if self.caption else {}
        return {
            "version": VERSION,
            "width": self.width,
            "height": self.height,
            **caption,
            "instances": [instance.to_dict() for instance in self.instances],
            **PlainData().of(self.extra),
        }

    def to_json(self, indent: int | None = None) -> str:
        """JSON text, finite numbers only. What it cannot carry is said in the log."""
        for sentence in sentences(self.left_out()):
            log.warning(sentence)
        return json.dumps(self.to_dict(), indent=indent, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> Layout:
        """The inverse of :meth:`to_json`; blank text is an empty layout. Raises ValueError with a sentence."""
        return cls.from_dict(parse_json(text, "The layout")) if text.strip() else cls()

    @classmethod
    def from_dict(cls, data: object) -> Layout:
        """The inverse of :meth:`to_dict`, old versions included. Raises ValueError with a sentence."""
        if not isinstance(data, dict):
            raise ValueError(f"A layout must be a JSON object with instances, not {kind_of(data)}.")
        check_depth(data, "The layout")
        data = _migrated(data)
        instances = data.get("instances", [])
        if not isinstance(instances, (list, tuple)):
            raise ValueError(f"The layout's instances must be a list, not {kind_of(instances)}.")
        if len(instances) > MAX_INSTANCES:
            raise ValueError(f"The layout has {len(instances)} boxes; at most {MAX_INSTANCES} are read.")
        return cls(
            width=checked(data.get("width", DEFAULT_SIDE), int, "The layout's width"),
            height=checked(data.get("height", DEFAULT_SIDE), int, "The layout's height"),
            instances=tuple(Instance.from_dict(item, i) for i, item in enumerate(instances, 1)),
            caption=checked(data.get("caption", ""), str, "The layout's caption"),
            extra={key: value for key, value in data.items() if key not in LAYOUT_FIELDS},
        )

    def problems(self) -> list[Note]:
        """All that makes the layout unusable; empty when it is sound."""
        found = []
        if not (0 < self.width <= MAX_SIDE and 0 < self.height <= MAX_SIDE):
            found.append(Note("layout.size", values={"width": self.width, "height": self.height, "most": MAX_SIDE}))
        if len(self.instances) > MAX_INSTANCES:
            found.append(Note("layout.too_many", values={"count": len(self.instances), "most": MAX_INSTANCES}))
        pixels = sum(instance.mask.size[0] * instance.mask.size[1] for instance in self.instances if instance.mask)
        if pixels > MAX_MASK_PIXELS:
            found.append(
                Note("layout.mask_pixels", values={"count": pixels // 10**6, "most": MAX_MASK_PIXELS // 10**6})
            )
        return found + [note for i, instance in enumerate(self.instances, 1) for note in instance.problems(i)]

    def warnings(self) -> list[Note]:
        """What will work, but perhaps not as meant."""
        return [note for i, instance in enumerate(self.instances, 1) for note in instance.warnings(i)] + self._doubled()

    def _doubled(self) -> list[Note]:
        """A note for each enabled instance that shares its caption and over half a box with an earlier one."""
        found, earlier = [], {}
        for j, other in self.enabled:
            same = earlier.setdefault(other.caption.strip(), [])
            twin = next(((i, one) for i, one in same if overlap(one.box, other.box) > 0.5), None)
            if twin and other.caption.strip():
                found.append(other.note("layout.twins", j, other=twin[1].subject(twin[0])))
            if len(same) < MAX_COMPARED:
                same.append((j, other))
        return found

    def validate(self) -> Layout:
        """The layout itself; raises ValueError with the problems' sentences where it is unusable."""
        if found := self.problems():
            raise ValueError("\n".join(sentences(capped(found))))
        return self

    def left_out(self) -> list[Note]:
        """One note for each thing that JSON does not carry, and one for all foreign values that it cannot hold."""
        foreign = PlainData()
        foreign.of([one.extra for one in (self, *self.instances)])
        of_instances = [note for i, instance in enumerate(self.instances, 1) for note in instance.left_out(i)]
        return of_instances + foreign.notes("layout.not_kept")


# JSON key and attribute -> (default, type)
_FIELDS: dict[str, tuple[object, type]] = {
    "caption": ("", str),
    "negative": ("", str),
    "strength": (1.0, float),
    "start": (0.0, float),
    "end": (1.0, float),
    "enabled": (True, bool),
    "color": ("", str),
    "label": ("", str),
}


def _read_mask(data: object, who: str) -> RunLengthMask:
    try:
        return RunLengthMask.from_dict(data)
    except ValueError as error:
        raise ValueError(f"The mask of {who} cannot be read: {error}") from None


# JSON key and attribute -> reader of (data, name of the instance)
_SHAPES: dict[str, Callable[[object, str], object]] = {
    "box": checked_box,
    "mask": _read_mask,
    "point": lambda data, who: checked_point(data, f"The point of {who}"),
    "scribble": lambda data, who: checked_strokes(data, f"The scribble of {who}"),
}


def _migrated(data: dict) -> dict:
    version = checked(data.get("version", VERSION), int, "The layout's version")
    if version > VERSION:
        raise ValueError(
            f"The layout has version {version}; this pack reads versions up to {VERSION}. Update the ROICtrl pack."
        )
    while version < VERSION:
        if version not in MIGRATIONS:
            raise ValueError(f"The layout has version {version}, which never existed; versions begin at 1.")
        data, version = MIGRATIONS[version](data), version + 1
    return data
