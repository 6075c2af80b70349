"""`dev.py try` on small random files: what it recognises, what it refuses, and its two pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from devtools.pack import ROOT
from devtools.places import find_comfyui
from devtools.small_models import ADAPTER, LORA, SD15_CHECKPOINT


@pytest.fixture
def try_weights(tmp_path):
    """Runs the command with a cache folder of its own."""
    variables = {
        **os.environ,
        "COMFYUI_PATH": str(find_comfyui()),
        "ROICTRL_CACHE": str(tmp_path),
        "PYTHONPATH": str(ROOT / "scripts"),
    }

    def run(*arguments: object) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-m", "devtools.try_weights", *map(str, arguments)],
            env=variables,
            capture_output=True,
            text=True,
        )

    return run


def test_both_files_are_recognised_and_two_different_pictures_made(try_weights, models, tmp_path):
    layout = tmp_path / "layout.json"
    layout.write_text(
        json.dumps(
            {
                "version": 1,
                "width": 64,
                "height": 64,
                "instances": [{"box": [0.1, 0.1, 0.6, 0.9], "caption": "a red fox"}],
            }
        )
    )
    done = try_weights(
        "--checkpoint", models / SD15_CHECKPOINT, "--adapter", models / ADAPTER, "--layout", layout, "--steps", 2
    )
    assert done.returncode == 0, done.stderr
    assert "v1-5-pruned-emaonly-fp16.safetensors is Stable Diffusion 1.x with" in done.stdout
    assert "ROICtrl adapter for SD1.x: 16 blocks" in done.stdout
    assert "s with boxes: " in done.stdout and done.stdout.rstrip().endswith("times")
    pictures = [
        Path(line.split(": ", 1)[1].strip())
        for line in done.stdout.splitlines()
        if "boxes: " in line and line.endswith(".png")
    ]
    plain, controlled = (np.asarray(Image.open(file)) for file in pictures)
    assert plain.shape == controlled.shape == (64, 64, 3) and (plain != controlled).any()


def test_a_lora_in_the_checkpoints_place_is_named_and_refused_before_a_server_starts(try_weights, models):
    done = try_weights("--checkpoint", models / LORA, "--adapter", models / ADAPTER)
    assert done.returncode == 1
    assert (
        "style_lora_sd15.safetensors is a LoRA, not a checkpoint. Give --checkpoint an SD1.x checkpoint." in done.stderr
    )
    assert "starting ComfyUI" not in done.stdout


def test_a_checkpoint_in_the_adapters_place_is_named_and_refused(try_weights, models):
    done = try_weights("--checkpoint", models / SD15_CHECKPOINT, "--adapter", models / SD15_CHECKPOINT)
    assert done.returncode == 1
    assert "a full checkpoint without an adapter" in done.stderr
    assert "starting ComfyUI" not in done.stdout
