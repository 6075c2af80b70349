"""Readers of training data. They stream: a row is an Example, or a BadRow that says where it is and what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from io import BufferedReader
from pathlib import Path

from .coco import Annotations, Captions, coco_example, read_image_ids
from .json_stream import check_encoding, object_of_pairs, stream_array
from .picture_files import Stored, find_picture, read_rgb, stored
from .rows import BadRow, Box, Example, RowProblem, object_of, pixel_box, share_box, shown, text_of

METADATA = "metadata.jsonl"
LONGEST_LINE = 16 << 20  # bytes
UTF8_MARK = b"\xef\xbb\xbf"


def read_imagefolder(folder: str | Path) -> Iterator[Example | BadRow]:
    """Hugging Face's imagefolder convention: pictures, and a metadata.jsonl with one JSON object a line.

    {"file_name": "a/1.jpg", "caption": "two cats", "instances": [{"box": [.1, .2, .5, .9], "caption": "a black cat"}]}
    `caption` may be a list of captions; `box` is xyxy 0..1 of the picture as it is seen, `box_px` xyxy in pixels of the
    file as it is stored. Raises ValueError where the folder holds no such file.
    """
    folder = Path(folder)
    metadata = folder / METADATA
    try:
        if not metadata.is_file():
            raise ValueError(f"{folder} has no {METADATA}: put one JSON object per picture there (docs/training.md)")
        with metadata.open("rb") as file:
            for number, line in _lines(file):
                yield _row(folder, line, f"{METADATA} line {number}")
    except OSError as error:
        raise ValueError(f"{metadata} cannot be read ({error.strerror})") from None


def _lines(file: BufferedReader) -> Iterator[tuple[int, bytes]]:
    """(number, line) of what is not blank, without a byte order mark; a line over LONGEST_LINE is cut there."""
    check_encoding(file, file.name)
    start = file.read(len(UTF8_MARK))
    file.seek(len(start) if start == UTF8_MARK else 0)
    number = 0
    while line := file.readline(LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(line) > LONGEST_LINE and rest and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST_LINE)
        if line.strip():
            yield number, line


def _row(folder: Path, line: bytes, where: str) -> Example | BadRow:
    if len(line) > LONGEST_LINE:
        return BadRow(where, f"is longer than {LONGEST_LINE >> 20} MiB")
    try:
        return _example_from_row(folder, json.loads(line.decode(), object_pairs_hook=object_of_pairs), where)
    except RowProblem as problem:
        return BadRow(where, str(problem))
    except UnicodeDecodeError:
        return BadRow(where, "is not UTF-8 text: save the file as UTF-8")
    except RecursionError:
        return BadRow(where, "is JSON of too many brackets inside brackets")
    except json.JSONDecodeError as error:
        return BadRow(where, f"is not JSON ({error})")
    except ValueError:  # Python's limit of digits, whose own sentence is for programmers
        return BadRow(where, "holds a number of thousands of digits")


def _example_from_row(folder: Path, row: object, where: str) -> Example:
    row = object_of(row, "is not a JSON object; write one object per line")
    file = find_picture(folder, row.get("file_name"))
    captions = row.get("caption")
    captions = captions if isinstance(captions, list) else [captions]
    if not captions or not all(isinstance(caption, str) for caption in captions):
        raise RowProblem("`caption` is neither a text nor a list of texts")
    captions = tuple(text_of(caption, "`caption`") for caption in captions)
    instances = row.get("instances")
    if not isinstance(instances, list):
        raise RowProblem("`instances` is not a list; write [] for a picture without boxes")
    look = cache(lambda: stored(file))  # once, and only where a box counts in pixels
    pairs = [_instance(item, number, look) for number, item in enumerate(instances, 1)]
    return Example(file, captions, tuple(box for box, _ in pairs), tuple(text for _, text in pairs), where)


def _instance(item: object, number: int, look: Callable[[], Stored]) -> tuple[Box, str]:
    what = f"instance {number}"
    item = object_of(item, f"{what} is not a JSON object with box and caption", what)
    caption = item.get("caption")
    if not isinstance(caption, str) or not caption.strip():
        raise RowProblem(f"instance {number} has no caption")
    name = f"instance {number} ({shown(text_of(caption, f'the caption of instance {number}'))})"
    if "box_px" not in item:
        return share_box(item.get("box"), name), caption
    if "box" in item:
        raise RowProblem(f"{name} has both `box` and `box_px`: keep one")
    picture = look()
    return picture.turned(pixel_box(item["box_px"], name, picture.size)), caption


def read_coco(instances: str | Path, captions: str | Path, images: str | Path) -> Iterator[Example | BadRow]:
    """COCO: instances_*.json (boxes xywh in pixels of the stored file; the category's name is the caption) and
    captions_*.json. Numbers in messages count the entries of the file's own lists, from 1.

    Crowd annotations are left out. Only boxes and captions are kept in memory (about 100 MB for COCO train 2017).
    Raises ValueError where a file is not COCO's at all.
    """
    instances, captions, images = Path(instances), Path(captions), Path(images)
    if not images.is_dir():
        raise ValueError(f"{images} is no folder of pictures")
    ids = read_image_ids(instances)
    annotations, texts = Annotations(instances, ids), Captions(captions, ids)
    for number, image in enumerate(stream_array(instances, "images"), 1):
        where = f"{instances.name} image {number}"
        if isinstance(image, dict):
            where += f" ({shown(image.get('file_name'))})"
        try:
            yield coco_example(image, ids, annotations, texts, images, where)
        except RowProblem as problem:
            yield BadRow(where, str(problem))
    yield from annotations.unplaced
    yield from texts.unplaced


def survey(
    rows: Iterable[Example | BadRow], count: Callable[[int], None] = lambda rows: None
) -> tuple[int, list[BadRow]]:
    """Read everything once, the pictures too, and keep only what is wrong: (number of good rows, bad rows).

    count: called with the number of rows read so far.
    """
    good, bad = 0, []
    for number, row in enumerate(rows, 1):
        row = _with_picture(row)
        if isinstance(row, BadRow):
            bad.append(row)
        else:
            good += 1
        count(number)
    return good, bad


def _with_picture(row: Example | BadRow) -> Example | BadRow:
    """A row whose picture turns out to be damaged is a bad one."""
    if isinstance(row, Example):
        try:
            read_rgb(row.file)
        except RowProblem as problem:
            return BadRow(row.where, str(problem))
    return row


def listing(bad: list[BadRow], most: int = 50) -> str:
    """Bad rows as text, a line each."""
    lines = [f"  {row}" for row in bad[:most]]
    if len(bad) > most:
        lines.append(f"  ... and {len(bad) - most} more")
    return "\n".join(lines)
