"""Saying what happens, and running commands that must succeed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


class SetupError(RuntimeError):
    """A sentence for the person at the keyboard: what failed and what to do."""


def say(text: str) -> None:
    """One line about what is being done."""
    print(f"[roictrl] {text}", flush=True)


def run(command: list[str | Path], failure: str, **options) -> None:
    """Run a command with its output shown; raises SetupError with `failure` when it does not succeed."""
    code = subprocess.run([str(part) for part in command], **options).returncode
    if code:
        raise SetupError(
            f"{failure} (exit status {code} of `{Path(str(command[0])).name} "
            f"{' '.join(str(part) for part in command[1:4])} ...`)"
        )


def download(python: Path, requirement: str, folder: Path, failure: str) -> None:
    """A package's wheel from PyPI into a folder, without what it depends on. python: an interpreter with pip."""
    only = ["--no-deps", "--only-binary", ":all:"]
    run([python, "-m", "pip", "download", "-q", *only, "-d", folder, requirement], failure)


def output(command: list[str | Path]) -> str:
    """What a command prints, stripped; empty when it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def fail(error: SetupError) -> int:
    """Print the sentence; the exit status of a run that ended with it."""
    print(f"[roictrl] {error}", file=sys.stderr, flush=True)
    return 1
