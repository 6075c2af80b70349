"""A small training run, for tests in this process and for those that start processes of their own.

    python -m torch.distributed.run --nproc-per-node 2 -m devtools.training_run CACHE OUT

trains and saves the weights to OUT.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import torch

from . import tiny_models

TINY = {
    **tiny_models.SD15,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1, 1, 1, 1],
    "context_dim": 16,
}
SIDE, SLOTS, GRIDS = 8, 4, (4, 3)
CORE = ("batches", "cache", "checkpoints", "loop", "objective", "optimisation")


def modules(load: Callable[[str], ModuleType]) -> SimpleNamespace:
    found = {name: load(f"roictrl_core.training.{name}") for name in CORE}
    return SimpleNamespace(base=load("nodes.training.base"), adapter=load("roictrl_core.adapter"), **found)


def random_cache(parts, folder: Path, width: int = 16, pooled: int = 0, side: int = SIDE, tokens: int = 5):
    """12 pictures with 0 to 3 boxes each; a lone box fills no cell of the map.

    width, tokens: of the texts.  side: of the latents.
    """
    generator, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    writer = parts.cache.CacheWriter(folder, dtype=torch.float32)
    for n in range(12):
        corner = rng.uniform(0, 0.5, (n % 4, 2))
        sides = rng.uniform(0.3, 0.5, (n % 4, 2)) if n % 4 > 1 else np.full((n % 4, 2), 0.01)
        boxes = np.concatenate([corner, corner + sides], 1)
        writer.add(
            torch.randn(4, side, side, generator=generator),
            boxes,
            [f"picture {n}"],
            [f"thing {n} {i}" for i in range(n % 4)],
        )

    def encode(texts):
        return [
            parts.cache.Embedding(
                torch.randn(tokens, width, generator=generator),
                torch.randn(pooled, generator=generator) if pooled else None,
            )
            for _ in texts
        ]

    writer.finish(encode)
    return parts.cache.TrainingCache(folder)


def new_run(
    parts,
    model,
    cache,
    *,
    steps=6,
    dropout=0.0,
    precision="fp32",
    checkpointing=False,
    rate=1e-3,
    gate_factor=5.0,
    side=SIDE,
    grids=GRIDS,
    slots=SLOTS,
    **of_stream,
) -> SimpleNamespace:
    """Everything that a run consists of, at its first step. of_stream: what differs from 4 plain pictures a step."""
    base = parts.base.TrainingBase.from_model(model, parts.loop.PRECISIONS[precision], (8 * side, 8 * side))
    torch.manual_seed(7)
    adapter = parts.adapter.ROICtrlAdapter(base.adapter_config(grids=grids, slots=slots, dropout=dropout))
    adapter = adapter.to(base.device).train()
    rate = parts.optimisation.LearningRate(rate, steps, warmup=2, decay_from=0.5)
    state = parts.checkpoints.RunState(
        adapter,
        parts.optimisation.make_optimizer(adapter, rate, gate_factor),
        parts.loop.make_scaler(base.device, precision),
        parts.optimisation.MovingAverage(adapter, 0.9),
    )
    of_stream = {"batch_size": 4, "augmentation": parts.batches.Augmentation(), **of_stream}
    stream = parts.batches.BatchStream(cache, slots=slots, timesteps=len(base.schedule), seed=3, **of_stream)
    objective = parts.objective.Objective(adapter, base.predict(adapter, checkpointing), base.schedule, base.scale)
    return SimpleNamespace(
        base=base,
        adapter=adapter,
        state=state,
        stream=stream,
        objective=objective,
        settings=parts.loop.LoopSettings(rate, precision, seed=5),
    )


def train(parts, run, start: int = 0, stop: int | None = None) -> list:
    """Reports of the steps from `start` up to `stop`."""
    reports = []
    for report in parts.loop.training_steps(
        run.objective, run.stream, run.state, run.settings, start=start, device=run.base.device
    ):
        reports.append(report)
        if report.step == stop:
            break
    return reports


def main(cache: str, out: str) -> None:
    """One of several processes."""
    from safetensors.torch import save_file

    from .inprocess import start_comfyui
    from .pack import pack_module

    start_comfyui()
    parts, rank, ranks = modules(pack_module), int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.distributed.init_process_group("gloo")
    model = tiny_models.patcher(tiny_models.sd15_model(TINY))
    run = new_run(
        parts, model, parts.cache.TrainingCache(Path(cache)), batch_size=2, accumulation=2, rank=rank, ranks=ranks
    )
    run.objective = torch.nn.parallel.DistributedDataParallel(run.objective, find_unused_parameters=True)
    losses = torch.stack([report.losses for report in train(parts, run)])
    torch.distributed.all_reduce(losses)
    if rank == 0:
        save_file({**run.state.tensors(), "losses": losses / ranks}, out)
    torch.distributed.barrier()  # or one may wait for ever for another that has ended
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
