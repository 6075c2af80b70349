"""Golden tensors, hash-filled weights and the literal reference, by path: tests are not a package."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from devtools.goldens import load_hashfill

TESTS = Path(__file__).parents[2]


def _module(path: Path):
    spec = importlib.util.spec_from_file_location(f"instance_diffusion_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hashfill():
    return load_hashfill()


@pytest.fixture(scope="session")
def reference():
    return _module(TESTS / "reference" / "instance_diffusion.py")


@pytest.fixture(scope="session")
def golden():
    """golden(name) -> tensors of the copy in this repository."""
    return lambda name: load_file(TESTS / "golden" / "instancediffusion" / f"{name}.safetensors")


@pytest.fixture(scope="session")
def full_golden(shared):
    """full_golden(name) -> tensors of the project's own file."""
    return lambda name: load_file(shared / "golden" / "instancediffusion" / f"{name}.safetensors")


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield
