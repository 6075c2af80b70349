"""A clock for measurements. Imports torch."""

from __future__ import annotations

import time

import torch


def clock() -> float:
    """The processor's seconds, which other work on the machine does not stretch; the wall's where a GPU
    computes, after its work is done."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
