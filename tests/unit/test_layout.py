"""Instance and Layout: JSON both ways, old versions, and a sentence for every fault."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import layout as module
from roictrl_core.layout import MAX_INSTANCES, Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences

FULL = {
    "version": 1,
    "width": 512,
    "height": 768,
    "caption": "a forest",
    "author": {"name": "x"},
    "instances": [
        {
            "box": [0.1, 0.2, 0.4, 0.6],
            "caption": "a red fox",
            "negative": "dog",
            "strength": 0.5,
            "start": 0.1,
            "end": 0.9,
            "enabled": False,
            "color": "#e69f00",
            "label": "fox",
            "mask": {"size": [2, 2], "counts": "13"},
            "point": [0.2, 0.3],
            "scribble": [[[0.1, 0.2], [0.3, 0.4]], [[0.5, 0.5]]],
            "locked": True,
        },
        {"box": [0, 0, 1, 1]},
    ],
}


def test_json_round_trip_keeps_everything():
    layout = Layout.from_json(json.dumps(FULL))
    assert json.loads(layout.to_json()) == FULL
    assert Layout.from_json(layout.to_json()) == layout
    assert layout.extra == {"author": {"name": "x"}} and layout.instances[0].extra == {"locked": True}


def test_defaults_are_not_written():
    written = Layout(64, 64, (Instance((0.0, 0.0, 1.0, 1.0)),)).to_dict()
    assert written == {"version": 1, "width": 64, "height": 64, "instances": [{"box": [0.0, 0.0, 1.0, 1.0]}]}


def test_blank_text_is_an_empty_layout_and_null_is_a_default():
    assert Layout.from_json(" \n") == Layout()
    assert Layout.from_dict({"instances": [{"box": [0, 0, 1, 1], "strength": None, "mask": None}]}).instances == (
        Instance((0.0, 0.0, 1.0, 1.0)),
    )


numbers = st.floats(-2, 3)
instances = st.builds(
    Instance,
    box=st.tuples(numbers, numbers, numbers, numbers),
    caption=st.text(max_size=9),
    negative=st.text(max_size=9),
    strength=st.floats(0, 2),
    start=st.floats(0, 1),
    end=st.floats(0, 1),
    enabled=st.booleans(),
    label=st.text(max_size=9),
    point=st.none() | st.tuples(numbers, numbers),
    scribble=st.sampled_from([(), (((0.5, 0.5), (0.25, 1.0)),)]),
    color=st.sampled_from(["", "#00ff00"]),
    mask=st.sampled_from([None, RunLengthMask((2, 2), "13")]),
    extra=st.dictionaries(st.sampled_from(["x", "y"]), st.lists(st.integers())),
)


@settings(deadline=None, max_examples=60)
@given(
    st.builds(
        Layout,
        width=st.integers(1, 16384),
        height=st.integers(1, 16384),
        caption=st.text(max_size=9),
        instances=st.lists(instances, max_size=4).map(tuple),
        extra=st.dictionaries(st.just("z"), st.none()),
    )
)
def test_any_data_survives(layout):
    assert Layout.from_json(layout.to_json()) == layout


def test_conditioning_is_left_out_and_named(caplog):
    layout = Layout(instances=(Instance((0, 0, 1, 1), "a fox", conditioning=[["x", {}]]), Instance((0, 0, 1, 1))))
    assert "conditioning" not in layout.to_json()
    sentence = "The custom conditioning of instance 1 ('a fox') exists only while a workflow runs"
    assert layout.left_out()[0].sentence().startswith(sentence) and len(layout.left_out()) == 1
    assert sentence in caplog.text


def test_old_versions_migrate(monkeypatch):
    monkeypatch.setattr(module, "VERSION", 3)
    monkeypatch.setattr(
        module,
        "MIGRATIONS",
        {
            1: lambda data: {**data, "instances": data.pop("boxes")},
            2: lambda data: {**data, "width": data["width"] * 2},
        },
    )
    assert Layout.from_dict({"version": 1, "width": 8, "boxes": [{"box": [0, 0, 1, 1]}]}).width == 16
    assert Layout.from_dict({"version": 2, "width": 8, "instances": []}).width == 16
    assert Layout.from_dict({"version": 3, "width": 8, "instances": []}).to_dict()["version"] == 3


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("{", "The layout is not valid JSON: .* line 1, column 2"),
        ("[]", "must be a JSON object with instances, not a list"),
        ('{"width": "512"}', "layout's width must be a whole number, not '512'"),
        ('{"width": 1.5}', "layout's width must be a whole number, not 1.5"),
        ('{"height": true}', "layout's height must be a whole number"),
        ('{"caption": 3}', "layout's caption must be text"),
        ('{"version": 2}', "version 2; this pack reads versions up to 1. Update the ROICtrl pack"),
        ('{"version": 0}', "version 0, which never existed"),
        ('{"version": "1"}', "layout's version must be a whole number"),
        ('{"instances": {}}', "instances must be a list, not an object"),
        ('{"instances": [3]}', "Instance 1 must be an object with a box, not a number"),
        ('{"instances": [{"caption": "a fox"}]}', r"box of instance 1 \('a fox'\) must be a list of four numbers"),
        ('{"instances": [{"box": [0, 0, 1]}]}', "box of instance 1 must be a list of four numbers"),
        ('{"instances": [{"box": [0, 0, 1, "1"]}]}', "Each number in the box of instance 1 must be a number, not '1'"),
        ('{"instances": [{"box": [0, 0, 1, NaN]}]}', "holds the number NaN"),
        ('{"instances": [{"box": [0, 0, 1, 1e999]}]}', "holds the number 1e999"),
        ('{"instances": [{"box": [0, 0, 1, 1' + "0" * 400 + "]}]}", "a number of over 300 digits"),
        ('{"width": 1' + "0" * 5000 + "}", "a number of over 300 digits"),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "label": "fox", "strength": "1"}]}',
            r'"strength" of instance 1 \(\'fox\'\) must be a number',
        ),
        ('{"instances": [{"box": [0, 0, 1, 1], "enabled": 1}]}', '"enabled" of instance 1 must be true or false'),
        ('{"instances": [{"box": [0, 0, 1, 1], "label": 7}]}', '"label" of instance 1 must be text, not 7'),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "mask": "13"}]}',
            "The mask of instance 1 cannot be read: A mask must be an object",
        ),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "point": [1]}]}',
            "The point of instance 1 must be a list of two numbers x, y",
        ),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "point": [1, "2"]}]}',
            "The point of instance 1: each number must be a number",
        ),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "scribble": [[0.5, 0.5]]}]}',
            "The scribble of instance 1: each point must be a list of two numbers",
        ),
        (
            '{"instances": [{"box": [0, 0, 1, 1], "scribble": [[]]}]}',
            "The scribble of instance 1 must be a list of strokes",
        ),
        (
            json.dumps({"instances": [{"box": [0, 0, 1, 1], "scribble": [[[0, 0]] * 10001]}]}),
            "has 10001 points; at most 10000",
        ),
        ('{"width": 8, "width": 9}', "key 'width' twice"),
        ("[" * 40 + "]" * 40, "nested more than 32 levels"),
        ("[" * 100000, "nested more than 32 levels"),
        (" " * 11 * 2**20 + "{}", "11.0 MB; at most 10 MB"),
        (json.dumps({"instances": [{"box": [0, 0, 1, 1]}] * (MAX_INSTANCES + 1)}), "10001 boxes; at most 10000"),
    ],
)
def test_unreadable_text_is_refused_with_a_sentence(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        Layout.from_json(text)


GOOD = Instance((0.1, 0.1, 0.9, 0.9), "a fox")


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"box": (0.5, 0.1, 0.5, 0.9)}, "box of instance 1 ('a fox') has no area"),
        ({"box": (0.9, 0.1, 0.1, 0.9)}, "has no area"),
        ({"box": (1.0, 0.1, 1.5, 0.9)}, "lies outside the picture: (1, 0.1, 1.5, 0.9)"),
        ({"box": (51, 102, 205, 307)}, "divide pixels by the picture's size"),
        ({"box": (0.1, float("nan"), 0.5, 0.9)}, "needs four finite numbers"),
        ({"box": (0.1, 0.2, 0.3)}, "needs four finite numbers"),
        ({"strength": -0.1}, "strength of instance 1 ('a fox') is -0.1; it must lie between 0 and 2"),
        ({"strength": float("nan")}, "strength of instance 1 ('a fox') is nan"),
        ({"start": 0.5, "end": 0.5}, "schedule of instance 1 ('a fox') runs from 0.5 to 0.5"),
        ({"end": 1.1}, "schedule of instance 1 ('a fox') runs from 0 to 1.1"),
        ({"point": (0.5, 1.1)}, "point or scribble of instance 1 ('a fox') leaves the picture"),
        ({"scribble": (((0.5, 0.5), (-0.1, 0.5)),)}, "point or scribble of instance 1 ('a fox') leaves the picture"),
        ({"color": "red"}, "color of instance 1 ('a fox') is 'red'; write it as #rrggbb"),
    ],
)
def test_validation_names_the_instance(change, sentence):
    with pytest.raises(ValueError) as error:
        Layout(instances=(replace(GOOD, **change),)).validate()
    assert sentence in str(error.value)


def test_validation_names_every_problem_and_the_size():
    bad = Layout(0, 512, (replace(GOOD, strength=9), GOOD, replace(GOOD, color="blue")))
    assert [sentence.split(" is ")[0] for sentence in sentences(bad.problems())] == [
        "The layout's size",
        "The strength of instance 1 ('a fox')",
        "The color of instance 3 ('a fox')",
    ]
    assert Layout(instances=(GOOD,)).validate().problems() == []
    assert "at most 10000" in Layout(instances=(GOOD,) * (MAX_INSTANCES + 1)).problems()[0].sentence()


@pytest.mark.parametrize(
    "change, sentence",
    [
        ({"caption": " "}, "The caption of instance 1 is empty"),
        ({"box": (-0.1, 0, 1, 1)}, "box of instance 1 ('a fox') reaches over the picture's border"),
        (
            {"box": (0.5, 0.5, 0.5, 0.5), "point": (0.5, 0.5)},
            "box of instance 1 ('a fox') has no area; only a method that reads points",
        ),
        ({"mask": RunLengthMask.from_array(np.zeros((2, 2)))}, "mask of instance 1 ('a fox') is empty"),
    ],
)
def test_warnings_name_the_instance(change, sentence):
    layout = Layout(instances=(replace(GOOD, **change),)).validate()
    assert len(layout.warnings()) == 1 and sentence in layout.warnings()[0].sentence()
    assert Layout(instances=(replace(GOOD, **change, enabled=False),)).warnings() == []


def test_doubled_boxes_are_warned_about():
    small, beside = replace(GOOD, box=(0.1, 0.1, 0.3, 0.3)), replace(GOOD, box=(0.8, 0.8, 1.0, 1.0))
    assert (
        "instance 1 ('a fox') and instance 2 ('a fox') share their caption"
        in Layout(instances=(GOOD, small)).warnings()[0].sentence()
    )
    assert Layout(instances=(GOOD, beside)).warnings() == []
    assert Layout(instances=(GOOD, replace(small, caption="an owl"))).warnings() == []


def test_enabled_keeps_the_indices():
    layout = Layout(instances=(replace(GOOD, enabled=False), GOOD))
    assert layout.enabled == [(2, GOOD)] and layout.resized(8, 16).instances == layout.instances


def test_long_captions_are_shortened_in_messages():
    assert replace(GOOD, caption="x" * 99).name(3) == "instance 3 ('" + "x" * 39 + "…')"
