"""Box formats of data sets and labelling tools: COCO instances, labelme, YOLO label files."""

from __future__ import annotations

import json
import math
import re

from ..fields import MAX_POINTS
from ..layout import Layout
from ..masks import RunLengthMask
from ..notes import quote, subject
from ..safe_text import lines_of, parse_yaml
from .common import Reader, choose, entries, finite_numbers, from_xywh, is_number, numbers, points_box, text_of
from .methods import rle_mask

Point = tuple[float, float]


# --- COCO instances: bbox = x, y, w, h in pixels ---

def is_coco(data: object) -> bool:
    return isinstance(data, dict) and "annotations" in data and "images" in data


def read_coco(data: dict, reader: Reader) -> Layout:
    images = _objects(data["images"])
    if not images or not isinstance(data["annotations"], list):
        raise ValueError("The COCO file has no images, or no list of annotations, and so no boxes.")
    image = _coco_image(images, reader)
    reader.own_size(image.get("width"), image.get("height"), "The COCO image")
    reader.need_size("The COCO image")
    categories = {category["id"]: text_of(category.get("name")) for category in _objects(data.get("categories"))
                  if isinstance(category.get("id"), (int, str))}
    own = [item for item in data["annotations"] if isinstance(item, dict) and item.get("image_id") == image.get("id")]
    if broken := sum(not isinstance(item, dict) for item in data["annotations"]):
        reader.note("read.coco_not_objects", count=broken)
    for i, annotation in enumerate(entries(own, "The list of annotations of the COCO image"), 1):
        _read_coco_annotation(annotation, i, categories, reader)
    return reader.layout(extra={key: image[key] for key in ("file_name", "coco_url") if text_of(image.get(key))})


def _objects(value: object) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _coco_image(images: list[dict], reader: Reader) -> dict:
    """By id, then by file name, then by index from 1."""
    by_id = next((image for image in images if reader.pick and str(image.get("id")) == reader.pick), None)
    options = [text_of(image.get("file_name")) or str(image.get("id")) for image in images]
    return by_id or images[choose(options, reader.pick, "image", reader)]


def _read_coco_annotation(annotation: dict, index: int, categories: dict, reader: Reader) -> None:
    category = annotation.get("category_id")
    known = isinstance(category, (int, str)) and category in categories
    caption = categories[category] if known else f"category {category}"
    who = subject("annotation", index, caption)
    if annotation.get("iscrowd"):
        reader.note("read.crowd", who=who)
        return
    if not known:
        reader.note("read.category_unnamed", who=who)
    values = numbers(annotation.get("bbox"), 4, who, reader)
    imported = {key: annotation[key] for key in ("score", "attributes") if key in annotation}
    reader.add(from_xywh(values, reader.width, reader.height), who, caption=caption, imported=imported,
               mask=_coco_mask(annotation.get("segmentation"), who, reader))


def _coco_mask(data: object, who: dict, reader: Reader) -> RunLengthMask | None:
    if not data or isinstance(data, dict):
        return rle_mask(data, who, reader)
    polygons = []
    for polygon in data if isinstance(data, list) else [data]:
        points = _points(polygon, reader.width, reader.height)
        if points is None:
            reader.note("read.polygon", who=who)
            return None
        polygons.append(points)
    return reader.outlines(polygons, who)


def _points(flat: object, width: float, height: float) -> list[Point] | None:
    """[x1, y1, x2, y2, ...] in units of which the picture has ``width`` x ``height``, as normalised points."""
    if not isinstance(flat, (list, tuple)) or len(flat) < 6 or len(flat) % 2 or not all(map(is_number, flat)):
        return None
    return [(x / width, y / height) for x, y in zip(flat[::2], flat[1::2])]


def _classes(layout: Layout) -> dict[str, int]:
    """The captions of enabled instances in order of appearance, each with its number from 0."""
    return {caption: i for i, caption in enumerate(dict.fromkeys(instance.caption for _, instance in layout.enabled))}


def write_coco(layout: Layout) -> dict:
    """One image; a category per caption; masks as compressed RLE."""
    categories = _classes(layout)
    annotations = []
    for number, (_, instance) in enumerate(layout.enabled, 1):
        x1, y1, x2, y2 = (value * side for value, side in zip(instance.box, (layout.width, layout.height) * 2))
        box = [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)]
        mask = {"segmentation": instance.mask.to_dict()} if instance.mask else {}
        annotations.append({"id": number, "image_id": 1, "category_id": categories[instance.caption] + 1,
                            "bbox": box, "area": round(box[2] * box[3], 2), "iscrowd": 0, **mask})
    return {"images": [{"id": 1, "file_name": text_of(layout.extra.get("file_name")) or "1.png",
                        "width": layout.width, "height": layout.height}],
            "categories": [{"id": i + 1, "name": caption} for caption, i in categories.items()],
            "annotations": annotations}


# --- labelme: shapes of points in pixels ---

def is_labelme(data: object) -> bool:
    return isinstance(data, dict) and "shapes" in data


def read_labelme(data: dict, reader: Reader) -> Layout:
    reader.own_size(data.get("imageWidth"), data.get("imageHeight"), "The labelme file")
    reader.need_size("The labelme file")
    for i, shape in enumerate(entries(data["shapes"], "shapes"), 1):
        _read_labelme_shape(shape if isinstance(shape, dict) else {}, i, reader)
    return reader.layout(extra={key: data[key] for key in ("imagePath",) if text_of(data.get(key))})


def _read_labelme_shape(shape: dict, index: int, reader: Reader) -> None:
    caption, kind = text_of(shape.get("label")), shape.get("shape_type")
    who = subject("shape", index, caption)
    if kind not in ("rectangle", "polygon"):
        reader.note("read.shape_type", who=who, kind=quote(kind))
        return
    pairs = shape.get("points")
    flat = [value for pair in pairs if isinstance(pair, list) for value in pair] if isinstance(pairs, list) else None
    values = finite_numbers(flat)
    if values is None or len(values) != 2 * len(pairs):
        reader.note("read.points_not_numbers", who=who, value=quote(pairs))
        return
    if len(pairs) < (2 if kind == "rectangle" else 3):
        reader.note(f"read.{kind}_points", who=who)
        return
    points = [(x / reader.width, y / reader.height) for x, y in zip(values[::2], values[1::2])]
    mask = reader.outlines([points], who) if kind == "polygon" else None
    imported = {key: value for key, value in shape.items() if key not in ("label", "shape_type", "points", "mask")}
    reader.add(points_box(points), who, caption=caption, mask=mask, imported=imported)


def write_labelme(layout: Layout) -> dict:
    """Rectangles, in pixels; enabled instances only."""
    shapes = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = (round(value * side, 2)
                          for value, side in zip(instance.box, (layout.width, layout.height) * 2))
        shapes.append({"label": instance.caption, "points": [[x1, y1], [x2, y2]], "group_id": None,
                       "shape_type": "rectangle", "flags": {}})
    return {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": text_of(layout.extra.get("imagePath")),
            "imageData": None, "imageHeight": layout.height, "imageWidth": layout.width}


# --- YOLO: a line "class cx cy w h" (and a score), or "class x1 y1 x2 y2 x3 y3 ...", normalised ---

_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
MAX_WORDS = 2 * MAX_POINTS + 1   # of a line: the class and a polygon's points


def is_yolo(text: str) -> bool:
    """Whether the first line with anything on it begins as a YOLO line does."""
    first, *more = re.match(r"\s*([^\r\n]*)", text)[1].split(None, 5)[:5] or [""]
    return _class_number(first) is not None and len(more) == 4 and all(map(_is_written_number, more))


def read_yolo(text: str, reader: Reader) -> Layout:
    names = yolo_names(reader.names)
    lines = [(i, line) for i, line in enumerate(lines_of(text, "The YOLO file"), 1) if line.strip()]
    for i, line in entries(lines, "The YOLO file"):
        _read_yolo_line(i, line.split(None, MAX_WORDS), names, reader)
    if not reader.names and reader.instances:
        reader.note("read.yolo_without_names")
    return reader.layout()


def _read_yolo_line(index: int, words: list[str], names: dict[int, str], reader: Reader) -> None:
    who, number = subject("line", index), _class_number(words[0])
    if len(words) > MAX_WORDS:
        reader.note("read.too_many_points", who=who, most=MAX_POINTS)
        return
    values = [_float(word) for word in words[1:]]
    polygon = len(values) >= 6 and len(values) % 2 == 0
    if number is None or None in values or not (polygon or len(values) in (4, 5)):
        reader.note("read.yolo_line", who=who)
        return
    caption = names.get(number, f"class {number}")
    who = subject("line", index, caption)
    if names and number not in names:
        reader.note("read.class_unnamed", who=who, number=number)
    if polygon:
        points = list(zip(values[::2], values[1::2]))
        reader.add(points_box(points), who, caption=caption, mask=reader.outlines([points], who))
    else:
        cx, cy, w, h = values[:4]
        reader.add((cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2), who, caption=caption,
                   imported={"score": values[4]} if len(values) == 5 else {})


def _class_number(word: str) -> int | None:
    return int(word) if len(word) < 10 and word.isascii() and word.isdecimal() else None


def _is_written_number(word: str) -> bool:
    return len(word) < 40 and _NUMBER.fullmatch(word) is not None


def _float(word: str) -> float | None:
    value = float(word) if _is_written_number(word) else math.nan
    return value if math.isfinite(value) else None


def yolo_names(text: str) -> dict[int, str]:
    """Names from one per line, or from a data.yaml's ``names:`` (a list, or a mapping from numbers)."""
    lines = lines_of(text.strip(), "The list of names")
    if not any(re.match(r"\s*names\s*:", line) for line in lines):
        return {i: line.strip() for i, line in enumerate(lines)} if lines != [""] else {}
    data = parse_yaml(text, "The file of names")
    names = data.get("names") if isinstance(data, dict) else None
    if isinstance(names, list):
        names = {str(i): name for i, name in enumerate(names)}
    if isinstance(names, dict) and all(_class_number(key) is not None for key in names):
        return {int(key): name if isinstance(name, str) else json.dumps(name) for key, name in names.items()}
    raise ValueError("The names of the YOLO file must be a list, or a mapping from class numbers to names.")


def write_yolo(layout: Layout) -> tuple[str, str]:
    """The label file and the file of names, one class per caption; enabled instances only."""
    classes = _classes(layout)
    lines = []
    for _, instance in layout.enabled:
        x1, y1, x2, y2 = instance.box
        values = ((x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1)
        lines.append(" ".join([str(classes[instance.caption]), *(f"{value:.6f}" for value in values)]))
    return ("".join(line + "\n" for line in lines),
            "".join(" ".join(caption.split()) + "\n" for caption in classes))
