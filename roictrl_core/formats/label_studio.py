"""Label Studio's exports: JSON tasks, JSON-MIN, or the regions of one annotation alone.

A region's ``value`` counts in percent of the picture, whose size stands beside it (``original_width``); regions of one
``id`` are one object (its rectangle, its labels, its text).
Source: Label Studio's documentation (labelstud.io/guide/task_format, labelstud.io/tags/rectanglelabels
and its neighbours).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..layout import Layout
from ..notes import quote, subject
from .common import Reader, choose, entries, is_number, numbers, text_of
from .geometry import add_ellipse, add_outline, corners, turned
from .shapes import polygons_of

_ANSWERS = ("annotations", "completions", "predictions")


# --- what is a Label Studio file ---


def is_label_studio(data: object) -> bool:
    items = _objects(data)
    return bool(items) and (
        _is_annotation(items[0]) or _is_region(items[0]) or _is_task(items[0]) or bool(_minimal(items[0]))
    )


def _objects(data: object) -> list[dict]:
    return (
        [item for item in data if isinstance(item, dict)]
        if isinstance(data, (list, tuple))
        else [data]
        if isinstance(data, dict)
        else []
    )


def _is_annotation(item: dict) -> bool:
    """One person's or model's answer, which holds the regions."""
    return isinstance(item.get("result"), list) and any(map(_is_region, _objects(item["result"])))


def _is_region(item: dict) -> bool:
    return isinstance(item.get("value"), dict) and (
        "from_name" in item or "original_width" in item or bool(_labels(item["value"]))
    )


def _is_task(item: dict) -> bool:
    answers = [answer for key in _ANSWERS if isinstance(item.get(key), list) for answer in _objects(item[key])]
    return any(isinstance(answer.get("result"), list) for answer in answers) or (
        isinstance(item.get("data"), dict) and isinstance(item.get("annotations"), list)
    )


def _minimal(item: dict) -> list[dict]:
    """The regions of a JSON-MIN task: lists of values that name the picture's size, under the names of the tags."""
    values = [value for among in item.values() if isinstance(among, list) for value in _objects(among)]
    return [
        {"value": value, **value}
        for value in values
        if "original_width" in value and ("x" in value or "points" in value)
    ]


# --- reading one ---


def read_label_studio(data: object, reader: Reader) -> Layout:
    items = _objects(data)
    tasks: list[str] = []
    if not _is_region(items[0]):
        tasks = [] if _is_annotation(items[0]) else [_name(task, i) for i, task in enumerate(items, 1)]
        items = _chosen_regions(items, tasks, reader)
    regions = _joined(_of_one_picture(entries(items, "The list of Label Studio's regions"), tasks, reader))
    sized = next((region for region in regions if region.get("original_width") is not None), {})
    reader.own_size(sized.get("original_width"), sized.get("original_height"), "The Label Studio file")
    if turn := next((region["image_rotation"] for region in regions if region.get("image_rotation")), 0):
        reader.note("read.picture_turned", angle=quote(turn))
    for i, region in enumerate(regions, 1):
        _read_region(region, i, reader)
    return reader.layout()


def _chosen_regions(tasks: list[dict], names: list[str], reader: Reader) -> list[dict]:
    """The regions of one task's first answer that was not cancelled; predictions only where nobody answered."""
    if not names:
        return _first_answer(tasks, reader)
    task = tasks[choose(names, reader.pick, "image", reader)] if len(tasks) > 1 else tasks[0]
    cancelled = 0
    for key in _ANSWERS:
        answers = [answer for answer in _objects(task.get(key)) if isinstance(answer.get("result"), list)]
        kept = [answer for answer in answers if not answer.get("was_cancelled")]
        cancelled += len(answers) - len(kept)
        if kept:
            return _first_answer(kept, reader)
    if cancelled:
        reader.note("read.cancelled", count=cancelled)
    return _minimal(task)


def _first_answer(answers: list[dict], reader: Reader) -> list[dict]:
    if len(answers) > 1:
        reader.note("read.first_answer", count=len(answers))
    return _objects(answers[0]["result"])


def _of_one_picture(regions: list[dict], tasks: list[str], reader: Reader) -> list[dict]:
    """Of a task of several pictures, shown side by side or as pages, the regions of one: the picked one,
    where the pick does not already choose among the ``tasks``, else the first."""
    pictures: dict[str, list[dict]] = {}
    for region in regions:
        pictures.setdefault(_picture(region), []).append(region)
    placed = [name for name, among in pictures.items() if any(map(_has_place, among))]
    if len(placed) < 2:
        if len(tasks) == 1:
            choose(tasks, reader.pick, "image", reader)
        return regions
    if len(tasks) > 1 or reader.pick in tasks:
        reader.note("read.first_of_task", count=len(placed), first=quote(placed[0]))
        return pictures[placed[0]]
    return pictures[placed[choose(placed, reader.pick, "image", reader)]]


def _picture(region: dict) -> str:
    """Which of a task's pictures a region lies on: the name of its tag, and the page."""
    name, page = text_of(region.get("to_name")) or "image", region.get("item_index")
    return f"{name} {page + 1}" if isinstance(page, int) else name


def _has_place(region: dict) -> bool:
    value = region.get("value")
    return isinstance(value, dict) and any(key in value for key in ("x", "points", "rle"))


def _name(task: dict, index: int) -> str:
    """How a task's picture is called: the end of the first text of its data, which is an address."""
    data = task.get("data") if isinstance(task.get("data"), dict) else task
    return next((value.rsplit("/", 1)[-1] for value in data.values() if text_of(value)), f"task {index}")


def _joined(regions: Iterable[dict]) -> list[dict]:
    """One region for each id: what the later ones add (labels, a text) to the first one's value."""
    joined: dict[object, dict] = {}
    for i, region in enumerate(regions):
        key = region.get("id") if isinstance(region.get("id"), str) else i
        value = region.get("value") if isinstance(region.get("value"), dict) else {}
        first = joined.setdefault(key, {**region, "value": {}})["value"]
        first.update((name, part) for name, part in value.items() if name not in first)
    return list(joined.values())


def _labels(value: dict) -> list[str]:
    """The first list of labels among ``rectanglelabels``, ``labels`` and so on."""
    lists = (
        value[key] for key in value if isinstance(key, str) and key.endswith("labels") and isinstance(value[key], list)
    )
    return next((labels for names in lists if (labels := [name for name in names if text_of(name)])), [])


def _read_region(region: dict, index: int, reader: Reader) -> None:
    value = region["value"]
    text = value.get("text")
    caption = ", ".join(_labels(value)) or text_of(*text if isinstance(text, list) else [text])
    who = subject("annotation", index, caption)
    score = region.get("score", value.get("score"))
    fields = {"caption": caption, "imported": {"score": score} if is_number(score) else {}}
    if "rle" in value or "brushlabels" in value:
        reader.note("read.brush", who=who)
    elif "points" in value:
        _add_polygon(value["points"], who, reader, **fields)
    elif "radiusX" in value:
        _add_ellipse(value, who, reader, **fields)
    elif "x" in value and "height" in value:
        _add_rectangle(value, who, reader, **fields)
    elif "x" in value:
        _add_point(value, who, reader, **fields)
    else:
        reader.note("read.other_kind", who=who, kind=quote(region.get("type")))


def _add_polygon(points: object, who: dict, reader: Reader, **fields) -> None:
    polygons = polygons_of(points)
    if polygons is None:
        reader.note("read.no_polygon", who=who)
    else:
        add_outline([np.asarray(polygon) / 100 for polygon in polygons], who, reader, **fields)


def _add_rectangle(value: dict, who: dict, reader: Reader, **fields) -> None:
    """A rectangle, turned around its first corner."""
    found = numbers([value.get(key) for key in ("x", "y", "width", "height")], 4, who, reader)
    if found is None:
        return
    x, y, w, h = (number / 100 for number in found)
    if not (angle := _angle(value, who, reader)):
        reader.add((x, y, x + w, y + h), who, **fields)
        return
    grid = np.asarray(reader.grid)
    with np.errstate(over="ignore"):
        points = turned(corners((x, y, x + w, y + h)) * grid, angle, tuple((x, y) * grid)) / grid
    add_outline([points], who, reader, **fields)


def _add_ellipse(value: dict, who: dict, reader: Reader, **fields) -> None:
    found = numbers([value.get(key) for key in ("x", "y", "radiusX", "radiusY")], 4, who, reader)
    if found is not None:
        width, height = (side / 100 for side in reader.grid)
        x, y, rx, ry = found
        middle, radii = (x * width, y * height), (rx * width, ry * height)
        add_ellipse(middle, radii, _angle(value, who, reader), who, reader, **fields)


def _angle(value: dict, who: dict, reader: Reader) -> float:
    """By how many degrees a shape is turned, in pixels, which is said."""
    angle = value.get("rotation")
    if not is_number(angle) or angle % 360 == 0:
        return 0.0
    reader.note("read.turned", who=who, angle=float(angle))
    return float(angle)


def _add_point(value: dict, who: dict, reader: Reader, **fields) -> None:
    found = numbers([value.get("x"), value.get("y")], 2, who, reader)
    if found is None:
        return
    point = (found[0] / 100, found[1] / 100)
    if all(0 <= number <= 1 for number in point):
        reader.add_point(who, point, **fields)
    else:
        reader.note("read.outside", who=who)
