"""One training run of a variant: train.py's parts and the demo adapter's options (demo_train.py), in one process.

Started again it goes on from its last checkpoint. The weights are written when the run is complete,
so that nothing half trained is measured. Import after the pack is loaded.
"""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import torch
from roictrl_pack.nodes.demo_model.files import load_demo
from roictrl_pack.nodes.training.base import TrainingBase
from roictrl_pack.roictrl_core.files import write_atomically
from roictrl_pack.roictrl_core.training.batches import Augmentation, BatchStream
from roictrl_pack.roictrl_core.training.cache import TrainingCache
from roictrl_pack.roictrl_core.training.checkpoints import (
    RunState,
    latest_checkpoint,
    load_checkpoint,
    read_settings,
    save_checkpoint,
)
from roictrl_pack.roictrl_core.training.logbook import Progress, RunLog
from roictrl_pack.roictrl_core.training.loop import PRECISIONS, LoopSettings, make_scaler, training_steps
from roictrl_pack.roictrl_core.training.optimisation import LearningRate, MovingAverage, make_optimizer

from demo_train import ADAPTER
from devtools.clock import clock
from train_options import parse_options

from .places import BASE, digest
from .variants import Setup, Variant

SAVE_EVERY, LOG_EVERY = 50, 20  # steps
COST = "cost.json"


def options_of(demo: Path, cache: Path, out: Path, steps: int, batch_size: int) -> Namespace:
    """The options that ROICtrl's own run has, for another number of steps."""
    own = {
        "--demo": demo,
        "--cache": cache,
        "--out": out,
        "--steps": steps,
        "--batch-size": batch_size,
        "--save-every": SAVE_EVERY,
        "--log-every": LOG_EVERY,
    }
    words = [
        word
        for name, values in {**ADAPTER, **{name: (str(value),) for name, value in own.items()}}.items()
        for word in (name, *values)
    ]
    return parse_options(words)


def train_variant(name: str, variant: Variant, options: Namespace, say: Callable[[str], None] = print) -> Path:
    """Trains to the end and returns the weights' file. Raises ValueError where the folder
    holds a run with other settings."""
    out = options.out / name
    weights = out / "weights.safetensors"
    base_digest = digest(options.demo / "base.safetensors")
    demo, cache = load_demo(options.demo), TrainingCache(options.cache)
    base = TrainingBase.from_model(
        demo.model, PRECISIONS[options.precision], tuple(8 * side for side in cache.latent_shape[:1:-1])
    )
    setup = variant.build(base, demo.clip, options)
    rate = LearningRate(options.lr, options.steps, options.warmup, options.decay_from)
    state, settings = _first_state(setup, base, rate, options), _settings(name, base_digest, options)
    start = _resume(out, settings, state, say)
    if start == options.steps and weights.is_file():
        say(f"{name}: trained already ({weights})")
        return weights
    stream = _stream(setup, cache, base, options)
    kept = kept_for_backward(setup, base, next(stream.step(0)).to(base.device))
    loop = LoopSettings(rate, options.precision, options.clip_norm, options.seed)
    seconds = _train(
        name,
        training_steps(setup.objective, stream, state, loop, start=start, device=base.device),
        start,
        options,
        stream.samples_per_step,
        lambda step: save_checkpoint(out, step, state, settings, keep=1),
        out,
        say,
    )
    setup.save(
        weights,
        {key: tensor.cpu() for key, tensor in state.average.shadow.items()},
        {"variant": name, "training_steps": str(options.steps), BASE: base_digest},
    )
    cost = _cost(setup, options, seconds, kept)
    write_atomically(out / COST, lambda file: file.write_text(json.dumps(cost, indent=1)))
    return weights


def _settings(name: str, base_digest: str, options: Namespace) -> dict[str, str]:
    """What must be the same for a run to go on."""
    own = {key: str(value) for key, value in vars(options).items() if key not in ("out", "cache", "demo")}
    return {"variant": name, BASE: base_digest, **own}


def _first_state(setup: Setup, base: TrainingBase, rate: LearningRate, options: Namespace) -> RunState:
    return RunState(
        setup.network,
        make_optimizer(setup.network, rate, (options.gate_lr or options.lr) / options.lr, options.weight_decay),
        make_scaler(base.device, options.precision),
        MovingAverage(setup.network, options.ema),
    )


def _stream(setup: Setup, cache: TrainingCache, base: TrainingBase, options: Namespace) -> BatchStream:
    augmentation = Augmentation(
        options.flip,
        options.box_dropout,
        options.caption_dropout,
        options.instance_caption_dropout,
        not options.fixed_slots,
    )
    return setup.stream(
        cache,
        batch_size=options.batch_size,
        slots=options.slots,
        timesteps=len(base.schedule),
        seed=options.seed,
        augmentation=augmentation,
    )


def _cost(setup: Setup, options: Namespace, seconds: float, kept: int) -> dict:
    return {
        "seconds_per_step": seconds,
        "kept_for_backward_bytes": kept,
        "batch_size": options.batch_size,
        "steps": options.steps,
        "parameters": sum(p.numel() for p in setup.network.parameters()),
    }


def _resume(out: Path, settings: dict, state: RunState, say: Callable[[str], None]) -> int:
    checkpoint = latest_checkpoint(out)
    if checkpoint is None:
        out.mkdir(parents=True, exist_ok=True)
        return 0
    before = read_settings(checkpoint)[1]
    changed = sorted(key for key in settings if before.get(key) != settings[key])
    if changed:
        raise ValueError(
            f"{out} holds a run with another {', '.join(changed)}: finish that one, delete the folder, "
            "or name another --trained"
        )
    say(f"going on from {checkpoint.name}")
    return load_checkpoint(checkpoint, state)


def _train(
    name: str,
    reports: Iterable,
    start: int,
    options: Namespace,
    pictures: int,
    save: Callable[[int], object],
    out: Path,
    say: Callable[[str], None],
) -> float:
    """Runs to the end; returns the median seconds per step (of the processor, where that computes)."""
    log, times = RunLog(out / "log.csv", Progress(start, options.steps, pictures), options.log_every), []
    began = clock()
    for report in reports:
        if line := log.add(report):
            say(f"{name}: {line}")
        if report.step % options.save_every == 0 or report.step == options.steps:
            save(report.step)
        times.append(clock() - began)
        began = clock()
    return float(np.median(times)) if times else 0.0


def kept_for_backward(setup: Setup, base: TrainingBase, batch) -> int:
    """Bytes that a forward pass keeps for its backward pass: every storage once, weights not counted."""
    weights = {p.untyped_storage().data_ptr() for p in (*setup.network.parameters(), *base.unet.parameters())}
    kept: dict[int, int] = {}

    def pack(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = setup.objective(batch).total  # keeps the graph, and so every pointer, alive
    del loss
    return sum(size for pointer, size in kept.items() if pointer not in weights)
