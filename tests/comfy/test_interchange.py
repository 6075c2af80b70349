"""ComfyUI's own nodes for boxes and ours, each on what the other gives; the tables of docs/interchange.md are true."""

from __future__ import annotations

import json
import re
from importlib import import_module, util
from pathlib import Path

import pytest
import torch
from comfy_execution.validation import validate_node_input

CORE = {
    "CreateBoundingBoxes": ("nodes_bounding_boxes", "CreateBoundingBoxes"),
    "BuildJsonPromptIdeogram": ("nodes_json_prompt", "BuildJsonPromptIdeogram"),
    "ConvertDictionaryToString": ("nodes_string", "ConvertDictionaryToString"),
    "ConvertArrayToString": ("nodes_string", "ConvertArrayToString"),
    "PrimitiveBoundingBox": ("nodes_images", "BoundingBox"),
    "ImageCropV2": ("nodes_images", "ImageCropV2"),
    "RTDETR_detect": ("nodes_rtdetr", "RTDETR_detect"),
    "DrawBBoxes": ("nodes_rtdetr", "DrawBBoxes"),
    "MediaPipeFaceLandmarker": ("nodes_mediapipe", "MediaPipeFaceLandmarker"),
    "SAM3_Detect": ("nodes_sam3", "SAM3_Detect"),
    "SAM3_TrackToMask": ("nodes_sam3", "SAM3_TrackToMask"),
    "SDPoseFaceBBoxes": ("nodes_sdpose", "SDPoseFaceBBoxes"),
    "SDPoseKeypointExtractor": ("nodes_sdpose", "SDPoseKeypointExtractor"),
    "CropByBBoxes": ("nodes_sdpose", "CropByBBoxes"),
    "LayersFromBoundingBoxes": ("nodes_compositor", "LayersFromBoundingBoxes"),
}
newer = pytest.mark.skipif(
    not util.find_spec("comfy_extras.nodes_compositor"), reason="this ComfyUI lacks the newer nodes for boxes"
)
LAYOUT = {
    "width": 64,
    "height": 64,
    "caption": "a forest",
    "instances": [
        {"box": [0.0, 0.0, 0.5, 0.5], "caption": 'a "red" fox\n\u72d0', "color": "#e69f00"},
        {"box": [0.5, 0.25, 1.5, 1.0], "caption": "a sign", "imported": {"type": "text", "text": "OPEN"}},
        {"box": [0.1, 0.1, 0.2, 0.2], "caption": "off", "enabled": False},
    ],
}
ELEMENTS = [
    {"type": "obj", "bbox": [0, 0, 500, 500], "desc": 'a "red" fox\n\u72d0', "color_palette": ["#E69F00"]},
    {"type": "text", "bbox": [250, 500, 1000, 1000], "text": "OPEN", "desc": "a sign"},
]
PICTURE = torch.arange(64 * 64, dtype=torch.float32).reshape(1, 64, 64, 1).expand(2, -1, -1, 3) / 4096


@pytest.fixture(scope="module")
def ours(pack):
    """Our node classes by id."""
    classes = [cls for name in pack.module("nodes").MODULES for cls in pack.module(f"nodes.{name}").NODES]
    return {cls.GET_SCHEMA().node_id: cls for cls in classes}


@pytest.fixture
def layout(pack):
    return pack.module("roictrl_core.layout").Layout.from_dict(LAYOUT)


def core(name):
    """A node class of core's; None where this ComfyUI does not have it."""
    if name == "CLIPTextEncode":
        return import_module("nodes").NODE_CLASS_MAPPINGS[name]
    module, cls = CORE[name]
    found = util.find_spec(f"comfy_extras.{module}")
    # Older modules without the node may not be importable outside a server.
    if found is None or f'node_id="{name}"' not in Path(found.origin).read_text(encoding="utf-8"):
        return None
    return getattr(import_module(found.name), cls)


def result(cls, *args, **inputs):
    return cls.execute(*args, **inputs).result


def run(cls, **inputs):
    """One of our nodes: its outputs by name."""
    given = cls.EXECUTE_NORMALIZED(**inputs).result
    return dict(zip((output.display_name for output in cls.GET_SCHEMA().outputs), given, strict=True))


def drawn(ours, boxes, **more):
    """The layout that Instance Box Prompt makes of what comes."""
    return run(ours["ROICtrlInstanceBoxPrompt"], width=64, height=64, layout="", boxes=boxes, **more)["layout"]


def seen(layout):
    """What is left of the sample after a way there and back."""
    return [(one.box, one.caption, one.color, one.extra.get("imported", {}).get("text")) for one in layout.instances]


BACK = [
    ((0.0, 0.0, 0.5, 0.5), 'a "red" fox\n\u72d0', "#e69f00", None),
    ((0.5, 0.25, 1.0, 1.0), "a sign", "", "OPEN"),
]


def rows(root, heading):
    """A table of the page, as [node, socket, type, node, sockets, how] without the marks of code."""
    page = (root / "docs" / "interchange.md").read_text(encoding="utf-8")
    part = page[page.index(heading) :].split("\n## ")[0]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "| `" in line]
    assert len(found) > 10
    return [[re.findall(r"`(\w+)`", cell) or [cell] for cell in row] for row in found]


def input_types(cls):
    given = cls.INPUT_TYPES()
    return {name: spec[0] for part in ("required", "optional") for name, spec in given.get(part, {}).items()}


def output_types(cls):
    names = getattr(cls, "RETURN_NAMES", None) or cls.RETURN_TYPES
    return dict(zip(names, cls.RETURN_TYPES, strict=True))


@pytest.mark.parametrize("heading", ["## From core", "## To core"])
def test_the_tables_are_true(ours, root, heading):
    missing = set()
    for (giver,), (output,), (kind,), (taker,), inputs, (how,) in rows(root, heading):
        giving, taking = (ours.get(name) or core(name) for name in (giver, taker))
        if giving is None or taking is None:
            missing.add(giver if giving is None else taker)
            continue
        assert output_types(giving)[output] == kind and how in ("run", "link")
        for name in inputs:
            assert validate_node_input(kind, input_types(taking)[name]), (giver, output, taker, name)
    assert not missing or not util.find_spec("comfy_extras.nodes_compositor")


@newer
def test_every_node_of_core_with_boxes_is_in_the_tables(root):
    """Whatever gives or takes core's box types: a new one has to be looked at."""
    page = (root / "docs" / "interchange.md").read_text(encoding="utf-8")
    for module, _ in set(CORE.values()):
        for cls in vars(import_module(f"comfy_extras.{module}")).values():
            if not (isinstance(cls, type) and hasattr(cls, "define_schema") and cls.__module__.endswith(module)):
                continue
            schema = cls.define_schema()
            kinds = {entry.get_io_type() for entry in [*schema.inputs, *schema.outputs]}
            if any({"BOUNDING_BOX", "ARRAY"} & set(kind.split(",")) for kind in kinds):
                assert f"`{schema.node_id}`" in page, schema.node_id


@newer
def test_core_takes_our_bounding_boxes(ours, layout):
    bboxes = run(ours["ROICtrlInstanceBoxPrompt"], width=64, height=64, layout=json.dumps(LAYOUT))["bboxes"]
    preview, _, elements = result(core("CreateBoundingBoxes"), 64, 64, bboxes=bboxes)
    assert elements == ELEMENTS and seen(drawn(ours, elements)) == BACK and preview.shape == (1, 64, 64, 3)
    assert result(core("DrawBBoxes"), bboxes, PICTURE)[0].shape == PICTURE.shape
    crops = result(core("CropByBBoxes"), PICTURE, bboxes, 64, 64, 0)[0]
    assert torch.equal(crops, PICTURE)  # both boxes together cover the picture's corners
    layers = result(core("LayersFromBoundingBoxes"), PICTURE, bboxes)[0]["layers"]
    assert [(one["x"], one["y"], one["w"], one["h"]) for one in layers] == [(0, 0, 32, 32), (32, 16, 32, 48)]
    assert layers[1]["name"] == "a sign"


@newer
def test_core_takes_one_of_our_boxes(ours, layout):
    box = run(ours["ROICtrlLayoutInstance"], layout=layout, instance="2")["bbox"]
    assert torch.equal(result(core("ImageCropV2"), PICTURE, box)[0], PICTURE[:, 16:, 32:])
    assert result(core("DrawBBoxes"), box, PICTURE)[0].shape == PICTURE.shape
    assert result(core("CreateBoundingBoxes"), 64, 64, bboxes=box)[2] == ELEMENTS[1:]


@newer
def test_core_takes_our_elements(ours, layout):
    out = run(ours["ROICtrlLayoutToPrompt"], layout=layout)
    assert out["elements"] == ELEMENTS == run(ours["ROICtrlExportLayout"], layout=layout, format="yolo")["elements"]
    caption = result(core("BuildJsonPromptIdeogram"), out["elements"], {"style": "none"})[0]
    assert caption["compositional_deconstruction"]["elements"] == ELEMENTS
    assert result(core("CreateBoundingBoxes"), 64, 64, bboxes=out["elements"])[2] == ELEMENTS
    layers = result(core("LayersFromBoundingBoxes"), PICTURE, out["elements"], canvas_width=64, canvas_height=64)[0]
    assert [one["w"] for one in layers["layers"]] == [32, 32]
    text = result(core("ConvertArrayToString"), out["elements"], 0)[0]
    assert text == run(ours["ROICtrlLayoutToPrompt"], layout=layout, style="elements JSON")["prompt"]


@newer
def test_core_takes_our_text(ours, layout):
    texts = [run(ours["ROICtrlLayoutToPrompt"], layout=layout, style="elements JSON")["prompt"]]
    for kind in ("elements", "bounding_box"):
        texts.append(run(ours["ROICtrlExportLayout"], layout=layout, format=kind)["text"])
    for text in texts:
        assert result(core("CreateBoundingBoxes"), 64, 64, bboxes=text)[2] == ELEMENTS


@newer
def test_our_caption_is_the_one_that_core_builds(ours, layout):
    """To the letter, with the same words about the whole picture."""
    more = {"prefix": "a photo of", "suffix": "oil painting"}
    out = run(ours["ROICtrlLayoutToPrompt"], layout=layout, style="JSON caption", **more)
    built = result(
        core("BuildJsonPromptIdeogram"),
        out["elements"],
        {"style": "none"},
        high_level_description="a photo of a forest, oil painting",
        background="a forest",
    )[0]
    assert out["prompt"] == result(core("ConvertDictionaryToString"), built, 0)[0]
    empty = run(ours["ROICtrlLayoutToPrompt"], layout=type(layout)(), style="JSON caption")
    built = result(core("BuildJsonPromptIdeogram"), empty["elements"], {"style": "none"})[0]
    assert empty["prompt"] == result(core("ConvertDictionaryToString"), built, 0)[0]


@newer
def test_we_take_what_core_draws_and_builds(ours):
    state = [
        {
            "x": 0,
            "y": 0,
            "width": 32,
            "height": 32,
            "metadata": {"desc": 'a "red" fox\n\u72d0', "palette": ["#e69f00"]},
        },
        {"x": 32, "y": 16, "width": 32, "height": 48, "metadata": {"type": "text", "text": "OPEN", "desc": "a sign"}},
    ]
    _, bboxes, elements = result(core("CreateBoundingBoxes"), 64, 64, editor_state=state)
    style = {"style": "photo", "photo": "35mm"}
    caption = result(
        core("BuildJsonPromptIdeogram"), elements, style, background="a forest", aesthetics="calm", medium="photograph"
    )[0]
    texts = [result(core("ConvertDictionaryToString"), caption)[0], result(core("ConvertArrayToString"), elements)[0]]
    for given in (elements, caption, *texts):
        assert seen(drawn(ours, given)) == BACK
    assert seen(drawn(ours, bboxes)) == [(box, "", "", None) for box, *_ in BACK]  # core gives these without words
    for text in texts:
        assert seen(run(ours["ROICtrlInstanceBoxPrompt"], width=64, height=64, layout=text)["layout"]) == BACK
    layout = drawn(ours, caption)
    assert layout.caption == "a forest. 35mm. photograph. calm."
    again = run(ours["ROICtrlLayoutToPrompt"], layout=layout, style="JSON caption")["prompt"]
    assert again == result(core("ConvertDictionaryToString"), caption, 0)[0]


@newer
def test_we_take_what_core_finds(ours):
    one = result(core("PrimitiveBoundingBox"), 16, 16, 32, 32)[0]
    assert [i.box for i in drawn(ours, one).instances] == [(0.25, 0.25, 0.75, 0.75)]
    face = [value for i in range(70) for value in (20.0 + i % 10, 20.0 + i // 10, 1.0)]
    person = {"people": [{"face_keypoints_2d": face}], "canvas_width": 64, "canvas_height": 64}
    faces = result(core("SDPoseFaceBBoxes"), [person, {**person, "people": []}], 1.5, True)[0]
    assert len(faces) == 2 and len(drawn(ours, faces).instances) == 1
    assert not drawn(ours, faces, pick="2").instances


def test_we_take_what_detectors_of_core_give(ours):
    """In the shape of RT-DETR and SAM3 (label, score) and of MediaPipe (neither), two pictures in a batch."""
    box = {"x": 16.0, "y": 16.0, "width": 32.0, "height": 32.0}
    found = drawn(ours, [[{**box, "label": "dog", "score": 0.9}], [box, box]])
    assert [(i.caption, i.box) for i in found.instances] == [("dog", (0.25, 0.25, 0.75, 0.75))]
    assert len(drawn(ours, [[{**box, "label": "dog", "score": 0.9}], [box, box]], pick="2").instances) == 2
