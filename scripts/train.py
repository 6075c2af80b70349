"""Train a ROICtrl adapter on a frozen base. The run, from top to bottom.

    python scripts/train.py --checkpoint sd15.safetensors --data pictures --out runs/mine
    torchrun --nproc-per-node 4 scripts/train.py ...        the same, shared by four processes

Started again with the same --out it goes on from the last checkpoint. Data format, costs and memory: docs/training.md.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import sys
import time
from datetime import timedelta

from train_options import parse_options

options = parse_options()  # before the slow imports: --help answers at once

import torch  # noqa: E402
import torch.distributed  # noqa: E402

from devtools.inprocess import start_comfyui  # noqa: E402
from devtools.pack import load_pack  # noqa: E402

sys.stdout.reconfigure(errors="backslashreplace")  # captions and names, whatever the terminal can show
RANK, RANKS, LOCAL_RANK = (
    int(os.environ.get(name, default)) for name, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
)
if torch.cuda.is_available():
    torch.cuda.set_device(LOCAL_RANK)  # ComfyUI takes the current device
start_comfyui(cpu=not torch.cuda.is_available())
load_pack()

from roictrl_pack.nodes.training.base import TrainingBase, plan_adapter  # noqa: E402
from roictrl_pack.nodes.training.prepare import Preparation, build_cache  # noqa: E402
from roictrl_pack.nodes.training.samples import SampleSettings, sample_grid  # noqa: E402
from roictrl_pack.roictrl_core.adapter import ROICtrlAdapter  # noqa: E402
from roictrl_pack.roictrl_core.checkpoint import read_adapter, save_adapter  # noqa: E402
from roictrl_pack.roictrl_core.files import WriteError, check_writable  # noqa: E402
from roictrl_pack.roictrl_core.training.batches import Augmentation, BatchStream  # noqa: E402
from roictrl_pack.roictrl_core.training.cache import MANIFEST, TrainingCache  # noqa: E402
from roictrl_pack.roictrl_core.training.checkpoints import (  # noqa: E402
    RunState,
    check_checkpoint_room,
    latest_checkpoint,
    load_checkpoint,
    read_settings,
    save_checkpoint,
    what_is_left,
)
from roictrl_pack.roictrl_core.training.logbook import Progress, RunLog, loss_curve, save_picture  # noqa: E402
from roictrl_pack.roictrl_core.training.loop import PRECISIONS, LoopSettings, make_scaler, training_steps  # noqa: E402
from roictrl_pack.roictrl_core.training.objective import Objective  # noqa: E402
from roictrl_pack.roictrl_core.training.optimisation import LearningRate, MovingAverage, make_optimizer  # noqa: E402
from roictrl_pack.roictrl_core.training.sources import read_coco, read_imagefolder  # noqa: E402

from train_bases import check_encoders, load_base  # noqa: E402

NODE = "train.py"
ADAPTER, LOG, CURVE = "adapter.safetensors", "log.csv", "loss.png"  # in --out


def say(text: str) -> None:
    if RANK == 0:
        with contextlib.suppress(OSError):  # a log on a full disk, a reader that left: no reason to end the run
            print(text, flush=True)


def explain(kind, error, trace) -> None:
    """What the user can mend is said in a sentence; only what is our own fault shows where it happened."""
    if issubclass(kind, (ValueError, KeyboardInterrupt)):
        print(f"{NODE}: {str(error) or 'interrupted'}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = explain


def every_ten_seconds(text: str):
    """A progress callback that does not flood the terminal."""
    shown = [time.monotonic()]

    def show_progress(*counts: int) -> None:
        if time.monotonic() - shown[0] > 10:
            shown[0] = time.monotonic()
            say(text.format(*counts))

    return show_progress


def settings_of_run() -> dict:
    """What makes two runs the same run; a resumed one must not differ in it."""
    free = {
        "out",
        "cache",
        "save_every",
        "keep",
        "log_every",
        "sample_every",
        "samples",
        "sample_steps",
        "guidance",
        "data",
        "coco",
        "bad_rows",
    }
    return {"processes": RANKS, **{name: str(value) for name, value in vars(options).items() if name not in free}}


# ---- processes -------------------------------------------------------------------------------------------------------
if RANKS > 1:
    # The others wait while the first one prepares data or draws samples: that may take hours.
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=timedelta(days=1))
if RANK == 0:
    for name in (ADAPTER, LOG, CURVE):
        check_writable(options.out / name)

# ---- base and data ---------------------------------------------------------------------------------------------------
model, clip, vae = load_base(options)
start_from = read_adapter(options.start_from) if options.start_from else None
config = plan_adapter(
    model, start_from and start_from.config, grids=tuple(options.grids), slots=options.slots, dropout=options.dropout
)
if not (options.cache / MANIFEST).is_file() and RANK == 0:
    check_encoders(clip, vae)
    check_writable(options.cache / MANIFEST)
    rows = (lambda: read_coco(*options.coco)) if options.coco else (lambda: read_imagefolder(options.data))
    size = options.size or (512, 512)
    preparation = Preparation(
        size,
        options.flip > 0,
        options.bad_rows == "refuse",
        say,
        every_ten_seconds("checked {} rows"),
        every_ten_seconds("encoded {} of {}"),
    )
    build_cache(rows, options.cache, {"size": list(size)}, vae, clip, preparation)
if RANKS > 1:
    torch.distributed.barrier()
cache = TrainingCache(options.cache)
say(f"{len(cache)} pictures, {cache.text_count} different captions, latents {list(cache.latent_shape[1:])}")
size = tuple(8 * side for side in cache.latent_shape[:1:-1])  # pixels: (width, height)
if options.size not in (None, size):
    raise ValueError(
        f"{options.cache} holds pictures of {size[0]}x{size[1]} pixels, not {options.size[0]}x{options.size[1]}: "
        "name another --cache"
    )
if options.flip > 0 and cache.latent_shape[0] == 1:
    say("warning: the cache holds no mirrored pictures, so --flip has no effect")
base = TrainingBase.from_model(model, PRECISIONS[options.precision], size)

# ---- adapter ---------------------------------------------------------------------------------------------------------
torch.manual_seed(options.seed)
adapter = ROICtrlAdapter(config)
if start_from:
    adapter.load_state_dict({name: tensor.float() for name, tensor in start_from.weights.items()})
adapter.to(base.device).train()
say(
    f"adapter: {sum(p.numel() for p in adapter.parameters()) / 1e6:.1f} M parameters in {len(config.blocks)} "
    f"blocks, on {base.device}"
)

# ---- objective, optimiser, stream ------------------------------------------------------------------------------------
objective = Objective(
    adapter, base.predict(adapter, options.gradient_checkpointing), base.schedule, base.scale, options.regulariser
)
if RANKS > 1:
    objective = torch.nn.parallel.DistributedDataParallel(
        objective, [LOCAL_RANK] if base.device.type == "cuda" else None, find_unused_parameters=True
    )
rate = LearningRate(options.lr, options.steps, options.warmup, options.decay_from)
optimizer = make_optimizer(adapter, rate, (options.gate_lr or options.lr) / options.lr, options.weight_decay)
state = RunState(
    adapter,
    optimizer,
    make_scaler(base.device, options.precision),
    MovingAverage(adapter, options.ema) if options.ema else None,
)
augmentation = Augmentation(
    options.flip,
    options.box_dropout,
    options.caption_dropout,
    options.instance_caption_dropout,
    not options.fixed_slots,
)
stream = BatchStream(
    cache,
    batch_size=options.batch_size,
    slots=config.slots,
    timesteps=len(base.schedule),
    seed=options.seed,
    augmentation=augmentation,
    accumulation=options.accumulation,
    rank=RANK,
    ranks=RANKS,
)

# ---- where we were ---------------------------------------------------------------------------------------------------
start = 0
if checkpoint := latest_checkpoint(options.out):
    _, before = read_settings(checkpoint)
    changed = {
        name: (before.get(name), value) for name, value in settings_of_run().items() if before.get(name) != value
    }
    for name, (old, new) in changed.items():
        say(
            f"warning: --{name.replace('_', '-')} was {old} when this run began and is {new} now: "
            "it is no longer the same run"
        )
    start = load_checkpoint(checkpoint, state)
    say(f"going on from {checkpoint.name}")
if RANK == 0:
    saves = math.ceil(max(options.steps - start, 0) / options.save_every)
    check_checkpoint_room(options.out / ADAPTER, state, saves, options.keep)
stop: list[int] = []  # signals that asked us to


def weights_to_save() -> dict[str, torch.Tensor]:
    return state.average.shadow if state.average else adapter.state_dict()


def save(step: int) -> None:
    """A checkpoint to go on from, and the adapter as it is now, for ComfyUI."""
    if RANK != 0:
        return
    steps_before = start_from.training_steps if start_from else 0
    about = {"training_steps": str(steps_before + step), "prediction": base.schedule.prediction}
    try:
        save_adapter(options.out / ADAPTER, config, weights_to_save(), about)  # refuses weights that are not numbers
        save_checkpoint(options.out, step, state, settings_of_run(), options.keep)
    except WriteError as error:
        raise ValueError(f"{error}. {what_is_left(options.out)}") from None


def mean_of_ranks(means: torch.Tensor) -> torch.Tensor:
    if RANKS > 1:
        torch.distributed.all_reduce(means)
    return means / RANKS


def stopping() -> bool:
    """Whether any process was asked to stop: all must leave after the same step."""
    if RANKS == 1:
        return bool(stop)
    asked = torch.tensor(float(bool(stop)), device=base.device)
    torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
    return bool(asked)


def show(step: int) -> None:
    """The loss curve, and pictures."""
    if RANK != 0:
        return
    try:
        save_picture(options.out / CURVE, loss_curve(log.rows.history))
        if vae is not None and options.samples:
            settings = SampleSettings(
                tuple(range(min(options.samples, len(cache)))),
                size,
                options.sample_steps,
                options.guidance,
                options.seed,
            )
            grid = sample_grid(model, vae, cache, config, weights_to_save(), settings, NODE)
            save_picture(options.out / f"samples-{step:08d}.jpg", grid)
    except WriteError as error:
        say(f"warning: {error}; the run goes on")


def stop_after_this_step(number: int, _) -> None:
    stop.append(number)
    signal.signal(number, signal.SIG_DFL)  # a second one ends at once


# Not before the first step: until then there is nothing to save, and Ctrl-C simply ends it.
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop_after_this_step)

# ---- training --------------------------------------------------------------------------------------------------------
log = RunLog(
    options.out / LOG if RANK == 0 else None,
    Progress(start, options.steps, stream.samples_per_step),
    options.log_every,
    mean_of_ranks,
)
loop = LoopSettings(rate, options.precision, options.clip_norm, options.seed)
for report in training_steps(objective, stream, state, loop, start=start, device=base.device):
    last, leaving = report.step == options.steps, stopping()
    if line := log.add(report):
        say(line)
    if report.step % options.save_every == 0 or last or leaving:
        save(report.step)
    if leaving:
        say(f"stopped after step {report.step}; start again with the same --out to go on")
        break
    if report.step % options.sample_every == 0 or last:
        show(report.step)
else:
    say(f"done: {options.out / ADAPTER}")
if RANKS > 1:
    torch.distributed.barrier()  # or one may wait for ever for another that has ended
    torch.distributed.destroy_process_group()
