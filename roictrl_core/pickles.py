"""Torch pickles read lazily and only through `weights_only`: the tree at once, each tensor's bytes when asked for.

The official checkpoint is 13.6 GB, most of it optimizer; only the wanted tenth of it is ever read.
"""
from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import torch
from torch import Tensor


class TorchFile:
    """A torch pickle on disk. `tree` is what was saved, its tensors without data; `read` gives one with data.

    Objects of foreign classes (the official file's `config_dict` may hold omegaconf's) become inert placeholders: no code
    of the file, and none of those classes', ever runs.

    Raises ValueError, with the file and the way out, when torch refuses the file even so.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._lazy = zipfile.is_zipfile(self.path)  # files from before torch 1.6 are not, and have to be read whole
        self.tree = self._load()

    def _load(self) -> object:
        where = {"map_location": "meta"} if self._lazy else {"map_location": "cpu"}
        tree = _load_weights(self.path, where)
        if self._lazy and not all(hasattr(t.untyped_storage(), "_checkpoint_offset") for t in _tensors(tree)):
            tree = _load_weights(self.path, {"map_location": "cpu", "mmap": True})  # torch before 2.7 tells no offsets
        return tree

    def read(self, tensor: Tensor) -> Tensor:
        """A tensor of `tree`, with its data. Raises ValueError when the file ends before it."""
        if not tensor.is_meta:
            return tensor
        storage = tensor.untyped_storage()
        data = torch.empty(storage.nbytes(), dtype=torch.uint8)
        with open(self.path, "rb") as file:
            file.seek(storage._checkpoint_offset)
            if file.readinto(data.numpy()) != storage.nbytes():
                raise ValueError(f"{self.path} is cut off: a tensor's data lies past its end. Download it again.")
        loaded = torch.empty(0, dtype=tensor.dtype)
        return loaded.set_(data.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride())


def _load_weights(path: Path, how: dict) -> object:
    try:
        return torch.load(path, weights_only=True, **how)
    except pickle.UnpicklingError:
        return _load_with_placeholders(path, how)
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as a torch checkpoint ({_first_line(error)}). Download it again.") from error


def _load_with_placeholders(path: Path, how: dict) -> object:
    """Try once more with a placeholder for every class that torch refuses."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        placeholders = [(_placeholder(name), name) for name in names]
        with torch.serialization.safe_globals(placeholders):
            return torch.load(path, weights_only=True, **how)
    except (AttributeError, TypeError, ValueError, RuntimeError, pickle.UnpicklingError) as error:
        raise ValueError(
            f"{path} holds Python objects that torch {torch.__version__} does not load safely ({_last_reason(error)}). If you trust "
            "its source, save the weights alone where those objects' packages are installed: "
            "c = torch.load(FILE, map_location='cpu', mmap=True, weights_only=False); "
            "torch.save({'ema': c['ema'] if 'ema' in c else c['model']}, 'weights.pth'), and convert weights.pth."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _last_reason(error: Exception) -> str:
    """torch's own sentence about what it refused, out of a page about `weights_only`."""
    lines = [line for line in str(error).splitlines() if "GLOBAL" in line or "reduce" in line]
    return lines[0].strip() if lines else _first_line(error)


def _placeholder(name: str):
    """Something inert to stand for the class or function called `name`. A defaultdict's items still need a dict."""
    if name == "collections.defaultdict":
        return lambda *arguments: {}
    return type("Placeholder", (), {
        "__new__": lambda cls, *arguments: object.__new__(cls),
        "__init__": lambda self, *arguments: None,
        "__setstate__": lambda self, state: None,
    })


def _tensors(tree: object):
    """All tensors of nested dicts."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, dict):
        for value in tree.values():
            yield from _tensors(value)
