"""Results on disk: per method and settings a file with a line per picture, written as soon as it is judged.

The file's name is a hash of everything that the pictures depend on (method, settings, sampler, layouts, weights)
and of the judge's code, so results of other weights or of another judge are never mixed in:
they lie in files that nobody opens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from demo_world import captions, judge, world

from . import layouts, scores
from .scores import Marks


@dataclass(frozen=True)
class Record:
    """One judged picture."""

    layout: int
    seed: int
    marks: Marks

    @classmethod
    def from_line(cls, line: str) -> Record:
        data = json.loads(line)
        marks = {name: tuple(value) if isinstance(value, list) else value for name, value in data.pop("marks").items()}
        return cls(marks=Marks(**marks), **data)

    def to_line(self) -> str:
        return json.dumps(asdict(self))


@cache
def judge_version() -> str:
    """Changes with the code that makes and judges layouts."""
    sources = (Path(module.__file__).read_bytes() for module in (world, captions, judge, scores, layouts))
    return hashlib.sha256(b"".join(sources)).hexdigest()[:12]


class Results:
    """The records of one method under one setting. about: all that they depend on, plain JSON."""

    def __init__(self, folder: Path, about: Mapping) -> None:
        self.about = {**about, "judge": judge_version()}
        name = hashlib.sha256(json.dumps(self.about, sort_keys=True).encode()).hexdigest()[:12]
        self.folder = folder / about["split"] / about["method"]
        self.path, self.pictures = self.folder / f"{name}.jsonl", self.folder / name
        self.records = {(record.layout, record.seed): record for record in self._read()}

    def _read(self) -> list[Record]:
        if not self.path.exists():
            return []
        text = self.path.read_text()
        if not text.endswith("\n"):  # a kill in the middle of a line: that picture is drawn again
            text = text[: text.rfind("\n") + 1]
            self.path.write_text(text)
        return [Record.from_line(line) for line in text.splitlines()]

    def add(self, record: Record, picture: np.ndarray) -> None:
        """The picture first, so that every line has one."""
        if not self.path.exists():
            self.pictures.mkdir(parents=True, exist_ok=True)
            self.path.with_suffix(".json").write_text(json.dumps(self.about, indent=1))
        Image.fromarray(picture).save(self._file(record.layout, record.seed))
        with self.path.open("a") as file:
            file.write(record.to_line() + "\n")
        self.records[record.layout, record.seed] = record

    def picture(self, layout: int, seed: int) -> np.ndarray:
        """uint8 [H, W, 3]."""
        return np.array(Image.open(self._file(layout, seed)))

    def _file(self, layout: int, seed: int) -> Path:
        return self.pictures / f"{layout:04d}-{seed}.png"

    def of(self, layouts: int) -> list[Record]:
        """One record per layout, the first `layouts`, each with its own seed.
        Raises ValueError where one is missing."""
        missing = [n for n in range(layouts) if (n, n) not in self.records]
        if missing:
            raise ValueError(
                f"{self.path.parent.name}: layout {missing[0]} of {layouts} is not drawn yet; start the benchmark again"
            )
        return [self.records[n, n] for n in range(layouts)]
