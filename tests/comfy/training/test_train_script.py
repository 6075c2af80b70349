"""scripts/train.py as a user runs it: from pictures to an adapter, stopped in the middle and started again."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import pytest
from devtools.random_demo import write_demo
from PIL import Image


@pytest.fixture(scope="module")
def demo(pack, tmp_path_factory):
    """A folder with the demo model's parts, random."""
    return write_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    rows = []
    for n in range(3):
        Image.effect_noise((64, 64), 40 + 20 * n).convert("RGB").save(folder / f"{n}.png")
        rows.append({"file_name": f"{n}.png", "caption": f"noise {n}", "instances": [{"box": [0, 0, 0.5 + 0.1 * n, 1], "caption": "grey"}]})
    rows.insert(1, {"file_name": "missing.png", "caption": "x", "instances": []})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def command(root, demo, data, out, *more):
    return [sys.executable, str(root / "scripts" / "train.py"), "--demo", str(demo), "--data", str(data), "--out", str(out), "--size", "64x64",
            "--grids", "4", "3", "2", "1", "--slots", "3", "--steps", "6", "--batch-size", "1", "--log-every", "1", "--save-every", "100",
            "--sample-every", "6", "--samples", "1", "--sample-steps", "1", *more]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def test_stopped_and_started_again(pack, root, demo, data, tmp_path):
    arguments = command(root, demo, data, tmp_path / "run", "--bad-rows", "skip")
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment())
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("step 1/6"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, "".join(said)
    assert "  metadata.jsonl line 2: picture missing.png does not exist\n" in said
    assert said[-1].startswith("stopped after step ")
    stopped = int(said[-1].split()[3].rstrip(";"))
    assert stopped < 6 and (tmp_path / "run" / f"checkpoint-{stopped:08d}.safetensors").is_file()

    again = subprocess.run(arguments, capture_output=True, text=True, env=environment())
    assert again.returncode == 0, again.stderr
    assert f"going on from checkpoint-{stopped:08d}" in again.stdout and "done: " in again.stdout and "missing.png" not in again.stdout
    with (tmp_path / "run" / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == list("123456")
    adapter = pack.module("roictrl_core.checkpoint").read_adapter(tmp_path / "run" / "adapter.safetensors")
    assert adapter.metadata == {"training_steps": "6", "prediction": "v"} and adapter.config.slots == 3
    with Image.open(tmp_path / "run" / "loss.png") as curve, Image.open(tmp_path / "run" / "samples-00000006.jpg") as grid:
        assert curve.size == (640, 360) and grid.size == (384, 2 * 384 + 6)

    more = command(root, demo, data, tmp_path / "more", "--start-from", tmp_path / "run" / "adapter.safetensors", "--steps", "1", "--bad-rows", "skip")
    assert subprocess.run(more, env=environment()).returncode == 0
    assert pack.module("roictrl_core.checkpoint").read_adapter(tmp_path / "more" / "adapter.safetensors").metadata["training_steps"] == "7"


@pytest.mark.parametrize("changes, sentence", [
    (["--size", "100x64"], "both sides must be multiples of 8"),
    (["--checkpoint", "x.safetensors"], "name one base"),
    (["--coco", "a", "b", "c"], "name one data set"),
    (["--batch-size", "0"], "--batch-size is too small"),
])
def test_wrong_options_are_explained(root, demo, data, tmp_path, changes, sentence):
    refused = subprocess.run(command(root, demo, data, tmp_path / "run", *changes), capture_output=True, text=True, env=environment())
    assert refused.returncode == 2 and sentence in refused.stderr and "Traceback" not in refused.stderr


def test_bad_rows_stop_the_run_with_a_sentence(root, demo, data, tmp_path):
    refused = subprocess.run(command(root, demo, data, tmp_path / "run"), capture_output=True, text=True, env=environment())
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "metadata.jsonl line 2: picture missing.png does not exist" in refused.stderr
    assert not (tmp_path / "run" / "adapter.safetensors").exists()
