"""What works beside the boxes, through a real server: a ControlNet in its box alone, tiles with their own boxes, image
prompts of the whole picture and of each box."""

from __future__ import annotations

import io
import json
import os

import numpy as np
import pytest
from PIL import Image

from devtools.client import PromptError, fetch, run_prompt
from devtools.templates import TEXT_TO_IMAGE, template
from devtools.workflow import load_workflow, shrunk, to_prompt

PER_BOX = "ControlNet for each box - SD1.5"
PACK = "-ComfyUI_IPAdapter_plus" if os.environ.get("IPADAPTER_PLUS_PATH") else ""  # the real one in place of ours
TILES = "Tiled upscale, each tile with its own boxes - SD1.5"


def nodes_of(prompt: dict, kind: str) -> list[str]:
    return [number for number, entry in prompt.items() if entry["class_type"] == kind]


def changed(prompt: dict, **nodes: dict) -> dict:
    """The prompt with other inputs of some nodes."""
    prompt = json.loads(json.dumps(prompt))
    for number, inputs in nodes.items():
        prompt[number.removeprefix("n")]["inputs"].update(inputs)
    return prompt


def pixels(server, prompt: dict) -> np.ndarray:
    (save,) = nodes_of(prompt, "SaveImage")
    image = run_prompt(server.url, prompt).images(save)[0]
    return np.asarray(Image.open(io.BytesIO(fetch(server.url, image))).convert("RGB")).astype(int)


@pytest.mark.parametrize("box", [0, 1])
def test_a_controlnet_in_a_box_changes_that_box_alone(box, server, models):
    """In one step, where nothing has spread yet. The tiny VAE shows the latent's own cells, of 8 pixels."""
    prompt = shrunk(to_prompt(load_workflow(template(PER_BOX)), server.object_info), side=128)
    (decode,), nets = nodes_of(prompt, "VAEDecode"), nodes_of(prompt, "ControlNetApplyAdvanced")
    prompt["tiny"] = {"class_type": "TestTinyModel", "inputs": {"family": "flux"}}
    prompt[decode]["inputs"]["vae"] = ["tiny", 2]
    before, after = (
        pixels(server, changed(prompt, **{f"n{nets[box]}": {"strength": strength}})) for strength in (0.0, 1.0)
    )
    (drawn,) = nodes_of(prompt, "ROICtrlInstanceBoxPrompt")
    boxes = [one["box"] for one in json.loads(prompt[drawn]["inputs"]["layout"])["instances"]]
    x1, y1, x2, y2 = (round(16 * value) for value in boxes[box])
    moved = np.abs(before - after).max(-1)[4::8, 4::8] > 0  # [16, 16] cells
    assert moved[y1 + 1 : y2 - 1, x1 + 1 : x2 - 1].mean() > 0.25  # the brightest are cut off
    moved[max(0, y1 - 1) : y2 + 1, max(0, x1 - 1) : x2 + 1] = False  # a cell that the box cuts
    assert not moved.any()


def test_a_tile_is_drawn_with_the_boxes_that_it_sees(server, models):
    """A box whose caption changes changes the tiles that see it, and no other."""
    prompt = shrunk(to_prompt(load_workflow(template(TILES)), server.object_info))
    (drawn,), (cut,) = nodes_of(prompt, "ROICtrlInstanceBoxPrompt"), nodes_of(prompt, "ROICtrlTileLayout")
    layout = json.loads(prompt[drawn]["inputs"]["layout"])
    layout["instances"] = [
        {"box": [0.0, 0.0, 0.2, 0.2], "caption": "an owl"},
        {"box": [0.8, 0.8, 1.0, 1.0], "caption": "a lamp"},
    ]
    other = json.loads(json.dumps(layout))
    other["instances"][0]["caption"] = "a wooden ladder"
    # The first pass has boxes of its own, so that only the tiles differ.
    first = {"class_type": "ROICtrlInstanceBoxPrompt", "inputs": dict(prompt[drawn]["inputs"])}
    prompt = {**prompt, "tiles": first}
    prompt[cut]["inputs"]["layout"] = ["tiles", 0]
    before, after = (pixels(server, changed(prompt, tiles={"layout": json.dumps(data)})) for data in (layout, other))
    moved = np.abs(before - after).max(-1) > 0
    assert before.shape == (128, 128, 3) and moved[:26, :26].any()
    assert not moved[64:].any() and not moved[:, 64:].any()  # the first tile ends there


def with_image_prompts(
    prompt: dict, boxes: tuple[int, ...], weight: float = 1.0, upside_down: int = -1, by_mask: bool = True
) -> dict:
    """A workflow with an image prompt for each of the boxes before the Apply node, by a mask or by Instance Reference;
    box 0 is the whole picture.  One of them may read another picture."""
    prompt = json.loads(json.dumps(prompt))
    (apply,) = nodes_of(prompt, "ROICtrlApplyBoxes")
    model, layout = (prompt[apply]["inputs"][name] for name in ("model", "layout"))
    prompt["picture"] = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    prompt["inverted"] = {"class_type": "ImageInvert", "inputs": {"image": ["picture", 0]}}
    prompt["vision"] = {"class_type": "TestTinyVision", "inputs": {}}
    prompt["ipadapter"] = {
        "class_type": "IPAdapterModelLoader",
        "inputs": {"ipadapter_file": "ip-adapter_sd15.safetensors"},
    }
    shared = {"ipadapter": ["ipadapter", 0], "clip_vision": ["vision", 0], "weight": weight, "weight_type": "linear"}
    shared |= {"combine_embeds": "concat", "start_at": 0.0, "end_at": 1.0, "embeds_scaling": "V only"}
    for box in boxes:
        inputs = {"model": model, "image": ["inverted" if box == upside_down else "picture", 0], **shared}
        if box and by_mask:
            named = {"layout": layout, "instances": str(box)}
            prompt[f"mask {box}"] = {"class_type": "ROICtrlLayoutToMasks", "inputs": named}
            inputs["attn_mask"] = [f"mask {box}", 0]
        prompt[f"image {box}"] = {"class_type": "IPAdapterAdvanced", "inputs": inputs}
        if by_mask or not box:
            model = [f"image {box}", 0]
        else:
            named = {"layout": layout, "instance": str(box), "model": [f"image {box}", 0]}
            prompt[f"reference {box}"] = {"class_type": "ROICtrlInstanceReference", "inputs": named}
            layout = [f"reference {box}", 0]
    prompt[apply]["inputs"].update(model=model, layout=layout)
    return prompt


@pytest.fixture(scope="module")
def plain(server, models) -> dict:
    return shrunk(to_prompt(load_workflow(template(TEXT_TO_IMAGE)), server.object_info))


@pytest.mark.parametrize(
    ("boxes", "by_mask"),
    [((0,), True), ((1, 2), True), ((1, 2), False)],
    ids=[f"{way}{PACK}" for way in ("whole picture", "per box", "Instance Reference")],
)
def test_image_prompts_and_boxes_in_one_picture(boxes, by_mask, plain, server):
    """Each image prompt changes the picture, and at weight 0 none does, to the byte."""

    def drawn(**settings):
        return pixels(server, with_image_prompts(plain, boxes, by_mask=by_mask, **settings))

    without, both = pixels(server, plain), drawn()
    assert (drawn(weight=0.0) == without).all()
    assert (both != without).any()
    for box in boxes:
        assert (drawn(upside_down=box) != both).any()
    (apply,) = nodes_of(plain, "ROICtrlApplyBoxes")
    off = changed(with_image_prompts(plain, boxes, by_mask=by_mask), **{f"n{apply}": {"strength": 0.0}})
    assert (pixels(server, off) != both).any()


def test_a_reference_acts_in_its_box_alone(plain, server):
    """In one step, on a box that no other touches; the picture of a tiny VAE shows the latent's own cells."""
    prompt = json.loads(json.dumps(plain))
    (drawn,), (decode,) = nodes_of(prompt, "ROICtrlInstanceBoxPrompt"), nodes_of(prompt, "VAEDecode")
    (apply,) = nodes_of(prompt, "ROICtrlApplyBoxes")
    layout = json.loads(prompt[drawn]["inputs"]["layout"])
    layout["instances"] = [{"box": [0.0, 0.0, 0.25, 0.5], "caption": "a red fox"}]
    prompt[drawn]["inputs"]["layout"] = json.dumps(layout)
    prompt["tiny"] = {"class_type": "TestTinyModel", "inputs": {"family": "flux"}}
    prompt[decode]["inputs"]["vae"] = ["tiny", 2]
    found = [pixels(server, with_image_prompts(prompt, (1,), weight=weight, by_mask=False)) for weight in (0.0, 1.0)]
    moved = np.abs(found[0] - found[1]).max(-1)
    height, width = moved.shape
    assert moved[: height // 2, : width // 4].mean() > 2 * moved[:, width // 2 :].mean()


def test_a_model_without_an_image_prompt_is_refused_in_a_sentence(plain, server):
    prompt = with_image_prompts(plain, (1,), by_mask=False)
    prompt["reference 1"]["inputs"]["model"] = prompt["image 1"]["inputs"]["model"]
    with pytest.raises(PromptError, match="Instance Reference: the model input has no image prompt. Connect the MODEL"):
        run_prompt(server.url, prompt)
