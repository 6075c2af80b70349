"""What a picture of each method costs: all methods in turn on one layout after the other.

A machine's speed changes in minutes by more than most methods differ, so the figures of one table come from one run.
Import after the pack is loaded.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from devtools.clock import clock
from devtools.tensor_memory import PeakMemory
from roictrl_core.files import write_atomically

from .drawing import Job, Painter
from .layouts import case_of
from .places import Places
from .store import Results

Cost = dict[str, float]


def costs(
    jobs: Mapping[str, Job], layouts: Sequence[int], places: Places, say: Callable[[str], None] = print
) -> dict[str, Cost]:
    """{name: {"seconds", "peak_bytes"}}; what is on disk counts where it is of one run of all these jobs."""
    path, layouts = places.results / "cost.json", list(layouts)
    run = {name: Results(places.results, job.about(places)).path.stem for name, job in jobs.items()}
    known = json.loads(path.read_text()) if path.is_file() else {"layouts": [], "jobs": {}}
    if known["layouts"] != layouts or not run.items() <= known["jobs"].items():
        known = {"layouts": layouts, "jobs": run, "costs": _measured(jobs, layouts, places, say)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, lambda file: file.write_text(json.dumps(known, indent=1)))
    return {name: known["costs"][name] for name in jobs}


def _measured(
    jobs: Mapping[str, Job], layouts: Sequence[int], places: Places, say: Callable[[str], None]
) -> dict[str, Cost]:
    painters, drawn = {name: Painter(places) for name in jobs}, {name: [] for name in jobs}
    for done, number in enumerate(layouts):
        say(f"what a picture costs: {done}/{len(layouts)} layouts")
        for name, job in jobs.items():
            drawn[name].append(_cost(painters[name], job, number))
    return {
        name: {
            "seconds": round(float(np.median([seconds for seconds, _ in rows])), 3),
            "peak_bytes": int(np.mean([peak for _, peak in rows])),
        }
        for name, rows in drawn.items()
    }


def _cost(painter: Painter, job: Job, number: int) -> tuple[float, int]:
    """Seconds of a picture drawn alone through the nodes, and the most bytes that tensors beside the weights hold
    at one time (in one step: all are alike)."""
    case = case_of(job.split, number)
    with PeakMemory() as memory:
        painter.paint(replace(job, sampler=replace(job.sampler, steps=1)), [case], [number])
    began = clock()
    painter.paint(job, [case], [number])
    return clock() - began, memory.peak
