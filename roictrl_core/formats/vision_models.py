"""What vision-language models answer with: Gemini's ``box_2d``, Qwen-VL's ``bbox_2d``
and ``point_2d``, Florence-2's lists.

Gemini counts y first, in 0..1000.  Qwen2.5-VL counts pixels of the picture that it was shown, Qwen3-VL 0..1000:
nothing in the answer tells which, so what the numbers and the picture's size make likelier is taken, and said.
Florence-2 counts pixels of the picture.
Sources: ai.google.dev/gemini-api/docs/image-understanding; the Qwen3-VL cookbook "2d_grounding"; the model card of
microsoft/Florence-2-large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..fields import Point
from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, choose, entries, finite_numbers, first_filled, is_number, numbers, points_box, text_of
from .placing import Found, chosen_way, place, say
from .reading import PIXELS, SHARES, THOUSANDTHS, XYXY, YXYX, Way, to_xyxy, ways
from .shapes import polygons_of

_CAPTIONS = ("label", "caption", "desc", "description", "text_content", "text", "name")
_SLACK = 1.02  # of the picture's sides, which a model's numbers may pass
_THOUSAND = 1000.0

# Florence-2's lists of places -> their lists of labels, the first that is there.
_FLORENCE = {
    "bboxes": ("bboxes_labels", "labels"),
    "polygons": ("polygons_labels", "labels"),
    "quad_boxes": ("labels",),
}
_FLORENCE_KEYS = {*_FLORENCE, "labels", "bboxes_labels", "polygons_labels", "scores"}


# --- what Gemini and Qwen share: objects with a key of their own ---


def is_gemini(data: object) -> bool:
    return _answers(data, _is_gemini) is not None


def is_qwen(data: object) -> bool:
    return _answers(data, _is_qwen) is not None


def _is_gemini(item: object) -> bool:
    if not isinstance(item, dict):
        return False
    pointed = "label" in item and isinstance(item.get("point"), (list, tuple)) and len(item["point"]) == 2
    return pointed or "box_2d" in item


def _is_qwen(item: object) -> bool:
    return isinstance(item, dict) and ("bbox_2d" in item or "point_2d" in item)


def _answers(data: object, belongs) -> dict[str, list] | None:
    """By their names, the lists of objects that a model gave: one, or one for each frame;
    None where ``data`` has none."""
    if belongs(data):
        return {"": [data]}
    if isinstance(data, dict):
        found = {
            str(key): list(value)
            for key, value in data.items()
            if isinstance(value, (list, tuple)) and any(map(belongs, value))
        }
        return found or None
    if isinstance(data, (list, tuple)) and any(isinstance(item, dict) and belongs(item) for item in data):
        return {"": list(data)}
    if isinstance(first_filled(data), (list, tuple)) and any(belongs(item) for item in first_filled(data)):
        return {f"frame {i}": list(items) for i, items in enumerate(data, 1) if isinstance(items, (list, tuple))}
    return None


def _items(data: object, belongs, reader: Reader) -> list[tuple[dict, Mapping]]:
    """The objects of one list, each with its subject."""
    lists = _answers(data, belongs)
    names = list(lists)
    chosen = lists[names[choose(names, reader.pick, "frame", reader)]] if len(names) > 1 else lists[names[0]]
    items = [item if isinstance(item, dict) else {} for item in entries(chosen, "The list of boxes")]
    return [
        (subject("box", i, text_of(*(item.get(key) for key in _CAPTIONS))), item) for i, item in enumerate(items, 1)
    ]


def _fields(item: Mapping, used: Sequence[str]) -> dict:
    title = next((key for key in _CAPTIONS if text_of(item.get(key))), "")
    return {
        "caption": text_of(item.get(title)),
        "imported": {key: value for key, value in item.items() if key not in (*used, title)},
    }


# --- Gemini ---


def read_gemini(data: object, reader: Reader) -> Layout:
    found = [_gemini_entry(item, who, reader) for who, item in _items(data, _is_gemini, reader)]
    place(
        [entry for entry in found if entry],
        ways((YXYX,), (THOUSANDTHS, SHARES, PIXELS)),
        reader,
        "Gemini's answer",
        always=False,
    )
    return reader.layout()


def _gemini_entry(item: Mapping, who: dict, reader: Reader) -> Found | None:
    fields = _fields(item, ("box_2d", "point", "mask"))
    if isinstance(item.get("mask"), (str, list)) and item["mask"]:
        reader.note("read.mask_as_picture", who=who, value=quote(item["mask"], 30))
    if "box_2d" in item or "point" not in item:
        return Found(who, numbers(item.get("box_2d"), 4, who, reader), fields)
    values = numbers(item["point"], 2, who, reader)
    return values and _alone((values[1] / _THOUSAND, values[0] / _THOUSAND), who, fields, reader)


def _alone(point: Point, who: dict, fields: dict, reader: Reader) -> Found | None:
    """A normalised point without a box; None with a note where it lies outside the picture."""
    if all(0 <= value <= 1 for value in point):
        return Found(who, None, {**fields, "point": point}, alone=True)
    reader.note("read.outside", who=who)
    return None


# --- Qwen-VL ---


def read_qwen(data: object, reader: Reader) -> Layout:
    items = _items(data, _is_qwen, reader)
    rows = [row for _, item in items if (row := _qwen_row(item)) is not None]
    way = Way(XYXY, THOUSANDTHS)
    if rows:
        way = chosen_way(rows, _qwen_ways(np.asarray(rows), reader), reader)
        say(way, reader)
    found = [entry for who, item in items if (entry := _qwen_entry(item, who, way, reader))]
    place(found, (way,), reader, "Qwen's answer")
    return reader.layout()


def _qwen_row(item: dict) -> tuple[float, ...] | None:
    """Its box, or its point as a box, for deciding on the unit."""
    box, point = finite_numbers(item.get("bbox_2d")), finite_numbers(item.get("point_2d"))
    if box is not None and len(box) == 4:
        return box
    return (*point, *point) if point is not None and len(point) == 2 else None


def _qwen_ways(rows: np.ndarray, reader: Reader) -> tuple[Way, ...]:
    """Of pixels and thousandths the one first whose frame the numbers fit; of two that they fit the smaller one."""
    right, bottom = rows[:, (0, 2)].max(), rows[:, (1, 3)].max()
    width, height = reader.width, reader.height
    pixels = max(right, bottom) > _THOUSAND or (
        0 < width * height <= _THOUSAND**2 and right <= width * _SLACK and bottom <= height * _SLACK
    )
    return ways(
        (XYXY,),
        (PIXELS, THOUSANDTHS, SHARES) if pixels else (THOUSANDTHS, PIXELS, SHARES) if width else (THOUSANDTHS, SHARES),
    )


def _qwen_entry(item: Mapping, who: dict, way: Way, reader: Reader) -> Found | None:
    fields = _fields(item, ("bbox_2d", "point_2d"))
    point = None
    if "point_2d" in item and (values := numbers(item["point_2d"], 2, who, reader)):
        if way.unit == PIXELS:
            reader.need_size("Qwen's answer")
        x, y, _, _ = to_xyxy(np.asarray([(*values, *values)]), Way(XYXY, way.unit), reader.width, reader.height)[
            0
        ].tolist()
        point = (round(x, 9), round(y, 9))
    if "bbox_2d" not in item:
        return point and _alone(point, who, fields, reader)
    if point and all(0 <= value <= 1 for value in point):
        fields["point"] = point
    return Found(who, numbers(item["bbox_2d"], 4, who, reader), fields)


# --- Florence-2 ---


def is_florence(data: object) -> bool:
    return _florence_tasks(data) is not None


def _florence_tasks(data: object) -> dict[str, Mapping] | None:
    """By the tasks' names, such as <OD>, or by picture, the lists that belong together."""
    if isinstance(data, (list, tuple)):
        # Of objects alone: lists in lists would be looked at twice at every level.
        first = first_filled(data)
        found = (
            [_florence_tasks(item) for item in data if isinstance(item, dict)]
            if isinstance(first, dict) and _florence_tasks(first)
            else []
        )
        return {f"image {i}": next(iter(tasks.values())) for i, tasks in enumerate(found, 1) if tasks} or None
    if not isinstance(data, dict):
        return None
    if data and data.keys() <= _FLORENCE_KEYS and any(isinstance(data.get(key), (list, tuple)) for key in _FLORENCE):
        return (
            None if is_number(first_filled(data.get("labels"))) else {"": data}
        )  # other detectors number their classes
    tasks = {
        key: value
        for key, value in data.items()
        if isinstance(key, str) and key.startswith("<") and _florence_tasks(value)
    }
    return tasks or None


def read_florence(data: object, reader: Reader) -> Layout:
    tasks = _florence_tasks(data)
    names = list(tasks)
    kind = "image" if names[0].startswith("image") else "task"
    task = tasks[names[choose(names, reader.pick, kind, reader)]] if len(names) > 1 else tasks[names[0]]
    found = [entry for key in _FLORENCE if task.get(key) for entry in _florence_entries(key, task, reader)]
    place(
        [entry for entry in found if entry],
        ways((XYXY,), (PIXELS, SHARES)),
        reader,
        "Florence-2's answer",
        always=False,
    )
    return reader.layout()


def _florence_entries(key: str, task: Mapping, reader: Reader) -> list[Found | None]:
    places = entries(task[key], key)
    labels = next((task[name] for name in _FLORENCE[key] if isinstance(task.get(name), (list, tuple))), ())
    if len(labels) > len(places):
        reader.note("read.labels_left", labels=len(labels), boxes=len(places), left=len(labels) - len(places))
    titles = [text_of(label) for label in labels[: len(places)]] + [""] * (len(places) - len(labels))
    return [
        _florence_entry(key, value, title, i, reader)
        for i, (value, title) in enumerate(zip(places, titles, strict=True), 1)
    ]


def _florence_entry(key: str, value: object, title: str, index: int, reader: Reader) -> Found | None:
    who, fields = subject("box", index, title), {"caption": title}
    if key == "bboxes":
        return Found(who, numbers(value, 4, who, reader), fields)
    polygons = polygons_of([value] if isinstance(value, (list, tuple)) and value and is_number(value[0]) else value)
    if polygons is None:
        reader.note("read.no_polygon", who=who)
        return None
    return Found(who, points_box([point for polygon in polygons for point in polygon]), fields, outline=polygons)
