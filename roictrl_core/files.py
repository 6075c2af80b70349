"""Writing files so that a kill at any moment leaves either the old file or the new one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

PARTIAL = ".partial"


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """`write` fills a neighbour file, which then takes `path`'s place in one step; nothing is left behind on an error."""
    path = Path(path)
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        partial.touch()
        mode = partial.stat().st_mode  # a new file's, by the user's umask; safetensors makes files only their owner can read
        write(partial)
        partial.chmod(mode)
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def remove_partials(folder: str | Path) -> None:
    """Delete what killed writers left."""
    for file in Path(folder).glob(f"*{PARTIAL}"):
        file.unlink(missing_ok=True)
