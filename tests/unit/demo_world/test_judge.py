"""The judge is right on what was drawn, and does not say yes to everything."""

from __future__ import annotations

import numpy as np
import pytest

from demo_world.judge import Reading, box_iou, judge, summarise
from demo_world.world import normalised_boxes, random_scene, render

SCENES = [random_scene((4, index), 1 + index % 6) for index in range(120)]


@pytest.fixture(scope="module")
def pictures():
    return [render(scene) for scene in SCENES]


def wanted(scene):
    return [thing.attributes for thing in scene.things]


def test_ground_truth_is_judged_right(pictures):
    verdicts = [
        v
        for scene, picture in zip(SCENES, pictures, strict=True)
        for v in judge(picture, normalised_boxes(scene), wanted(scene))
    ]
    rates = summarise(verdicts)
    assert rates["isr"] >= 0.98
    assert rates["miou"] >= 0.9


def test_another_layouts_captions_fail(pictures):
    verdicts = []
    for scene, picture, other in zip(
        SCENES, pictures, SCENES[6:] + SCENES[:6], strict=True
    ):  # six on: the same number of instances
        verdicts += judge(picture, normalised_boxes(scene), wanted(other))
    assert summarise(verdicts)["isr"] <= 0.05


def test_boxes_elsewhere_fail(pictures):
    verdicts = []
    for scene, picture, other in zip(SCENES, pictures, SCENES[6:] + SCENES[:6], strict=True):
        verdicts += judge(picture, normalised_boxes(other), wanted(scene))
    assert summarise(verdicts)["fit"] <= 0.35


def test_an_empty_picture_holds_nothing():
    scene = SCENES[2]
    verdicts = judge(np.full((128, 128, 3), 40, np.uint8), normalised_boxes(scene), wanted(scene))
    assert all(v.found is None and v.extent is None and v.iou == 0 and not v.success for v in verdicts)


def test_bytes_and_floats_read_alike(pictures):
    scene = SCENES[5]
    from_bytes = judge(pictures[5], normalised_boxes(scene), wanted(scene))
    from_floats = judge(pictures[5].astype(np.float32) / 255, normalised_boxes(scene), wanted(scene))
    assert from_bytes == from_floats


def test_iou():
    assert box_iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert box_iou((0, 0, 1, 1), (2, 2, 3, 3)) == 0


def test_nothing_to_summarise_is_an_error():
    with pytest.raises(ValueError, match="no verdicts"):
        summarise([])


def test_the_largest_object_is_read_without_a_box():
    scene = random_scene((5, 0), 1)
    assert Reading(render(scene)).largest_object() == scene.things[0].attributes
    assert Reading(np.zeros((64, 64, 3), np.uint8)).largest_object() is None
