"""ComfyUI inside this process, on the CPU. Needs the packages of the virtual environment.

Call `start_comfyui` before anything imports `comfy.model_management`, which picks its device when it is imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .places import find_comfyui


def start_comfyui(base: Path | None = None, cpu: bool = True) -> Path:
    """Put ComfyUI on sys.path and set its arguments; returns its folder.

    base: folder for models, input, output, temp and user files instead of ComfyUI's own.
    """
    folder = find_comfyui()
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    from comfy.cli_args import args

    args.cpu = cpu
    args.use_pytorch_cross_attention = True  # the CPU's default attention is about 5 times slower
    if base is not None:
        args.base_directory = str(base)
    return folder


def forget_dead_models() -> None:
    """Takes models whose patcher is gone off ComfyUI's list of loaded ones.

    Outside a server nothing else does where the model itself stays, and while one is listed every load collects the
    garbage of the whole process: a second each, with all that a test run holds.
    """
    import comfy.model_management

    loaded = comfy.model_management.current_loaded_models
    loaded[:] = [model for model in loaded if not model.is_dead()]
