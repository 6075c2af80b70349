"""The example workflows: found by the template browser, valid on the running ComfyUI, and run through /prompt."""

from __future__ import annotations

import io
import json
import urllib.request
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from devtools.base import PACK_FOLDER
from devtools.client import PromptError, fetch, run_prompt
from devtools.pack import ROOT
from devtools.pictures import node_of
from devtools.templates import DEMO, DEMO_APP, FOLDER, TEXT_TO_IMAGE, template
from devtools.workflow import load_workflow, shrunk, to_prompt

WORKFLOWS = sorted(FOLDER.glob("*.json"))

# The workflows whose models are replaced by tiny ones of the same family (`tiny_nodes`), and what takes their place.
FAMILIES = {
    "Boxes on FLUX": "flux",
    "Boxes on Qwen-Image": "qwen_image",
    "Boxes on Z-Image Turbo": "z_image",
    "Boxes on Anima": "anima",
    "Boxes in a video - Wan": "wan21",
    "EliGen on Qwen-Image": "qwen_image",
    "EliGen on FLUX": "flux",
}
LOADED = {"UNETLoader": 0, "CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}  # the tiny node's output instead
SMALL = [file for file in WORKFLOWS if file.stem not in FAMILIES]


def prompt_of(file, server) -> dict:
    return to_prompt(load_workflow(file), server.object_info)


def with_eyes(prompt: dict) -> dict:
    """The prompt with a small CLIP that sees pictures in the place of a file: core's loader knows full sizes alone."""
    for entry in prompt.values():
        if entry["class_type"] == "CLIPVisionLoader":
            entry.update(class_type="TestTinyVision", inputs={})
    return prompt


def picture(server, image: dict) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(fetch(server.url, image))).convert("RGB"))


def test_no_other_folder_takes_the_workflows_place():
    """ComfyUI serves the first of these that exists, and every .json in it is a template."""
    assert not [name for name in ("example_workflows", "workflow", "examples", "example") if (ROOT / name).exists()]


def test_the_template_browser_finds_every_workflow_and_its_thumbnail(server):
    assert set(server.get_json("/api/workflow_templates")[PACK_FOLDER]) == {file.stem for file in WORKFLOWS}
    for file in WORKFLOWS:
        place = f"/api/workflow_templates/{PACK_FOLDER}/{quote(file.stem)}"
        assert server.get_json(f"{place}.json") == json.loads(file.read_text(encoding="utf-8"))
        with urllib.request.urlopen(f"{server.url}{place}.jpg", timeout=30) as answer:
            image = Image.open(io.BytesIO(answer.read()))
        assert image.format == "JPEG" and min(image.size) >= 200


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_the_workflow_is_valid_on_this_comfyui(file, server):
    """Every saved choice, number and link is one that the node accepts."""
    prompt = prompt_of(file, server)
    for number, entry in prompt.items():
        info = server.object_info[entry["class_type"]]
        known = {**info["input"].get("required", {}), **info["input"].get("optional", {})}
        assert set(info["input"].get("required", {})) <= set(entry["inputs"]), (number, entry["class_type"])
        assert set(entry["inputs"]) <= set(known), (number, entry["class_type"])
        for name, value in entry["inputs"].items():
            if isinstance(value, list):
                source = server.object_info[prompt[value[0]]["class_type"]]
                offered, wanted = source["output"][value[1]], known[name][0]
                # A socket of several types names them all.
                assert wanted == "*" or offered == wanted or offered in wanted.split(","), (number, name)


def tiny(prompt: dict, family: str) -> dict:
    """The prompt with a tiny model in the place of what it loads."""
    loaders = {number: LOADED[e["class_type"]] for number, e in prompt.items() if e["class_type"] in LOADED}
    loaders |= {number: 0 for number, e in prompt.items() if e["class_type"] == "ROICtrlLoadEliGenLoRA"}
    kept = {number: entry for number, entry in prompt.items() if number not in loaders}
    for entry in kept.values():
        for name, value in entry["inputs"].items():
            if isinstance(value, list) and value[0] in loaders:
                entry["inputs"][name] = ["tiny", loaders[value[0]]]
        entry["inputs"].update({"length": 5} if "length" in entry["inputs"] else {})
    return {**kept, "tiny": {"class_type": "TestTinyModel", "inputs": {"family": family}}}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_workflow_runs_on_a_tiny_model_of_its_family_and_its_boxes_act(name, server):
    prompt = tiny(shrunk(prompt_of(template(name), server), side=128, steps=2), FAMILIES[name])
    saves = next(e["class_type"] for e in prompt.values() if e["class_type"] in ("SaveImage", "SaveAnimatedWEBP"))
    plain = json.loads(json.dumps(prompt))
    apply = "ROICtrlApplyEliGen" if name.startswith("EliGen") else "ROICtrlApplyBoxes"
    plain[node_of(plain, apply)]["inputs"]["strength"] = 0.0
    try:
        first, second = (run_prompt(server.url, wanted).images(node_of(prompt, saves))[0] for wanted in (prompt, plain))
    except PromptError as error:
        if "AttributeError" in str(error) or "has no attribute" in str(error):
            pytest.skip("this ComfyUI does not know the family")
        raise
    assert (picture(server, first) != picture(server, second)).any()


@pytest.fixture(scope="module")
def ran(server, models):
    """Runs each workflow at most once on the shared server: file -> (prompt, result)."""
    seen = {}

    def run(file):
        if file not in seen:
            prompt = with_eyes(shrunk(prompt_of(file, server)))
            seen[file] = prompt, run_prompt(server.url, prompt)
        return seen[file]

    return run


@pytest.mark.parametrize("file", SMALL, ids=lambda file: file.stem)
def test_the_workflow_makes_a_picture_and_draws_its_boxes_on_it(file, server, ran):
    prompt, result = ran(file)
    saved = picture(server, result.images(node_of(prompt, "SaveImage"))[0])
    drawn = picture(server, result.images(node_of(prompt, "ROICtrlPreviewLayout"))[0])
    assert saved.std() > 1
    scale = drawn.shape[0] // saved.shape[0]  # the demo's picture is enlarged before its boxes are drawn
    assert drawn.shape == (scale * saved.shape[0], scale * saved.shape[1], 3)
    assert (np.abs(drawn[::scale, ::scale].astype(int) - saved) > 30).any(-1).mean() > 0.02


# What each workflow is there to show, and the change of its prompt that takes it out: node class, input, value.
EFFECTS = {
    DEMO: [("ROICtrlApplyBoxes", "strength", 0.0)],
    DEMO_APP: [("ROICtrlApplyBoxes", "strength", 0.0)],
    "Change one caption, keep the picture - demo model": [("ROICtrlEditInstance", "caption", "")],
    "Draw, check, draw again what was missed - demo model": [("ROICtrlCheckLayout", "least_iou", 0.0)],
    TEXT_TO_IMAGE: [("ROICtrlApplyBoxes", "strength", 0.0)],
    "Checkpoint of your own with a LoRA - SD1.5": [
        ("LoraLoader", "strength_model", 0.0),
        ("ROICtrlApplyBoxes", "strength", 0.0),
    ],
    "A LoRA in each of two boxes - SD1.5": [
        ("ROICtrlInstanceLoRA", "strength_model", 0.0),
        ("ROICtrlInstanceLoRA", "layers", "all, approximate"),
    ],
    "ControlNet and boxes - SD1.5": [
        ("ControlNetApplyAdvanced", "strength", 0.0),
        ("ROICtrlApplyBoxes", "strength", 0.0),
    ],
    "Two passes, the second larger - SD1.5": [("ROICtrlApplyBoxes", "strength", 0.0)],
    "Inpaint one box - SD1.5": [("ROICtrlApplyBoxes", "strength", 0.0)],
    "Masks with soft edges - SD1.5": [
        ("ROICtrlInstanceBoxPrompt", "layout", lambda text: without(text, "mask")),
        ("ROICtrlApply", "mask_feather", 64),
    ],
    "Tiled upscale, each tile with its own boxes - SD1.5": [
        ("ROICtrlApplyBoxes", "strength", 0.0),
        ("ROICtrlTileLayout", "min_visible", 1.0),
        ("ROICtrlJoinTiles", "feather", 0),
    ],
    "T2I-Adapter and boxes - SD1.5": [
        ("ControlNetApplyAdvanced", "strength", 0.0),
        ("ROICtrlApplyBoxes", "strength", 0.0),
    ],
    "IP-Adapter and boxes - SD1.5": [("IPAdapterAdvanced", "weight", 0.0), ("ROICtrlApplyBoxes", "strength", 0.0)],
    "IP-Adapter in each of two boxes - SD1.5": [
        ("IPAdapterAdvanced", "weight", 0.0),
        ("ROICtrlInstanceReference", "instance", "2"),
    ],
    "Differential Diffusion, a box with a soft edge - SD1.5": [
        ("DifferentialDiffusion", "strength", 0.1),
        ("ROICtrlApplyBoxes", "strength", 0.0),
    ],
    "ControlNet for each box - SD1.5": [
        ("ControlNetApplyAdvanced", "strength", 0.0),
        ("ROICtrlApplyBoxes", "strength", 0.0),
    ],
    "ROI prompts with every setting - SDXL": [("ROICtrlApplyROIPrompts", "strength", 0.0)],
    "Boxes on SDXL": [("ROICtrlApplyBoxes", "strength", 0.0)],
    "GLIGEN - SD1.5": [("ROICtrlApplyGLIGEN", "strength", 0.0)],
    "InstanceDiffusion - boxes": [("ROICtrlApplyInstanceDiffusion", "strength", 0.0)],
    "InstanceDiffusion - points and scribbles": [("ROICtrlApplyInstanceDiffusion", "formats", "box")],
    "InstanceDiffusion - masks": [("ROICtrlApplyInstanceDiffusion", "formats", "box")],
    "InstanceDiffusion - Multi-Instance Sampler": [("ROICtrlMultiInstanceSampler", "mis_share", 0.0)],
}


def without(layout: str, field: str) -> str:
    """The layout's JSON with a field of every instance left out."""
    data = json.loads(layout)
    return json.dumps(
        {
            **data,
            "instances": [
                {key: value for key, value in instance.items() if key != field} for instance in data["instances"]
            ],
        }
    )


def test_every_workflow_has_an_effect_to_show():
    assert set(EFFECTS) == {file.stem for file in SMALL}


@pytest.mark.parametrize(
    ("name", "kind", "key", "value"), [(name, *change) for name, changes in EFFECTS.items() for change in changes]
)
def test_what_the_workflow_shows_changes_its_picture(name, kind, key, value, server, ran):
    prompt, result = ran(template(name))
    plain = json.loads(json.dumps(prompt))
    inputs = plain[node_of(plain, kind)]["inputs"]
    inputs[key] = value(inputs[key]) if callable(value) else value
    assert plain != prompt
    number = node_of(prompt, "SaveImage")
    changed = picture(server, run_prompt(server.url, plain).images(number)[0])
    assert (picture(server, result.images(number)[0]) != changed).any()


def test_every_tensor_of_the_lora_is_loaded(server, ran):
    ran(template("Checkpoint of your own with a LoRA - SD1.5"))
    assert "lora key not loaded" not in server.log.read_text(encoding="utf-8", errors="replace")


def test_two_fresh_servers_make_the_same_bytes(base, server, another_server, ran):
    prompt, result = ran(template(TEXT_TO_IMAGE))
    number = node_of(prompt, "SaveImage")
    with another_server() as other:
        again = run_prompt(other.url, prompt)
        assert not again.cached
        assert (picture(other, again.images(number)[0]) == picture(server, result.images(number)[0])).all()


def test_a_node_that_fails_is_named_with_its_own_sentence(server, models):
    prompt = shrunk(prompt_of(template(TEXT_TO_IMAGE), server))
    prompt[node_of(prompt, "ROICtrlInstanceBoxPrompt")]["inputs"]["layout"] = (
        '{"version": 1, "instances": [{"box": [0.2, 0.2, 0.1, 0.9], "caption": "a fox"}]}'
    )
    with pytest.raises(PromptError, match=r"Node \d+ \(Instance Box Prompt\): .*a fox"):
        run_prompt(server.url, prompt)
