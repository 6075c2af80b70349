"""The stages, and running one: in a child process, so that it can be stopped and its memory is its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
import traceback
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path

from .packages import COMFYUI, CORE, missing, sentence

SMALL_LIMIT = 150  # seconds of any stage with --small: for a busy machine, it takes a tenth
# What the stages read lies here: no hub is asked for more.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


@dataclass(frozen=True)
class Stage:
    """seconds: its limit; together they stay under 8 minutes.  packages: what it cannot run without."""

    title: str
    seconds: float
    packages: tuple[str, ...] = COMFYUI


STAGES = {
    "environment": Stage("Environment", 30, CORE),
    "goldens": Stage("Golden files", 60),
    "demo": Stage("The demo model and its judge", 60),
    "cost": Stage("What the boxes cost in a step", 90),
    "paper": Stage("The paper's setting", 120),
    "training": Stage("Training", 75),
    "low_vram": Stage("Loading with little memory", 40),
}


class Wrong(RuntimeError):
    """A sentence: what was computed is not what it has to be."""


class Log:
    """Lines to the terminal, and to a file where one is named; each there at once."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        if path is not None:
            path.write_text("", encoding="utf-8")

    def add(self, line: str = "") -> None:
        print(line, flush=True)
        if self._path is not None:
            with open(self._path, "a", encoding="utf-8") as file:
                file.write(f"{line}\n")


def run_here(name: str, options: Namespace) -> int:
    """A stage in this process; its exit status."""
    try:
        importlib.import_module(f"device.{name}").run(options)
    except Exception as error:
        if not isinstance(error, Wrong):
            traceback.print_exc()
        print(f"\n**Failed**: {error if isinstance(error, Wrong) else repr(error)}", flush=True)
        return 1
    return 0


def run_stage(stage: Stage, command: list[str], log: Log) -> bool:
    """A stage as a child process whose lines go to the log; False where it did not come to a good end."""
    log.add(f"\n## {stage.title}\n")
    if absent := missing(stage.packages):
        log.add(f"**Not run**. {sentence(absent)}")
        return False
    began = time.monotonic()
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, encoding="utf-8", env={**os.environ, **ENVIRONMENT}
    )
    reader = threading.Thread(target=_copy, args=(child.stdout, log), daemon=True)
    reader.start()
    try:
        code = child.wait(stage.seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        child.kill()
        reader.join()
    if code is None:
        log.add(f"\n**Ran out of its {stage.seconds:g} s** and was stopped.")
    elif code not in (0, 1):
        log.add(f"\n**Ended** with exit status {code}.")
    log.add(f"\n{time.monotonic() - began:.0f} s.")
    return code == 0


def command_of(script: str, name: str, options: Namespace) -> list[str]:
    """The child's command line."""
    small = ["--small"] if options.small else []
    return [sys.executable, script, "--stage", name, "--device", options.device, *small]


def _copy(lines, log: Log) -> None:
    for line in lines:
        log.add(line.rstrip("\n"))
