"""Which packages the device check needs, which are missing, and what stands in for two that ComfyUI imports and the
check has no use for."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

CORE = ("torch", "numpy", "safetensors")
# What ComfyUI imports on the way to a picture; by the names that they are imported by.
COMFYUI = (
    *CORE,
    "PIL",
    "aiohttp",
    "einops",
    "psutil",
    "scipy",
    "tokenizers",
    "torchvision",
    "tqdm",
    "transformers",
    "yaml",
    "yarl",
)
# av reads films and sound, torchsde serves the SDE samplers: imported at ComfyUI's start, and not used here.
UNUSED = ("av", "torchsde")


def missing(packages: Iterable[str]) -> list[str]:
    """Those that this Python does not have."""
    return [name for name in packages if importlib.util.find_spec(name) is None]


def sentence(names: list[str]) -> str:
    """For the log."""
    return f"Missing packages: {', '.join(names)}. Nothing was installed; put them on PYTHONPATH." if names else ""


def stand_in() -> list[str]:
    """Make what is missing of UNUSED importable, as modules in which every name is an empty class; returns which."""
    absent = missing(UNUSED)
    if absent:
        sys.meta_path.append(_Empty(tuple(absent)))
    return absent


class _Empty(MetaPathFinder, Loader):
    """Finds packages of these names and everything below them."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(self, name: str, path, target=None) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.partition(".")[0] in self.names else None

    def exec_module(self, module: ModuleType) -> None:
        module.__getattr__ = _empty_class


def _empty_class(name: str) -> type:
    if name.startswith("__"):  # what every module has or has not, such as its file
        raise AttributeError(name)
    return type(name, (), {})
