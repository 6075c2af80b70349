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

from ..files import check_room, megabytes, remove_partials, write_atomically
from ..finite import all_finite
from ..pickles import first_line
from .optimisation import MovingAverage

NAME = "checkpoint-{:08d}.safetensors"
PATTERN = "checkpoint-" + 8 * "[0-9]" + ".safetensors"  # nobody else's files, which a user may have put beside them
METADATA = "roictrl_training"
MOMENTS = 2  # of AdamW: tensors as large as the weights


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


def check_checkpoint_room(adapter: str | Path, state: RunState, saves: int, keep: int) -> None:
    """Before the first step: raise WriteError where `saves` checkpoints, `keep` of them kept, and the adapter file
    beside them will not fit on the disk. A new file is whole before an old one goes."""
    adapter = Path(adapter)
    weights = sum(tensor.numel() * tensor.element_size() for tensor in state.adapter.state_dict().values())
    checkpoint = weights * (1 + MOMENTS + (state.average is not None))
    there = [file.stat().st_size for file in adapter.parent.glob(PATTERN)]
    files = max(len(there) + min(saves, 1), min(len(there) + saves, keep + 1))
    old = adapter.stat().st_size if adapter.is_file() else 0
    needed = files * checkpoint - sum(there) + weights - old
    check_room(adapter.parent, needed, f"the run (checkpoints of {megabytes(checkpoint)}, {keep} of them kept)")


def what_is_left(folder: str | Path) -> str:
    """After a failed write: what the folder still holds to go on from."""
    path = latest_checkpoint(folder)
    if path is None:
        return f"{folder} holds no checkpoint yet: the run must begin anew"
    return f"{path} is kept: mend this, then start the same command again to go on from it"


def latest_checkpoint(folder: str | Path) -> Path | None:
    return max(Path(folder).glob(PATTERN), default=None)


def read_settings(path: str | Path) -> tuple[int, dict]:
    """(steps done, the settings that the run was started with). Raises ValueError
    for anything that is no checkpoint."""
    about = _about(Path(path))
    return about["step"], about["settings"]


def load_checkpoint(path: str | Path, state: RunState) -> int:
    """Fill `state`; returns the number of optimiser steps done. Raises ValueError when
    the file fits another adapter."""
    path = Path(path)
    about = _about(path)
    with safe_open(path, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    _check_stored(path, stored, state)
    state.adapter.load_state_dict(_below(stored, "adapter"))
    if state.average is not None:
        for name, value in _below(stored, "average").items():
            state.average.shadow[name].copy_(value)
    try:
        _load_optimizer(state, _below(stored, "optimizer"))
        state.scaler.load_state_dict(about["scaler"])
    except (KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged or was edited: its optimiser state cannot be read "
            f"({first_line(error)}). {_remedy(path)}"
        ) from None
    return about["step"]


def _check_stored(path: Path, stored: dict[str, Tensor], state: RunState) -> None:
    """Every weight that the state has is there, in its shape, and all numbers are numbers."""
    expected = {f"adapter/{name}": tensor.shape for name, tensor in state.adapter.state_dict().items()}
    if state.average is not None:
        expected |= {f"average/{name}": tensor.shape for name, tensor in state.average.shadow.items()}
    missing = expected.keys() - stored.keys()
    if missing:
        raise ValueError(
            f"{path} does not belong to this adapter and these settings: it lacks {len(missing)} tensors, "
            f"for example {min(missing)}. Start in another folder, or with the settings of that run"
        )
    wrong = next((name for name, shape in expected.items() if stored[name].shape != shape), None)
    if wrong:
        raise ValueError(
            f"{path} does not belong to this adapter and these settings: {wrong} has the shape "
            f"{list(stored[wrong].shape)} instead of {list(expected[wrong])}. Start in another folder, "
            "or with the settings of that run"
        )
    odd = next((name for name, tensor in stored.items() if not all_finite(tensor)), None)
    if odd:
        raise ValueError(f"{path} holds values that are not numbers, in {odd}. {_remedy(path)}")


def _load_optimizer(state: RunState, stored: dict[str, Tensor]) -> None:
    """The optimiser's own loader numbers parameters in the order of its groups; it also casts and places the tensors.

    Clones: it keeps what it is given, and views of the mapped file would keep its room on the disk after it is deleted.
    """
    numbered = [p for group in state.optimizer.param_groups for p in group["params"]]
    names = {parameter: name for name, parameter in state.adapter.named_parameters()}
    current = state.optimizer.state_dict()
    current["state"] = {}
    for number, parameter in enumerate(numbered):
        entries = {
            key.rsplit("/", 1)[1]: value.clone()
            for key, value in stored.items()
            if key.rsplit("/", 1)[0] == names[parameter]
        }
        if entries:
            current["state"][number] = entries
    state.optimizer.load_state_dict(current)


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name[len(prefix) + 1 :]: tensor for name, tensor in tensors.items() if name.startswith(f"{prefix}/")}


def _about(path: Path) -> dict:
    """{"step", "settings", "scaler"}"""
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path} cannot be read as a checkpoint ({first_line(error)}). {_remedy(path)}") from None
    if METADATA not in metadata:
        raise ValueError(
            f"{path} is no checkpoint of a training run; an adapter file has no optimiser state to go on with"
        )
    try:
        about = json.loads(metadata[METADATA])
        if (
            type(about["step"]) is int
            and about["step"] >= 0
            and isinstance(about["settings"], dict)
            and isinstance(about["scaler"], dict)
        ):
            return about
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise ValueError(f"{path} is damaged or was edited: what it says about its run cannot be read. {_remedy(path)}")


def _remedy(path: Path) -> str:
    older = [other.name for other in sorted(path.parent.glob(PATTERN)) if other.name < path.name]
    return f"Move it away to go on from {older[-1]}" if older else "Move it away to begin anew"
