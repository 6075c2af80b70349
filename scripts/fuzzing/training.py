"""Hostile training data: rows, COCO pairs, pictures, caches, checkpoints and logs, each changed somewhere.

A case may succeed, list bad rows, or raise ValueError. Whatever else it raises is a fault: so is a row that is lost,
and an example that does not hold what it promises.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache, partial
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from devtools.pack import register_core

register_core()
from roictrl_core.training.cache import CacheWriter, Embedding, TrainingCache  # noqa: E402
from roictrl_core.training.checkpoints import METADATA, RunState, load_checkpoint, save_checkpoint  # noqa: E402
from roictrl_core.training.logbook import COLUMNS, CsvLog  # noqa: E402
from roictrl_core.training.pictures import prepare  # noqa: E402
from roictrl_core.training.rows import BadRow, Example  # noqa: E402
from roictrl_core.training.sources import read_coco, read_imagefolder, survey  # noqa: E402

Case = tuple[str, Callable[[], object]]

DEEP = '{"a":' * 3000 + "1" + "}" * 3000
RAW = [
    "NaN",
    "-Infinity",
    "1" * 400,
    "1" * 5000,
    "[" * 100_000,
    DEEP,
    "1e999",
    '"\\ud800"',
    "\x00",
    "true",
    "",
    "-0.0",
]  # pieces of JSON, or not
VALUES = [
    None,
    True,
    False,
    0,
    -1,
    7,
    0.5,
    1e308,
    -1e308,
    1 << 70,
    "",
    " ",
    "1",
    "01",
    "x" * 5000,
    "a\nb",
    "é",
    [],
    {},
    [[]],
    [1, 2, 3],
    [0.1, 0.2, 0.3, 0.4, 0.5],
    [0, 0, 9, 9],
    "../a.png",
    "/etc/passwd",
    ".",
    "a.png\x00",
    "cut.png",
    "text.png",
    "link.png",
    {"a": 1},
]
PICTURES = ("a.png", "turned.jpg", "deep.png", "turned.tif", "clear.webp", "cmyk.jpg", "few.gif", "plain.bmp")


def cases(random: Random) -> Iterator[Case]:
    """Without an end; every case writes below one temporary folder, which goes with the process."""
    kinds = [
        ("metadata.jsonl", imagefolder_case),
        ("COCO", coco_case),
        ("picture", picture_case),
        ("cache", cache_case),
        ("checkpoint", checkpoint_case),
        ("log.csv", log_case),
    ]
    number = 0
    while True:
        kind, make = random.choices(kinds, (6, 6, 4, 1, 1, 1))[0]
        number += 1
        yield f"training: {kind} {number}", make(random)


def imagefolder_case(random: Random) -> Callable[[], object]:
    lines = [mutated_text(random, mutated(random, a_row(random))) for _ in range(random.randint(1, 4))]
    data = mutated_bytes(random, "\n".join(lines).encode("utf-8", "surrogatepass"))
    return partial(read_folder, data)


def read_folder(data: bytes) -> list:
    folder = pictures()
    (folder / "metadata.jsonl").write_bytes(data)
    rows = list(read_imagefolder(folder))
    lines = [number for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1) if line.strip()]
    assert [row.where for row in rows] == [f"metadata.jsonl line {number}" for number in lines]
    return checked(rows)


def coco_case(random: Random) -> Callable[[], object]:
    numbers = range(1, random.randint(2, 4))
    images = [{"id": n, "file_name": random.choice(PICTURES), "width": 64, "height": 32} for n in numbers]
    boxes = [
        {"id": n, "image_id": random.choice(numbers), "category_id": 1, "bbox": [4, 4, 20, 20], "iscrowd": 0}
        for n in range(1, 4)
    ]
    texts = [{"id": n, "image_id": n, "caption": "a picture"} for n in numbers]
    instances = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "thing"}]}
    files = []
    for data in (instances, {"annotations": texts}):
        data = mutated(random, data) if random.random() < 0.8 else data
        files.append(mutated_bytes(random, mutated_text(random, data).encode("utf-8", "surrogatepass")))
    return partial(read_pair, *files)


def read_pair(instances: bytes, captions: bytes) -> list:
    folder = pictures()
    (folder / "instances.json").write_bytes(instances)
    (folder / "captions.json").write_bytes(captions)
    rows = checked(list(read_coco(folder / "instances.json", folder / "captions.json", folder)))
    try:
        read = json.loads(instances.decode("utf-8-sig"))
    except ValueError:
        return rows  # broken behind what is needed of it
    assert len(read["images"]) == sum(row.where.startswith("instances.json image ") for row in rows)
    if not any(isinstance(row, BadRow) for row in rows):
        assert sum(len(row.boxes) for row in rows) == sum(not item.get("iscrowd") for item in read["annotations"])
    return rows


def checked(rows: list) -> list:
    """Every example holds what `Example` promises, and its picture becomes pixels or a bad row."""
    for row in rows:
        assert isinstance(row, (Example, BadRow)), row
        assert len(str(row.where)) < 200 and "\n" not in str(row.where)
        if isinstance(row, BadRow):
            assert row.problem.isprintable() and len(row.problem) < 600, row.problem
            continue
        assert row.captions and len(row.boxes) == len(row.instance_captions)
        assert all(len(box) == 4 and 0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1 for box in row.boxes)
        assert all(text.encode().strip() for text in row.instance_captions) and [text.encode() for text in row.captions]
    good, bad = survey(rows)
    assert good + len(bad) == len(rows)
    return rows


def picture_case(random: Random) -> Callable[[], object]:
    name = random.choice(PICTURES)
    data = bytearray((pictures() / name).read_bytes())
    for _ in range(random.randint(1, 8)):
        data[random.randrange(len(data))] = random.randrange(256)
    return partial(read_picture, name, bytes(data[: random.randint(1, len(data))] if random.random() < 0.3 else data))


def read_picture(name: str, data: bytes) -> object:
    file = pictures() / f"changed{Path(name).suffix}"
    file.write_bytes(data)
    (pictures() / "metadata.jsonl").write_text(
        json.dumps({"file_name": file.name, "caption": "x", "instances": [{"box_px": [0, 0, 9, 9], "caption": "y"}]})
    )
    (row,) = read_imagefolder(pictures())
    made = prepare(row, 16, 16) if isinstance(row, Example) else row
    assert isinstance(made, BadRow) or made.pixels.shape == (16, 16, 3) and np.isfinite(made.pixels).all()
    return made


def cache_case(random: Random) -> Callable[[], object]:
    folder = a_cache()
    file = random.choice(sorted(folder.iterdir()))
    data = file.read_bytes()
    changed = (
        mutated_text(random, mutated(random, json.loads(data))).encode("utf-8", "surrogatepass")
        if file.suffix == ".json"
        else mutated_bytes(random, data)
    )
    return partial(open_cache, file, data, changed)


def open_cache(file: Path, data: bytes, changed: bytes) -> None:
    """A cache that opens gives every row and every text."""
    try:
        file.write_bytes(changed)
        found = TrainingCache(file.parent)
        for index in range(len(found)):
            row = found.row(index)
            for number in (*row.instance_text, *row.global_text):
                found.embedding(int(number))
    finally:
        file.write_bytes(data)


def checkpoint_case(random: Random) -> Callable[[], object]:
    state, path = a_checkpoint()
    data = path.read_bytes()
    if random.random() < 0.5:
        return partial(open_checkpoint, state, mutated_bytes(random, data))
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"][METADATA] = mutated_text(
        random, mutated(random, json.loads(header["__metadata__"][METADATA]))
    )
    text = json.dumps(header).encode()
    return partial(open_checkpoint, state, len(text).to_bytes(8, "little") + text + data[8 + size :])


def open_checkpoint(state: RunState, data: bytes) -> int:
    path = base() / "runs" / "checkpoint-00000009.safetensors"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return load_checkpoint(path, state)


def log_case(random: Random) -> Callable[[], object]:
    rows = [",".join(COLUMNS), *(f"{n},{random.random()},.1,.2,.3,.4,5" for n in range(3))]
    data = mutated_bytes(random, "\r\n".join(rows).encode()) + random.choice(RAW).encode()
    return partial(open_log, data)


def open_log(data: bytes) -> CsvLog:
    path = base() / "log.csv"
    path.write_bytes(data)
    return CsvLog(path, 2)


# ---- sound things ----------------------------------------------------------------------------------------------------
def a_row(random: Random) -> dict:
    box = {"box": [0.1, 0.2, 0.5, 0.9]} if random.random() < 0.5 else {"box_px": [4, 4, 20, 20]}
    return {
        "file_name": random.choice(PICTURES),
        "caption": random.choice(["two things", ["one", "two"]]),
        "instances": [{**box, "caption": "a thing"} for _ in range(random.randint(0, 2))],
    }


@cache
def base() -> Path:
    keep = tempfile.TemporaryDirectory(prefix="roictrl-fuzz-")
    base.keep = keep  # removed when the process ends
    return Path(keep.name)


@cache
def pictures() -> Path:
    """64 x 32 pixels as stored, each."""
    folder = base() / "pictures"
    folder.mkdir()
    grey = np.linspace(0, 65535, 64 * 32).reshape(32, 64).astype(np.uint16)
    plain = Image.fromarray((grey // 257).astype(np.uint8)).convert("RGB")
    exif = plain.getexif()
    exif[274] = 6
    plain.save(folder / "a.png")
    plain.save(folder / "turned.jpg", exif=exif)
    plain.save(folder / "turned.tif", exif=exif)
    Image.fromarray(grey).save(folder / "deep.png")
    plain.convert("RGBA").save(folder / "clear.webp")
    plain.convert("CMYK").save(folder / "cmyk.jpg")
    plain.quantize(8).save(folder / "few.gif", transparency=0)
    plain.save(folder / "plain.bmp")
    (folder / "cut.png").write_bytes((folder / "a.png").read_bytes()[:60])
    (folder / "text.png").write_text("no picture")
    (folder / "link.png").symlink_to("link.png")
    return folder


@cache
def a_cache() -> Path:
    writer = CacheWriter(base() / "cache")
    for n in range(3):
        writer.add(torch.zeros(4, 2, 2), np.array([[0.1, 0.1, 0.5, 0.5]] * n), ["picture"], ["thing"] * n)
    writer.finish(lambda texts: [Embedding(torch.zeros(3, 4), torch.zeros(2)) for _ in texts])
    return base() / "cache"


@cache
def a_checkpoint() -> tuple[RunState, Path]:
    layer = torch.nn.Linear(2, 2)
    state = RunState(layer, torch.optim.AdamW(layer.parameters()), torch.amp.GradScaler("cpu", enabled=False), None)
    layer(torch.ones(1, 2)).sum().backward()
    state.optimizer.step()
    (base() / "run").mkdir()
    return state, save_checkpoint(base() / "run", 1, state, {"seed": 1})


# ---- changes ---------------------------------------------------------------------------------------------------------
def mutated(random: Random, value: object) -> object:
    """The value with one to three changes somewhere inside: another value, an entry gone, an entry twice."""
    value = deepcopy(value)
    for _ in range(random.randint(1, 3)):
        if not value:
            break
        where, key = random.choice(list(places(value)))
        change = random.random()
        if change < 0.2:
            del where[key]
        elif change < 0.35 and isinstance(where, list):
            where.insert(key, where[key])
        else:
            where[key] = deepcopy(random.choice(VALUES))
    return value


def places(value: object) -> Iterator[tuple[object, object]]:
    """(container, key) of everything inside."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from places(inner)


def mutated_text(random: Random, value: object) -> str:
    """As JSON, now and then with something in place of a number that no JSON library would write."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    at = [place for place, character in enumerate(text) if character.isdigit()]
    if at and random.random() < 0.3:
        place = random.choice(at)
        text = text[:place] + random.choice(RAW) + text[place + 1 :]
    return text


def mutated_bytes(random: Random, data: bytes) -> bytes:
    """Mostly as it is; else cut off, with another byte, a mark before it, or in another encoding."""
    change = random.random()
    if change < 0.1:
        return data[: random.randint(0, len(data))]
    if change < 0.2 and data:
        place = random.randrange(len(data))
        return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]
    if change < 0.25:
        return random.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"\n\n"]) + data
    return data
