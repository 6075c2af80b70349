"""What other packs hand over beside the boxes.

Kept as plain data for JSON, or named; and no more of it than is counted.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from roictrl_core import formats
from roictrl_core.formats.common import MAX_CARRIED
from roictrl_core.layout import Instance, Layout
from roictrl_core.notes import sentences

BOX = {"x": 10, "y": 20, "width": 290, "height": 380, "label": "cat"}
PLACE = {"label": "cat", "box": [10, 20, 300, 400]}
COCO = {"images": [{"id": 1, "width": 512, "height": 512}], "categories": []}


class Odd:
    """Nothing that JSON knows."""


def read(source, **how):
    """The layout, as JSON has it, and the sentences; both must be plain data."""
    layout, notes = formats.read(source, 512, 512, **how)
    json.dumps([note.to_dict() for note in notes], allow_nan=False)
    return json.loads(json.dumps(layout.to_dict(), allow_nan=False)), sentences(notes)


@pytest.mark.parametrize(
    "source, key, value",
    [
        ([{**BOX, "score": np.float32(0.9)}], "score", 0.9),
        ([{**BOX, "class": np.int64(2)}], "class", 2),
        ([{**BOX, "crowd": np.bool_(True)}], "crowd", True),
        ([{**BOX, "name": np.str_("tom")}], "name", "tom"),
        ([{**BOX, "id": torch.tensor(3)}], "id", 3),
        ([{**BOX, "score": torch.tensor(0.5, dtype=torch.bfloat16)}], "score", 0.5),
        ([{**BOX, "deep": {"a": [np.int8(1), (np.float64(0.25),)]}}], "deep", {"a": [1, [0.25]]}),
        ([{**PLACE, "track": np.int64(2)}], "track", 2),
        ([{"box_2d": [1, 2, 300, 400], "label": "cat", "conf": np.float32(0.9)}], "conf", 0.9),
        ({**COCO, "annotations": [{"image_id": 1, "bbox": [1, 2, 30, 40], "score": np.float32(0.9)}]}, "score", 0.9),
        ({"width": 9, "height": 9, "annos": [{"bbox": [1, 2, 3, 4], "caption": "a", "id": np.int64(3)}]}, "id", 3),
        (
            {
                "width": 64,
                "height": 64,
                "objects": {"bbox": [[1, 2, 30, 40]], "category": ["a"], "hard": [np.bool_(1)]},
            },
            "hard",
            True,
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_numbers_of_other_libraries_become_plain(source, key, value):
    layout, notes = read(source)
    found = layout["instances"][0]["imported"][key]
    assert found == value and type(found) is type(value) and not any("nothing that" in note for note in notes)


@pytest.mark.parametrize(
    "value, kind",
    [
        (b"x", "bytes"),
        ({1, 2}, "set"),
        (Odd(), "Odd"),
        (np.complex64(1), "complex64"),
        (float("nan"), "nan"),
        (np.float32("inf"), "inf"),
        ([1, b"x"], "bytes"),
        ({"a": Odd()}, "Odd"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_json_cannot_hold_is_left_out_and_said(value, kind):
    layout, notes = read([{**BOX, "odd": value, "even": 2}])
    imported = layout["instances"][0]["imported"]
    assert imported.pop("odd", {}) == {} and imported == {"even": 2}
    assert f"nothing that a layout can hold ({kind}), the first in the field '" in notes[0]


def test_one_note_names_what_was_left_out_of_many_boxes():
    layout, notes = read([{**BOX, "odd": Odd(), ("a", 1): 2}] * 300)
    assert len(layout["instances"]) == 300 and "imported" not in layout["instances"][0]
    said = [note for note in notes if "nothing that" in note]
    assert said == [
        "600 values beside the boxes are nothing that a layout can hold (Odd, tuple as a key), "
        "the first in the field 'odd'; they were left out."
    ]


def test_a_layout_with_foreign_values_is_written_in_every_format():
    data = {"instances": [{"box": [0, 0, 1, 1], "caption": "a", "odd": Odd(), "n": np.int64(1)}], "set": {1}}
    layout, notes = read(data)
    assert layout["instances"][0]["n"] == 1 and "nothing that a layout can hold (Odd, set)" in notes[0]
    imported = {"score": np.float32(0.5), "palette": [b"x"], "type": "text", "text": Odd()}
    foreign = Layout(64, 64, (Instance((0, 0, 1, 1), "a", extra={"imported": imported}),), extra={"x": {1}})
    for kind in formats.WRITABLE:
        assert formats.write_text(foreign, kind)[0]
    text, notes = formats.write_text(foreign, "layout")
    assert json.loads(text)["instances"][0]["imported"] == {"score": 0.5, "type": "text"}
    assert "foreign values of the layout are nothing that JSON can hold (set, bytes, Odd)" in sentences(notes)[-1]


# --- numbers that are not finite ---


@pytest.mark.parametrize("text", [False, True], ids=["data", "text"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize(
    "good, key, left",
    [
        (BOX, "x", 1),
        (BOX, "score", 2),
        (PLACE, "score", 2),
        ({"box_2d": [1, 2, 300, 400], "label": "cat"}, "score", 2),
        ({"bbox_2d": [1, 2, 300, 400], "label": "cat"}, "score", 2),
    ],
)
def test_only_the_box_that_needs_the_number_is_left_out(text, bad, good, key, left):
    source = [{**good, key: bad}, good]
    layout, notes = read(json.dumps(source) if text else source)
    assert len(layout["instances"]) == left
    if left == 1:
        assert any("Box 1 ('cat') has a box that is not 4 finite numbers, but [" in note for note in notes)
    else:
        assert "the first in the field 'score'; they were left out." in notes[0]


@pytest.mark.parametrize(
    "source, place",
    [
        ('{"instances": [{"box": [0, 0, 1, 1]}, {"box": [0, 0, 1, NaN]}]}', "NaN at instances[1].box[3];"),
        ({"instances": [{"box": [0, 0, 1, 1], "strength": float("inf")}]}, "inf at instances[0].strength;"),
        ('{"what": {"ever": 1e999}}', "inf at what.ever;"),
        ([{"a": [0, float("nan")]}], "NaN at [0].a[1];"),
        ("a: 1\nb:\n  c: 1e999\n", "1e999 at line 3, column 6;"),
    ],
)
def test_a_number_that_is_refused_is_named_by_its_place(source, place):
    with pytest.raises(ValueError) as refusal:
        formats.read(source, 512, 512)
    assert f"holds the number {place} only finite numbers can be used" in str(refusal.value)


def test_a_number_that_is_not_finite_anywhere_ends_in_a_layout_or_a_sentence(samples):
    for sample in samples:
        for changed in _with_nan(sample):
            try:
                read(changed)
            except ValueError as error:
                assert str(error).endswith(".")


def _with_nan(data, around=lambda value: value):
    """Copies of ``data``, each with another of its numbers not finite."""
    if isinstance(data, (int, float)) and not isinstance(data, bool):
        yield around(float("nan"))
        yield around(np.float64("-inf"))
    elif isinstance(data, dict):
        for key, value in data.items():
            yield from _with_nan(value, lambda new, key=key: around({**data, key: new}))
    elif isinstance(data, list):
        for i, value in enumerate(data[:3]):
            yield from _with_nan(value, lambda new, i=i: around([*data[:i], new, *data[i + 1 :]]))


@pytest.fixture
def samples(root):
    found = []
    for file in sorted((root / "tests" / "unit" / "data" / "formats").iterdir()):
        try:
            found.append(json.loads(file.read_text(encoding="utf-8")))
        except ValueError:
            continue  # those that are not JSON
    assert len(found) > 5
    return found


# --- how much is carried along ---


@pytest.mark.parametrize("wrapped", [False, True], ids=["detections", "rows"])
def test_lists_beside_the_boxes_are_kept_up_to_a_limit(wrapped):
    columns = {f"k{i}": [0] * 2000 for i in range(115)}
    data = {"bbox" if wrapped else "boxes": [[1, 2, 30, 40]] * 2000, **columns}
    layout, notes = read({"width": 512, "height": 512, "objects": data} if wrapped else data)
    assert len(layout["instances"]) == 2000 and len(layout["instances"][0]["imported"]) == 115
    assert len(json.dumps([one.get("imported", 0) for one in layout["instances"]])) < MAX_CARRIED
    assert any(note.endswith("Leave out of the source what is not needed.") for note in notes)


def test_one_large_field_leaves_room_for_the_others():
    layout, notes = read([{**BOX, "scan": "x" * (MAX_CARRIED + 1), "score": 0.5}])
    assert layout["instances"][0]["imported"] == {"score": 0.5}
    assert notes[0].startswith(f"1 fields beside the boxes were left out, since at most {MAX_CARRIED} characters")
