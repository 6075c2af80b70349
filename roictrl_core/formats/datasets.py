"""Box formats of data sets and labelling tools: COCO instances, labelme."""

from __future__ import annotations

import math

from ..fields import Point
from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, choose, entries, finite_numbers, numbers, points_box, text_of
from .placing import Found, place
from .reading import XYWH, ways
from .shapes import point_of, polygons_of, segmentation_mask, strokes_of

# labelme's shapes that are read -> how many points they need.
_LABELME_POINTS = {"rectangle": 2, "polygon": 3, "rotation": 3, "circle": 2, "point": 1, "line": 2, "linestrip": 2}
_CIRCLE = 64   # corners
_FAR = 1e9     # pixels


# --- COCO instances: bbox = x, y, w, h in pixels ---

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
    images = images or [{"id": number} for number in dict.fromkeys(_text_id(item.get("image_id")) for item in annotations)]
    if not images or not isinstance(data["annotations"], list):
        raise ValueError("The COCO file has no images, or no list of annotations, and so no boxes.")
    image = _coco_image(images, reader)
    reader.own_size(image.get("width", data.get("width")), image.get("height", data.get("height")), "The COCO image")
    reader.need_size("The COCO image")
    if not listed:
        reader.note("read.coco_without_images", width=reader.width, height=reader.height)
    _say_left_out(data["annotations"], images, reader)
    categories = {_text_id(category.get("id")): text_of(category.get("name")) for category in _objects(data.get("categories"))}
    own = [item for item in annotations if _text_id(item.get("image_id")) == _text_id(image.get("id"))]
    found = [_coco_annotation(annotation, i, categories, reader)
             for i, annotation in enumerate(entries(own, "The list of annotations of the COCO image"), 1)]
    place([entry for entry in found if entry], ways((XYWH,)), reader, "The COCO image", always=False)
    return reader.layout(**{key: image[key] for key in ("file_name", "coco_url") if text_of(image.get(key))})


def _objects(value: object) -> list[dict]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text_id(value: object) -> str:
    """An id as text: some tools write numbers, others text."""
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
    values = annotation.get("bbox") or _box_around(segmentation)
    imported = {key: annotation[key] for key in ("score", "attributes") if key in annotation}
    return Found(who, numbers(values, 4, who, reader),
                 {"caption": caption, "imported": imported, "mask": segmentation_mask(segmentation, who, reader)})


def _box_around(segmentation: object) -> list[float] | None:
    """x, y, w, h around polygons; None where there are none."""
    points = [point for polygon in polygons_of(segmentation) or () for point in polygon]
    if not points:
        return None
    x1, y1, x2, y2 = points_box(points)
    return [x1, y1, x2 - x1, y2 - y1]


# --- labelme: shapes of points in pixels ---

def is_labelme(data: object) -> bool:
    return isinstance(data, dict) and "shapes" in data


def read_labelme(data: dict, reader: Reader) -> Layout:
    reader.own_size(data.get("imageWidth"), data.get("imageHeight"), "The labelme file")
    reader.need_size("The labelme file")
    for i, shape in enumerate(entries(data["shapes"], "shapes"), 1):
        _read_labelme_shape(shape if isinstance(shape, dict) else {}, i, reader)
    return reader.layout(**{key: data[key] for key in ("imagePath",) if text_of(data.get(key))})


def _read_labelme_shape(shape: dict, index: int, reader: Reader) -> None:
    caption, kind = text_of(shape.get("label")), text_of(shape.get("shape_type")) or "polygon"   # labelme's own default
    who = subject("shape", index, caption)
    if kind not in _LABELME_POINTS:
        reader.note("read.shape_type", who=who, kind=quote(kind))
        return
    pairs = shape.get("points")
    points = [finite_numbers(pair) for pair in pairs] if isinstance(pairs, list) else [None]
    if any(point is None or len(point) != 2 for point in points):
        reader.note("read.points_not_numbers", who=who, value=quote(pairs))
    elif len(points) < _LABELME_POINTS[kind]:
        reader.note("read.too_few_points", who=who, kind=quote(kind))
    else:
        imported = {key: value for key, value in shape.items() if key not in ("label", "shape_type", "points", "mask")}
        _add_labelme_shape(kind, points, who, reader, caption=caption, imported=imported)


def _add_labelme_shape(kind: str, points: list[Point], who: dict, reader: Reader, **fields) -> None:
    """``points`` in pixels: the corners of a rectangle or polygon, a circle's centre and edge, a point, or a line's ends."""
    points = _around(*points[:2]) if kind == "circle" else points[:1] if kind == "point" else points
    box = reader.pixels(points_box(points))
    if kind in ("polygon", "rotation", "circle"):
        fields["mask"] = reader.outlines([[(x / reader.width, y / reader.height) for x, y in points]], who)
    elif kind in ("line", "linestrip"):
        fields["scribble"] = strokes_of(points, who, reader)
    place_of_a_line = [(points[0][axis] + points[-1][axis]) / 2 for axis in (0, 1)]
    if kind == "point" or fields.get("scribble") and (box[0] == box[2] or box[1] == box[3]):
        if point := point_of(place_of_a_line, who, reader):
            reader.add_point(who, point=point, **fields)
    else:
        reader.add(box, who, **fields)


def _around(centre: Point, edge: Point) -> list[Point]:
    """The circle as a polygon."""
    radius = min(math.dist(centre, edge), _FAR)
    angles = (2 * math.pi * i / _CIRCLE for i in range(_CIRCLE))
    return [(centre[0] + radius * math.cos(angle), centre[1] + radius * math.sin(angle)) for angle in angles]
