"""Every foreign box format in, ours out: the only parser, for nodes and for the editor.

:func:`read` takes text, plain data, or what ComfyUI's sockets carry (BOUNDING_BOX, ARRAY, SEGS, MASK, a Layout), and
recognises the format by its content.  It returns the Layout and a note for each thing that it could not use;
nothing is dropped silently.  :func:`write` goes the other way.

A layout has the size that the data itself names, else the given one.  What the source said beyond a layout's fields
(a score, a group) stays in the instance's ``extra["imported"]``.

comfyui.py   BOUNDING_BOX, elements, bare box lists, Impact SEGS, MASK batches
datasets.py  COCO, labelme, YOLO
methods.py   InstanceDiffusion, MIG-Bench, Omost
common.py    the picture's size, notes, checks of one box
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..layout import Instance, Layout
from ..notes import Note, quote
from ..safe_text import check_depth, check_size, parse_json, parse_yaml
from . import comfyui, datasets, methods
from .common import Reader

__all__ = ["FORMATS", "WRITABLE", "Format", "read", "write", "write_text"]


class Format(NamedTuple):
    """One format of plain data: how it is called, recognised, read, and written where that makes sense."""

    title: str
    matches: Callable[[object], bool]
    read: Callable[[object, Reader], Layout]
    write: Callable[[Layout], object] | None = None
    carries: tuple[str, ...] = ("caption",)   # fields of an instance that the written form keeps


def _is_layout(data: object) -> bool:
    return isinstance(data, dict) and "instances" in data


def _read_layout(data: object, reader: Reader) -> Layout:
    sized = {"width": reader.width, "height": reader.height} if reader.width and reader.height else {}
    return Layout.from_dict({**sized, **data})


# In the order in which they are tried: the more particular ones first.
FORMATS: dict[str, Format] = {
    "layout": Format("ROICtrl layout JSON", _is_layout, _read_layout, Layout.to_dict),
    "bounding_box": Format("BOUNDING_BOX", comfyui.is_bounding_boxes, comfyui.read_bounding_boxes,
                           comfyui.write_bounding_boxes, ("caption", "label", "color")),
    "instancediffusion": Format("InstanceDiffusion JSON", methods.is_instance_diffusion,
                                methods.read_instance_diffusion, methods.write_instance_diffusion,
                                ("caption", "label", "mask", "point")),
    "coco": Format("COCO instances", datasets.is_coco, datasets.read_coco, datasets.write_coco, ("caption", "mask")),
    "labelme": Format("labelme", datasets.is_labelme, datasets.read_labelme, datasets.write_labelme),
    "omost": Format("Omost canvas", methods.is_omost, methods.read_omost),
    "elements": Format("elements", comfyui.is_elements, comfyui.read_elements, comfyui.write_elements,
                       ("caption", "color")),
    "box_list": Format("list of boxes", comfyui.is_box_list, comfyui.read_box_list),
    "migc": Format("MIG-Bench YAML", methods.is_migc, methods.read_migc, methods.write_migc),
    "yolo": Format("YOLO labels", lambda data: isinstance(data, str) and datasets.is_yolo(data), datasets.read_yolo,
                   datasets.write_yolo),
}

WRITABLE = tuple(name for name, entry in FORMATS.items() if entry.write)

_KNOWN_FORMS = ("ROICtrl layout JSON, BOUNDING_BOX, elements, COCO, labelme, YOLO, InstanceDiffusion, MIG-Bench YAML, "
                "Omost canvas, SEGS, or a MASK batch")


def read(source: object, width: int = 0, height: int = 0, *, pick: str = "", names: str = "",
         ) -> tuple[Layout, list[Note]]:
    """Any of the formats of this package to a Layout, and the notes.

    ``width`` and ``height`` in pixels (0 = unknown) serve the formats that do not carry the picture's size; ``pick``
    chooses among several images, prompts or frames, by name or by index from 1 ("" = the first); ``names`` is the text
    of YOLO's names.  Raises ValueError with a sentence where the whole source is unusable.
    """
    if isinstance(source, Layout):
        return source, []
    reader = Reader(int(width), int(height), str(pick).strip(), names)
    if isinstance(source, str):
        source = _parsed(source)                # and so checked
        layout = _read_plain(source, reader)
    else:
        layout = _read_data(source, reader)
    if not layout.instances and not reader.notes and not _is_layout(source):
        reader.note("read.no_boxes")
    return layout, reader.all_notes()


def _parsed(text: str) -> object:
    """Text to plain data: JSON, YOLO's lines (which stay text), or YAML. Blank text is an empty layout."""
    check_size(text)
    text = text.lstrip("\ufeff").strip()
    if not text:
        return {"instances": []}
    if text[0] in "{[":
        return parse_json(text)
    return text if datasets.is_yolo(text) else parse_yaml(text)


def _read_data(data: object, reader: Reader) -> Layout:
    if hasattr(data, "detach"):  # a tensor
        data = data.detach().float().cpu().numpy()
    if comfyui.is_segs(data):
        return comfyui.read_segs(data, reader)
    if isinstance(data, np.ndarray) and not comfyui.is_box_list(data):
        return comfyui.read_masks(data, reader)
    if not isinstance(data, np.ndarray):
        check_depth(data)
    return _read_plain(data, reader)


def _read_plain(data: object, reader: Reader) -> Layout:
    if isinstance(data, (list, tuple)) and not len(data):
        return reader.layout()
    for entry in FORMATS.values():
        if entry.matches(data):
            return entry.read(data, reader)
    raise ValueError(_unknown(data))


def _unknown(data: object) -> str:
    first = data[0] if isinstance(data, (list, tuple)) else data
    if isinstance(first, dict) and "image_id" in first:
        return ("This is a COCO results file, which names neither its images nor its categories. "
                "Give the COCO annotations file instead.")
    seen = ("an object with the keys " + ", ".join(quote(key) for key in list(first)[:6]) if isinstance(first, dict)
            else quote(first))
    return f"The boxes are in no format that is known here: found {seen}. Use one of: {_KNOWN_FORMS}."


def write(layout: Layout, kind: str) -> tuple[object, list[Note]]:
    """The layout as plain data of one of :data:`WRITABLE`, and a note for each thing that the form cannot carry."""
    if kind not in WRITABLE:
        raise ValueError(f"Layouts cannot be written as '{kind}'. Use one of: {', '.join(WRITABLE)}.")
    entry = FORMATS[kind]
    if kind == "layout":
        return entry.write(layout), layout.left_out()
    layout.validate()
    return entry.write(layout), _not_carried(layout, entry)


def write_text(layout: Layout, kind: str) -> tuple[str, list[Note]]:
    """:func:`write` as the text of a file (for YOLO the labels; its names are the captions in order of appearance)."""
    data, notes = write(layout, kind)
    if kind == "yolo":
        return data[0], [*notes, *(Note("write.yolo_class", values={"number": i, "name": name}) for i, name in enumerate(data[1].splitlines()))]
    if kind == "migc":
        import yaml  # part of every ComfyUI; only this format needs it
        return yaml.safe_dump(data, allow_unicode=True, sort_keys=False), notes
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False), notes


def _not_carried(layout: Layout, entry: Format) -> list[Note]:
    """One note per instance that is off, or that says more than ``entry`` keeps."""
    notes = []
    for i, instance in enumerate(layout.instances, 1):
        if not instance.enabled:
            notes.append(instance.note("write.not_enabled", i, format=entry.title))
            continue
        kept = {key: getattr(instance, key) for key in entry.carries}
        plain = replace(Instance(instance.box), **kept, extra=instance.extra)
        lost = [key for key in instance.to_dict() if key not in plain.to_dict()]
        lost += ["conditioning"] if instance.conditioning is not None else []
        if lost:
            notes.append(instance.note("write.not_carried", i, format=entry.title, fields=lost))
    return notes
