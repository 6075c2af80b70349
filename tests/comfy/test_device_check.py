"""The device check as a user runs it, on this machine's CPU."""

from __future__ import annotations

import subprocess
import sys


def test_it_runs_without_a_device(root, tmp_path):
    log = tmp_path / "log.md"
    stages = ["--stages", "environment", "low_vram"]
    script = root / "scripts" / "device_check.py"
    done = subprocess.run(
        [sys.executable, script, "--device", "cpu", "--small", *stages, "--log", log], stdout=subprocess.PIPE, text=True
    )
    text = log.read_text(encoding="utf-8")
    assert done.returncode == 0, text
    assert done.stdout == text
    assert "| ComfyUI | " in text and "Missing" not in text
    assert "the boxes make" in text and "2 of 2 stages came to a good end" in text
