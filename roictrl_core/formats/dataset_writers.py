"""Layouts in the formats of data sets and labelling tools: COCO instances, labelme, YOLO label files.

Writers get layouts whose boxes lie inside the picture (writing.py).  Each keeps the rules of the tools that read its
format, and puts what it could not keep into ``notes``.
"""

from __future__ import annotations

import numpy as np

from ..layout import Box, Instance, Layout, Point
from ..masks import RunLengthMask
from ..notes import Note
from .common import picture_rle, text_of
from .tracing import outlines

LABELME = "5.4.1"  # the version whose fields are written


def _corners(box: Box, layout: Layout) -> list[float]:
    """x1, y1, x2, y2 in pixels, to hundredths."""
    return [round(value * side, 2) for value, side in zip(box, (layout.width, layout.height) * 2, strict=True)]


def _classes(layout: Layout) -> dict[str, int]:
    """The captions of enabled instances in order of appearance, each with its number from 0."""
    return {caption: i for i, caption in enumerate(dict.fromkeys(instance.caption for _, instance in layout.enabled))}


# --- COCO instances ---


def write_coco(layout: Layout, notes: list[Note]) -> dict:
    """One image; a category per caption; masks as compressed RLE of the picture's size, boxes as their polygon.

    ``segmentation`` is in every annotation, since pycocotools draws and rasterises nothing without it.
    """
    categories = _classes(layout)
    annotations = []
    for number, (_, instance) in enumerate(layout.enabled, 1):
        annotations.append(
            {
                "id": number,
                "image_id": 1,
                "category_id": categories[instance.caption] + 1,
                **_coco_place(instance, layout),
                "iscrowd": 0,
            }
        )
    return {
        "info": {},
        "licenses": [],
        "images": [
            {
                "id": 1,
                "file_name": text_of(layout.extra.get("file_name")) or "1.png",
                "width": layout.width,
                "height": layout.height,
            }
        ],
        "categories": [{"id": i + 1, "name": caption} for caption, i in categories.items()],
        "annotations": annotations,
    }


def _coco_place(instance: Instance, layout: Layout) -> dict:
    x1, y1, x2, y2 = _corners(instance.box, layout)
    box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
    if instance.mask is None:
        return {"bbox": box, "area": round(box[2] * box[3], 2), "segmentation": [[x1, y1, x2, y1, x2, y2, x1, y2]]}
    rle = picture_rle(instance.mask, layout)
    return {"bbox": box, "area": RunLengthMask.from_dict(rle).area(), "segmentation": rle}


# --- labelme ---


def write_labelme(layout: Layout, notes: list[Note]) -> dict:
    """Rectangles, polygons, points and linestrips in pixels; what belongs to one instance shares its group_id."""
    shapes = []
    for index, instance in layout.enabled:
        own = _labelme_shapes(instance, index, layout, notes)
        group = index if len(own) > 1 else None
        shapes += [
            {
                "label": instance.caption,
                "points": points,
                "group_id": group,
                "description": "",
                "shape_type": kind,
                "flags": {},
            }
            for kind, points in own
        ]
    picture = text_of(layout.extra.get("imagePath"), layout.extra.get("file_name"))
    if not picture:
        picture = "1.png"
        notes.append(Note("write.no_picture", values={"name": picture}))
    return {
        "version": LABELME,
        "flags": {},
        "shapes": shapes,
        "imagePath": picture,
        "imageData": None,
        "imageHeight": layout.height,
        "imageWidth": layout.width,
    }


def _labelme_shapes(instance: Instance, index: int, layout: Layout, notes: list[Note]) -> list[tuple[str, list]]:
    """(shape_type, points in pixels) of all that the instance has."""

    def pixels(points: tuple[Point, ...]) -> list[list[float]]:
        return [[round(x * layout.width, 2), round(y * layout.height, 2)] for x, y in points]

    shapes = [("polygon", pixels(part)) for part in _parts(instance, index, notes)] if instance.mask else []
    if not shapes and instance.has_area:
        shapes = [("rectangle", pixels((instance.box[:2], instance.box[2:])))]
    if instance.point:
        shapes.append(("point", pixels((instance.point,))))
    return shapes + [("linestrip", pixels(stroke)) for stroke in instance.scribble if len(stroke) > 1]


def _parts(instance: Instance, index: int, notes: list[Note]) -> list[tuple[Point, ...]]:
    """The outlines, normalised, of what shows: the mask inside the box.  None with a note where the box must do."""
    mask = instance.mask.to_array()
    height, width = mask.shape
    x1, y1, x2, y2 = (round(value * side) for value, side in zip(instance.box, (width, height) * 2, strict=True))
    shown = np.zeros_like(mask)
    shown[y1:y2, x1:x2] = mask[y1:y2, x1:x2]
    found = outlines(shown)
    if not found or not found[0]:
        notes.append(instance.note("write.no_outline", index))
        return []
    parts, holes = found
    if holes:
        notes.append(instance.note("write.holes", index, count=holes))
    return [tuple((x / width, y / height) for x, y in part) for part in parts]


# --- YOLO ---


def write_yolo(layout: Layout, notes: list[Note]) -> tuple[str, str]:
    """The label file and the file of names, a line each, one class per caption."""
    names = [" ".join(instance.caption.split()) for _, instance in layout.enabled]
    classes = {name: number for number, name in enumerate(dict.fromkeys(names))}
    lines = []
    for name, (_, instance) in zip(names, layout.enabled, strict=True):
        x1, y1, x2, y2 = instance.box
        values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(" ".join([str(classes[name]), *(f"{value:.6f}" for value in values)]))
    for name, number in classes.items():
        notes.append(Note("write.yolo_class", values={"number": number, "name": name}))
    return (
        "".join(line + "\n" for line in lines),
        "".join((name or f"class {number}") + "\n" for name, number in classes.items()),
    )
