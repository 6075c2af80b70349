"""scripts/train.py as a user runs it: from pictures to an adapter, stopped in the middle and started again."""

from __future__ import annotations

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from argparse import Namespace
from types import SimpleNamespace

import pytest
from PIL import Image

from devtools.random_demo import write_demo


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
        rows.append(
            {
                "file_name": f"{n}.png",
                "caption": f"noise {n}",
                "instances": [{"box": [0, 0, 0.5 + 0.1 * n, 1], "caption": "grey"}],
            }
        )
    rows.insert(1, {"file_name": "missing.png", "caption": "x", "instances": []})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


OPTIONS = ["--size=64x64", "--grids", "4", "3", "2", "1", "--slots=3", "--steps=6", "--batch-size=1", "--log-every=1"]
OPTIONS += ["--save-every=100", "--sample-every=6", "--samples=1", "--sample-steps=1"]


def command(root, demo, data, out, *more):
    places = [f"--{name}={path}" for name, path in (("demo", demo), ("data", data), ("out", out))]
    return [sys.executable, str(root / "scripts" / "train.py"), *places, *OPTIONS, *map(str, more)]


def environment():
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}


def no_large_files():
    """In the child: the system refuses to let any file grow beyond 64 KiB, as a full disk would."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))


@pytest.fixture(scope="module")
def twice(pack, root, demo, data, tmp_path_factory):
    """A run that was stopped before its end, and started again: its folder, and what it said both times."""
    out = tmp_path_factory.mktemp("twice") / "run"
    arguments = command(root, demo, data, out, "--bad-rows", "skip")
    process = subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment()
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if line.startswith("step 1/6"):
            process.send_signal(signal.SIGTERM)
    assert process.wait() == 0, "".join(said)
    stopped = [file.name for file in out.glob("checkpoint-*")]
    again = subprocess.run(arguments, capture_output=True, text=True, env=environment())
    assert again.returncode == 0, again.stderr
    return SimpleNamespace(out=out, said=said, stopped=stopped, again=again.stdout)


def test_stopped_and_started_again(pack, twice):
    assert "  metadata.jsonl line 2: picture missing.png does not exist\n" in twice.said
    assert twice.said[-1].startswith("stopped after step ")
    stopped = int(twice.said[-1].split()[3].rstrip(";"))
    assert stopped < 6 and twice.stopped == [f"checkpoint-{stopped:08d}.safetensors"]
    assert f"going on from checkpoint-{stopped:08d}" in twice.again and "done: " in twice.again
    assert "missing.png" not in twice.again
    with (twice.out / "log.csv").open() as file:
        assert [row["step"] for row in csv.DictReader(file)] == list("123456")
    adapter = pack.module("roictrl_core.checkpoint").read_adapter(twice.out / "adapter.safetensors")
    assert adapter.metadata == {"training_steps": "6", "prediction": "v"} and adapter.config.slots == 3
    with Image.open(twice.out / "loss.png") as curve, Image.open(twice.out / "samples-00000006.jpg") as grid:
        assert curve.size == (640, 360) and grid.size == (384, 2 * 384 + 6)


def test_a_full_disk_keeps_the_last_checkpoint_and_says_what_is_left(root, demo, data, twice, tmp_path):
    run = shutil.copytree(twice.out, tmp_path / "run")
    files = {file.name: file.stat().st_mtime_ns for file in run.glob("*.safetensors")}
    full = subprocess.run(
        command(root, demo, data, run, "--bad-rows", "skip", "--steps", "7"),
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=no_large_files,
    )
    assert full.returncode == 1 and "Traceback" not in full.stderr and "step 7/7" in full.stdout
    assert full.stderr.strip().splitlines()[-1] == (
        f"train.py: {run / 'adapter.safetensors'} cannot be written: File too large. "
        f"{run / 'checkpoint-00000006.safetensors'} is kept: mend this, then start the same command again to go on "
        "from it"
    )
    assert files == {file.name: file.stat().st_mtime_ns for file in run.glob("*.safetensors")}


def test_another_run_starts_from_an_adapter(pack, root, demo, data, twice, tmp_path):
    begin = ("--start-from", twice.out / "adapter.safetensors")
    more = command(root, demo, data, tmp_path / "more", *begin, "--steps", "1", "--bad-rows", "skip")
    assert subprocess.run(more, env=environment()).returncode == 0
    adapter = pack.module("roictrl_core.checkpoint").read_adapter(tmp_path / "more" / "adapter.safetensors")
    assert adapter.metadata["training_steps"] == "7"


@pytest.mark.parametrize(
    "changes, sentence",
    [
        (["--size", "100x64"], "both sides must be multiples of 8"),
        (["--checkpoint", "x.safetensors"], "name one base"),
        (["--coco", "a", "b", "c"], "name one data set"),
        (["--batch-size", "0"], "--batch-size is too small"),
        (["--samples", "-1"], "--samples is too small"),
        (["--seed", "-1"], "--seed is too small"),
        (["--lr", "0"], "--lr is not a number above 0"),
        (["--lr", "nan"], "--lr is not a number above 0"),
        (["--ema", "2"], "--ema is not in 0..1"),
        (["--flip", "nan"], "--flip is not in 0..1"),
        (["--grids", "4", "0"], "--grids holds a grid below 1"),
    ],
)
def test_wrong_options_are_explained(root, demo, data, tmp_path, changes, sentence):
    refused = subprocess.run(
        command(root, demo, data, tmp_path / "run", *changes), capture_output=True, text=True, env=environment()
    )
    assert refused.returncode == 2 and sentence in refused.stderr and "Traceback" not in refused.stderr


def test_bad_rows_stop_the_run_with_a_sentence(root, demo, data, tmp_path):
    refused = subprocess.run(
        command(root, demo, data, tmp_path / "run"), capture_output=True, text=True, env=environment()
    )
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert "metadata.jsonl line 2: picture missing.png does not exist" in refused.stderr
    assert not (tmp_path / "run" / "adapter.safetensors").exists()


def hostile_rows(folder):
    """One row a line, and what must be said about it."""
    Image.effect_noise((64, 64), 90).convert("RGB").save(folder / "whole.jpg")
    (folder / "text.png").write_text("no picture")
    (folder / "cut.jpg").write_bytes((folder / "whole.jpg").read_bytes()[:900])
    start = '{"file_name": "whole.jpg", "caption": "x", "instances": '
    return {
        start + "[" * 100_000: "is JSON of too many brackets inside brackets",
        start
        + '[{"box": [0, 0, '
        + "9" * 400
        + ', 1], "caption": "y"}]}': "the box of instance 1 (y) is not four finite numbers",
        start + "9" * 5000 + "}": "holds a number of thousands of digits",
        '{"file_name": "'
        + "x" * 5000
        + '.png", "caption": "x", "instances": []}': "cannot be looked up (File name too long)",
        '{"file_name": "whole.jpg", "caption": "half \\ud800", "instances": []}': "`caption` holds half a character",
        '{"file_name": "\\ud800.png", "caption": "x", "instances": []}': "cannot be looked up",
        '{"file_name": "text.png", "caption": "x", "instances": '
        '[{"box_px": [0, 0, 9, 9], "caption": "y"}]}': "picture text.png cannot be read",
        '{"file_name": "cut.jpg", "caption": "x", "instances": []}': "picture cut.jpg cannot be read",
    }


def test_hostile_rows_are_listed_not_thrown(root, demo, tmp_path):
    rows = hostile_rows(tmp_path)
    (tmp_path / "metadata.jsonl").write_text("\n".join(rows))
    ended = subprocess.run(
        command(root, demo, tmp_path, tmp_path / "run", "--bad-rows", "skip"),
        capture_output=True,
        text=True,
        env={**environment(), "PYTHONIOENCODING": "ascii"},
    )
    assert ended.returncode == 1 and "Traceback" not in ended.stderr
    for number, sentence in enumerate(rows.values(), 1):
        (line,) = (line for line in ended.stdout.splitlines() if line.startswith(f"  metadata.jsonl line {number}: "))
        assert sentence in line and len(line) < 250
    assert (
        ended.stderr.strip().splitlines()[-1]
        == "train.py: no pictures to train on: every row is bad, or the data is empty"
    )


@pytest.mark.parametrize("what", ["out is a file", "start-from is cut"])
def test_what_would_fail_in_the_end_is_said_before_the_data(root, demo, data, tmp_path, what):
    """The data has a bad row: it would be listed first."""
    (tmp_path / "file.safetensors").write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    out, more, sentence = {
        "out is a file": (tmp_path / "file.safetensors", (), f"{tmp_path / 'file.safetensors'} is a file"),
        "start-from is cut": (
            tmp_path / "run",
            ("--start-from", str(tmp_path / "file.safetensors")),
            "file.safetensors is damaged",
        ),
    }[what]
    refused = subprocess.run(command(root, demo, data, out, *more), capture_output=True, text=True, env=environment())
    assert refused.returncode == 1 and "Traceback" not in refused.stderr and "bad rows" not in refused.stderr
    last = refused.stderr.strip().splitlines()[-1]
    assert last.startswith("train.py: ") and sentence in last and len(last) < 600
    assert not (tmp_path / "run" / "cache").exists()


@pytest.mark.parametrize(
    "name, content, sentence",
    [
        ("a.safetensors", b"\xff" * 100, "cannot be loaded: .*Is it the right file, and whole"),
        ("a.safetensors", b"", "cannot be loaded: .*Is it the right file, and whole"),
        ("a.ckpt", b"PK\x03\x04 no archive", "cannot be loaded: .*Is it the right file, and whole"),
        ("a.safetensors", b"<!doctype html>", "is a web page, not weights"),
        ("a.txt", b"text", "its name must end in"),
        ("a.safetensors", None, "does not exist"),
    ],
)
def test_damaged_bases_are_said(pack, tmp_path, name, content, sentence):
    from train_bases import load_base

    if content is not None:
        (tmp_path / name).write_bytes(content)
    options = {
        "demo": None,
        "checkpoint": None,
        "unet": None,
        "clip": None,
        "vae": None,
        "clip_type": "stable_diffusion",
    }
    for kind in ("checkpoint", "unet"):
        with pytest.raises(ValueError, match=sentence):
            load_base(Namespace(**{**options, kind: tmp_path / name}))


def test_bases_without_encoders_are_said(pack):
    from train_bases import check_encoders, load_base

    with pytest.raises(ValueError, match="no text encoder to encode the captions with: name one with --clip"):
        check_encoders(None, object())
    with pytest.raises(ValueError, match="no VAE to encode the pictures with: name one with --vae"):
        check_encoders(object(), None)
    with pytest.raises(ValueError, match="--clip-type nonsense is none of stable_diffusion, "):
        load_base(Namespace(demo=None, checkpoint=None, clip_type="nonsense"))
