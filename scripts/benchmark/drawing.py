"""Draws and judges the pictures that are missing. Import after the pack is loaded."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from demo_world.world import render
from devtools.inprocess import forget_dead_models

from .layouts import Case, case_of
from .methods import METHODS
from .palettes import recoloured
from .places import Places, digest
from .prepare import Parts
from .sampling import Sampler, round_trip, sample
from .scores import mark
from .store import Record, Results
from .workers import Draw, Pair

CEILING = "ceiling"
BATCH = 8  # pictures per sampler call, and what a kill can cost


@dataclass(frozen=True)
class Job:
    """One method under one setting (its own and "cfg") on layouts of a split."""

    method: str
    settings: Mapping[str, Any]
    split: str
    sampler: Sampler = field(default_factory=Sampler)

    def about(self, places: Places) -> dict:
        files = places.base if self.method == CEILING else METHODS[self.method].files(places)
        drawn = {} if self.method == CEILING else {"settings": dict(self.settings), "sampler": self.sampler.to_dict()}
        return {"method": self.method, "split": self.split, **drawn, "weights": [digest(path) for path in files]}


class Painter:
    """Draws pictures of any job; keeps the weights of the last method."""

    def __init__(self, places: Places) -> None:
        self.places, self.loaded = places, ("", None)

    def parts(self, method: str) -> Parts:
        if self.loaded[0] != method:
            load = METHODS["prompt" if method == CEILING else method].load
            self.loaded = (method, load(self.places))
        return self.loaded[1]

    def paint(self, job: Job, cases: Sequence[Case], seeds: Sequence[int]) -> list[np.ndarray]:
        """A picture per case, uint8 [size, size, 3]; in one batch where the method can."""
        parts = self.parts(job.method)
        if job.method == CEILING:
            return [round_trip(parts.vae, render(case.scene)) for case in cases]
        method = METHODS[job.method]
        if method.rows is None and len(cases) > 1:
            return [self.paint(job, [case], [seed])[0] for case, seed in zip(cases, seeds, strict=True)]
        with torch.inference_mode():  # as ComfyUI executes nodes
            if method.paint:
                return [method.paint(parts, cases[0], job.settings, job.sampler, seeds[0])]
            conditioned = (
                method.prepare(parts, cases[0], job.settings)
                if len(cases) == 1
                else method.rows(parts, cases, job.settings)
            )
        pictures = list(sample(parts.vae, conditioned, cases[0].size, job.settings["cfg"], job.sampler, seeds))
        del conditioned
        forget_dead_models()
        return pictures

    def draw(self, job: Job, pairs: Sequence[Pair]) -> list[tuple[Record, np.ndarray]]:
        """Judged pictures."""
        palette = {} if job.method == CEILING else METHODS[job.method].palette
        cases = [case_of(job.split, layout) for layout, _ in pairs]
        pictures = self.paint(job, cases, [seed for _, seed in pairs])
        marks = [
            mark(picture, case.boxes, [recoloured(wanted, palette) for wanted in case.wanted])
            for case, picture in zip(cases, pictures, strict=True)
        ]
        return [(Record(*pair, found), picture) for pair, found, picture in zip(pairs, marks, pictures, strict=True)]


class Bench:
    """Completes jobs: what is on disk is not drawn again."""

    def __init__(self, places: Places, draw: Draw, say: Callable[[str], None] = print) -> None:
        self.places, self.draw, self.say = places, draw, say

    def results(self, job: Job) -> Results:
        return Results(self.places.results, job.about(self.places))

    def complete(self, job: Job, pairs: Sequence[Pair], ahead: int = 0) -> Results:
        """ahead: pictures that come after these, for the time left."""
        results = self.results(job)
        todo = [pair for pair in pairs if pair not in results.records]
        began = shown = time.monotonic()
        batches = [todo[i : i + BATCH] for i in range(0, len(todo), BATCH)]
        for done, (record, picture) in enumerate(self.draw(job, batches), 1):
            results.add(record, picture)
            now = time.monotonic()
            if now - shown > 10 or done in (1, len(todo)):
                shown = now
                each = (now - began) / done
                self.say(
                    (
                        f"{' '.join([job.method, *_settings(job)])}, {job.split}: "
                        f"{len(pairs) - len(todo) + done}/{len(pairs)}, {each:.1f} s each, "
                        f"{_duration(each * (len(todo) - done))} left"
                    )
                    + (f", about {_duration(each * (len(todo) - done + ahead))} for all" if ahead else "")
                )
        return results


def _settings(job: Job) -> list[str]:
    return [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}" for name, value in job.settings.items()
    ]


def _duration(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02d}:{int(seconds) % 60:02d}"
