"""Readers of training data. They stream: a row is an Example, or a BadRow that says where it is and what is wrong."""

from __future__ import annotations

import json
import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from .json_stream import stream_array

METADATA = "metadata.jsonl"


@dataclass(frozen=True)
class Example:
    """One picture. `boxes` are xyxy, normalised 0..1 in the picture as it is seen; one instance caption per box."""

    file: Path
    captions: tuple[str, ...]            # global captions: one is drawn each time the picture is used
    boxes: tuple[tuple[float, float, float, float], ...]
    instance_captions: tuple[str, ...]
    where: str                           # "metadata.jsonl line 12", for messages


@dataclass(frozen=True)
class BadRow:
    where: str
    problem: str

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}"


class _Problem(Exception):
    """What is wrong with a row, as a sentence."""


def read_imagefolder(folder: str | Path) -> Iterator[Example | BadRow]:
    """Hugging Face's imagefolder convention: pictures, and a metadata.jsonl with one JSON object a line.

    {"file_name": "a/1.jpg", "caption": "two cats", "instances": [{"box": [.1, .2, .5, .9], "caption": "a black cat"}]}
    `caption` may be a list of captions; `box` is xyxy 0..1, `box_px` xyxy in pixels of the file.
    """
    folder = Path(folder)
    metadata = folder / METADATA
    if not metadata.is_file():
        raise ValueError(f"{folder} has no {METADATA}: put one JSON object per picture there (docs/training.md)")
    with metadata.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            where = f"{METADATA} line {number}"
            try:
                yield _example_from_row(folder, json.loads(line), where)
            except _Problem as problem:
                yield BadRow(where, str(problem))
            except (UnicodeDecodeError, json.JSONDecodeError) as error:
                yield BadRow(where, f"is not JSON ({error})")


def _example_from_row(folder: Path, row: object, where: str) -> Example:
    if not isinstance(row, dict):
        raise _Problem("is not a JSON object")
    file = _picture_file(folder, row.get("file_name"))
    captions = row.get("caption")
    captions = tuple(captions) if isinstance(captions, list) else (captions,)
    if not captions or not all(isinstance(caption, str) for caption in captions):
        raise _Problem("`caption` is neither a text nor a list of texts")
    instances = row.get("instances")
    if not isinstance(instances, list):
        raise _Problem("`instances` is not a list; write [] for a picture without boxes")
    pairs = [_instance(item, number, file) for number, item in enumerate(instances, 1)]
    return Example(file, captions, tuple(box for box, _ in pairs), tuple(text for _, text in pairs), where)


def _picture_file(folder: Path, name: object) -> Path:
    if not isinstance(name, str) or not name:
        raise _Problem("has no `file_name`")
    file = folder / name
    if not file.resolve().is_relative_to(folder.resolve()):
        raise _Problem(f"`file_name` {name} leads out of the data folder")
    if not file.is_file():
        raise _Problem(f"picture {name} does not exist")
    return file


def _instance(item: object, number: int, file: Path) -> tuple[tuple[float, ...], str]:
    if not isinstance(item, dict):
        raise _Problem(f"instance {number} is not a JSON object with box and caption")
    caption = item.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise _Problem(f"instance {number} has no caption")
    name = f"instance {number} ({caption})"
    if "box_px" in item:
        from PIL import Image

        with Image.open(file) as picture:
            width, height = picture.size
        return _box(item["box_px"], name, width, height), caption
    return _box(item.get("box"), name), caption


def _box(value: object, name: str, width: float = 1, height: float = 1) -> tuple[float, float, float, float]:
    """xyxy in units of (width, height) -> normalised and clipped to the picture."""
    numbers = isinstance(value, (list, tuple)) and len(value) == 4 and all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    if not numbers:
        raise _Problem(f"the box of {name} is not four finite numbers x1, y1, x2, y2")
    x1, y1, x2, y2 = value[0] / width, value[1] / height, value[2] / width, value[3] / height
    if max(abs(v) for v in (x1, y1, x2, y2)) > 2:
        raise _Problem(f"the box of {name} is not in 0..1; give pixels as `box_px`")
    x1, y1, x2, y2 = (min(max(v, 0.0), 1.0) for v in (x1, y1, x2, y2))
    if x2 <= x1 or y2 <= y1:
        raise _Problem(f"the box of {name} is empty, inverted or outside the picture")
    return x1, y1, x2, y2


def read_coco(instances: str | Path, captions: str | Path, images: str | Path) -> Iterator[Example | BadRow]:
    """COCO: instances_*.json (boxes xywh in pixels; the category's name is the caption) and captions_*.json.

    Crowd annotations are left out. Only boxes and captions are kept in memory (about 100 MB for COCO train 2017).
    """
    instances, captions, images = Path(instances), Path(captions), Path(images)
    categories = {item["id"]: item["name"] for item in stream_array(instances, "categories")}
    annotations = _AnnotationTable(instances)
    texts: dict[int, list[str]] = {}
    for item in stream_array(captions, "annotations"):
        texts.setdefault(item["image_id"], []).append(item["caption"].strip())
    for number, image in enumerate(stream_array(instances, "images"), 1):
        where = f"{instances.name} image {number} ({image.get('file_name', '?')})"
        try:
            yield _example_from_coco(image, annotations.of(image["id"]), categories, texts, images, where)
        except KeyError as error:
            yield BadRow(where, f"misses or does not know {error}")
        except _Problem as problem:
            yield BadRow(where, str(problem))


def _example_from_coco(image: dict, annotations, categories, texts, images: Path, where: str) -> Example:
    file = _picture_file(images, image.get("file_name"))
    if image["id"] not in texts:
        raise _Problem("has no caption in the captions file")
    boxes, names = [], []
    for annotation, category, (x, y, w, h) in annotations:
        names.append(categories[category])
        label = f"annotation {annotation} ({names[-1]})"
        boxes.append(_box((x, y, x + w, y + h), label, image["width"], image["height"]))
    return Example(file, tuple(texts[image["id"]]), tuple(boxes), tuple(names), where)


class _AnnotationTable:
    """The boxes of a COCO file, grouped by picture, in flat arrays: 48 bytes each instead of a kilobyte of JSON."""

    def __init__(self, file: Path) -> None:
        self.ids, self.boxes, self.rows = array("q"), array("d"), {}
        for item in stream_array(file, "annotations"):
            if item.get("iscrowd"):
                continue
            self.rows.setdefault(item["image_id"], array("q")).append(len(self.ids) // 2)
            self.ids.extend((item["id"], item["category_id"]))
            self.boxes.extend(item["bbox"])

    def of(self, image_id: int) -> Iterator[tuple[int, int, tuple[float, float, float, float]]]:
        for row in self.rows.get(image_id, ()):
            yield self.ids[2 * row], self.ids[2 * row + 1], tuple(self.boxes[4 * row:4 * row + 4])


def survey(rows: Iterable[Example | BadRow]) -> tuple[int, list[BadRow]]:
    """Read everything once, keep only what is wrong: (number of good rows, bad rows)."""
    good, bad = 0, []
    for row in rows:
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            good += 1
    return good, bad


def listing(bad: list[BadRow], most: int = 50) -> str:
    """Bad rows as text, a line each."""
    lines = [f"  {row}" for row in bad[:most]]
    if len(bad) > most:
        lines.append(f"  ... and {len(bad) - most} more")
    return "\n".join(lines)
