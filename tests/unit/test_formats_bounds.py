"""Hostile box files: work that is bounded by counting, and layouts that every writer and check can take."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import cells, formats
from roictrl_core.drawing import draw_layout
from roictrl_core.fields import MAX_POINTS
from roictrl_core.formats.comfyui import write_bounding_boxes, write_masks
from roictrl_core.formats.outlines import MASK_COST, MAX_CROSSINGS, polygon_mask
from roictrl_core.formats.yolo import is_yolo
from roictrl_core.layout import MAX_FAR, MAX_MASK_PIXELS, Instance, Layout
from roictrl_core.masks import MAX_COUNTS, RunLengthMask
from roictrl_core.notes import MAX_NOTES


def codes(notes) -> list[str]:
    return [note.code for note in notes]


# --- patterns: the text is so long that one that is not linear would not come back ---


def test_a_line_of_numbers_is_recognised_in_linear_time():
    line = "0" + " 11" * 60
    assert is_yolo(line) and is_yolo("\n \n" + line + " x") and not is_yolo("0 11 11 " + "1" * 10**6 + "x 11")
    layout, notes = formats.read(line + " x", 64, 64)
    assert not layout.instances and codes(notes) == ["read.yolo_number"]
    assert set(codes(formats.read("0 1 0 1 1\n0 " + "." * 10**6, names="a")[1])) == {"read.cut", "read.yolo_line"}


@pytest.mark.parametrize(
    "names",
    ["\n" * 10**6, " " * 10**6, "\n" * 10**6 + "x", "a: 1\n" + " " * 10**5 + "\nnames: [a]"],
    ids=["breaks", "spaces", "last", "names"],
)
def test_blank_names_are_no_work(names):
    layout, _ = formats.read("0 0.5 0.5 1 1", names=names)
    assert layout.instances[0].caption in ("class 0", "x", "a")


def test_class_names_are_counted():
    with pytest.raises(ValueError, match="The list of names has 1000000 line breaks; at most 50000 are read"):
        formats.read("0 0.5 0.5 1 1", names="x" + "\n" * 10**6 + "x")


def test_yolo_is_counted():
    with pytest.raises(ValueError, match="The YOLO file has 60000 line breaks"):
        formats.read("0 0.5 0.5 1 1" + "\n" * 60_000 + "0 0.5 0.5 1 1")
    with pytest.raises(ValueError, match="The YOLO file has 2000000 spaces; at most 400000"):
        formats.read("0" + " 1" * 2_000_000)
    layout, notes = formats.read("0" + " .5 .7" * (MAX_POINTS + 1))
    assert notes[0].sentence() == f"Line 1 has more than {MAX_POINTS} points and was left out."


# --- notes and quotes ---


def test_notes_are_capped_and_counted():
    prompt = {"a photo": {f"caption {i}": [[]] * 40 for i in range(1000)}}
    notes = formats.read(json.dumps(prompt))[1]
    assert len(notes) == MAX_NOTES + 1 and notes[-1].values == {"count": 40_000 - MAX_NOTES}


@pytest.mark.parametrize(
    "text",
    [
        '{"instances": [{"box": [0, 0, 1, 1], "mask": {"size": [' + ", ".join(["1"] * 10**5) + '], "counts": "1"}}]}',
        '{"instances": [{"box": "%s"}]}' % ("x" * 10**6),
        '{"instances": [{"box": [0, 0, 1, "%s"]}]}' % ("x" * 10**6),
        '{"instances": [{"box": [0, 0, 1, 1], "point": [' + ", ".join(["1"] * 10**5) + "]}]}",
        '{"annos": "%s", "width": 8, "height": 8}' % ("x" * 10**6),
        '{"instances": [{"box": [0, 0, 1, 1], "scribble": "%s"}]}' % ("x" * 10**6),
        '{"annos": [], "width": "%s", "height": 8}' % ("x" * 10**6),
        '{"instances": [{"box": [0, 0, 1, 1], "label": "%s", "strength": "y"}]}' % ("x" * 10**6),
        '{"%s": 1, "b": 2}' % ("x" * 10**6),
        '["%s"]' % ("x" * 10**6),
        "x" * 200_000,
        "[" + "[1, 2]," * 10**4 + "0]",
    ],
    ids=lambda text: text[:60],
)
def test_what_is_quoted_is_cut(text):
    with pytest.raises(ValueError) as refusal:
        formats.read(text)
    assert len(str(refusal.value)) < 500


# --- outlines ---


def filled(polygon, columns: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The even-odd rule, pixel by pixel; and which pixels have their centre on an edge, where rounding decides."""
    y, x = np.mgrid[0:rows, 0:columns] + 0.5
    inside, unsure = np.zeros((2, rows, columns), dtype=bool)
    points = [(px * columns, py * rows) for px, py in polygon]
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        if x1 != x2:
            crossing = y1 + (y2 - y1) * (x - x1) / (x2 - x1)
            inside ^= ((x1 > x) != (x2 > x)) & (y > crossing)
            unsure |= abs(y - crossing) < 1e-9
    return inside, unsure


# Steps of which no centre of a pixel is a multiple.
POINTS = st.tuples(*[st.integers(-8, 24).map(lambda n: n / 16.18033)] * 2)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(POINTS, min_size=3, max_size=8), min_size=1, max_size=5))
def test_outlines_are_filled_as_pixel_by_pixel(polygons):
    mask, cost = polygon_mask(polygons, 7, 5)
    inside, unsure = np.any([filled(polygon, 7, 5) for polygon in polygons], axis=0)
    assert np.array_equal(mask.to_array() & ~unsure, inside & ~unsure)
    assert MASK_COST + sum(map(len, polygons)) <= cost <= MASK_COST + sum(map(len, polygons)) * 8


def test_an_outline_there_and_back_holds_nothing():
    """Also over the centre of a pixel, which this one meets but for rounding."""
    there = (10 / 16.18033, 2 / 16.18033)
    assert polygon_mask([[(0.0, 0.0), (0.0, 0.0), there]], 7, 5)[0].area() == 0


@pytest.mark.parametrize("corner", [1.0, 1e6, 1e300, -1e300])
def test_outlines_far_outside_are_cut_and_not_followed(corner):
    mask, _ = polygon_mask([[(0.0, 0.0), (corner, 0.0), (corner, corner), (0.0, corner)]], 64, 32)
    assert mask.area() == (64 * 32 if corner > 0 else 0)


def coco(segmentation: list) -> dict:
    return {
        "images": [{"id": 1, "width": 1024, "height": 1024}],
        "categories": [],
        "annotations": [{"image_id": 1, "bbox": [0, 0, 1024, 1024], "segmentation": segmentation}],
    }


def test_many_small_polygons_make_one_mask():
    squares = [[x, y, x + 4, y, x + 4, y + 4, x, y + 4] for x in range(0, 1024, 8) for y in range(0, 1024, 8)]
    mask = formats.read(coco(squares))[0].instances[0].mask
    assert mask.area() == len(squares) * 16


def test_outlines_that_are_too_much_work_are_left_out_and_said():
    layout, notes = formats.read(coco([[0, 0, 1024, 0, 1024, 1024, 0, 1024]] * 20_000))
    assert layout.instances[0].mask is None and "read.outlines" in codes(notes) and len(notes) == 2
    zigzag = "0 " + " ".join(f"{i % 2} {i / 10_000}" for i in range(5000))
    layout, notes = formats.read("\n".join([zigzag] * 20), 1024, 1024, names="fox")
    drawn = sum(instance.mask is not None for instance in layout.instances)
    assert drawn == 0 and codes(notes).count("read.outlines") == 20  # of 5 million crossings each
    layout, notes = formats.read("\n".join(["0 0 0 1 0 1 1 0 1"] * 1000), 1024, 1024, names="fox")
    drawn = sum(instance.mask is not None for instance in layout.instances)
    assert drawn == MAX_CROSSINGS // (MASK_COST + 2 * 1024 + 4) and notes[-1].values == {
        "count": 1 + 1000 - drawn - MAX_NOTES
    }


# --- masks and tracks ---


def test_masks_that_are_joined_are_bounded():
    whole = RunLengthMask.from_runs([4096, 4096], [4096 * 4096]).to_dict()
    layout, notes = formats.read(coco([whole] * 20))
    assert layout.instances[0].mask is None and "read.mask" in codes(notes)


def test_frames_are_counted():
    with pytest.raises(ValueError, match="The tracking has 200001 frames; at most 100000 are read"):
        formats.read({"a": {"1": [[1, 1, 9, 9, 64, 64], *[None] * 200_000]}})


@pytest.mark.parametrize(
    "text",
    [
        "[" * 28 + '{"bboxes": [[1, 1, 9, 9]], "labels": ["a"]}' + "]" * 28,
        "[" * 28 + '{"label": "a", "box": [1, 1, 9, 9]}' + "]" * 28,
    ],
    ids=["Florence-2", "detections"],
)
def test_lists_in_lists_are_not_looked_at_again_and_again(text):
    with pytest.raises(ValueError, match="in no format that is known here"):
        formats.read(text, 64, 64)


def test_a_long_number_in_prose_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="a number of over 300 digits"):
        formats.read('Here it is: {"a": ' + "1" * 5000 + "}")


@pytest.mark.parametrize(
    "counts, sentence",
    [
        ("1" * (MAX_COUNTS + 1), f"characters; at most {MAX_COUNTS} are read"),
        ([10**30, 1], "whole numbers from 0"),
        ("o" * 1000, "ends in the middle"),
        ("\u0661", "cannot have"),
    ],
)
def test_the_text_of_a_mask_is_bounded(counts, sentence):
    with pytest.raises(ValueError, match=sentence):
        RunLengthMask.from_dict({"size": [8, 8], "counts": counts})


def test_all_masks_together_are_bounded():
    mask = RunLengthMask.from_runs([8192, 8192], [8192 * 8192])
    layout = Layout(
        64, 64, tuple(Instance((0, 0, 1, 1), f"{i}", mask=mask) for i in range(MAX_MASK_PIXELS // 8192**2 + 1))
    )
    with pytest.raises(
        ValueError, match="The masks of the layout have 1006 million pixels together; at most 1000 million"
    ):
        layout.validate()
    assert Layout(64, 64, layout.instances[1:]).validate()


# --- a layout or a sentence: whatever is accepted can be checked, drawn and written ---


def use(layout: Layout) -> None:
    """Everything that nodes and the editor do with a layout."""
    layout.validate()
    layout.warnings(), cells.warnings(layout), cells.table(layout)
    write_masks(layout), write_bounding_boxes(layout), draw_layout(layout)
    for kind in formats.WRITABLE:
        text, notes = formats.write_text(layout, kind)
        [json.dumps(note.to_dict()) for note in notes]
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize(
    "imported", [None, 3, "text", [1], [], True, {"score": "x", "type": {}, "palette": 7, "text": []}], ids=str
)
def test_what_stands_in_imported_may_be_anything(imported):
    layout, notes = formats.read(
        {"instances": [{"box": [0, 0, 1, 1], "caption": "a fox", "imported": imported}]}, 64, 64
    )
    use(layout)


@pytest.mark.parametrize("key", ["self", "caption", "extra", "version", "instances_", "1", "width "])
def test_any_field_of_a_foreign_file_is_only_data(key):
    data = {"width": 64, "height": 64, "annos": [{"bbox": [0, 0, 8, 8], "caption": "a fox"}], key: {"x": 1}}
    layout, _ = formats.read(json.dumps(data))
    assert layout.extra == ({} if key in ("caption", "version") else {key: {"x": 1}}) and layout.caption == ""
    use(layout)


@pytest.mark.parametrize(
    "box", [[-1e39, 0, 1, 1], [0, 0, 1e39, 1], [-1e308, -1e308, 1e308, 1e308], [0, -1001, 1, 1]], ids=str
)
@pytest.mark.parametrize("point", [{}, {"point": [0.5, 0.5]}], ids=["box", "point"])
def test_a_box_too_far_out_is_a_problem(box, point):
    layout, _ = formats.read({"instances": [{"box": box, "caption": "a fox", **point}]}, 64, 64)
    with pytest.raises(
        ValueError, match=rf"The box of instance 1 \('a fox'\) reaches more than {MAX_FAR} pictures far"
    ):
        layout.validate()


@pytest.mark.parametrize(
    "source",
    [
        {"instances": [{"box": [-MAX_FAR, -MAX_FAR, MAX_FAR, MAX_FAR]}]},
        [{"bbox": [-1e308, -1e308, 1e308, 1e308], "desc": "a"}],
        [{"x": -1e308, "y": 0, "width": 1e308, "height": 1e308}],
        [{"x": 1e308, "y": 1e308, "width": 1e308, "height": 1e308}],
        "0 1e308 1e308 1e308 1e308",
        "0 -1e308 0 1e308 0 1e308 1e308 -1e308 1e308",
        coco([[-1e308, 0, 1e308, 0, 1e308, 1e308]]),
        {"p": {"a": [[-1e308, -1e308, 1e308, 1e308]]}},
        {
            "shapes": [{"label": "a", "shape_type": "polygon", "points": [[-1e308, 0], [1e308, 0], [1e308, 1e308]]}],
            "imageWidth": 64,
            "imageHeight": 64,
        },
        {"p": {"self": [[0, 0, 1, 1]], "coco_id": [[0, 0, 1, 1]], "1e5": [[0, 0, 1, 1]], "": [[0, 0, 1, 1]]}},
    ],
    ids=lambda value: str(value)[:50],
)
def test_far_boxes_are_cut_and_can_be_used(source):
    layout, _ = formats.read(source, 64, 64)
    use(layout)


def test_ten_thousand_captions_are_written():
    layout = Layout(64, 64, tuple(Instance((0, 0, 1, 1), "the same beginning " * 20 + str(i)) for i in range(10_000)))
    assert len(formats.write(layout, "coco")[0]["categories"]) == 10_000
    assert formats.write(layout, "yolo")[0][0].splitlines()[-1].startswith("9999 ")
