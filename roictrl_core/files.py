"""Writing files so that a kill or a failure at any moment leaves either the old file or the new one."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

PARTIAL = ".partial"
SAFETENSORS_PARTIAL = ".tmp" + 6 * "[0-9A-Za-z]"  # what safetensors writes first, beside the file that it is given
MAX_SHOWN = 300  # characters of a path
SYSTEM_ERROR = re.compile(r"\(os error (\d+)\)")


class WriteError(OSError, ValueError):
    """A file cannot be written: a sentence that names it and says why. What was there before is whole."""


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """`write` fills a neighbour file, which then takes `path`'s place in one step; nothing is left behind on an error.

    Raises WriteError where the disk is full, the folder gone or the like.
    """
    path = Path(path)
    partial = _partial(path)
    with _explained(path):
        try:
            partial.touch()
            mode = (
                partial.stat().st_mode
            )  # a new file's, by the user's umask; safetensors makes files only their owner can read
            write(partial)
            partial.chmod(mode)
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """Make the folder of `path` if it is missing, and see that `write_atomically` could begin; what is there stays.

    Raises WriteError: a file in the folder's place or a folder in its own, no right to write, a name that is too long.
    """
    path = Path(path)
    with _explained(path):
        _make_folder(path.parent)
        if path.is_dir():
            raise WriteError(f"{path} cannot be written: a folder of that name is there. Move it away")
        partial = _partial(path)
        partial.touch()
        partial.unlink()


def check_room(folder: str | Path, size: float, what: str) -> None:
    """Raise WriteError where the disk of `folder` has less than `size` bytes free for `what`."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise WriteError(
            f"{folder} has {megabytes(free)} left on its disk; {what} needs {megabytes(size)}. Make room, "
            "or choose a folder on another disk"
        )


def remove_partials(folder: str | Path) -> None:
    """Delete what killed writers left."""
    for pattern in (f"*{PARTIAL}", SAFETENSORS_PARTIAL):
        for file in Path(folder).glob(pattern):
            file.unlink(missing_ok=True)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(place for place in (folder, *folder.parents) if place.exists())
        raise WriteError(f"{folder} cannot be a folder: {file} is a file. Name another place") from None


def _partial(path: Path) -> Path:
    return path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """What the system and safetensors raise inside becomes a WriteError about `path`."""
    try:
        yield
    except WriteError:
        raise
    except (OSError, SafetensorError) as error:
        raise WriteError(f"{_name(path)} cannot be written: {_reason(error)}") from error


def _name(path: Path) -> str:
    """As a sentence shows it: of a name of thousands of letters, both ends."""
    text = str(path)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN // 2]}…{text[-MAX_SHOWN // 2 :]}"


def _reason(error: Exception) -> str:
    """safetensors hides the system's number in its text."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    number = SYSTEM_ERROR.search(str(error))
    return os.strerror(int(number[1])) if number else str(error)


def megabytes(size: float) -> str:
    """A number of bytes in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
