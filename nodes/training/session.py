"""One training run inside ComfyUI: what the `Train ROICtrl Adapter` node does between its inputs and outputs."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ...roictrl_core.adapter import ROICtrlAdapter
from ...roictrl_core.checkpoint import AdapterFile
from ...roictrl_core.config import AdapterConfig
from ...roictrl_core.notes import log
from ...roictrl_core.training.batches import Augmentation, BatchStream
from ...roictrl_core.training.cache import TrainingCache
from ...roictrl_core.training.checkpoints import RunState
from ...roictrl_core.training.logbook import loss_curve
from ...roictrl_core.training.loop import PRECISIONS, LoopSettings, Report, make_scaler, training_steps
from ...roictrl_core.training.objective import Objective
from ...roictrl_core.training.optimisation import LearningRate, MovingAverage, make_optimizer
from ...roictrl_core.training.sources import read_imagefolder
from .base import TrainingBase, plan_adapter
from .prepare import Preparation, build_cache
from .target import AdapterTarget

PREVIEWS = 100  # of the loss curve, over the whole run
PREVIEW_PIXELS = 640  # the longer side that ComfyUI shows it at
PREPARING = 0.1  # share of the progress bar that encoding pictures and captions gets

History = list[tuple[int, float]]


@dataclass(frozen=True)
class TrainSettings:
    """The widgets of the node; size in pixels, (width, height)."""

    steps: int
    batch_size: int
    rate: LearningRate
    gate_factor: float
    size: tuple[int, int]
    seed: int
    augmentation: Augmentation
    precision: str
    checkpointing: bool
    ema: float
    grids: tuple[int, ...]
    slots: int
    refuse: bool


def default_precision() -> str:
    """bf16 where the GPU computes in it, else fp32."""
    device = comfy.model_management.get_torch_device()
    return (
        "bf16"
        if comfy.model_management.is_device_cuda(device) and comfy.model_management.should_use_bf16(device)
        else "fp32"
    )


def train_adapter(
    model, clip, vae, data: Path, begin: AdapterFile | None, settings: TrainSettings, target: AdapterTarget
) -> tuple[AdapterFile, History]:
    """Prepare the data in a temporary folder, train, and write the adapter to `target`; also when the run ends early.

    Must run outside inference mode, with gradients on.  Raises ValueError with a sentence.
    """
    target.check(settings.steps)
    config = plan_adapter(model, begin and begin.config, grids=settings.grids, slots=settings.slots)
    bar = comfy.utils.ProgressBar(1000)

    def checked(rows: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()

    def prepared(done: int, total: int) -> None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        bar.update_absolute(int(1000 * PREPARING * done / total))

    with tempfile.TemporaryDirectory(prefix="roictrl-training-") as folder:
        preparation = Preparation(
            settings.size, settings.augmentation.flip > 0, settings.refuse, log.warning, checked, prepared
        )
        cache = build_cache(lambda: read_imagefolder(data), Path(folder), {}, vae, clip, preparation)
        return _train(model, cache, config, begin, settings, target, bar)


def _train(
    model,
    cache: TrainingCache,
    config: AdapterConfig,
    begin: AdapterFile | None,
    settings: TrainSettings,
    target: AdapterTarget,
    bar,
) -> tuple[AdapterFile, History]:
    base = TrainingBase.from_model(model, PRECISIONS[settings.precision], settings.size)
    history: History = []
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        state = _first_state(_new_adapter(config, begin).to(base.device), base.device, settings)
        target.check_room(sum(tensor.nbytes for tensor in state.average.shadow.values()))
        try:
            for report in _steps(base, cache, state, settings):
                history.append((report.step, float(report.losses[0])))
                _show(bar, history, settings.steps)
                comfy.model_management.throw_exception_if_processing_interrupted()
        except ValueError:
            raise  # a loss that is not a number: so are the weights
        except BaseException:  # the user's interrupt, memory that ran out: what was trained until then is kept
            if history:
                target.write(_as_file(state, base, len(history)))
            raise
    trained = _as_file(state, base, len(history))
    target.write(trained)
    return trained, history


def _first_state(adapter: ROICtrlAdapter, device: torch.device, settings: TrainSettings) -> RunState:
    return RunState(
        adapter,
        make_optimizer(adapter, settings.rate, settings.gate_factor),
        make_scaler(device, settings.precision),
        MovingAverage(adapter, settings.ema),
    )


def _steps(base: TrainingBase, cache: TrainingCache, state: RunState, settings: TrainSettings) -> Iterator[Report]:
    """Trains; a report after every step."""
    stream = BatchStream(
        cache,
        batch_size=settings.batch_size,
        slots=state.adapter.config.slots,
        timesteps=len(base.schedule),
        seed=settings.seed,
        augmentation=settings.augmentation,
    )
    predict = base.predict(state.adapter, settings.checkpointing)
    return training_steps(
        Objective(state.adapter, predict, base.schedule, base.scale),
        stream,
        state,
        LoopSettings(settings.rate, settings.precision, seed=settings.seed),
        start=0,
        device=base.device,
    )


def _new_adapter(config: AdapterConfig, begin: AdapterFile | None) -> ROICtrlAdapter:
    adapter = ROICtrlAdapter(config)
    if begin is not None:
        adapter.load_state_dict({name: tensor.float() for name, tensor in begin.weights.items()})
    return adapter


def _as_file(state: RunState, base: TrainingBase, steps: int) -> AdapterFile:
    weights: dict[str, Tensor] = {name: tensor.cpu().clone() for name, tensor in state.average.shadow.items()}
    about = {"training_steps": str(steps), "prediction": base.schedule.prediction}
    return AdapterFile(state.adapter.config, weights, about, f"trained for {steps} steps")


def _show(bar, history: History, steps: int) -> None:
    """The progress bar every step, the loss curve with it a hundred times a run."""
    done, loss = history[-1]
    if loss != loss:
        raise ValueError(
            f"the loss is not a number at step {done}. Use a lower learning rate, "
            "or another precision (fp32 is the safest)."
        )
    preview = None
    if done % max(steps // PREVIEWS, 1) == 0 or done == steps:
        preview = ("JPEG", loss_curve(history), PREVIEW_PIXELS)
    bar.update_absolute(int(1000 * (PREPARING + (1 - PREPARING) * done / steps)), preview=preview)
