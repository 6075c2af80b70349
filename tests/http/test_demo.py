"""`dev.py demo`: two pictures of one seed, and verdicts that favour the one with boxes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from devtools.pack import ROOT
from devtools.places import find_comfyui


@pytest.fixture(scope="module")
def printed(tmp_path_factory) -> str:
    """What the demo prints; it succeeds, and every picture that it names is there."""
    cache = str(tmp_path_factory.mktemp("demo"))
    variables = {
        **os.environ,
        "COMFYUI_PATH": str(find_comfyui()),
        "ROICTRL_CACHE": cache,
        "PYTHONPATH": str(ROOT / "scripts"),
    }
    done = subprocess.run([sys.executable, "-m", "devtools.demo"], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pictures = re.findall(r": (\S+\.(?:png|jpg))", done.stdout)
    assert len(pictures) >= 2
    for file in pictures:
        assert Image.open(Path(file)).width >= 128
    return done.stdout


def test_every_box_holds_what_it_says_but_not_without_control(printed):
    with_boxes, without = (int(count) for count in re.findall(r"(\d) of 3 boxes hold what they say", printed))
    assert with_boxes == 3 > without
