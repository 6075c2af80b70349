"""A real ComfyUI in this process, on the CPU: test modules here may `import comfy...` at the top."""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from devtools.inprocess import forget_dead_models, start_comfyui
from devtools.pack import load_pack, pack_module

# At import, because pytest imports this file before the test modules beside it. Kept for the whole run.
_BASE = tempfile.TemporaryDirectory(prefix="roictrl-comfy-")
_COMFYUI = start_comfyui(base=Path(_BASE.name))


@pytest.fixture(autouse=True)
def no_dead_models():
    """The patchers of a test end with it, and their model does not. Before it: what pytest held until now is gone."""
    forget_dead_models()


@pytest.fixture(scope="session")
def comfy() -> SimpleNamespace:
    """The ComfyUI under test: `path`, `version`, and `base` (its models, input, output and user folders)."""
    from comfyui_version import __version__

    return SimpleNamespace(path=_COMFYUI, version=__version__, base=Path(_BASE.name))


class Pack:
    """The pack as ComfyUI loads it (package `roictrl_pack`)."""

    def __init__(self) -> None:
        self.root: ModuleType = load_pack()

    def module(self, name: str) -> ModuleType:
        """`nodes.apply`, `roictrl_core.layout`, ... : the very modules that the nodes use."""
        return pack_module(name)


@pytest.fixture(scope="session")
def pack() -> Pack:
    """The loaded pack."""
    return Pack()


@pytest.fixture
def bare(pack, monkeypatch) -> None:
    """Apply ROI Prompts' own passes without feather, grain and least crop: the crop is the box."""

    class Bare(pack.module("nodes.patch.control").OwnPass):
        def __init__(self, share, margin, patch):
            super().__init__(share, margin, patch, least=0.0, grain=0.0, feather=False)

    monkeypatch.setattr(pack.module("nodes.roi_prompts"), "OwnPass", Bare)
