"""What works beside the boxes, through a real server: a ControlNet in its box alone, tiles with their own boxes, image
prompts of the whole picture and of each box."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from devtools.client import fetch, run_prompt
from devtools.templates import TEXT_TO_IMAGE, template
from devtools.workflow import load_workflow, shrunk, to_prompt

PER_BOX = "ControlNet for each box - SD1.5"
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


def with_image_prompts(prompt: dict, boxes: tuple[int, ...], weight: float = 1.0, upside_down: int = -1) -> dict:
    """A workflow with an image prompt for each of the boxes before the Apply node; box 0 is the whole picture. One of
    them may read another picture."""
    prompt = json.loads(json.dumps(prompt))
    (apply,) = nodes_of(prompt, "ROICtrlApplyBoxes")
    model, layout = (prompt[apply]["inputs"][name] for name in ("model", "layout"))
    prompt["picture"] = {"class_type": "LoadImage", "inputs": {"image": "example.png"}}
    prompt["inverted"] = {"class_type": "ImageInvert", "inputs": {"image": ["picture", 0]}}
    for box in boxes:
        inputs = {"model": model, "image": ["inverted" if box == upside_down else "picture", 0], "weight": weight}
        if box:
            named = {"layout": layout, "instances": str(box)}
            prompt[f"mask {box}"] = {"class_type": "ROICtrlLayoutToMasks", "inputs": named}
            inputs["attn_mask"] = [f"mask {box}", 0]
        prompt[f"image {box}"] = {"class_type": "TestImagePrompt", "inputs": inputs}
        model = [f"image {box}", 0]
    prompt[apply]["inputs"]["model"] = model
    return prompt


@pytest.fixture(scope="module")
def plain(server, models) -> dict:
    return shrunk(to_prompt(load_workflow(template(TEXT_TO_IMAGE)), server.object_info))


@pytest.mark.parametrize("boxes", [(0,), (1, 2)], ids=["whole picture", "per box"])
def test_image_prompts_and_boxes_in_one_picture(boxes, plain, server):
    """Each image prompt changes the picture, and at weight 0 none does, to the byte."""
    without = pixels(server, plain)
    assert (pixels(server, with_image_prompts(plain, boxes, weight=0.0)) == without).all()
    both = pixels(server, with_image_prompts(plain, boxes))
    assert (both != without).any()
    for box in boxes:
        assert (pixels(server, with_image_prompts(plain, boxes, upside_down=box)) != both).any()
    (apply,) = nodes_of(plain, "ROICtrlApplyBoxes")
    off = {f"n{apply}": {"strength": 0.0}}
    assert (pixels(server, changed(with_image_prompts(plain, boxes), **off)) != both).any()
