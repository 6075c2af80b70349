"""Check Layout, through the real comfy_api: every kind of detections, what it gives on, and what it says."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest
import torch

SEG = namedtuple(
    "SEG", "cropped_image cropped_mask confidence crop_region bbox label control_net_wrapper", defaults=[None]
)
FOX = {"x": 0, "y": 0, "width": 32, "height": 32, "label": "fox", "score": 0.9}
OWL = {"x": 32, "y": 16, "width": 32, "height": 48, "label": "bird", "score": 0.8}
CUP = {"x": 0, "y": 48, "width": 16, "height": 16, "label": "cup", "score": 0.7}
IMAGE = torch.full((1, 64, 64, 3), 0.5)


@pytest.fixture(scope="module")
def cls(pack):
    return pack.module("nodes.check").CheckLayout


@pytest.fixture(scope="module")
def core(pack):
    return pack.module("roictrl_core.check")


@pytest.fixture(scope="module")
def layout(pack):
    instances = [
        {"box": [0.0, 0.0, 0.5, 0.5], "caption": "a red fox"},
        {"box": [0.5, 0.25, 1.0, 1.0], "caption": "a blue owl"},
    ]
    return pack.module("roictrl_core.layout").Layout.from_dict({"width": 64, "height": 64, "instances": instances})


@pytest.fixture(scope="module")
def run(cls, layout):
    def check(detections, image=IMAGE, **settings):
        inputs = {"layout": layout, "least_iou": 0.5, "least_score": 1.0, **settings}
        result = cls.EXECUTE_NORMALIZED(image=image, detections=detections, **inputs)
        return dict(zip((out.display_name for out in cls.GET_SCHEMA().outputs), result.result, strict=True)), result.ui

    return check


def test_schema_is_complete(cls, root):
    schema = cls.GET_SCHEMA()
    assert all(entry.tooltip for entry in [*schema.inputs, *schema.outputs])
    page = (root / "web" / "docs" / "ROICtrlCheckLayout.md").read_text(encoding="utf-8")
    assert all(f"`{entry.id}`" in page for entry in schema.inputs)
    assert all(f"`{entry.display_name}`" in page for entry in schema.outputs)


def mask_batch():
    masks = torch.zeros(2, 64, 64)
    masks[0, :32, :32], masks[1, 16:, 32:] = 1, 1
    return masks


def segs():
    def seg(box, label):
        x1, y1, x2, y2 = box
        return SEG(None, np.ones((y2 - y1, x2 - x1), np.float32), 0.9, list(box), list(box), label)

    return (64, 64), [seg((0, 0, 32, 32), "fox"), seg((32, 16, 64, 64), "owl")]


@pytest.mark.parametrize(
    "detections",
    [[[FOX, OWL]], [OWL, FOX], segs(), mask_batch(), '[{"bbox_2d": [0, 0, 500, 500], "label": "fox"},'
     ' {"bbox_2d": [500, 250, 1000, 1000], "label": "owl"}]'],
    ids=["one list per frame", "one list", "SEGS", "masks", "text of a language model"],
)  # fmt: skip
def test_all_kinds_of_detections_are_read(run, detections, layout, core):
    out, ui = run(detections)
    assert out["score"] == 1.0 and out["obeyed"] is True
    assert core.missed(out["layout"]) == [] and out["layout"].instances == layout.instances
    assert out["preview"].shape == (1, 64, 64, 3) and ui["images"]


def test_what_is_missed_is_marked_drawn_and_said(run, layout, core):
    out, ui = run([[FOX, {**OWL, "label": "dog"}, CUP]])
    assert out["score"] == 0.5 and out["obeyed"] is False
    assert core.missed(out["layout"]) == [2] and core.missed(layout) == []
    said = [note["text"] for note in ui["roictrl"][0]["notes"]]
    assert said[0] == "Instance 2 ('a blue owl') is missed: what stands in its box is 'dog'."
    assert "not asked for: 1 object (cup)" in said[1] and ui["roictrl"][0]["notes"][0]["instance"] == 2
    assert "Score: 0.5" in out["report"] and "a blue owl  dog" in out["report"] and said[0] in out["report"]
    assert not torch.equal(out["preview"], run([[FOX, OWL]])[0]["preview"])


def test_nothing_found_is_no_fault(run, core):
    for empty in ([], [[]], torch.zeros(1, 64, 64)):
        out, _ = run(empty)
        assert out["score"] == 0.0 and core.missed(out["layout"]) == [1, 2]


def test_a_mark_of_an_earlier_check_goes(run, core):
    marked = run([[FOX]])[0]["layout"]
    assert core.missed(marked) == [2]
    assert core.missed(run([[FOX, OWL]], layout=marked)[0]["layout"]) == []


def test_the_thresholds(run):
    near = {**FOX, "height": 24}
    assert run([[near, OWL]], least_iou=0.7)[0]["score"] == 1.0
    out, _ = run([[near, OWL]], least_iou=0.8, least_score=0.5)
    assert out["score"] == 0.5 and out["obeyed"] is True


def test_of_several_pictures_the_first_is_checked_and_that_is_said(run):
    out, ui = run([[FOX, OWL], [CUP]], image=IMAGE.repeat(2, 1, 1, 1))
    assert out["preview"].shape[0] == 1 and out["score"] == 1.0
    assert any("the first is checked" in note["text"] for note in ui["roictrl"][0]["notes"])


def test_what_is_no_detections_is_refused(run):
    with pytest.raises(ValueError, match="Check Layout: The boxes are in no format that is known here"):
        run([{"nothing": 1}])
    with pytest.raises(ValueError, match="Check Layout: There are 2 boxes and 2001 detections"):
        run([[FOX] * 2001])
