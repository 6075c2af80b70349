"""COCO instances: ``bbox`` = x, y, w, h in pixels."""

from __future__ import annotations

from collections.abc import Sequence

from ..layout import Layout, Point
from ..notes import quote, subject
from .common import Reader, choose, entries, numbers, points_box, text_of
from .placing import Found, place
from .reading import XYWH, ways
from .shapes import polygons_of, segmentation_mask


def is_coco(data: object) -> bool:
    """Also without the images, which are then those that the annotations name."""
    if not isinstance(data, dict) or "annotations" not in data:
        return False
    first = next(iter(_objects(data["annotations"])), {})
    return "images" in data or "category_id" in first and "bbox_mode" not in first


def read_coco(data: dict, reader: Reader) -> Layout:
    annotations = _objects(data["annotations"])
    images = _objects(data.get("images"))
    listed = bool(images)
    images = images or [
        {"id": number} for number in dict.fromkeys(_text_id(item.get("image_id")) for item in annotations)
    ]
    if not images or not isinstance(data["annotations"], list):
        raise ValueError("The COCO file has no images, or no list of annotations, and so no boxes.")
    image = _coco_image(images, reader)
    reader.own_size(image.get("width", data.get("width")), image.get("height", data.get("height")), "The COCO image")
    reader.need_size("The COCO image")
    if not listed:
        reader.note("read.coco_without_images", width=reader.width, height=reader.height)
    _say_left_out(data["annotations"], images, reader)
    categories = {
        _text_id(category.get("id")): text_of(category.get("name")) for category in _objects(data.get("categories"))
    }
    own = [item for item in annotations if _text_id(item.get("image_id")) == _text_id(image.get("id"))]
    found = [
        _coco_annotation(annotation, i, categories, reader)
        for i, annotation in enumerate(entries(own, "The list of annotations of the COCO image"), 1)
    ]
    place([entry for entry in found if entry], ways((XYWH,)), reader, "The COCO image", always=False)
    return reader.layout(extra={key: image[key] for key in ("file_name", "coco_url") if text_of(image.get(key))})


def _objects(value: object) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text_id(value: object) -> str:
    """An id as text: some tools write numbers, 1.0 among them, others text."""
    value = int(value) if isinstance(value, float) and value.is_integer() else value
    return str(value) if isinstance(value, (int, str)) else quote(value)


def _say_left_out(annotations: list, images: list[dict], reader: Reader) -> None:
    if broken := sum(not isinstance(item, dict) for item in annotations):
        reader.note("read.coco_not_objects", count=broken)
    known = {_text_id(image.get("id")) for image in images}
    if astray := sum(_text_id(item.get("image_id")) not in known for item in _objects(annotations)):
        reader.note("read.coco_no_such_image", count=astray)


def _coco_image(images: list[dict], reader: Reader) -> dict:
    """By id, then by file name, then by index from 1."""
    by_id = next((image for image in images if reader.pick and _text_id(image.get("id")) == reader.pick), None)
    reader.pick_used = True
    options = [text_of(image.get("file_name")) or _text_id(image.get("id")) for image in images]
    return by_id or images[choose(options, reader.pick, "image", reader)]


def _coco_annotation(annotation: dict, index: int, categories: dict[str, str], reader: Reader) -> Found | None:
    category = _text_id(annotation.get("category_id"))
    caption = categories.get(category, f"category {category}")
    who = subject("annotation", index, caption)
    if annotation.get("iscrowd"):
        reader.note("read.crowd", who=who)
        return None
    if category not in categories:
        reader.note("read.category_unnamed", who=who)
    segmentation = annotation.get("segmentation")
    outline = polygons_of(segmentation) or ()  # in the unit of the boxes, which is not decided yet
    values = numbers(annotation.get("bbox") or _box_around(outline), 4, who, reader)
    imported = {key: annotation[key] for key in ("score", "attributes") if key in annotation}
    mask = {} if outline else {"mask": segmentation_mask(segmentation, who, reader)}
    return Found(who, values, {"caption": caption, "imported": imported, **mask}, outline=outline)


def _box_around(outline: Sequence[Sequence[Point]]) -> list[float] | None:
    """x, y, w, h around polygons; None where there are none."""
    if not outline:
        return None
    x1, y1, x2, y2 = points_box([point for polygon in outline for point in polygon])
    return [x1, y1, x2 - x1, y2 - y1]
