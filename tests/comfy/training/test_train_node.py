"""The Train ROICtrl Adapter node, executed as ComfyUI does: in inference mode, with a progress bar, and interrupted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import comfy.model_management
import comfy.utils
import pytest
import torch
from comfy.taesd.taesd import TAESD
from PIL import Image, ImageDraw
from safetensors.torch import load_file

from devtools import tiny_models, training_run

WIDGETS = {
    "name": "foxes",
    "steps": 3,
    "batch_size": 2,
    "learning_rate": 1e-3,
    "width": 64,
    "height": 64,
    "seed": 5,
    "gate_learning_rate": 0.0,
    "warmup": 0,
    "flip": 0.5,
    "box_dropout": 0.1,
    "caption_dropout": 0.5,
    "ema": 0.9,
    "precision": "auto",
    "gradient_checkpointing": True,
    "roi_grids": "4, 3",
    "slots": 4,
    "bad_rows": "refuse",
}


@pytest.fixture(autouse=True)
def inference_mode():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def inputs() -> SimpleNamespace:
    """MODEL, CLIP and VAE as a loader node makes them."""
    import comfy.sd

    with torch.inference_mode():
        model = tiny_models.patcher(tiny_models.sd15_model({**training_run.TINY, "context_dim": 64}))
        vae = comfy.sd.VAE(sd=tiny_models.randomize(TAESD()).state_dict())
        return SimpleNamespace(model=model, clip=tiny_models.clip(), vae=vae)


@pytest.fixture
def data(comfy):
    """input/foxes with three pictures."""
    folder = comfy.base / "input" / "foxes"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for n in range(3):
        picture = Image.new("RGB", (80, 64), "white")
        ImageDraw.Draw(picture).rectangle((10 * n, 10, 10 * n + 30, 50), fill="red")
        picture.save(folder / f"{n}.png")
        rows.append(
            {
                "file_name": f"{n}.png",
                "caption": "a fox",
                "instances": [{"box_px": [10 * n, 10, 10 * n + 31, 51], "caption": "a red fox"}],
            }
        )
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


@pytest.fixture
def written(comfy):
    """What the node wrote to models/roictrl."""
    folder = comfy.base / "models" / "roictrl"
    for old in folder.glob("*"):
        old.unlink()
    return lambda: sorted(file.name for file in folder.glob("*"))


@pytest.fixture
def progress():
    """(value, total, whether there was a preview) of every update of the bar."""
    seen = []
    comfy.utils.set_progress_bar_global_hook(
        lambda value, total, preview, **_: seen.append((value, total, preview is not None))
    )
    yield seen
    comfy.utils.set_progress_bar_global_hook(None)


@pytest.fixture
def node(pack):
    return pack.module("nodes.train").TrainAdapter


def run(node, inputs, **changes):
    return node.execute(inputs.model, inputs.clip, inputs.vae, changes.pop("data", "foxes"), **{**WIDGETS, **changes})


def test_trains_saves_and_shows(pack, comfy, node, inputs, data, written, progress):
    before = {name: tensor.clone() for name, tensor in inputs.model.model.state_dict().items()}
    adapter, curve = run(node, inputs).args
    assert written() == ["foxes_3steps_001.safetensors"]
    file = pack.module("roictrl_core.checkpoint").read_adapter(
        comfy.base / "models" / "roictrl" / "foxes_3steps_001.safetensors"
    )
    assert file.metadata["training_steps"] == "3" and file.config.grids == (4, 3) and file.config.slots == 4
    weights = adapter.model.state_dict()
    assert all(torch.equal(weights[name], file.weights[name]) for name in weights)
    assert all(weights[name] != 0 for name in weights if ".alpha_" in name)
    assert curve.shape == (1, 360, 640, 3) and curve.std() > 0
    after = inputs.model.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    values = [value for value, _, _ in progress]
    assert values == sorted(values) and progress[-1] == (1000, 1000, True)


def test_same_seed_same_adapter_and_nothing_is_overwritten(node, inputs, data, written):
    state = torch.get_rng_state()
    one, two = (run(node, inputs)[0].model.state_dict() for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    assert written() == ["foxes_3steps_001.safetensors", "foxes_3steps_002.safetensors"]
    assert all(torch.equal(one[name], two[name]) for name in one)


OTHERS = {
    "steps": 1,
    "batch_size": 1,
    "learning_rate": 2e-3,
    "width": 128,
    "height": 128,
    "seed": 6,
    "gate_learning_rate": 0.1,
    "warmup": 1,
    "flip": 1.0,
    "box_dropout": 1.0,
    "caption_dropout": 1.0,
    "ema": 0.0,
    "precision": "bf16",
    "roi_grids": "5, 4",
    "slots": 5,
}


def test_every_setting_changes_the_adapter(node, inputs, data, written):
    """Gradient checkpointing alone must not."""

    def trained(**changes):
        return run(node, inputs, **{"steps": 2, **changes})[0].model.state_dict()

    def same(other):
        return all(
            other[name].shape == value.shape and torch.equal(other[name], value) for name, value in plain.items()
        )

    assert OTHERS.keys() | {"gradient_checkpointing", "bad_rows", "name"} == WIDGETS.keys()
    plain = trained()
    # The grids have no weights of their own: what was learnt differs.
    assert not [key for key, value in OTHERS.items() if same(trained(**{key: value}))]


def test_goes_on_from_an_adapter(node, inputs, data, written):
    first = run(node, inputs)[0]
    begun = {name: tensor.clone() for name, tensor in first.model.state_dict().items()}
    second = run(node, inputs, adapter=first, roi_grids="9", slots=30, learning_rate=1e-5, steps=1, ema=0.0)[0].model
    assert second.config == first.model.config
    assert all(torch.equal(begun[name], tensor) for name, tensor in first.model.state_dict().items())
    moved = max((tensor - begun[name]).abs().max() for name, tensor in second.state_dict().items())
    assert 0 < moved < 1e-4


def test_interrupt_keeps_what_was_trained(node, inputs, data, written, monkeypatch):
    def cancel(value, total, preview, **_):
        if value >= 700:  # after the second of three steps
            comfy.model_management.interrupt_current_processing()

    comfy.utils.set_progress_bar_global_hook(cancel)
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            run(node, inputs)
    finally:
        comfy.utils.set_progress_bar_global_hook(None)
        comfy.model_management.interrupt_current_processing(False)
    assert written() == ["foxes_2steps_001.safetensors"]


def test_bad_rows_are_listed_and_refused_or_skipped(node, inputs, data, written, caplog):
    with (data / "metadata.jsonl").open("a") as file:
        file.write('\n{"file_name": "9.png", "caption": "x", "instances": []}')
    with pytest.raises(
        ValueError,
        match=(
            r"Train ROICtrl Adapter: 1 bad rows beside 3 good ones:\n"
            r"  metadata.jsonl line 4: picture 9.png does not exist"
        ),
    ):
        run(node, inputs)
    assert written() == []
    run(node, inputs, bad_rows="skip", steps=1)
    assert "metadata.jsonl line 4" in caplog.text and written() == ["foxes_1steps_001.safetensors"]


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"data": "nowhere"}, "put a folder with pictures and a metadata.jsonl into"),
        ({"data": "../../.."}, "put a folder with pictures|leads out of"),
        ({"roi_grids": "25, x"}, "roi_grids is '25, x'; write the ROI grid side"),
        ({"roi_grids": "25"}, "level 1"),
        (
            {"roi_grids": "99999999, 3"},
            "roi_grids is '99999999, 3'; write the ROI grid side of each UNet level, 1 to 64",
        ),
        ({"roi_grids": "4, -3"}, "roi_grids is '4, -3'; write the ROI grid side"),
        ({"roi_grids": "4, 0"}, "roi_grids is '4, 0'; write the ROI grid side"),
    ],
)
def test_what_is_wrong_is_said(node, inputs, data, written, changes, sentence):
    with pytest.raises(ValueError, match=f"Train ROICtrl Adapter: .*({sentence})"):
        run(node, inputs, **changes)
    assert written() == []


def test_what_cannot_be_trained_is_said_before_the_data_is_encoded(pack, node, inputs, data, written, progress):
    first = run(node, inputs, steps=1)[0]
    progress.clear()
    other = SimpleNamespace(
        **{
            **vars(inputs),
            "model": tiny_models.patcher(
                tiny_models.sd15_model({**training_run.TINY, "context_dim": 64, "model_channels": 64})
            ),
        }
    )
    with pytest.raises(
        ValueError,
        match=(
            "Train ROICtrl Adapter: the adapter to go on from is for another model: "
            "it acts in 7 blocks, of which this model has 0"
        ),
    ):
        run(node, other, adapter=first)
    with pytest.raises(ValueError, match="level 1"):
        run(node, inputs, roi_grids="25")
    assert progress == []


def test_file_names_stay_in_the_folder(pack, comfy):
    target = pack.module("nodes.train").target
    for name in ("../../evil", "a/b", "", "..", "C:\\x", "\x00", "\ud800"):
        path = target(name).path(1)
        assert path.parent == comfy.base / "models" / "roictrl" and path.name.isprintable()


@pytest.fixture
def adapters(comfy, written):
    """models/roictrl, put back afterwards."""
    folder = comfy.base / "models" / "roictrl"
    yield folder
    if folder.is_file():
        folder.unlink()
    folder.mkdir(exist_ok=True)


def test_a_name_that_is_too_long_is_said_before_the_first_step(node, inputs, data, written, progress):
    with pytest.raises(
        ValueError, match="Train ROICtrl Adapter: .*File name too long.*Give the adapter a shorter name"
    ):
        run(node, inputs, name="x" * 300)
    assert written() == [] and progress == []


def test_a_folder_that_is_gone_is_made_before_the_first_step(node, inputs, data, adapters):
    adapters.rmdir()
    run(node, inputs, steps=1)
    assert [file.name for file in adapters.iterdir()] == ["foxes_1steps_001.safetensors"]


def test_a_file_in_the_folders_place_is_said_before_the_first_step(node, inputs, data, adapters, progress):
    adapters.rmdir()
    adapters.write_text("mine")
    with pytest.raises(
        ValueError,
        match="Train ROICtrl Adapter: .*models/roictrl cannot be a folder: .*models/roictrl is a file.*mend the folder",
    ):
        run(node, inputs)
    assert progress == [] and adapters.read_text() == "mine"


def at_step(step, act):
    """Do something while step `step` of 3 is reported."""

    def hook(value, total, preview, **_):
        if value == 100 + 300 * step:
            act()

    comfy.utils.set_progress_bar_global_hook(hook)


@pytest.mark.parametrize("gone", ["removed", "a file"])
def test_what_was_trained_is_never_thrown_away(comfy, node, inputs, data, adapters, progress, caplog, gone):
    """The folder goes while the run is at its second step."""

    def lose():
        adapters.rmdir()
        if gone == "a file":
            adapters.write_text("mine")

    at_step(2, lose)
    for old in (comfy.base / "output").glob("foxes_*"):
        old.unlink()
    adapter, _ = run(node, inputs).args
    kept = (adapters if gone == "removed" else comfy.base / "output") / "foxes_3steps_001.safetensors"
    weights = load_file(kept)
    assert all(torch.equal(weights[name], tensor) for name, tensor in adapter.model.state_dict().items())
    assert (f"The trained adapter is in {kept}: move it to {adapters}" in caplog.text) == (gone == "a file")


def test_memory_that_runs_out_keeps_what_was_trained(node, inputs, data, written, progress):
    def run_out():
        raise torch.OutOfMemoryError("out of memory")

    at_step(2, run_out)
    with pytest.raises(torch.OutOfMemoryError):
        run(node, inputs)
    assert written() == ["foxes_2steps_001.safetensors"]


def test_a_disk_without_room_is_said_before_the_first_step(node, inputs, data, written, progress, monkeypatch):
    """As much as the cache takes is free, but not the adapter's size."""
    real = shutil.disk_usage
    monkeypatch.setattr(
        "shutil.disk_usage",
        lambda folder: SimpleNamespace(free=1000 if Path(folder).name == "roictrl" else real(folder).free),
    )
    with pytest.raises(
        ValueError, match="Train ROICtrl Adapter: .*models/roictrl has 0.0 MB left on its disk; the adapter needs"
    ):
        run(node, inputs)
    assert written() == [] and max(value for value, _, _ in progress) <= 100


def test_an_unreadable_picture_is_listed_before_any_is_encoded(node, inputs, data, written, progress):
    (data / "2.png").write_bytes((data / "2.png").read_bytes()[:90])
    try:
        with pytest.raises(
            ValueError, match="1 bad rows beside 2 good ones:\n  metadata.jsonl line 3: picture 2.png cannot be read"
        ):
            run(node, inputs)
    finally:
        (data / "2.png").unlink()
    assert progress == [] and written() == []


def test_data_without_a_good_row_is_said(node, inputs, data, written):
    (data / "metadata.jsonl").write_text("nothing\n")
    with pytest.raises(ValueError, match="no pictures to train on: every row is bad"):
        run(node, inputs, bad_rows="skip")


def test_interrupt_while_rows_are_checked(node, inputs, data, written, progress):
    comfy.model_management.interrupt_current_processing()
    try:
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            run(node, inputs)
    finally:
        comfy.model_management.interrupt_current_processing(False)
    assert written() == [] and progress == []


def test_folders_with_data_are_offered(pack, data):
    assert "foxes" in pack.module("nodes.train").data_folders()
