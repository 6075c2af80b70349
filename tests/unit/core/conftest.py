"""Golden files as tensors, and the reference, by path."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from devtools.goldens import metadata_of, tensors_of

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference():
    """The module tests/reference/roictrl.py."""
    spec = importlib.util.spec_from_file_location("roictrl_reference", TESTS / "reference" / "roictrl.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden(golden_file):
    """golden(name) -> (tensors, metadata); half-precision weights come as float32."""

    def load(name: str):
        path = golden_file(name)
        return tensors_of(path), metadata_of(path)

    return load
