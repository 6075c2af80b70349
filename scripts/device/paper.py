"""The paper's setting, 1024 px, 25 boxes, 50 steps and CFG: whole pictures at every speed, masked attention beside."""

from __future__ import annotations

from argparse import Namespace

import torch

from bench_unet import PAPER, random_adapter

from .bench import Bench, dtype_of
from .start import start

MASKED_STEPS = 3


def run(options: Namespace) -> None:
    """A row each for plain, exact, balanced, fast, and the variant with masks in place of ROIs."""
    start(options.device)
    from benchmark.ablations import MaskedAdapter

    size, count, steps = (64, 3, 4) if options.small else (PAPER["size"], PAPER["instances"], PAPER["steps"])
    bench = Bench.of(options)
    speeds = {name: {"speed": name} for name in ("exact", "balanced", "fast")}
    precision = str(dtype_of(options.device)).removeprefix("torch.")
    print(f"{size} px, {count} boxes, {steps} steps, {precision}; VAE and prompts not included.\n")
    print("| | s/picture | of plain | peak GB |\n|---|---|---|---|")
    plain = None
    for name, settings in {"plain": None, **speeds, "masked attention": {}}.items():
        masked = name == "masked attention"
        try:
            adapter = random_adapter(bench.unet, dtype_of(options.device), MaskedAdapter) if masked else None
            model = bench.model if settings is None else bench.with_boxes(size, count, adapter, **settings)
            bench.steps(model, size, 2)  # loads the weights and chooses kernels
            times, peak = bench.steps(model, size, MASKED_STEPS if masked else steps, fresh=False)
        except torch.cuda.OutOfMemoryError:
            print(f"| {name} | out of memory | | |", flush=True)
            continue
        seconds = min(times[1:]) * steps if masked else sum(times)
        plain = plain or seconds
        print(f"| {name} | {seconds:.2f} | {seconds / plain:.2f} | {peak} |", flush=True)
    print(f"\nMasked attention: {steps} times the faster of steps 2 and 3.")
