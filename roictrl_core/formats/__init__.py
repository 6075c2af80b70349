"""Every foreign box format in, ours out: the only parser, for nodes and for the editor.

:func:`read` takes text, plain data, or what ComfyUI's sockets carry (BOUNDING_BOX, ARRAY, SEGS, MASK, a Layout), and
recognises the format by its content.  It returns the Layout and a note for each thing that it could not use;
nothing is dropped silently.  :func:`write` goes the other way.

A layout has the size that the data itself names, else the given one.  What the source said beyond a layout's fields
(a score, a group) stays in the instance's ``extra["imported"]``.

parsing.py      text to plain data: JSON, YAML or YOLO's lines, also inside prose; told.py finds the JSON there
readable.py     what text is, before anything parses it
comfyui.py      BOUNDING_BOX, elements, Impact SEGS, MASK batches
arrays.py       bare rows of numbers; detections.py what detectors answer with, by detection_keys.py
datasets.py     COCO; labelme.py labelme; yolo.py YOLO, whose lines yolo_meanings.py tells apart;
                dataset_writers.py writes all three
methods.py      InstanceDiffusion, MIG-Bench, Omost
vision_models.py  Gemini, Qwen-VL, Florence-2; tracking.py TRACKING; mot.py MOTChallenge;
                rows.py rows of Hugging Face data sets
captions.py     structured captions of Ideogram 4 and Krea 2
label_studio.py, cvat.py, voc.py   labelling tools' exports; xml_text.py parses the XML, geometry.py turns their shapes
reading.py      order and unit of a box's numbers; placing.py adds all boxes of a source by one of them
choices.py      what a person may say otherwise
common.py       the picture's size, notes, checks of one box; shapes.py masks, points, strokes; names.py classes
writing.py      what writers ask of a layout first; tracing.py masks as polygons
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple
from xml.etree.ElementTree import Element

from ..layout import Layout
from ..notes import Note, quote
from ..safe_text import check_depth
from . import (
    arrays,
    captions,
    comfyui,
    cvat,
    dataset_writers,
    datasets,
    detections,
    label_studio,
    labelme,
    methods,
    mot,
    parsing,
    rows,
    tracking,
    vision_models,
    voc,
    yolo,
)
from .choices import Choice
from .common import Reader, first_filled
from .reading import ReadAs
from .writing import fitted

__all__ = ["FORMATS", "WRITABLE", "Format", "ReadAs", "Reading", "read", "read_openly", "write", "write_text"]


class Format(NamedTuple):
    """One format of plain data: how it is called, recognised, read, and written where that makes sense."""

    title: str
    matches: Callable[[object], bool]
    read: Callable[[object, Reader], Layout]
    write: Callable[[Layout, list[Note]], object] | None = None  # what it cannot keep goes into the notes
    carries: tuple[str, ...] = ("caption",)  # fields of an instance that the written form keeps


def _is_layout(data: object) -> bool:
    return isinstance(data, dict) and "instances" in data


def _silent(write: Callable[[Layout], object]) -> Callable[[Layout, list[Note]], object]:
    """A writer that has nothing to say of its own."""
    return lambda layout, notes: write(layout)


def _read_layout(data: object, reader: Reader) -> Layout:
    sized = {"width": reader.width, "height": reader.height} if reader.width and reader.height else {}
    return Layout.from_dict({**sized, **data})


def _with_plain_extra(layout: Layout, reader: Reader) -> Layout:
    """The layout of a socket with no foreign values in it."""
    instances = tuple(replace(one, extra=reader.carried.of(one.extra)) for one in layout.instances)
    return replace(layout, instances=instances, extra=reader.carried.of(layout.extra))


# In the order in which they are tried: the more particular ones first.
FORMATS: dict[str, Format] = {
    "layout": Format("ROICtrl layout JSON", _is_layout, _read_layout, _silent(Layout.to_dict)),
    "label_studio": Format("Label Studio", label_studio.is_label_studio, label_studio.read_label_studio),
    "cvat": Format("CVAT XML", cvat.is_cvat, cvat.read_cvat),
    "voc": Format("Pascal VOC XML", voc.is_voc, voc.read_voc),
    "bounding_box": Format(
        "BOUNDING_BOX",
        comfyui.is_bounding_boxes,
        comfyui.read_bounding_boxes,
        _silent(comfyui.write_bounding_boxes),
        ("caption", "label", "color"),
    ),
    "instancediffusion": Format(
        "InstanceDiffusion JSON",
        methods.is_instance_diffusion,
        methods.read_instance_diffusion,
        methods.write_instance_diffusion,
        ("caption", "label", "mask", "point", "scribble"),
    ),
    "gemini": Format("Gemini's boxes", vision_models.is_gemini, vision_models.read_gemini),
    "qwen": Format("Qwen-VL's boxes", vision_models.is_qwen, vision_models.read_qwen),
    "florence": Format("Florence-2's boxes", vision_models.is_florence, vision_models.read_florence),
    "rows": Format("Hugging Face rows", rows.is_row, rows.read_rows),
    "tracking": Format("TRACKING", tracking.is_tracking, tracking.read_tracking),
    "coco": Format(
        "COCO instances", datasets.is_coco, datasets.read_coco, dataset_writers.write_coco, ("caption", "mask")
    ),
    "labelme": Format(
        "labelme",
        labelme.is_labelme,
        labelme.read_labelme,
        dataset_writers.write_labelme,
        ("caption", "mask", "point", "scribble"),
    ),
    "ideogram": Format(
        "Ideogram / Krea 2 caption",
        captions.is_caption,
        captions.read_caption,
        captions.write_caption,
        ("caption", "color"),
    ),
    "omost": Format("Omost canvas", methods.is_omost, methods.read_omost),
    "elements": Format(
        "elements", comfyui.is_elements, comfyui.read_elements, _silent(comfyui.write_elements), ("caption", "color")
    ),
    "box_list": Format("list of boxes", arrays.is_box_list, arrays.read_box_list),
    "detections": Format("detections", detections.is_detections, detections.read_detections),
    "migc": Format("MIG-Bench YAML", methods.is_migc, methods.read_migc, methods.write_migc),
    "mot": Format("MOT", mot.is_mot, mot.read_mot),
    "yolo": Format(
        "YOLO labels",
        lambda data: isinstance(data, str) and yolo.is_yolo(data),
        yolo.read_yolo,
        dataset_writers.write_yolo,
    ),
}

WRITABLE = tuple(name for name, entry in FORMATS.items() if entry.write)
_AS_TOLD = ReadAs()  # as the source says itself, or its numbers make likeliest

_KNOWN_FORMS = (
    "ROICtrl layout JSON, BOUNDING_BOX, elements, detections, lists of boxes, answers of Gemini, Qwen-VL or "
    "Florence-2, Hugging Face rows, TRACKING, MOT, COCO, labelme, YOLO, Label Studio, CVAT or "
    "Pascal VOC XML, an Ideogram or Krea 2 caption, InstanceDiffusion, MIG-Bench YAML, Omost canvas, SEGS, or a MASK "
    "batch"
)


class Reading(NamedTuple):
    """A source that was read; ``choices`` are what a person may say otherwise, by its key of the import route."""

    layout: Layout
    notes: list[Note]
    choices: dict[str, Choice]


def read(source: object, width: int = 0, height: int = 0, **how: object) -> tuple[Layout, list[Note]]:
    """Any of the formats of this package to a Layout, and the notes; ``how`` as in :func:`read_openly`."""
    return read_openly(source, width, height, **how)[:2]


def read_openly(
    source: object,
    width: int = 0,
    height: int = 0,
    *,
    pick: str = "",
    names: str = "",
    read_as: ReadAs = _AS_TOLD,
) -> Reading:
    """Any of the formats of this package to a Layout, the notes, and what may be read otherwise.

    ``width`` and ``height`` in pixels (0 = unknown) serve the formats that do not carry the picture's size; ``pick``
    chooses among several images, prompts or frames, by name or by index from 1 ("" = the first); ``names`` is the text
    of YOLO's names; ``read_as`` says what four numbers mean where the format does not.  Raises ValueError with a
    sentence where the whole source is unusable.
    """
    if isinstance(source, Layout):
        return Reading(source, [], {})
    reader = Reader(int(width), int(height), str(pick).strip(), names, ReadAs(*read_as).checked())
    data = parsing.parsed(source, reader, kind_of) if isinstance(source, str) else _plain(source)
    layout = _read_data(data, reader)
    if _is_layout(data) and not isinstance(source, str):
        layout = _with_plain_extra(layout, reader)
    if not layout.instances and not reader.notes and not _is_layout(data):
        reader.note("read.no_boxes")
    if reader.read_as.chosen and not reader.choice_used and layout.instances and not _is_layout(data):
        reader.note("read.choice_unused")
    if reader.pick not in ("", "1") and not reader.pick_used and layout.instances:
        reader.note("read.pick_unused", pick=quote(reader.pick))
    return Reading(layout, reader.all_notes(), reader.choices)


def _plain(source: object) -> object:
    """What comes through a socket, with its arrays of boxes as lists."""
    if comfyui.is_segs(source):
        return source
    if not hasattr(source, "shape"):  # of an array each bad number is named
        check_depth(source, finite=False)  # NaN and infinite numbers are named by what holds them
    return arrays.plain(source)


def _read_data(data: object, reader: Reader) -> Layout:
    if comfyui.is_segs(data):
        return comfyui.read_segs(data, reader)
    masks = comfyui.joined_masks(data)
    if masks is not None:
        return comfyui.read_masks(masks, reader)
    if data in ([], {}) or isinstance(data, list) and first_filled(data) is None and None not in data:
        return reader.layout()
    if (kind := kind_of(data)) is not None:
        return FORMATS[kind].read(data, reader)
    check_depth(data[:1] if isinstance(data, list) else data)  # NaN may be why nothing recognises it
    raise ValueError(_unknown(data))


def kind_of(data: object) -> str | None:
    """The first of FORMATS that plain data is in; None without one."""
    return next((name for name, entry in FORMATS.items() if entry.matches(data)), None)


def _unknown(data: object) -> str:
    first = data[0] if isinstance(data, (list, tuple)) else data
    if isinstance(first, dict) and "image_id" in first:
        return (
            "This is a COCO results file, which names neither its images nor its categories. "
            "Give the COCO annotations file instead."
        )
    if isinstance(data, Element):
        return (
            f"XML with the root {quote(data.tag)} is in no format that is known here. "
            "CVAT's begins with <annotations>, Pascal VOC's with <annotation>."
        )
    seen = (
        "an object with the keys " + ", ".join(quote(key) for key in list(first)[:6])
        if isinstance(first, dict)
        else quote(first)
    )
    return f"The boxes are in no format that is known here: found {seen}. Use one of: {_KNOWN_FORMS}."


def write(layout: Layout, kind: str) -> tuple[object, list[Note]]:
    """The layout as plain data of one of :data:`WRITABLE`, and a note for each thing that the form cannot carry."""
    if kind not in WRITABLE:
        raise ValueError(f"Layouts cannot be written as '{kind}'. Use one of: {', '.join(WRITABLE)}.")
    entry = FORMATS[kind]
    if kind == "layout":
        return layout.to_dict(), layout.left_out()
    inside, notes = fitted(layout.validate(), entry.title, entry.carries)
    return entry.write(inside, notes), notes


def write_text(layout: Layout, kind: str) -> tuple[str, list[Note]]:
    """:func:`write` as the text of a file (for YOLO the labels; its names are the captions in order of appearance)."""
    data, notes = write(layout, kind)
    if kind == "yolo":
        return data[0], notes
    if kind == "migc":
        import yaml  # part of every ComfyUI; only this format needs it

        return yaml.safe_dump(data, allow_unicode=True, sort_keys=False), notes
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), notes
