"""What the demo_*.py scripts share: the cache folder, ComfyUI and the pack, a log."""

from __future__ import annotations

import csv
import os
import time
from pathlib import Path

import numpy as np

from devtools.inprocess import start_comfyui
from devtools.pack import register_core
from devtools.places import cache_folder

CACHE = Path(os.environ.get("ROICTRL_DEMO_CACHE", cache_folder() / "demo"))


def start() -> None:
    """ComfyUI and `roictrl_core` importable, on a GPU when there is one; the cache folder is there."""
    import torch

    CACHE.mkdir(parents=True, exist_ok=True)
    start_comfyui(cpu=not torch.cuda.is_available())
    register_core()


def device():
    """The GPU when there is one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def save_array(path: Path, array: np.ndarray) -> None:
    """np.save to that very path: to a name without .npy it would add it."""
    with open(path, "wb") as file:
        np.save(file, array)


class Log:
    """Rows to a CSV file (appended), and a line with rate and time left to the terminal."""

    def __init__(self, path: Path, fields: tuple[str, ...], total: int, done: int = 0):
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        self.file = open(path, "a", newline="")  # noqa: SIM115 (open as long as the run)
        self.rows = csv.DictWriter(self.file, fields)
        if fresh:
            self.rows.writeheader()
        self.total, self.first, self.started = total, done, time.time()

    def row(self, done: int, **values) -> None:
        self.rows.writerow(values)
        self.file.flush()
        rate = (done - self.first) / max(1e-9, time.time() - self.started)
        left = (self.total - done) / max(rate, 1e-9) / 60
        text = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in values.items())
        print(f"{done}/{self.total}: {text} | {rate:.2f}/s, {left:.1f} minutes left", flush=True)
