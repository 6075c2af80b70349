"""The device check's own parts: stages that run out of time or lack a package, the log, what stands in."""

from __future__ import annotations

import importlib
import sys

import pytest

import device_check
from device import packages
from device.golden_cases import FILES
from device.stages import STAGES, Log, Stage, run_stage
from devtools.goldens import GOLDEN

SLOW, QUICK = "import time; time.sleep(600)", "print('the next one')"


@pytest.fixture
def log(tmp_path) -> Log:
    return Log(tmp_path / "log.md")


def text_of(tmp_path) -> str:
    return (tmp_path / "log.md").read_text(encoding="utf-8")


def test_a_stage_that_runs_out_is_said_and_the_next_goes_on(tmp_path, monkeypatch):
    stages = {"slow": Stage("Slow", 0.5, ()), "quick": Stage("Quick", 120, ())}
    monkeypatch.setattr(device_check, "STAGES", stages)
    programs = {"slow": SLOW, "quick": QUICK}
    monkeypatch.setattr(
        device_check, "command_of", lambda script, name, options: [sys.executable, "-c", programs[name]]
    )
    assert device_check.main(["--device", "cpu", "--log", str(tmp_path / "log.md")]) == 1
    slow, quick = text_of(tmp_path).split("## Quick")
    assert "## Slow" in slow and "**Ran out of its 0.5 s** and was stopped." in slow
    assert "the next one" in quick and "1 of 2 stages came to a good end" in quick


def test_a_missing_package_is_named_and_its_stage_is_not_begun(tmp_path, log):
    assert not run_stage(Stage("Whole", 1, ("torch", "no_such_package")), ["no such program"], log)
    assert "**Not run**. Missing packages: no_such_package. Nothing was installed" in text_of(tmp_path)


def test_a_stage_that_fails_or_dies_is_no_good_end(tmp_path, log):
    assert not run_stage(Stage("Fails", 120, ()), [sys.executable, "-c", "print('why'); exit(1)"], log)
    assert not run_stage(Stage("Dies", 120, ()), [sys.executable, "-c", "exit(7)"], log)
    assert "why\n" in text_of(tmp_path) and "**Ended** with exit status 7." in text_of(tmp_path)


def test_without_a_comfyui_nothing_is_run(tmp_path, monkeypatch):
    monkeypatch.setenv("COMFYUI_PATH", str(tmp_path))
    arguments = ["--device", "cpu", "--stages", "environment", "goldens", "--log", str(tmp_path / "log.md")]
    assert device_check.main(arguments) == 1
    text = text_of(tmp_path)
    assert f"**Failed**: No ComfyUI in {tmp_path}" in text and "Nothing else was run." in text


def test_all_limits_together_stay_under_eight_minutes():
    assert sum(stage.seconds for stage in STAGES.values()) < 8 * 60


def test_an_empty_module_stands_in_for_what_is_missing_and_unused(monkeypatch):
    monkeypatch.setattr(packages, "UNUSED", ("torch", "no_such_films"))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    assert packages.stand_in() == ["no_such_films"]
    try:
        assert isinstance(importlib.import_module("no_such_films.container").Reader, type)
    finally:
        for name in ("no_such_films", "no_such_films.container"):
            sys.modules.pop(name, None)


def test_every_golden_file_is_computed_or_known_not_to_be():
    """The block of roifuser_l64_b2 runs the ROI operators on the device; points are computed on the CPU; other families
    than the UNet have tests of their own."""
    found = {path.relative_to(GOLDEN).with_suffix("").as_posix() for path in GOLDEN.rglob("*.safetensors")}
    found = {name for name in found if not name.startswith(("models/", "eligen/"))}
    weights = {"roictrl/adapter_smallA", "roictrl/unet_ldm_smallA"}
    assert found - set(FILES) == weights | {
        "roictrl/op_roi_square",
        "roictrl/op_roi_edge_over",
        "instancediffusion/points",
    }
