"""What detectors answer with: files, tensors and arrays."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from roictrl_core import formats
from roictrl_core.formats.comfyui import write_masks
from roictrl_core.layout import Instance, Layout
from roictrl_core.notes import sentences

SAMPLES = Path(__file__).parents[1] / "data" / "detections"
DOG, CAT = (64 / 640, 120 / 480, 320 / 640, 420 / 480), (352 / 640, 144 / 480, 608 / 640, 432 / 480)


def read(source, width=640, height=480, **how):
    layout, notes = formats.read(source, width, height, **how)
    return layout, sentences(notes)


def names(**numbers):
    """A list of classes in which the ones given have these numbers."""
    found = {number: name for name, number in numbers.items()}
    return "\n".join(found.get(i, "-") for i in range(max(found) + 1))


# file -> the classes' names it needs, the beginning of what is said of the reading
FILES = {
    "ultralytics.json": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "ultralytics_normalised.json": ("", "The boxes were read as x1, y1, x2, y2 normalised"),
    "torchvision.json": (names(dog=18, cat=17), "The boxes were read as x1, y1, x2, y2 in pixels"),
    "mmdet.json": (names(dog=16, cat=15), "The boxes were read as x1, y1, x2, y2 in pixels"),
    "mmdet_classes.json": (
        names(dog=1, cat=2),
        "The 3 lists of boxes with scores were read as one list for each class",
    ),
    "transformers.json": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "roboflow.json": ("", "The boxes were read as center x, center y, width, height in pixels"),
    "fiftyone.json": ("", "The boxes were read as x, y, width, height normalised"),
    "detectron2.json": ("dog\ncat", None),
    "tensorflow.json": (names(dog=18, cat=17), "The boxes were read as y1, x1, y2, x2 normalised"),
    "grounding_dino.json": ("", "The boxes were read as center x, center y, width, height normalised"),
    "grounded_sam.json": ("", "Box 1 ('background') has no box and was left out."),
    "grounded_sam2.json": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "yolov5_records.json": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "printed_by_python.txt": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "label_to_box.json": ("", "The boxes were read as x1, y1, x2, y2 in pixels"),
    "phrase_and_box.json": ("", "The boxes were read as x, y, width, height in pixels"),
    "yolo_track.txt": (
        names(dog=16, cat=15),
        "Lines of the YOLO file were read as class, center x, center y, width, height, score, track id",
    ),
    "yolo_pose.txt": (
        names(dog=16, cat=15),
        "Lines of the YOLO file were read as class, center x, center y, width, height, 5 keypoints of x, y, visibility",
    ),
    "yolo_pose_2d.txt": (
        names(dog=16, cat=15),
        "Lines of the YOLO file were read as class, center x, center y, width, height, 6 keypoints of x, y,",
    ),
}


def test_every_sample_is_expected():
    assert {path.name for path in SAMPLES.iterdir()} == {*FILES, "README.md"}


@pytest.mark.parametrize("name", FILES)
def test_samples(name):
    given, sentence = FILES[name]
    layout, notes = read((SAMPLES / name).read_text(), names=given)
    assert [i.box for i in layout.instances] == [pytest.approx(DOG, abs=1e-5), pytest.approx(CAT, abs=1e-5)]
    assert [i.caption for i in layout.instances] == ["dog", "cat"] and (layout.width, layout.height) == (640, 480)
    assert sentence is None and notes == [] or notes[0].startswith(sentence), notes
    assert not any("class numbers" in note for note in notes)
    assert json.loads(layout.to_json()) and layout.validate()


def test_scores_ids_and_the_rest_stay_with_their_instance():
    assert read((SAMPLES / "grounded_sam2.json").read_text())[0].instances[0].extra == {"imported": {"score": 0.9}}
    assert read((SAMPLES / "yolo_track.txt").read_text())[0].instances[1].extra == {
        "imported": {"score": 0.88, "track_id": 2}
    }
    assert read((SAMPLES / "ultralytics.json").read_text())[0].instances[0].extra == {
        "imported": {"class": 16, "score": 0.91}
    }
    pose = read((SAMPLES / "yolo_pose.txt").read_text())[0].instances[0].extra["imported"]["keypoints"]
    assert len(pose) == 5 and pose[2] == [0, 0, 0]


def test_an_outline_is_a_mask_in_the_boxes_own_unit():
    for name, scale in (("ultralytics.json", (640, 480)), ("ultralytics_normalised.json", (1, 1))):
        data = json.loads((SAMPLES / name).read_text())
        data[0]["segments"] = {
            "x": [0.1 * scale[0], 0.5 * scale[0], 0.5 * scale[0]],
            "y": [0.25 * scale[1], 0.25 * scale[1], 0.875 * scale[1]],
        }
        mask = read(data)[0].instances[0].mask.to_array()
        assert mask.shape == (480, 640) and mask.sum() == pytest.approx(256 * 300 / 2, rel=0.01)


# --- arrays ---

A, B = (8, 12, 58, 64), (70, 10, 120, 64)
NUMBERS = [pytest.approx([value / 128 for value in box]) for box in (A, B)]


@pytest.mark.parametrize(
    "source, captions, columns",
    [
        (np.array([A, B], dtype=float), ["", ""], "x1, y1, x2, y2 in pixels"),
        (torch.tensor([A, B]), ["", ""], "x1, y1, x2, y2 in pixels"),
        (torch.tensor([A, B]).bfloat16(), ["", ""], "x1, y1, x2, y2 in pixels"),
        (np.array([[A, B]]), ["", ""], "x1, y1, x2, y2 in pixels"),
        ([np.array(A), np.array(B)], ["", ""], "x1, y1, x2, y2 in pixels"),
        ([torch.tensor(A), torch.tensor(B)], ["", ""], "x1, y1, x2, y2 in pixels"),
        ([[torch.tensor(float(v)) for v in A], list(B)], ["", ""], "x1, y1, x2, y2 in pixels"),
        (np.array([np.array(A), np.array(B)], dtype=object), ["", ""], "x1, y1, x2, y2 in pixels"),
        ((A, B), ["", ""], "x1, y1, x2, y2 in pixels"),
        ([[A, B]], ["", ""], "x1, y1, x2, y2 in pixels"),
        (np.array([(*A, 0.9), (*B, 0.8)], dtype=np.float32), ["", ""], "x1, y1, x2, y2, score in pixels"),
        (np.array([(*A, 0), (*B, 3)]), ["class 0", "class 3"], "x1, y1, x2, y2, class in pixels"),
        (np.array([(0, *A), (3, *B)]), ["class 0", "class 3"], "class, x1, y1, x2, y2 in pixels"),
        (np.array([(*A, 0.9, 0), (*B, 0.8, 3)]), ["class 0", "class 3"], "x1, y1, x2, y2, score, class in pixels"),
        (np.array([(*A, 0, 0.9), (*B, 3, 0.8)]), ["class 0", "class 3"], "x1, y1, x2, y2, class, score in pixels"),
        (
            torch.tensor([[(*A, 0.9, 0), (*B, 0.8, 3)]]),
            ["class 0", "class 3"],
            "x1, y1, x2, y2, score, class in pixels",
        ),
        (
            np.array([(*A, 7, 0.9, 0), (*B, 9, 0.8, 3)]),
            ["class 0", "class 3"],
            "x1, y1, x2, y2, track id, score, class in pixels",
        ),
        (
            np.array([(0, *A, 0, 0.9), (0, *B, 3, 0.8)]),
            ["class 0", "class 3"],
            "image, x1, y1, x2, y2, class, score in pixels",
        ),
        (
            np.array([[[(0, 1, 0.9, *(v / 128 for v in A)), (0, 2, 0.8, *(v / 128 for v in B))]]]),
            ["class 1", "class 2"],
            "image, class, score, x1, y1, x2, y2 normalised 0 to 1",
        ),
        (
            np.array([(0, 33 / 128, 38 / 128, 50 / 128, 52 / 128), (3, 95 / 128, 37 / 128, 50 / 128, 54 / 128)]),
            ["class 0", "class 3"],
            "class, center x, center y, width, height normalised 0 to 1",
        ),
        (
            {"boxes": torch.tensor([A, B]), "labels": torch.tensor([1, 18]), "scores": torch.tensor([0.9, 0.8])},
            ["class 1", "class 18"],
            "x1, y1, x2, y2 in pixels",
        ),
        (
            [{"boxes": torch.tensor([A, B]), "labels": torch.tensor([1, 18]), "scores": torch.tensor([0.9, 0.8])}],
            ["class 1", "class 18"],
            "x1, y1, x2, y2 in pixels",
        ),
        (
            {
                "xyxy": np.array([A, B]),
                "confidence": np.array([0.9, 0.8]),
                "class_id": np.array([0, 1]),
                "class_name": np.array(["dog", "cat"]),
            },
            ["dog", "cat"],
            "x1, y1, x2, y2 in pixels",
        ),
        (
            {
                "boxes": {"xyxy": [A, B], "conf": [0.9, 0.8], "cls": [0.0, 1.0]},
                "names": {"0": "dog", "1": "cat"},
                "orig_shape": [128, 128],
            },
            ["dog", "cat"],
            "x1, y1, x2, y2 in pixels",
        ),
        (
            [np.zeros((0, 5)), np.array([(*A, 0.9)]), np.array([(*B, 0.8)])],
            ["class 1", "class 2"],
            "x1, y1, x2, y2, score, class in pixels",
        ),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value[:24],
)
def test_arrays(source, captions, columns):
    layout, notes = read(source, 128, 128)
    assert [i.box for i in layout.instances] == NUMBERS and [i.caption for i in layout.instances] == captions
    assert any(f"were read as {columns}" in note for note in notes), notes
    assert Layout.from_json(layout.to_json()) == layout


@pytest.mark.parametrize(
    "empty",
    [
        np.zeros((0, 4)),
        torch.zeros(0),
        torch.zeros(0, 6),
        np.zeros((1, 0, 4)),
        [torch.zeros(0, 4)],
        [[]],
        {},
        {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "scores": torch.zeros(0)},
    ],
    ids=lambda value: f"{type(value).__name__} {getattr(value, 'shape', len(value))}",
)
def test_an_image_without_detections_is_no_fault(empty):
    layout, notes = read(empty)
    assert layout.instances == () and notes == ["There are no boxes here."]


def test_boxes_of_several_pictures_are_chosen_from():
    for source in (
        np.array([[A], [B]]),
        [[A], [B]],
        [torch.tensor([A]), torch.tensor([B])],
        [{"boxes": [A], "labels": ["a"]}, {"boxes": [B], "labels": ["b"]}],
        [[{"box": A}], [{"box": B}]],
    ):
        layout, notes = read(source, 128, 128)
        assert [i.box for i in layout.instances] == NUMBERS[:1] and any(
            "There are 2 frames here; the first" in note for note in notes
        )
        assert [i.box for i in read(source, 128, 128, pick="2")[0].instances] == NUMBERS[1:]


@pytest.mark.parametrize(
    "source, sentence, left",
    [
        (np.array([A, (np.nan, 1, 2, 3)]), "Box 2 has a box that is not 4 finite numbers, but [nan, 1.0, 2.0, 3.0]", 1),
        ([A, (*B, 0.5)], "Box 2 has a box that is not 4 finite numbers", 1),
        ([(*A, 7.5, -3)], "The 2 numbers after each box are neither scores nor classes and were left out.", 1),
        ([{"bbox": A, "label": "dog"}, {"label": "cat"}], "Box 2 ('cat') has no box and was left out.", 1),
        (
            [{"bbox": A, "label": "dog"}, {"bbox": [1, 2], "label": "cat"}],
            "Box 2 ('cat') has a box that is not 4 finite numbers, but [1, 2]",
            1,
        ),
        ([{"bbox": A, "label": "dog"}, 3], "Box 2 has no box and was left out.", 1),
        (
            [{"bbox": A, "segmentation": {"counts": 3, "size": [1, 1]}}],
            "Box 1 has a mask that cannot be read; only its box is used.",
            1,
        ),
        (
            [{"bbox": A, "segmentation": [1, 2]}],
            "Box 1 has a mask that cannot be read; only its box is used. It is neither",
            1,
        ),
        ({"boxes": [A], "labels": [5]}, "The boxes came without the names of their classes", 1),
    ],
    ids=lambda value: str(value)[:30],
)
def test_unusable_detections_are_named(source, sentence, left):
    layout, notes = read(source, 128, 128)
    assert any(note.startswith(sentence) for note in notes), notes
    assert len(layout.instances) == left


def test_a_class_that_the_names_do_not_hold():
    notes = read({"boxes": [A], "labels": [5]}, 128, 128, names="dog\ncat")[1]
    assert any(note.startswith("Box 1 ('class 5') has class 5, which the names do not hold") for note in notes)


@pytest.mark.parametrize(
    "array", [np.random.default_rng(0).random((1, 84, 300)) * 640, np.full((8, 8), -5.0)], ids=["head", "negative"]
)
def test_arrays_that_are_neither_boxes_nor_masks_are_refused(array):
    with pytest.raises(
        ValueError, match="holds neither masks, whose values are 0 to 1, nor boxes, which are rows of 4 to 7 numbers"
    ):
        read(array)


def test_a_batch_of_small_masks_stays_masks():
    layout, notes = read(np.pad(np.ones((2, 3, 2)), ((0, 0), (1, 1), (1, 3))))
    assert [i.box for i in layout.instances] == [pytest.approx((1 / 6, 0.2, 0.5, 0.8))] * 2 and len(notes) == 1


def test_torchvisions_masks_come_along():
    masks = torch.zeros(2, 1, 128, 128)
    masks[0, 0, 20:40, 10:30] = 0.9
    found = read({"boxes": torch.tensor([A, B]), "labels": ["a", "b"], "masks": masks}, 128, 128)[0].instances
    assert found[0].mask.area() == 400 and found[1].mask.area() == 0


def test_lists_of_another_length_are_said():
    layout, notes = read({"boxes": [A, B], "labels": ["dog"], "scores": [0.9, 0.8]}, 128, 128)
    assert [i.caption for i in layout.instances] == ["", ""] and layout.instances[0].extra == {
        "imported": {"score": 0.9}
    }
    assert notes[0] == "The list of labels has 1 entry for 2 boxes and is not used."


@pytest.mark.parametrize(
    "source",
    [
        {"bboxes": [A, B], "labels": [0, 1], "scores": [0.9, 0.8]},
        {"objects": [{"bbox": A, "label": "dog"}, {"bbox": B, "label": "cat"}]},
    ],
    ids=["Florence-2", "Hugging Face"],
)
def test_what_looks_like_a_format_with_its_own_convention_but_is_none(source):
    layout, notes = read(source, 128, 128, names="dog\ncat")
    assert [i.box for i in layout.instances] == NUMBERS and [i.caption for i in layout.instances] == ["dog", "cat"]
    assert notes[0].startswith("The boxes were read as x1, y1, x2, y2 in pixels")


@pytest.mark.parametrize(
    "source, name",
    [
        ({"a.jpg": {"boxes": [A], "labels": ["a"]}, "b.jpg": {"boxes": [B], "labels": ["b"]}}, "b.jpg"),
        ({"a.jpg": [{"bbox": A, "label": "a"}], "b.jpg": [{"bbox": B, "label": "b"}]}, "b.jpg"),
        (
            [
                {"image": "a.jpg", "annotations": [{"label": "a", "bbox": A}]},
                {"image": "b.jpg", "annotations": [{"label": "b", "bbox": B}]},
            ],
            "b.jpg",
        ),
    ],
    ids=["lists side by side", "objects", "a list of pictures"],
)
def test_pictures_by_their_names(source, name):
    layout, notes = read(source, 128, 128)
    assert [i.caption for i in layout.instances] == ["a"] and any(
        "There are 2 images here; the first, 'a.jpg', is used" in note for note in notes
    )
    assert [i.box for i in read(source, 128, 128, pick=name)[0].instances] == NUMBERS[1:]


def test_a_picture_has_its_own_size():
    source = [
        {"boxes": [A], "labels": ["a"], "width": 128, "height": 128},
        {"boxes": [B], "labels": ["b"], "width": 256, "height": 128},
    ]
    assert (read(source, pick="2")[0].width, read(source)[0].width) == (256, 128)


def test_create_mls_x_and_y_are_the_middle():
    source = [
        {
            "image": "a.jpg",
            "annotations": [{"label": "dog", "coordinates": {"x": 33, "y": 38, "width": 50, "height": 52}}],
        }
    ]
    assert [i.box for i in read(source, 128, 128)[0].instances] == NUMBERS[:1]


def test_masks_of_segment_anything_come_with_their_boxes():
    mask = np.zeros((128, 128), dtype=bool)
    mask[12:64, 8:40] = True
    layout, _ = read(
        [
            {
                "segmentation": mask,
                "area": 1664,
                "bbox": [8, 12, 50, 52],
                "predicted_iou": 0.9,
                "crop_box": [0, 0, 128, 128],
            }
        ],
        128,
        128,
    )
    assert [i.box for i in layout.instances] == NUMBERS[:1] and layout.instances[0].mask.area() == 52 * 32
    assert json.loads(layout.to_json())


class Fields:
    """An object with fields, as libraries return."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


@pytest.mark.parametrize(
    "source",
    [
        Fields(
            boxes=Fields(xyxy=torch.tensor([A, B]), conf=torch.tensor([0.9, 0.8]), cls=torch.tensor([0.0, 1])),
            names={0: "dog", 1: "cat"},
            orig_shape=(128, 128),
        ),
        Fields(
            xyxy=np.array([A, B]),
            confidence=np.array([0.9, 0.8]),
            class_id=np.array([0, 1]),
            data={"class_name": np.array(["dog", "cat"])},
        ),
    ],
    ids=["ultralytics", "supervision"],
)
def test_objects_of_detectors(source):
    for wrapped in (source, [source]):
        layout, _ = read(wrapped, 128, 128)
        assert [i.box for i in layout.instances] == NUMBERS and [i.caption for i in layout.instances] == ["dog", "cat"]


# --- our own masks, read back ---


@pytest.mark.parametrize(
    "box",
    [
        (0.123, 0.2, 0.777, 0.61),
        (0, 0, 1, 1),
        (0.25, 0.5, 0.75, 1),
        (1 / 3, 0.1, 2 / 3, 0.9),
        (0.005, 0.004, 0.9951, 0.99),
    ],
)
def test_our_own_masks_come_back_as_the_boxes_that_they_were(box):
    layout, notes = read(write_masks(Layout(100, 70, (Instance(box),))), 100, 70)
    assert (
        [i.box for i in layout.instances] == [pytest.approx(box, abs=1e-6)]
        and layout.instances[0].mask is None
        and notes == []
    )


def test_other_soft_edges_are_said():
    soft = np.zeros((1, 32, 32), dtype=np.float32)
    soft[0, 8:24, 8:24] = 0.75
    soft[0, 10:22, 10:22] = 1
    assert read(soft, 32, 32)[1] == ["Mask 1 has soft edges; its pixels over 0.5 are used."]


# --- turned boxes ---

CORNERS = {"x1": 300, "y1": 100, "x2": 400, "y2": 200, "x3": 300, "y3": 300, "x4": 200, "y4": 200}


class Fields:
    def __init__(self, **fields):
        self.__dict__.update(fields)


def turned_results():
    quads = torch.tensor([[[300.0, 100], [400, 200], [300, 300], [200, 200]]])
    boxes = Fields(
        xyxy=torch.tensor([[200.0, 100, 400, 300]]), xyxyxyxy=quads, conf=torch.tensor([0.9]), cls=torch.tensor([1.0])
    )
    return Fields(obb=boxes, boxes=None, names={0: "plane", 1: "ship"}, orig_shape=(480, 640))


@pytest.mark.parametrize(
    "source",
    [
        [{"name": "ship", "class": 1, "confidence": 0.9, "box": CORNERS}],
        [{"name": "ship", "class": 1, "confidence": 0.9, **CORNERS}],
        {"predictions": [{"name": "ship", "score": 0.9, "bbox": CORNERS}]},
        turned_results(),
        [turned_results()],
        Fields(
            xyxy=np.array([[200.0, 100, 400, 300]]),
            confidence=np.array([0.9]),
            data={"class_name": np.array(["ship"]), "xyxyxyxy": turned_results().obb.xyxyxyxy.numpy()},
        ),
    ],
    ids=["box", "flat", "bbox", "results", "list of results", "supervision"],
)
def test_a_turned_box_has_four_corners(source):
    layout, _ = read(source)
    (instance,) = layout.instances
    assert instance.box == pytest.approx((200 / 640, 100 / 480, 400 / 640, 300 / 480)) and instance.caption == "ship"
    assert instance.extra["imported"]["score"] == 0.9 and "x3" not in instance.extra["imported"]
    assert instance.mask.to_array().sum() == pytest.approx(200 * 200 / 2, rel=0.02)


def test_a_turned_box_with_a_broken_corner_is_named():
    layout, said = read([{"name": "ship", "box": {**CORNERS, "y4": "x"}}])
    assert not layout.instances and said[0].startswith("Box 1 ('ship') has a box that is not 4 finite numbers")


# --- words and sizes in other places ---


@pytest.mark.parametrize("key", ["description", "prompt", "desc"])
def test_captions_under_other_keys(key):
    layout, _ = read([{"box": [64, 48, 320, 240], "score": 0.9, key: "a red fox"}])
    assert layout.instances[0].caption == "a red fox"


def test_supervisions_names_stand_in_its_data():
    layout, _ = read({"xyxy": [[64, 48, 320, 240]], "class_id": [3], "data": {"class_name": ["fox"]}})
    assert layout.instances[0].caption == "fox"


def test_azures_size_stands_in_its_metadata():
    source = {
        "objects": [{"rectangle": {"x": 10, "y": 20, "w": 30, "h": 40}, "object": "fox", "confidence": 0.9}],
        "metadata": {"width": 100, "height": 200},
    }
    layout, _ = read(source, 0, 0)
    assert (layout.width, layout.height) == (100, 200) and layout.instances[0].box == pytest.approx(
        (0.1, 0.1, 0.4, 0.3)
    )


def test_a_pictures_size_is_no_column_of_its_two_boxes():
    data = {"boxes": [[64, 120, 320, 420], [352, 144, 608, 432]], "labels": ["a", "b"], "orig_shape": [480, 640]}
    layout, _ = formats.read(data, 640, 480)
    assert [instance.extra for instance in layout.instances] == [{}, {}]


def test_pixels_over_the_border_are_no_shares():
    (instance,) = formats.read([{"label": "dog", "logit": 0.6, "box": [352, 144, 608, 432]}], 512, 512)[0].instances
    assert instance.box == (352 / 512, 144 / 512, 1, 432 / 512)


def test_outlines_and_keypoints_in_arrays_are_kept():
    outline = np.array([[1, 2], [300, 2], [150, 400]])
    (instance,) = formats.read([{"label": "a", "bbox": [1, 2, 300, 400], "polygon": outline}], 640, 480)[0].instances
    assert instance.mask is not None
    beside = {"boxes": np.array([[1, 2, 300, 400]]), "labels": ["a"], "keypoints": np.ones((1, 17, 3))}
    (instance,) = formats.read(beside, 640, 480)[0].instances
    assert instance.extra["imported"]["keypoints"] == [[1.0, 1.0, 1.0]] * 17
