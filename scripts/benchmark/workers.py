"""Painters in this process or in several. Imports nothing of ComfyUI before a process has started it.

Pictures come from other processes in files, and only the files' names through the pool's pipe: a name is written whole
or not at all, where a process that is killed in the middle of a larger message leaves the pool waiting for the rest.
"""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .places import Places

if TYPE_CHECKING:
    from .drawing import Job, Painter
    from .store import Record

Pair = tuple[int, int]  # layout, seed
Drawn = tuple["Record", "np.ndarray"]
Draw = Callable[["Job", Sequence[Sequence[Pair]]], Iterator[Drawn]]
_painter: Painter | None = None  # of a worker process


@contextmanager
def painters(places: Places, processes: int) -> Iterator[Draw]:
    """A function (job, batches of pairs) -> judged pictures as they get ready, drawn here
    or in processes of one thread each."""
    if processes == 1:
        from .drawing import Painter

        painter = Painter(places)
        yield lambda job, batches: chain.from_iterable(painter.draw(job, pairs) for pairs in batches)
        return
    context = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(processes, context, _start, (places,)) as pool,
    ):
        yield lambda job, batches: _as_they_get_ready(pool, Path(folder), job, batches)


def _as_they_get_ready(
    pool: ProcessPoolExecutor, folder: Path, job: Job, batches: Sequence[Sequence[Pair]]
) -> Iterator[Drawn]:
    """Raises ValueError where a process ended by itself."""
    tasks = []
    try:
        tasks.extend(pool.submit(_work, folder, job, pairs) for pairs in batches)
        for task in as_completed(tasks):
            yield from _taken(folder / task.result())
    except BrokenProcessPool:
        raise ValueError(
            "a drawing process could not start, or ended by itself, perhaps for want of memory (what it said "
            "is above); the same command goes on, with --processes 1 in one process"
        ) from None
    finally:
        for task in tasks:
            task.cancel()


def _start(places: Places) -> None:
    """Of a worker. Ctrl-C is the first process's business: a worker ends its batch and is told to stop."""
    global _painter
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from demo_common import start

    start()
    import torch

    from devtools.pack import load_pack

    load_pack()
    from .drawing import Painter

    torch.set_num_threads(1)
    _painter = Painter(places)


def _work(folder: Path, job: Job, pairs: Sequence[Pair]) -> str:
    """Of a worker. The name of the file with what it drew."""
    name = f"{uuid.uuid4().hex}.npz"
    records, pictures = zip(*_painter.draw(job, pairs), strict=True)
    np.savez(folder / name, pictures=np.stack(pictures), records=[record.to_line() for record in records])
    return name


def _taken(file: Path) -> Iterator[Drawn]:
    from .store import Record

    with np.load(file) as found:
        drawn = list(zip(map(Record.from_line, map(str, found["records"])), found["pictures"], strict=True))
    file.unlink()
    return iter(drawn)
