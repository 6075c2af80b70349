"""Reading weight files of any common format: names and shapes first, tensors only when asked for, no code ever run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from .pickles import Damaged, first_line
from .recognise import ROICTRL, UNKNOWN, OtherKind, recognise
from .saved_tensors import with_names_checked
from .torch_file import TorchFile, damage_named

PICKLES = (".bin", ".pt", ".pth", ".ckpt")
SUFFIXES = (".safetensors", *PICKLES)
NOT_WEIGHTS = {
    b"version https://git-lfs": (
        "is a Git LFS pointer, not the weights themselves. Download the file itself (git lfs pull, "
        "or the download button of its page)."
    ),
    b"<!doctype html": (
        "is a web page, not weights: the download went to a page instead of the file. "
        "Download it again from its page's download link."
    ),
    b"<html": (
        "is a web page, not weights: the download went to a page instead of the file. "
        "Download it again from its page's download link."
    ),
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
    _read: Callable[[list[str]], dict[str, Tensor]] = field(repr=False)

    def tensors(self, keys: Iterable[str]) -> dict[str, Tensor]:
        """The tensors of these keys, on the CPU. Raises ValueError with a sentence where
        the file does not hold them whole."""
        return self._read(list(keys))


def open_weights(path: str | Path) -> WeightsFile:
    """Opens `.safetensors`, or `.bin`, `.pt`, `.pth`, `.ckpt`; nothing of a file is ever run.

    Raises:
        ValueError: a sentence that names the file and what to do, for anything that is not a readable weight file.
        OtherKind: a ValueError that leaves what to do to the caller.
    """
    path = Path(path)
    check_is_weights(path)
    return _open_safetensors(path) if path.suffix.lower() == ".safetensors" else _open_pickle(path)


def check_is_weights(path: Path) -> None:
    """Raises ValueError with a sentence for what cannot be a weight file: missing, a folder,
    another format, a web page."""
    if not path.is_file():
        what = (
            "is a folder. Choose the weight file in it"
            if path.is_dir()
            else "does not exist. Check the name and the folder"
        )
        raise ValueError(f"{path.name} {what}.")
    with damage_named(path.name), path.open("rb") as file:
        head = file.read(64)
    for start, sentence in NOT_WEIGHTS.items():
        if head.lower().startswith(start.lower()):
            raise ValueError(f"{path.name} {sentence}")
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(
            f"{path.name} is not a weight file that can be read: its name must end in {', '.join(SUFFIXES)}."
        )


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    """A safetensors file; what is wrong with it, found now or later, becomes the sentence about damaged files."""
    with damage_named(path.name):
        try:
            with safe_open(path, "pt") as file:
                yield file
        except (SafetensorError, UnicodeError, MemoryError) as error:
            raise Damaged(first_line(error)) from None


def _open_safetensors(path: Path) -> WeightsFile:
    with _opened(path) as file:
        names = with_names_checked((key, key) for key in file.keys())  # noqa: SIM118 (no mapping)
        shapes = {key: tuple(file.get_slice(key).get_shape()) for key, _ in names}
        metadata = file.metadata() or {}

    def read(keys: list[str]) -> dict[str, Tensor]:
        with _opened(path) as file:
            return {key: file.get_tensor(key) for key in keys}

    return WeightsFile(path, shapes, metadata, read)


def _open_pickle(path: Path) -> WeightsFile:
    file = TorchFile(path, path.name)
    if file.foreign:
        raise _with_objects(file)
    shapes = {key: tensor.shape for key, tensor in file.tensors.items()}
    return WeightsFile(path, shapes, {}, lambda keys: {key: file.read(file.tensors[key]) for key in keys})


def _with_objects(file: TorchFile) -> ValueError:
    said = (
        f"{file.name} holds Python objects besides weights and is not opened, because unpickling them could run "
        f"code ({file.foreign[0]})."
    )
    kind = recognise(file.tensors)
    if kind in (UNKNOWN, ROICTRL):
        return ValueError(f"{said} Use a .safetensors file, or save its state dict alone.")
    return OtherKind(f"{said} By its tensors' names it is {kind.name}.", kind)
