"""Reading weight files of any common format: names and shapes first, tensors only when asked for, no code ever run."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from .pickles import TorchFile
from .recognise import ROICTRL, UNKNOWN, Kind, recognise

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
SUFFIXES = (".safetensors", *PICKLES)
NOT_WEIGHTS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the weights themselves. Download the file itself (git lfs pull, or the download button of its page).",
    b"<!doctype html": "is a web page, not weights: the download went to a page instead of the file. Download it again from its page's download link.",
    b"<html": "is a web page, not weights: the download went to a page instead of the file. Download it again from its page's download link.",
    b"GGUF": "is a GGUF file. Use the .safetensors file.",
}


@dataclass(frozen=True)
class WeightsFile:
    """An opened weight file.

    Attributes:
        path: where it lies.
        shapes: shape of each tensor by its full key; nested dictionaries of a pickle are joined with dots.
        metadata: the safetensors metadata, empty for pickles.
    """

    path: Path
    shapes: Mapping[str, tuple[int, ...]]
    metadata: Mapping[str, str]
    _tensors: Mapping[str, Tensor] | None = field(default=None, repr=False)

    def tensors(self, keys: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these keys, on the CPU."""
        if self._tensors is not None:
            return {key: self._tensors[key] for key in keys}
        with safe_open(self.path, "pt") as file:
            return {key: file.get_tensor(key) for key in keys}


def open_weights(path: str | Path) -> WeightsFile:
    """Opens `.safetensors`, or `.bin`, `.pt`, `.pth`, `.ckpt` through torch's weights_only loader.

    Raises:
        ValueError: a sentence that names the file and what to do, for anything that is not a readable weight file.
    """
    path = Path(path)
    check_is_weights(path)
    return _open_safetensors(path) if path.suffix.lower() == ".safetensors" else _open_pickle(path)


def check_is_weights(path: Path) -> None:
    """Raises ValueError with a sentence for what cannot be a weight file: missing, a folder, another format, a web page."""
    if not path.is_file():
        what = "is a folder. Choose the weight file in it" if path.is_dir() else "does not exist. Check the name and the folder"
        raise ValueError(f"{path.name} {what}.")
    with path.open("rb") as file:
        head = file.read(64)
    for start, sentence in NOT_WEIGHTS.items():
        if head.lower().startswith(start.lower()):
            raise ValueError(f"{path.name} {sentence}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{path.name} is not a weight file that can be read: its name must end in {', '.join(SUFFIXES)}.")


def _open_safetensors(path: Path) -> WeightsFile:
    try:
        with safe_open(path, "pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}
            return WeightsFile(path, shapes, file.metadata() or {})
    except SafetensorError as error:
        raise ValueError(f"{path.name} is damaged or incomplete ({error}). Download or copy it again.") from None


def _open_pickle(path: Path) -> WeightsFile:
    try:
        data = _load_pickle(path)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"{path.name} holds Python objects besides weights and is not opened, because unpickling them could run code ({_first_line(error)}). "
            + _way_out(_kind_of_refused(path))
        ) from None
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path.name} is damaged or no PyTorch file ({_first_line(error)}). Download or copy it again.") from None
    tensors = dict(_flatten(data))
    return WeightsFile(path, {key: tuple(t.shape) for key, t in tensors.items()}, {}, tensors)


def _kind_of_refused(path: Path) -> Kind:
    """What a file with Python objects is, by its tensors' names; nothing in it is run for that."""
    try:
        return recognise(key for key, _ in _flatten(TorchFile(path).tree))
    except ValueError:
        return UNKNOWN


def _way_out(kind: Kind) -> str:
    if kind in (UNKNOWN, ROICTRL):
        return "Use a .safetensors file, or save its state dict alone."
    return f"By its tensors' names it is {kind.name}. {kind.remedy}"


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _load_pickle(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError:  # the format before PyTorch 1.6 cannot be memory-mapped
        return torch.load(path, map_location="cpu", weights_only=True)


def _flatten(data: object, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    if isinstance(data, Tensor):
        yield prefix[:-1] or "tensor", data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _flatten(value, f"{prefix}{key}.")
