"""Layouts against what was found in their pictures."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roictrl_core import formats
from roictrl_core.check import MARK, NAME, NOTHING, PLACE, check, marked, missed
from roictrl_core.layout import Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences

FOX, OWL = Instance((0.0, 0.0, 0.4, 0.4), "a red fox"), Instance((0.5, 0.5, 1.0, 1.0), "a blue owl")
PAIR = Layout(100, 100, (FOX, OWL))


def found(*objects):
    """Detections, as (box, label)."""
    return Layout(100, 100, tuple(Instance(box, label=label) for box, label in objects))


def said(layout, result):
    return sentences(result.notes(layout))


def test_all_obeyed():
    result = check(PAIR, found((OWL.box, "bird"), ((0.0, 0.0, 0.4, 0.35), "fox")))
    assert [one.missed for one in result.verdicts] == ["", ""] and result.score == 1.0
    assert result.verdicts[0].iou == pytest.approx(0.875) and result.verdicts[0].agrees is True
    assert result.verdicts[1].object.label == "bird" and not result.extras and not said(PAIR, result)


def test_each_way_to_miss_has_its_sentence():
    three = replace(PAIR, instances=(FOX, OWL, Instance((0.6, 0.0, 1.0, 0.3), "a tree")))
    result = check(three, found(((0.1, 0.1, 0.6, 0.5), "fox"), (OWL.box, "dog"), ((0.0, 0.7, 0.3, 1.0), "cup")))
    assert [one.missed for one in result.verdicts] == [PLACE, NAME, NOTHING] and result.score == 0.0
    assert [one.label for one in result.extras] == ["cup"]
    assert said(three, result) == [
        "Instance 1 ('a red fox') is missed: the nearest object, 'fox', covers its box with an IoU of 0.333, not 0.5.",
        "Instance 2 ('a blue owl') is missed: what stands in its box is 'dog'.",
        "Instance 3 ('a tree') is missing: nothing was found in its box.",
        "Found beside the boxes, and not asked for: 1 object (cup).",
    ]


def test_a_detection_without_a_label_counts_by_its_place():
    assert check(PAIR, found((FOX.box, ""), (OWL.box, ""))).score == 1.0


def test_what_lies_in_a_box_already_is_no_extra_object():
    result = check(PAIR, found((FOX.box, "fox"), ((0.1, 0.1, 0.2, 0.2), "face"), (FOX.box, "dog"), (OWL.box, "owl")))
    assert not result.extras and result.score == 1.0


def test_disabled_instances_are_not_asked_for():
    half = replace(PAIR, instances=(replace(FOX, enabled=False), OWL))
    result = check(half, found((OWL.box, "owl"), (FOX.box, "fox")))
    assert [one.index for one in result.verdicts] == [2] and [one.label for one in result.extras] == ["fox"]
    none = check(Layout(), found((FOX.box, "fox")))
    assert none.score == 1.0 and said(Layout(), none)[0].startswith("The layout has no box that is enabled")


def test_a_mask_counts_in_place_of_its_box():
    pixels = np.zeros((100, 100), bool)
    pixels[:20, :20] = True
    shaped = Layout(100, 100, (replace(FOX, mask=RunLengthMask.from_array(pixels)),))
    assert check(shaped, found(((0.0, 0.0, 0.2, 0.2), "fox"))).verdicts[0].iou == pytest.approx(1.0)


def test_a_point_is_met_by_a_box_that_holds_it():
    pointed = Layout(100, 100, (Instance((0.2, 0.2, 0.2, 0.2), "a fox", point=(0.2, 0.2)),))
    assert check(pointed, found(((0.1, 0.1, 0.5, 0.5), "fox"))).score == 1.0
    assert check(pointed, found(((0.3, 0.3, 0.5, 0.5), "fox"))).verdicts[0].missed == NOTHING


def test_the_mark_goes_into_json_and_goes_again():
    result = check(PAIR, found((OWL.box, "owl")))
    layout = Layout.from_json(marked(PAIR, result).to_json())
    assert missed(layout) == [1] and layout.instances[0].extra == {MARK: NOTHING} and not layout.instances[1].extra
    assert PAIR.instances[0].extra == {}
    again = marked(layout, check(layout, found((OWL.box, "owl"), (FOX.box, "fox"))))
    assert missed(again) == [] and again == PAIR


def test_the_threshold_decides():
    near = found(((0.0, 0.0, 0.4, 0.28), "fox"), (OWL.box, "owl"))
    assert check(PAIR, near, least=0.6).score == 1.0 and check(PAIR, near, least=0.8).score == 0.5


@pytest.mark.parametrize("wrap", [lambda boxes: boxes, lambda boxes: [boxes]])
def test_what_core_detectors_answer_is_read(wrap):
    boxes = wrap([{"x": 0, "y": 0, "width": 40, "height": 40, "label": "fox", "score": 0.9}])
    assert check(PAIR, formats.read(boxes, 100, 100)[0]).score == 0.5


SIDE = st.floats(0, 1, width=32)
BOX = st.tuples(SIDE, SIDE, SIDE, SIDE).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
THINGS = st.lists(st.tuples(BOX, st.sampled_from(["fox", "owl", ""])), max_size=5)


@given(THINGS, THINGS, st.floats(0, 1))
def test_every_object_is_counted_once(wanted, objects, least):
    layout = Layout(100, 100, tuple(Instance(box, caption) for box, caption in wanted))
    result = check(layout, found(*objects), least)
    used = [one.object for one in result.verdicts if one.object is not None] + list(result.extras)
    assert len(used) <= len(objects) and len({id(one) for one in used}) == len(used)
    assert len(result.verdicts) == len(wanted) and 0 <= result.score <= 1
    assert set(missed(marked(layout, result))) == {one.index for one in result.verdicts if one.missed}
    assert all(one.isascii() for one in said(layout, result))


@given(st.lists(BOX.filter(lambda b: b[2] > b[0] and b[3] > b[1]), max_size=5))
def test_what_was_asked_for_is_obeyed(boxes):
    layout = Layout(100, 100, tuple(Instance(box, "fox") for box in boxes))
    assert check(layout, found(*((box, "fox") for box in boxes))).score == 1.0
