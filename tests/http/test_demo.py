"""`dev.py demo` with the model that comes with the pack: two pictures of one seed, and verdicts that favour the one with boxes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from devtools.pack import ROOT
from devtools.places import find_comfyui


def test_the_demo_makes_both_pictures_and_more_boxes_hold_what_they_say_with_control(tmp_path):
    variables = {**os.environ, "COMFYUI_PATH": str(find_comfyui()), "ROICTRL_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run([sys.executable, "-m", "devtools.demo"], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for line in re.findall(r": (\S+\.(?:png|jpg))", done.stdout):
        assert Image.open(Path(line)).width >= 128
    with_boxes, without = (int(count) for count in re.findall(r"(\d) of 3 boxes hold what they say", done.stdout))
    assert with_boxes > without
