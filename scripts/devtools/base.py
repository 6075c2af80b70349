"""A base directory for a ComfyUI of ours: models, custom_nodes with this checkout linked into it,
input, output, user, temp."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path

from .pack import ROOT
from .places import cache_folder

PACK_FOLDER = "ComfyUI-ROICtrl"
FOLDERS = ("custom_nodes", "input", "output", "temp", "user")


def default_base() -> Path:
    """This checkout's own base directory in the cache; two clones never share one."""
    return cache_folder() / f"base-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"


def make_base(base: Path) -> Path:
    """Create what is missing and point the link at this checkout; a user's ComfyUI folder is never written to."""
    for name in FOLDERS:
        (base / name).mkdir(parents=True, exist_ok=True)
    link(ROOT, base / "custom_nodes" / PACK_FOLDER)
    return base


def put_model(base: Path, kind: str, file: Path) -> str:
    """Offer a model file to the loaders of that kind (`checkpoints`, `roictrl`, ...); returns the name they show."""
    folder = base / "models" / kind
    folder.mkdir(parents=True, exist_ok=True)
    link(file.resolve(), folder / file.name)
    return file.name


def link(source: Path, place: Path) -> None:
    """A link that a second run leaves alone; on Windows, where links need a privilege, a junction or a hard link."""
    if place.exists() and place.samefile(source):
        return
    if place.is_symlink() or place.is_file():
        place.unlink()
    if sys.platform == "win32":
        _windows_link(source, place)
    else:
        place.symlink_to(source, target_is_directory=source.is_dir())


def _windows_link(source: Path, place: Path) -> None:
    if source.is_dir():
        import _winapi

        _winapi.CreateJunction(str(source), str(place))
    else:
        os.link(source, place)
