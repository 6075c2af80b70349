"""ComfyUI and the pack in a stage's process."""

from __future__ import annotations

from devtools.inprocess import start_comfyui
from devtools.pack import load_pack

from .packages import stand_in


def start(device: str) -> None:
    """ComfyUI on that device, and `roictrl_pack`."""
    stand_in()
    start_comfyui(cpu=device == "cpu")
    load_pack()


def synchronise(device: str) -> None:
    """Wait for the device."""
    import torch

    if device == "cuda":
        torch.cuda.synchronize()


def fresh_memory(device: str) -> None:
    """Let go of every loaded model, and begin a new peak."""
    import comfy.model_management
    import torch

    comfy.model_management.unload_all_models()
    comfy.model_management.soft_empty_cache()
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
