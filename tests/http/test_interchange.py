"""Core's nodes for boxes and ours in one prompt, on a real server: drawn there, described here, built there."""

from __future__ import annotations

import json

import pytest

from devtools.client import run_prompt

ELEMENTS = [
    {"type": "obj", "bbox": [200, 100, 600, 400], "desc": 'a "red" fox'},
    {"type": "text", "bbox": [50, 300, 120, 700], "text": "OPEN", "desc": "a wooden sign"},
]
SIZE = {"width": 1000, "height": 1000}
NONE = {"__value__": []}  # a bare list would be taken for a link
TEXT = {"prefix": "", "separator": ", ", "suffix": ""}
BUILT = {"high_level_description": "", "style": "none", "aesthetics": "", "lighting": "", "medium": ""}
CHAIN = {
    "draw": ("CreateBoundingBoxes", {**SIZE, "editor_state": NONE, "bboxes": json.dumps(ELEMENTS)}),
    "boxes": ("ROICtrlInstanceBoxPrompt", {**SIZE, "layout": "", "size_from_image": True, "boxes": ["draw", 2]}),
    "text": ("ROICtrlLayoutToPrompt", {**TEXT, "layout": ["boxes", 0], "suffix": "a street", "style": "JSON caption"}),
    "build": ("BuildJsonPromptIdeogram", {**BUILT, "element": ["text", 1], "background": "a street"}),
    "built": ("ConvertDictionaryToString", {"dictionary": ["build", 0], "indent": 0}),
    "again": ("CreateBoundingBoxes", {**SIZE, "editor_state": NONE, "bboxes": ["boxes", 1]}),
    "back": ("ConvertArrayToString", {"array": ["again", 2], "indent": 0}),
    "read": ("ROICtrlInstanceBoxPrompt", {**SIZE, "layout": "", "size_from_image": True, "boxes": ["build", 0]}),
    "words": ("ROICtrlLayoutToPrompt", {**TEXT, "layout": ["read", 0], "style": "places in words"}),
}
SHOWN = ("text", "built", "back", "words")


def test_boxes_go_from_core_through_our_nodes_and_back(server):
    known = server.get_json("/object_info")
    if missing := {kind for kind, _ in CHAIN.values()} - known.keys():
        pytest.skip(f"this ComfyUI lacks {', '.join(sorted(missing))}")
    prompt = {key: {"class_type": kind, "inputs": dict(inputs)} for key, (kind, inputs) in CHAIN.items()}
    prompt["build"]["inputs"]["color_palette"] = NONE
    for key in SHOWN:
        prompt[f"show {key}"] = {"class_type": "PreviewAny", "inputs": {"source": [key, 0]}}
    outputs = run_prompt(server.url, prompt).outputs
    text, built, back, words = (outputs[f"show {key}"]["text"][0] for key in SHOWN)
    assert json.loads(back) == ELEMENTS
    assert json.loads(built) == {"compositional_deconstruction": {"background": "a street", "elements": ELEMENTS}}
    assert json.loads(text) == {"high_level_description": 'a "red" fox, a wooden sign, a street', **json.loads(built)}
    assert words == 'a street. A "red" fox on the left, a wooden sign with the text "OPEN" at the top'
