"""Golden files (the repository's copies, then the larger set where there is one) and the reference, by path."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load_file

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference():
    """The module tests/reference/roictrl.py."""
    spec = importlib.util.spec_from_file_location("roictrl_reference", TESTS / "reference" / "roictrl.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def golden_file(request):
    """golden_file(name) -> path of a golden file; the test is skipped where there is none."""

    def find(name: str) -> Path:
        copy = TESTS / "golden" / "roictrl" / f"{name}.safetensors"
        return (
            copy if copy.exists() else request.getfixturevalue("shared") / "golden" / "roictrl" / f"{name}.safetensors"
        )

    return find


@pytest.fixture(scope="session")
def golden(golden_file):
    """golden(name) -> (tensors, metadata); half-precision weights come as float32."""

    def load(name: str):
        path = golden_file(name)
        with safe_open(path, "pt") as file:
            meta = {key: json.loads(value) for key, value in (file.metadata() or {}).items()}
        return {key: t.float() if t.is_floating_point() else t for key, t in load_file(path).items()}, meta

    return load
