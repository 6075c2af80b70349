"""What the check runs on."""

from __future__ import annotations

import platform
from argparse import Namespace

from devtools.inprocess import start_comfyui
from devtools.places import find_comfyui

from .packages import COMFYUI, UNUSED, missing, sentence
from .stages import Wrong


def run(options: Namespace) -> None:
    """Device, versions, and what is missing."""
    import torch

    if options.device == "cuda" and not torch.cuda.is_available():
        raise Wrong(f"torch {torch.__version__} sees no CUDA device. Use --device cpu --small to try the check alone.")
    print("| | |\n|---|---|")
    for name, value in {**device_rows(options.device), **versions()}.items():
        print(f"| {name} | {value} |")
    if absent := missing(COMFYUI):
        print(f"\n{sentence(absent)}")
    if absent := missing(UNUSED):
        print(f"\nEmpty modules stand in for {' and '.join(absent)}, which ComfyUI imports and nothing here uses.")
    try:
        find_comfyui()
    except FileNotFoundError as error:
        raise Wrong(str(error)) from None


def device_rows(device: str) -> dict[str, str]:
    """Name and memory of the device."""
    import torch

    if device == "cpu":
        return {"device": f"CPU, {platform.machine()}, {torch.get_num_threads()} threads"}
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": properties.name,
        "memory": f"{properties.total_memory / 2**30:.0f} GiB",
        "compute capability": f"{properties.major}.{properties.minor}",
        "CUDA, cuDNN": f"{torch.version.cuda}, {torch.backends.cudnn.version()}",
    }


def versions() -> dict[str, str]:
    """Of Python, torch and ComfyUI."""
    import torch

    found = {"Python": platform.python_version(), "torch": torch.__version__}
    try:
        start_comfyui()
        from comfyui_version import __version__

        return {**found, "ComfyUI": __version__}
    except FileNotFoundError:
        return {**found, "ComfyUI": "none"}
