"""Training steps at SD1.5's size, with and without gradient checkpointing."""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace

import torch

from bench_unet import unet_config
from devtools import tiny_models, training_run
from devtools.pack import pack_module

from .bench import dtype_of, on_device, peak
from .stages import Wrong
from .start import fresh_memory, start, synchronise

STEPS, BATCH, UNCOUNTED = 20, 4, 2
FULL = {"side": 64, "grids": (25, 19, 13, 7), "slots": 30}


def run(options: Namespace) -> None:
    """A row each: pictures per second, peak memory, and that losses stay finite."""
    start(options.device)
    parts, cuda = training_run.modules(pack_module), options.device == "cuda"
    unet, settings, steps = (training_run.TINY, {}, 4) if options.small else (unet_config(320), FULL, STEPS)
    precision = ("bf16" if torch.cuda.is_bf16_supported() else "fp16") if cuda else "fp32"
    model = on_device(tiny_models.sd15_model(unet, dtype=dtype_of(options.device)))
    side = settings.get("side", training_run.SIDE)
    print(f"{steps} steps of {BATCH} pictures, {8 * side} px, {precision}, random weights and latents.\n")
    print("| gradient checkpointing | pictures/s | peak GB | loss, first and last |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cache = training_run.random_cache(
            parts, Path(folder), width=unet["context_dim"], side=side, tokens=5 if options.small else 77
        )
        for checkpointing in (False, True):
            fresh_memory(options.device)
            try:
                found = measured(options.device, parts, lambda c=checkpointing: training_run.new_run(
                    parts, model, cache, steps=steps, precision=precision, checkpointing=c, batch_size=BATCH, **settings
                ))  # fmt: skip
            except torch.cuda.OutOfMemoryError:
                print(f"| {'on' if checkpointing else 'off'} | out of memory | | |", flush=True)
                continue
            losses = ", ".join(f"{loss:.3f}" for loss in found.losses)
            cells = "on" if checkpointing else "off", f"{BATCH / found.seconds:.2f}", peak(options.device), losses
            print(f"| {' | '.join(cells)} |", flush=True)
            if not found.finite:
                raise Wrong("a loss is not finite.")


def measured(device: str, parts: SimpleNamespace, make) -> SimpleNamespace:
    """A run to its end. seconds: the median step after the first ones.  losses: the first and the last."""
    run, times, losses = make(), [], []
    synchronise(device)
    began = time.perf_counter()
    for report in parts.loop.training_steps(
        run.objective, run.stream, run.state, run.settings, start=0, device=run.base.device
    ):
        losses.append(report.losses[0])
        synchronise(device)
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    return SimpleNamespace(
        seconds=statistics.median(times[UNCOUNTED:]),
        losses=[float(losses[0]), float(losses[-1])],
        finite=all(bool(loss.isfinite()) for loss in losses),
    )
