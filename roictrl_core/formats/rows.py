"""Rows of Hugging Face detection data sets: ``objects`` holds the boxes of a picture, its sides stand beside it.

``{"image_id", "width", "height", "objects": {"bbox": [[x, y, w, h], ...], "category": [...]}}``, boxes in pixels;
ImageFolder's metadata.jsonl has a ``file_name`` and calls the list ``categories``.  A row may also hold its objects
one by one.
Source: huggingface.co/docs/datasets/object_detection and .../image_dataset.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..layout import Layout
from ..notes import subject
from .common import Reader, choose, entries, first_filled, is_number, numbers, text_of
from .names import ClassNames
from .placing import Found, place
from .reading import PIXELS, SHARES, XYWH, XYXY, ways

_BOXES = ("bbox", "bboxes", "box", "boxes")
_OWN = ("category", "categories", "category_id", "area", "id")  # what other lists of objects do not have
_CATEGORIES = ("category", "categories", "label", "labels", "name", "names", "category_id", "class")


def is_row(data: object) -> bool:
    row = first_filled(data) if isinstance(data, (list, tuple)) else data
    return isinstance(row, Mapping) and _objects(row) is not None


def _objects(row: Mapping) -> list[Mapping] | None:
    """The objects one by one: what they are in the file, or lists that stand side by side;
    None where there are none."""
    objects = row.get("objects")
    if isinstance(objects, (list, tuple)) and objects and all(isinstance(item, Mapping) for item in objects):
        return list(objects) if _key(objects[0], _BOXES) and _key(objects[0], _OWN) else None
    column = _key(objects, _BOXES) if isinstance(objects, Mapping) else ""
    if not column or not isinstance(objects[column], (list, tuple)):
        return None
    count = len(objects[column])
    beside = {
        key: values for key, values in objects.items() if isinstance(values, (list, tuple)) and len(values) == count
    }
    return [{key: values[i] for key, values in beside.items()} for i in range(count)]


def _key(item: Mapping, keys: tuple[str, ...]) -> str:
    return next((key for key in keys if key in item), "")


def read_rows(data: object, reader: Reader) -> Layout:
    rows = [row for row in (data if isinstance(data, (list, tuple)) else [data]) if isinstance(row, Mapping)]
    titles = [_name(row, i) for i, row in enumerate(rows, 1)]
    row = rows[choose(titles, reader.pick, "image", reader)]
    reader.own_size(row.get("width"), row.get("height"), "The row")
    names = ClassNames(reader)
    _say_left_over(row.get("objects"), reader)
    items = entries(_objects(row) or [], "The row's objects")
    found = [_found(item, i, names, reader) for i, item in enumerate(items, 1)]
    place(found, ways((XYWH, XYXY), (PIXELS, SHARES)), reader, "The row", always=False)
    names.close()
    return reader.layout(extra={"file_name": row["file_name"]} if text_of(row.get("file_name")) else {})


def _say_left_over(objects: object, reader: Reader) -> None:
    """Lists that should stand beside the boxes and have another length."""
    boxes = objects.get(_key(objects, _BOXES)) if isinstance(objects, Mapping) else None
    if not isinstance(boxes, (list, tuple)):
        return
    for key, values in objects.items():
        if isinstance(values, (list, tuple)) and len(values) != len(boxes):
            reader.note("read.lists_differ", key=key, count=len(values), boxes=len(boxes))


def _name(row: Mapping, index: int) -> str:
    name = next((row[key] for key in ("file_name", "image_id", "id") if isinstance(row.get(key), (str, int))), None)
    return f"row {index}" if name is None else str(name)


def _found(item: Mapping, index: int, names: ClassNames, reader: Reader) -> Found:
    key, box = _key(item, _CATEGORIES), _key(item, _BOXES)
    category = item.get(key)
    number = int(category) if is_number(category) and category == int(category) and category >= 0 else None
    caption = text_of(category) if number is None else names.caption(number)
    who = subject("object", index, caption)
    if number is not None:
        names.say(number, who)
    imported = {name: value for name, value in item.items() if name not in (key, box, "area", "id", "iscrowd")}
    return Found(who, numbers(item.get(box), 4, who, reader), {"caption": caption, "imported": imported})
