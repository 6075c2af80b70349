"""The Train ROICtrl Adapter node, executed as ComfyUI does: in inference mode, with a progress bar, and interrupted."""

from __future__ import annotations

import json
from types import SimpleNamespace

import comfy.model_management
import comfy.utils
import pytest
import torch
from comfy.taesd.taesd import TAESD
from devtools import tiny_models, training_run
from PIL import Image, ImageDraw

WIDGETS = {
    "name": "foxes", "steps": 3, "batch_size": 2, "learning_rate": 1e-3, "width": 64, "height": 64, "seed": 5, "gate_learning_rate": 0.0,
    "warmup": 0, "flip": 0.5, "box_dropout": 0.1, "caption_dropout": 0.5, "ema": 0.9, "precision": "auto", "gradient_checkpointing": True,
    "roi_grids": "4, 3", "slots": 4, "bad_rows": "refuse",
}  # fmt: skip


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
        rows.append({"file_name": f"{n}.png", "caption": "a fox", "instances": [{"box_px": [10 * n, 10, 10 * n + 31, 51], "caption": "a red fox"}]})
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
    comfy.utils.set_progress_bar_global_hook(lambda value, total, preview, **_: seen.append((value, total, preview is not None)))
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
    file = pack.module("roictrl_core.checkpoint").read_adapter(comfy.base / "models" / "roictrl" / "foxes_3steps_001.safetensors")
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
    with pytest.raises(ValueError, match=r"Train ROICtrl Adapter: 1 bad rows beside 3 good ones:\n  metadata.jsonl line 4: picture 9.png does not exist"):
        run(node, inputs)
    assert written() == []
    run(node, inputs, bad_rows="skip", steps=1)
    assert "metadata.jsonl line 4" in caplog.text and written() == ["foxes_1steps_001.safetensors"]


@pytest.mark.parametrize("changes, sentence", [
    ({"data": "nowhere"}, "put a folder with pictures and a metadata.jsonl into"),
    ({"data": "../../.."}, "put a folder with pictures|leads out of"),
    ({"roi_grids": "25, x"}, "roi_grids is '25, x'; write the ROI grid side"),
    ({"roi_grids": "25"}, "level 1"),
    ({"roi_grids": "99999999, 3"}, "roi_grids is '99999999, 3'; write the ROI grid side of each UNet level, 1 to 64"),
    ({"roi_grids": "4, -3"}, "roi_grids is '4, -3'; write the ROI grid side"),
    ({"roi_grids": "4, 0"}, "roi_grids is '4, 0'; write the ROI grid side"),
])
def test_what_is_wrong_is_said(node, inputs, data, written, changes, sentence):
    with pytest.raises(ValueError, match=f"Train ROICtrl Adapter: .*({sentence})"):
        run(node, inputs, **changes)
    assert written() == []


def test_file_names_stay_in_the_folder(pack, comfy):
    free_path = pack.module("nodes.train").free_path
    for name in ("../../evil", "a/b", "", "..", "C:\\x"):
        assert free_path(name, 1).parent == comfy.base / "models" / "roictrl"


def test_folders_with_data_are_offered(pack, data):
    assert "foxes" in pack.module("nodes.train").data_folders()
