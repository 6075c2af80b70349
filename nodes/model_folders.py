"""Folders of ours under ComfyUI's models folder; `extra_model_paths.yaml` can add others under the same name."""

from __future__ import annotations

import os
from contextlib import suppress

import folder_paths

from ..roictrl_core.weights_file import SUFFIXES


def register(name: str) -> None:
    """Makes ``models/<name>`` known. Folders that extra_model_paths.yaml gave before stay, and come first."""
    folder = os.path.join(folder_paths.models_dir, name)
    with suppress(OSError):  # a read-only models folder: the files then come from extra_model_paths.yaml
        os.makedirs(folder, exist_ok=True)
    folder_paths.add_model_folder_path(name, folder)
    paths, _ = folder_paths.folder_names_and_paths[name]
    folder_paths.folder_names_and_paths[name] = (paths, set(SUFFIXES))


def choices(name: str) -> list[str]:
    """File names for a combo; where there are none, the one entry says what to do."""
    return folder_paths.get_filename_list(name) or [_hint(name)]


def path_of(name: str, choice: str) -> str:
    """The full path of a choice; raises ValueError with a sentence where it is none."""
    path = folder_paths.get_full_path(name, choice)
    if path is None:
        folders = " or ".join(folder_paths.get_folder_paths(name))
        missing = "There is no file" if choice == _hint(name) else f"The file '{choice}' is not"
        raise ValueError(f"{missing} in {folders}. Put the weights there, press R in ComfyUI and choose the file.")
    return path


def fingerprint(name: str, choice: str | None) -> str:
    """Of a choice, and of the file as it is now; None stands for a choice that comes over a link."""
    path = None if choice is None else folder_paths.get_full_path(name, choice)
    if path is None or not os.path.exists(path):
        return str(choice)
    status = os.stat(path)
    return f"{choice} {status.st_mtime_ns} {status.st_size}"


def _hint(name: str) -> str:
    return f"(no file in models/{name})"
