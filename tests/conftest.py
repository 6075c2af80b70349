"""For every test: `import roictrl_core` from the checkout, one thread per process, and the places tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

# Two busy cores: one OpenMP thread beats two by 2 to 10 times in short tests. Before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

from devtools.pack import ROOT, register_core  # noqa: E402

# `python -m pytest` puts the root there; our `nodes` would hide ComfyUI's nodes.py.
sys.path[:] = [entry for entry in sys.path if Path(entry).resolve() != ROOT]
register_core()


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The larger set of golden files beside the checkout, no part of it; tests that ask are skipped without it."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        pytest.skip("no ../shared beside this checkout: only the golden files in tests/golden are checked")
    return folder


@pytest.fixture(scope="session")
def golden_file(request) -> Callable[[str], Path]:
    """golden_file(name) -> path of one of ROICtrl's golden files.

    The repository's copy, else that of the larger set; the test is skipped where there is neither.
    """

    def find(name: str) -> Path:
        file = Path("golden", "roictrl", f"{name}.safetensors")
        copy = ROOT / "tests" / file
        return copy if copy.exists() else request.getfixturevalue("shared") / file

    return find
