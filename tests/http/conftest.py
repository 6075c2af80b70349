"""A real ComfyUI server with the pack in it, one for most tests, and small random models where its loaders look."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devtools.base import link, make_base
from devtools.frontend import frontend_arguments
from devtools.neighbours import add_neighbours
from devtools.pack import ROOT
from devtools.places import find_comfyui
from devtools.server import Server

PYTHON = Path(sys.executable)


@pytest.fixture(scope="session")
def base(tmp_path_factory) -> Path:
    """The servers' base directory: an input picture and the link to this checkout.

    No models until a test asks for them.
    """
    folder = add_neighbours(make_base(tmp_path_factory.mktemp("server")))
    link(ROOT / "tests" / "http" / "tiny_nodes", folder / "custom_nodes" / "tiny_nodes")
    rows, columns = np.mgrid[0:64, 0:64]
    Image.fromarray(np.stack([rows * 4, columns * 4, (rows // 8 + columns // 8) % 2 * 255], -1).astype(np.uint8)).save(
        folder / "input" / "example.png"
    )
    return folder


@pytest.fixture(scope="session")
def models(base) -> Path:
    """Small random models under the names that the example workflows ask for; a running server sees them."""
    subprocess.run([PYTHON, "-m", "devtools.small_models", base / "models"], cwd=ROOT / "scripts", check=True)
    return base / "models"


def start(base: Path) -> Server:
    """A server that is not yet running; use it in a `with`."""
    comfyui = find_comfyui()
    return Server(PYTHON, comfyui, base, arguments=frontend_arguments(PYTHON, comfyui))


@pytest.fixture(scope="session")
def server(base) -> Iterator[Server]:
    """The shared server. Nothing in a test may depend on what another posted to it."""
    with start(base) as running:
        yield running


@pytest.fixture(scope="session")
def another_server(base):
    """Starts one more server on the same models: `with another_server() as server`."""
    return lambda: start(base)
