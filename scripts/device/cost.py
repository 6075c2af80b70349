"""Seconds of a sampling step with 0, 1, 5 and 25 boxes, against the same UNet without the pack."""

from __future__ import annotations

from argparse import Namespace

import torch

from .bench import Bench
from .start import start

SIZES, COUNTS, STEPS = (512, 1024), (0, 1, 5, 25), 6


def run(options: Namespace) -> None:
    """A row per size and number of boxes; Euler with CFG, cond and uncond in one batch."""
    start(options.device)
    sizes, counts, steps = ((64,), (0, 2), 2) if options.small else (SIZES, COUNTS, STEPS)
    bench = Bench.of(options)
    print(f"The fastest of steps 2 to {steps}; {bench.unet['model_channels']} model channels, random weights.\n")
    print("| px | boxes | s/step, plain | s/step | ratio | peak GB, plain | peak GB |\n|---|---|---|---|---|---|---|")
    for size in sizes:
        plain, plain_peak = bench.steps(bench.model, size, steps)
        for count in counts:
            try:
                times, peak = bench.steps(bench.with_boxes(size, count), size, steps)
            except torch.cuda.OutOfMemoryError:
                print(f"| {size} | {count} | | out of memory | | | |", flush=True)
                continue
            seconds = min(plain[1:]), min(times[1:])
            cells = size, count, *(f"{s:.4f}" for s in seconds), f"{seconds[1] / seconds[0]:.2f}", plain_peak, peak
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
