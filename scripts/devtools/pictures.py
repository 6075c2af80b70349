"""Running one prompt for a person at a terminal: a server of our own, progress on one line, pictures as files."""

from __future__ import annotations

import copy
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import torch

from .client import fetch, run_prompt
from .frontend import frontend_arguments
from .places import find_comfyui
from .server import Server
from .shell import say


@dataclass(frozen=True)
class Made:
    """One run's files: the picture, and the same with its boxes drawn on it. seconds: from queue to picture,
    loading included; step_seconds: mean over the sampling steps after the first, None when there are fewer than two."""

    picture: Path
    boxes: Path
    seconds: float
    step_seconds: float | None


def open_server(base: Path) -> Server:
    """A server on the machine's accelerator when it has one, else on the CPU; to be used in a `with`."""
    accelerator = torch.cuda.is_available() or torch.backends.mps.is_available() or torch.xpu.is_available()
    say(f"starting ComfyUI on the {'accelerator' if accelerator else 'CPU'}; its log: {base / 'server.log'}")
    python, comfyui = Path(sys.executable), find_comfyui()
    return Server(python, comfyui, base, cpu=not accelerator, arguments=frontend_arguments(python, comfyui))


def make_picture(server: Server, prompt: dict, base: Path) -> Made:
    """Run a prompt that has one Save Image and one Preview Layout node."""
    began, steps = time.perf_counter(), []

    def progress(node: str, done: int, total: int) -> None:
        show_progress(prompt, node, done, total)
        if prompt[node]["class_type"] == "KSampler":
            steps.append(time.perf_counter())

    result = run_prompt(server.url, prompt, progress)
    seconds = time.perf_counter() - began
    step_seconds = (steps[-1] - steps[0]) / (len(steps) - 1) if len(steps) > 1 else None
    saved = result.images(node_of(prompt, "SaveImage"))[0]
    picture = base / "output" / saved["subfolder"] / saved["filename"]
    boxes = picture.with_name(f"{picture.stem}boxes.png")
    boxes.write_bytes(fetch(server.url, result.images(node_of(prompt, "ROICtrlPreviewLayout"))[0]))
    return Made(picture, boxes, seconds, step_seconds)


def show_progress(prompt: dict, node: str, done: int, total: int) -> None:
    """One line that is written over until the last step."""
    end = "\n" if done == total else ""
    print(f"\r[roictrl] {prompt[node]['_meta']['title']}: {done}/{total}", end=end, flush=True)


def node_of(prompt: dict, kind: str) -> str:
    """The id of the prompt's first node of a class."""
    return next(number for number, entry in prompt.items() if entry["class_type"] == kind)


def without_control(prompt: dict) -> dict:
    """The same prompt with every Apply at strength 0: the base model's picture of the same seed."""
    plain = copy.deepcopy(prompt)
    for entry in plain.values():
        if entry["class_type"].startswith("ROICtrlApply"):
            entry["inputs"]["strength"] = 0.0
    return plain
