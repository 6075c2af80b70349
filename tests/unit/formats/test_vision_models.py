"""What models, data sets and video packs give.

Gemini, Qwen-VL, Florence-2, Hugging Face rows, SimpleTuner, TRACKING, lists.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from roictrl_core import formats
from roictrl_core.formats import ReadAs
from roictrl_core.layout import Layout
from roictrl_core.notes import sentences

FOX, OWL = (0.1, 0.2, 0.4, 0.6), (0.6, 0.2, 0.9, 0.6)


def read(source, *args, **more) -> tuple[Layout, list[str]]:
    layout, notes = formats.read(source, *args, **more)
    assert layout.validate() and all(note.endswith(".") for note in sentences(notes))
    return layout, sentences(notes)


def boxes(layout: Layout) -> list:
    return [pytest.approx(instance.box, abs=1e-6) for instance in layout.instances]


# --- Gemini ---

GEMINI = {"box_2d": [200, 100, 600, 400], "label": "a fox"}


@pytest.mark.parametrize(
    "source",
    [GEMINI, [GEMINI], {"objects": [GEMINI]}, f"Here it is:\n```json\n[{json.dumps(GEMINI)}]\n```\nAnything else?"],
)
def test_gemini_counts_y_first_in_thousandths(source):
    layout, notes = read(source, 1024, 512)
    assert boxes(layout) == [FOX] and layout.instances[0].caption == "a fox" and notes == []


def test_gemini_that_counts_otherwise_is_said():
    layout, notes = read([{"box_2d": [0.2, 0.1, 0.6, 0.4], "label": "a fox"}], 512, 512)
    assert boxes(layout) == [FOX] and notes[0].startswith(
        "The boxes were read as y1, x1, y2, x2 normalised 0 to 1, which was assumed."
    )


def test_gemini_points():
    layout, notes = read([{"point": [900, 500], "label": "a beetle"}, {"point": [1001, 5], "label": "gone"}])
    assert [i.point for i in layout.instances] == [(0.5, 0.9)] and len(notes) == 2
    assert notes[0] == "Box 2 ('gone') lies outside the picture and was left out."


def test_gemini_frames():
    layout, notes = read([[GEMINI], [GEMINI, GEMINI]], pick="2")
    assert len(layout.instances) == 2 and notes == []
    assert read({"a.png": [GEMINI], "b.png": [GEMINI] * 3}, pick="b.png")[0].instances[2].caption == "a fox"
    assert read({"a.png": [GEMINI], "b.png": [GEMINI]})[1] == [
        "There are 2 frames here; the first, 'a.png', is used. Pick another by its name or its index."
    ]


@pytest.mark.parametrize("value", [None, "x", [], [1, 2, 3], [1, 2, 3, "4"], {}])
def test_gemini_boxes_that_are_none(value):
    layout, notes = read([GEMINI, {"box_2d": value, "label": "bad"}, 7])
    assert len(layout.instances) == 1 and [note.split(" has")[0] for note in notes] == ["Box 2 ('bad')", "Box 3"]


# --- Qwen-VL ---


def qwen(*rows):
    return [{"bbox_2d": list(row), "label": "a fox"} for row in rows]


@pytest.mark.parametrize(
    "size, rows, box, unit",
    [
        ((0, 0), [(100, 200, 400, 600)], FOX, "in 0 to 1000"),  # no picture: only thousandths give a place
        ((512, 512), [(100, 200, 400, 600)], FOX, "in 0 to 1000"),  # beyond the picture
        (
            (512, 512),
            [(51.2, 102.4, 204.8, 307.2)],
            FOX,
            "in pixels",
        ),  # fits a picture that is smaller than 1000 x 1000
        ((2048, 1024), [(100, 200, 400, 600)], FOX, "in 0 to 1000"),  # fits both; the picture is larger
        ((2048, 1024), [(204.8, 204.8, 819.2, 614.4), (1228.8, 204.8, 1843.2, 614.4)], FOX, "in pixels"),  # over 1000
        ((512, 512), [FOX], FOX, "normalised 0 to 1"),
    ],
)
def test_qwen_says_what_was_assumed(size, rows, box, unit):
    layout, notes = read(qwen(*rows), *size)
    assert layout.instances[0].box == pytest.approx(box)
    assert notes[0].startswith(f"The boxes were read as x1, y1, x2, y2 {unit}, which was assumed.")


def test_qwen_is_read_as_a_person_says():
    rows = qwen((51.2, 102.4, 204.8, 307.2))
    layout, notes = read(rows, 512, 512, read_as=ReadAs("x1, y1, x2, y2", "0 to 1000"))
    assert layout.instances[0].box == pytest.approx((0.0512, 0.1024, 0.2048, 0.3072)) and notes == []


def test_qwen_points_count_as_its_boxes_do():
    layout, _ = read(
        [{"bbox_2d": [0, 0, 256, 256], "point_2d": [128, 64], "label": "a"}, {"point_2d": [256, 256], "label": "b"}],
        512,
        512,
    )
    assert [i.point for i in layout.instances] == [(0.25, 0.125), (0.5, 0.5)]
    layout, notes = read([{"point_2d": [500, 250], "label": "a"}])
    assert layout.instances[0].point == (0.5, 0.25) and "0 to 1000, which was assumed" in notes[0]
    assert "lies outside" in read([{"point_2d": [500, 2500], "label": "a"}, *qwen((0, 0, 9, 9))], 1000, 1000)[1][1]


def test_qwen_in_pixels_needs_the_picture():
    with pytest.raises(ValueError, match="Qwen's answer gives boxes in pixels, but not the picture's size"):
        read(qwen((100, 200, 4000, 600)))


# --- Florence-2 ---


def test_florence_without_its_task_and_with_labels_to_spare():
    layout, notes = read({"bboxes": [[51.2, 102.4, 204.8, 307.2]], "labels": ["fox", "owl"]}, 512, 512)
    assert boxes(layout) == [FOX] and notes == ["There are 2 labels for 1 box; the last 1 is not used."]
    assert [
        i.caption for i in read({"bboxes": [[0, 0, 9, 9], [0, 0, 8, 8]], "labels": ["fox"]}, 9, 9)[0].instances
    ] == ["fox", ""]


def test_florence_open_vocabulary_holds_boxes_and_polygons():
    task = {
        "bboxes": [[0, 0, 50, 50]],
        "bboxes_labels": ["fox"],
        "polygons": [[[0, 0, 50, 0, 50, 50], [60, 60, 90, 60, 90, 90]]],
        "polygons_labels": ["owl"],
    }
    layout, notes = read({"<OPEN_VOCABULARY_DETECTION>": task}, 100, 100)
    assert [(i.caption, i.mask is None) for i in layout.instances] == [("fox", True), ("owl", False)] and notes == []
    assert layout.instances[1].box == pytest.approx((0, 0, 0.9, 0.9)) and layout.instances[
        1
    ].mask.area() == pytest.approx(1250 + 450, rel=0.05)


def test_florence_reads_text_in_quads():
    layout, _ = read(
        {"<OCR_WITH_REGION>": {"quad_boxes": [[10, 10, 50, 10, 50, 20, 10, 20]], "labels": ["OPEN"]}}, 100, 100
    )
    assert layout.instances[0].box == pytest.approx((0.1, 0.1, 0.5, 0.2)) and layout.instances[0].caption == "OPEN"


def test_florence_tasks_and_pictures_are_picked():
    one, two = ({"bboxes": [[0, 0, side, side]], "labels": ["fox"]} for side in (10, 20))
    layout, notes = read({"<OD>": one, "<DENSE_REGION_CAPTION>": two}, 100, 100)
    assert layout.instances[0].box[2] == 0.1 and notes == [
        "There are answers to 2 tasks here; the first, '<OD>', is used. Pick another by its name or its index."
    ]
    assert read([{"<OD>": one}, {"<OD>": two}], 100, 100, pick="2")[0].instances[0].box[2] == 0.2


@pytest.mark.parametrize(
    "task, sentence",
    [
        ({"bboxes": [[1, 2, 3]], "labels": ["fox"]}, "Box 1 ('fox') has a box that is not 4 finite numbers"),
        ({"polygons": [[1, 2, 3, 4]], "labels": ["fox"]}, "Box 1 ('fox') has no polygon"),
        ({"polygons": ["x", None], "labels": "fox"}, "Box 1 has no polygon"),
        ({"bboxes": []}, "There are no boxes here."),
    ],
)
def test_florence_names_what_it_cannot_use(task, sentence):
    layout, notes = read({"<OD>": task}, 100, 100)
    assert layout.instances == () and notes[0].startswith(sentence)


# --- rows of data sets ---


@pytest.mark.parametrize(
    "objects, captions",
    [
        ({"bbox": [[51.2, 102.4, 153.6, 204.8]], "category": ["fox"]}, ["fox"]),
        ({"bbox": [[51.2, 102.4, 153.6, 204.8]], "categories": [1]}, ["owl"]),
        ([{"bbox": [51.2, 102.4, 153.6, 204.8], "category": "fox", "area": 9}], ["fox"]),
        ({"bbox": [[51.2, 102.4, 153.6, 204.8]]}, [""]),
    ],
)
def test_rows_hold_x_y_width_height(objects, captions):
    layout, notes = read({"image_id": 7, "width": 512, "height": 512, "objects": objects}, names="fox\nowl")
    assert boxes(layout) == [FOX] and [i.caption for i in layout.instances] == captions and notes == []


def test_rows_without_a_size_take_the_given_one():
    row = {"objects": {"bbox": [[51.2, 102.4, 153.6, 204.8]], "category": [3]}}
    layout, notes = read([row], 512, 512)
    assert boxes(layout) == [FOX] and layout.instances[0].caption == "class 3" and len(notes) == 1
    with pytest.raises(ValueError, match="The row gives boxes in pixels, but not the picture's size"):
        read([row])


def test_simpletuners_array_is_read_as_its_lines_are():
    rows = [{"label": "fox", "bbox": list(FOX)}, {"label": "owl", "bbox": list(OWL)}]
    for source in (rows, json.dumps(rows), "\n".join(map(json.dumps, rows))):
        assert boxes(read(source, 512, 512)[0]) == [FOX, OWL]
    broken = read('{"label": "fox", "bbox": [0.1, 0.2, 0.4, 0.6]}\n{"label": "owl", "bbox": [0.6, 0.2]}')
    assert len(broken[0].instances) == 1 and broken[1][0].startswith(
        "Box 2 ('owl') has a box that is not 4 finite numbers"
    )


# --- TRACKING ---

TRACKING = {
    "fox": {"1": [[10, 10, 50, 40, 100, 50], None], "2": [[0, 0, 100, 50, 100, 50]]},
    "owl": {"7": [None, [50, 0, 100, 50, 100, 50]]},
}


def test_tracking_frames():
    layout, notes = read(TRACKING)
    assert boxes(layout) == [(0.1, 0.2, 0.5, 0.8), (0, 0, 1, 1)] and (layout.width, layout.height) == (100, 50)
    assert layout.instances[1].extra == {"imported": {"track_id": "2"}}
    assert notes == [
        "There are 2 frames here; the first, 'frame 1', is used. Pick another by its name or its index.",
        "Objects that are not in this frame, and were left out: 1. Pick another frame by its index.",
    ]
    layout, notes = read(TRACKING, pick="frame 2")
    assert [i.caption for i in layout.instances] == ["owl"] and notes == [
        "Objects that are not in this frame, and were left out: 2. Pick another frame by its index."
    ]


def test_tracking_is_not_mig_bench():
    assert read({"p": {"a fox": [[0, 0, 1, 1]], "coco_id": "1"}})[0].caption == "p"


@pytest.mark.parametrize(
    "row, sentence",
    [
        ([1, 2, 3, 4, 100], "Track 1 ('fox') has a box that is not 6 finite numbers"),
        ([1, 2, 3, 4, 100, "50"], "Track 1 ('fox') has a box that is not 6 finite numbers"),
        ([9, 2, 3, 4, 100, 50], "Track 1 ('fox') has no area"),
    ],
)
def test_tracking_names_what_it_cannot_use(row, sentence):
    layout, notes = read({"fox": {"1": [row]}, "owl": {"1": [[1, 2, 3, 4, 100, 50]]}})
    assert [i.caption for i in layout.instances] == ["owl"] and notes[0].startswith(sentence)


def test_tracking_of_a_picture_without_sides_is_refused():
    with pytest.raises(ValueError, match="The tracking has the size 0.0 x 50.0"):
        read({"fox": {"1": [[1, 2, 3, 4, 0, 50]]}})


# --- lists of what is read one by one ---


def test_lists_of_masks():
    mask = torch.zeros(32, 64)
    mask[8:16, 16:32] = 1
    for masks in (
        [mask, mask],
        [mask[None], mask[None]],
        (mask[None, None], torch.stack([mask])),
        [np.asarray(mask)] * 2,
    ):
        layout, notes = read(masks)
        assert (
            boxes(layout) == [(0.25, 0.25, 0.5, 0.5)] * 2 and (layout.width, layout.height) == (64, 32) and notes == []
        )
    with pytest.raises(ValueError, match=r"masks of the list have different sizes \(64 x 32, 64 x 16\)"):
        read([mask, mask[:16]])
    with pytest.raises(ValueError, match=r"must have the shape \[masks, height, width\], not \[1, 8, 8, 3\]"):
        read([torch.zeros(1, 8, 8, 3)])


def test_lists_of_frames():
    rows = [[51.2, 102.4, 204.8, 307.2]]
    for frames in ([rows, rows * 2], [torch.tensor(rows), torch.tensor(rows * 2)], [[], rows, rows]):
        layout, notes = read(frames, 512, 512, pick="2")
        assert layout.instances[0].box == pytest.approx(FOX) and not any("frames here" in note for note in notes)
        assert "frames here; the first, 'frame 1', is used." in read(frames, 512, 512)[1][0]


@pytest.mark.parametrize(
    "source", [{"person": {"1": [None, None]}}, {"person": {}}, {"person": {"1": [None]}, "dog": {}}]
)
def test_a_tracking_without_a_box_is_no_prompt(source):
    layout, notes = formats.read(source, 64, 64)
    assert not layout.instances and layout.caption == ""
    assert sentences(notes) == ["There are no boxes here: no frame of the tracking has one."]


def test_prompts_without_boxes_stay_prompts():
    layout, _ = formats.read({"a fox": {"fox": [], "coco_id": "1"}}, 64, 64)
    assert layout.caption == "a fox"
