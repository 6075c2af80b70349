"""Checkpoints of a run: one safetensors file each, written atomically, enough to go on to the bit.

Random numbers need no place here: samples draw from (seed, position) and dropout from (seed, step, rank).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from ..files import remove_partials, write_atomically
from .optimisation import MovingAverage

NAME = "checkpoint-{:08d}.safetensors"
PATTERN = "checkpoint-*.safetensors"
METADATA = "roictrl_training"


@dataclass
class RunState:
    """What training changes. All tensors belong to the same adapter; `average` is None when no EMA is kept."""

    adapter: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    average: MovingAverage | None

    def tensors(self) -> dict[str, Tensor]:
        names = {parameter: name for name, parameter in self.adapter.named_parameters()}
        tensors = {f"adapter/{name}": tensor for name, tensor in self.adapter.state_dict().items()}
        for parameter, state in self.optimizer.state.items():
            tensors |= {f"optimizer/{names[parameter]}/{key}": value for key, value in state.items()}
        if self.average is not None:
            tensors |= {f"average/{name}": value for name, value in self.average.shadow.items()}
        return {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}


def save_checkpoint(folder: str | Path, step: int, state: RunState, settings: dict, keep: int = 2) -> Path:
    """Write the state after `step` optimiser steps; only then delete all but the newest `keep` checkpoints."""
    folder = Path(folder)
    path = folder / NAME.format(step)
    about = {METADATA: json.dumps({"step": step, "settings": settings, "scaler": state.scaler.state_dict()})}
    write_atomically(path, lambda file: save_file(state.tensors(), file, metadata=about))
    for old in sorted(folder.glob(PATTERN))[:-keep]:
        old.unlink()
    remove_partials(folder)
    return path


def latest_checkpoint(folder: str | Path) -> Path | None:
    return max(Path(folder).glob(PATTERN), default=None)


def read_settings(path: str | Path) -> tuple[int, dict]:
    """(steps done, the settings that the run was started with). Raises ValueError for anything that is no checkpoint."""
    about = _about(Path(path))
    return about["step"], about["settings"]


def load_checkpoint(path: str | Path, state: RunState) -> int:
    """Fill `state`; returns the number of optimiser steps done. Raises ValueError when the file fits another adapter."""
    path = Path(path)
    about = _about(path)
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}
    expected = {f"adapter/{name}" for name in state.adapter.state_dict()}
    if state.average is not None:
        expected |= {f"average/{name}" for name in state.average.shadow}
    missing = expected - stored.keys()
    if missing:
        raise ValueError(f"{path} does not belong to this adapter and these settings: it lacks {len(missing)} tensors, "
                         f"for example {min(missing)}. Start in another folder, or with the settings of that run")
    state.adapter.load_state_dict(_below(stored, "adapter"))
    if state.average is not None:
        for name, value in _below(stored, "average").items():
            state.average.shadow[name].copy_(value)
    _load_optimizer(state, _below(stored, "optimizer"))
    state.scaler.load_state_dict(about["scaler"])
    return about["step"]


def _load_optimizer(state: RunState, stored: dict[str, Tensor]) -> None:
    """The optimiser's own loader numbers parameters in the order of its groups; it also casts and places the tensors."""
    numbered = [p for group in state.optimizer.param_groups for p in group["params"]]
    names = {parameter: name for name, parameter in state.adapter.named_parameters()}
    current = state.optimizer.state_dict()
    current["state"] = {}
    for number, parameter in enumerate(numbered):
        entries = {key.rsplit("/", 1)[1]: value for key, value in stored.items() if key.rsplit("/", 1)[0] == names[parameter]}
        if entries:
            current["state"][number] = entries
    state.optimizer.load_state_dict(current)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) + 1:]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}


def _about(path: Path) -> dict:
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint ({error})") from None
    if METADATA not in metadata:
        raise ValueError(f"{path} is no checkpoint of a training run; an adapter file has no optimiser state to go on with")
    return json.loads(metadata[METADATA])
