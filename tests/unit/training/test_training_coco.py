"""COCO: every bad entry is listed with its number, and no entry spoils another picture."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from roictrl_core.training import coco as coco_module
from roictrl_core.training.rows import BadRow
from roictrl_core.training.sources import read_coco, survey


def annotation(number, **changes):
    """Of picture `number`: a box of 100 x 100 pixels at 10 * number."""
    entry = {
        "id": number,
        "image_id": number,
        "category_id": 7,
        "bbox": [10 * number, 10 * number, 100, 100],
        "iscrowd": 0,
        **changes,
    }
    return {key: value for key, value in entry.items() if value != "gone"}


GOOD = [annotation(n) for n in (1, 2, 3)]
CAPTIONS = [{"image_id": n, "caption": f"picture {n} "} for n in (1, 2, 3)]
IMAGES = [{"id": n, "file_name": f"{n}.png", "width": 500, "height": 400} for n in (1, 2, 3)]
CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 8, "name": "cat"}]


@pytest.fixture
def read(tmp_path):
    for n in (1, 2, 3):
        Image.new("RGB", (500, 400), "blue").save(tmp_path / f"{n}.png")

    def read(annotations=GOOD, captions=CAPTIONS, images=IMAGES, categories=CATEGORIES, mark=b""):
        # In COCO's own files "categories" is last and "info" first.
        data = {"info": {"year": 1}, "images": images, "annotations": annotations, "categories": categories}
        (tmp_path / "i.json").write_bytes(mark + json.dumps(data).encode())
        (tmp_path / "c.json").write_bytes(mark + json.dumps({"annotations": captions}).encode())
        return list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path))

    return read


def boxes_of(rows):
    """{file: boxes in pixels} of the examples."""
    return {
        row.file.name: [[round(v * side) for v, side in zip(box, (500, 400) * 2, strict=True)] for box in row.boxes]
        for row in rows
        if not isinstance(row, BadRow)
    }


SOUND = {f"{n}.png": [[10 * n, 10 * n, 10 * n + 100, 10 * n + 100]] for n in (1, 2, 3)}


def test_sound_files(read):
    rows = read(
        [
            *GOOD,
            annotation(4, image_id=2, category_id=8, bbox=[0, 0, 500, 400]),
            annotation(5, image_id=3, iscrowd=1, bbox=None),
        ],
        [*CAPTIONS, {"image_id": 2, "caption": "pets"}],
    )
    assert boxes_of(rows) == {**SOUND, "2.png": [*SOUND["2.png"], [0, 0, 500, 400]]}
    assert (
        rows[1].captions == ("picture 2", "pets")
        and rows[1].instance_captions == ("dog", "cat")
        and rows[1].where == "i.json image 2 (2.png)"
    )
    assert survey(rows) == (3, [])


def test_byte_order_marks_are_read_over(read):
    assert boxes_of(read(mark=b"\xef\xbb\xbf")) == SOUND


@pytest.mark.parametrize(
    "ids", ["image_id of annotations", "id of images", "category_id", "id of categories", "captions", "zeros"]
)
def test_ids_written_as_texts_are_found(read, ids):
    """Different tools write the two files of a pair."""
    text = {
        "image_id of annotations": {"annotations": [annotation(n, image_id=str(n)) for n in (1, 2, 3)]},
        "id of images": {"images": [{**image, "id": str(image["id"])} for image in IMAGES]},
        "category_id": {"annotations": [annotation(n, category_id="7") for n in (1, 2, 3)]},
        "id of categories": {"categories": [{**entry, "id": str(entry["id"])} for entry in CATEGORIES]},
        "captions": {"captions": [{**entry, "image_id": str(entry["image_id"])} for entry in CAPTIONS]},
        "zeros": {"images": [{**image, "id": f"{image['id']:012d}"} for image in IMAGES]},
    }[ids]
    rows = read(**text)
    assert boxes_of(rows) == SOUND and [row.captions for row in rows] == [(f"picture {n}",) for n in (1, 2, 3)]
    assert all(row.instance_captions == ("dog",) for row in rows)


def test_ids_that_could_be_two_are_not_guessed(read):
    """1 and "01" are two pictures: "1" is the first, written out, or the second without its zero."""
    rows = read(
        [annotation(1, image_id="1"), annotation(2), annotation(3)],
        images=[IMAGES[0], IMAGES[1], {**IMAGES[2], "id": "01"}],
    )
    problems = [str(row) for row in rows if isinstance(row, BadRow)]
    assert "i.json annotation 1: `image_id` 1 is the id of several of the file's images" in problems
    exact = read(
        [annotation(1), annotation(2, image_id="1"), annotation(3, image_id=2)],
        [*CAPTIONS, {"image_id": "1", "caption": "x"}],
        images=[IMAGES[0], IMAGES[1], {**IMAGES[2], "id": "1"}],
    )
    assert boxes_of(exact) == {"1.png": SOUND["1.png"], "2.png": SOUND["3.png"], "3.png": SOUND["2.png"]}


@pytest.mark.parametrize(
    "changes, problem",
    [
        (
            {"bbox": [10, 10, 100, 100, 0.0]},
            "annotation 2: `bbox` is not four finite numbers x, y, width, height (it is a list of 5)",
        ),
        ({"bbox": []}, "annotation 2: `bbox` is not four finite numbers x, y, width, height (it is a list of 0)"),
        ({"bbox": "gone"}, "annotation 2: `bbox` is not four finite numbers x, y, width, height (it is missing)"),
        ({"bbox": None}, "annotation 2: `bbox` is not four finite numbers x, y, width, height (it is missing)"),
        ({"bbox": {"x": 1}}, "annotation 2: `bbox` is not four finite numbers x, y, width, height (it is no list)"),
        ({"bbox": [10, None, 100, 100]}, "annotation 2: `bbox` is not four finite numbers"),
        ({"bbox": [10, "10", 100, 100]}, "annotation 2: `bbox` is not four finite numbers"),
        ({"bbox": [10, 10, float("nan"), 100]}, "annotation 2: `bbox` is not four finite numbers"),
        ({"bbox": [10, 10, 10**400, 100]}, "annotation 2: `bbox` is not four finite numbers"),
        ({"bbox": [10, 10, 0, 100]}, "the box of annotation 2 (dog) is empty, inverted or outside the picture"),
        ({"bbox": [10, 10, -20, 100]}, "the box of annotation 2 (dog) is empty, inverted or outside the picture"),
        ({"bbox": [600, 10, 20, 100]}, "the box of annotation 2 (dog) is empty, inverted or outside the picture"),
        (
            {"bbox": [10, 10, 5000, 100]},
            "the box of annotation 2 (dog) lies far outside the picture, which is 500 x 400 pixels",
        ),
        ({"bbox": [1e308, 10, 1e308, 100]}, "the box of annotation 2 (dog) lies far outside the picture"),
        ({"bbox": [0.1, 0.1, 0.5, 0.5]}, "the box of annotation 2 (dog) looks like shares of the picture"),
        ({"bbox": [0.5, 0.5, 0.9, 0.9]}, "the box of annotation 2 (dog) looks like shares of the picture"),
        (  # xyxy in place of xywh
            {"bbox": [300, 200, 450, 300]},
            "(dog) reaches 50% of the picture beyond its border: give x, y, width, height in pixels of 500 x 400",
        ),
        ({"bbox": [-60, 10, 200, 100]}, "(dog) reaches 12% of the picture beyond its border"),
        ({"iscrowd": "0"}, "annotation 2: `iscrowd` is neither 0 nor 1"),
        ({"iscrowd": "false"}, "annotation 2: `iscrowd` is neither 0 nor 1"),
        ({"iscrowd": [0]}, "annotation 2: `iscrowd` is neither 0 nor 1"),
        ({"iscrowd": 2}, "annotation 2: `iscrowd` is neither 0 nor 1"),
        ({"category_id": 9}, "annotation 2: `category_id` 9 is the id of none of the file's categories"),
        ({"category_id": None}, "annotation 2: `category_id` is missing"),
        ({"category_id": [7]}, "annotation 2: `category_id` is neither a whole number nor a text"),
        ({"category_id": True}, "annotation 2: `category_id` is neither a whole number nor a text"),
    ],
)
def test_a_bad_annotation_is_its_pictures_alone(read, changes, problem):
    rows = read([GOOD[0], annotation(2, **changes), GOOD[2]])
    assert boxes_of(rows) == {name: boxes for name, boxes in SOUND.items() if name != "2.png"}
    (bad,) = (row for row in rows if isinstance(row, BadRow))
    assert bad.where == "i.json image 2 (2.png)" and problem in bad.problem


@pytest.mark.parametrize("crowd, boxes", [(0, 1), (False, 1), (None, 1), ("gone", 1), (0.0, 1), (1, 0), (True, 0)])
def test_crowds_are_left_out(read, crowd, boxes):
    rows = read([annotation(2, iscrowd=crowd)])
    assert [len(row.boxes) for row in rows] == [0, boxes, 0]


def test_boxes_drawn_loosely_are_cut_at_the_border(read):
    rows = read([annotation(2, bbox=[-10, 20, 520, 385])])
    assert boxes_of(rows)["2.png"] == [[0, 20, 500, 400]]


@pytest.mark.parametrize("key", ["annotations", "categories", "images"])
def test_a_list_that_is_an_object_is_named(read, key):
    with pytest.raises(ValueError, match=f"i.json: '{key}' is not a list"):
        read(**{key: {"a": 1}})


def test_the_captions_file_is_named_where_its_list_is_an_object(read):
    with pytest.raises(ValueError, match="c.json: 'annotations' is not a list"):
        read(captions={"a": 1})


@pytest.mark.parametrize("name", ["i.json", "c.json"])
@pytest.mark.parametrize(
    "tail, sentence",
    [
        ("more", "goes on after the end of its JSON, at character"),
        ("{}", "goes on after the end of its JSON, at character"),
        (None, "is not the JSON that was expected: no ','"),
    ],
)
def test_files_are_read_to_their_end(read, tmp_path, name, tail, sentence):
    read()
    text = (tmp_path / name).read_text()
    (tmp_path / name).write_text(text[:-1] if tail is None else f"{text}\n{tail}")
    with pytest.raises(ValueError, match=f"{name} {sentence}"):
        list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path))
    (tmp_path / name).write_text(f'{text[:-1]}, "annotations": []}}')
    with pytest.raises(ValueError, match=f"{name} has the key 'annotations' twice"):
        list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path))


def test_entries_with_a_key_twice_are_listed(read, tmp_path):
    read()
    text = (tmp_path / "i.json").read_text()
    (tmp_path / "i.json").write_text(text.replace('"bbox": [20,', '"bbox": [0, 0, 9, 9], "bbox": [20,'))
    rows = list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path))
    assert [str(row) for row in rows if isinstance(row, BadRow)] == [
        "i.json annotation 2: has the key `bbox` twice: keep one"
    ]


def test_boxes_of_five_numbers_shift_nothing(read):
    rows = read([annotation(n, bbox=[10 * n, 10 * n, 100, 100, 0.0]) for n in (1, 2, 3)])
    assert [row.where for row in rows if isinstance(row, BadRow)] == [f"i.json image {n} ({n}.png)" for n in (1, 2, 3)]


def test_a_picture_with_several_bad_annotations_counts_them(read):
    (_, bad, _) = read([*GOOD, annotation(4, image_id=2, bbox=[]), annotation(5, image_id=2, category_id=None)])
    assert bad.problem.startswith("annotation 4: ") and bad.problem.endswith(", and 1 more of its annotations are bad")


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"image_id": 9}, "`image_id` 9 is the id of none of the file's images"),
        ({"image_id": "gone"}, "`image_id` is missing"),
        ({"image_id": None}, "`image_id` is missing"),
        ({"image_id": {}}, "`image_id` is neither a whole number nor a text"),
        ({"image_id": 1.5}, "`image_id` is neither a whole number nor a text"),
        ({"image_id": False}, "`image_id` is neither a whole number nor a text"),
    ],
)
def test_annotations_of_no_picture_are_rows_of_their_own(read, changes, problem):
    rows = read([*GOOD, annotation(4, **changes)])
    assert boxes_of(rows) == SOUND
    assert [str(row) for row in rows if isinstance(row, BadRow)] == [f"i.json annotation 4: {problem}"]


def test_many_annotations_of_no_picture_are_counted(read, monkeypatch):
    monkeypatch.setattr(coco_module, "MOST_LISTED", 3)
    bad = [
        str(row) for row in read([*GOOD, *(annotation(n, image_id=n) for n in range(4, 14))]) if isinstance(row, BadRow)
    ]
    assert (
        len(bad) == 4
        and bad[0].startswith("i.json annotation 4: ")
        and bad[3] == "i.json annotation: 7 more are bad as well"
    )


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"id": "gone"}, "`id` is missing"),
        ({"id": []}, "`id` is neither a whole number nor a text"),
        ({"id": 1}, "`id` 1 is the id of several of the file's images"),
        ({"file_name": None}, "has no `file_name`"),
        ({"file_name": "x" * 5000}, "cannot be looked up"),
        ({"file_name": "../2.png"}, "leads out of the data folder"),
        ({"width": 0}, "`width` and `height` are not two numbers above 0"),
        ({"width": 0, "height": 0}, "`width` and `height` are not two numbers above 0"),
        ({"height": None}, "`width` and `height` are not two numbers above 0"),
        ({"height": "400"}, "`width` and `height` are not two numbers above 0"),
        ({"height": 10**400}, "`width` and `height` are not two numbers above 0"),
    ],
)
def test_a_bad_image_is_a_bad_row(read, changes, problem):
    image = {key: value for key, value in {**IMAGES[1], **changes}.items() if value != "gone"}
    rows = read(images=[IMAGES[0], image, IMAGES[2]])
    assert boxes_of(rows).items() >= {"3.png": SOUND["3.png"]}.items() and "2.png" not in boxes_of(rows)
    (bad,) = (row for row in rows if isinstance(row, BadRow) and row.where.startswith("i.json image 2 ("))
    assert problem in bad.problem and len(bad.where) < 80


def test_two_pictures_of_one_id_are_both_refused(read):
    """Which of them the boxes belong to is not known."""
    rows = read(images=[*IMAGES[:2], {**IMAGES[2], "id": 1}])
    assert boxes_of(rows) == {"2.png": SOUND["2.png"]}


@pytest.mark.parametrize("entry", [None, 3, [], "x"])
def test_entries_that_are_no_objects_are_listed(read, entry):
    rows = read([*GOOD, entry], [*CAPTIONS, entry], [*IMAGES, entry], [*CATEGORIES, entry])
    assert boxes_of(rows) == SOUND
    assert [str(row) for row in rows if isinstance(row, BadRow)] == [
        f"{place} 4: is not a JSON object" for place in ("i.json image", "i.json annotation", "c.json annotation")
    ]


@pytest.mark.parametrize("name", [None, " ", 3, "\ud800"])
def test_categories_without_a_usable_name_spoil_what_is_of_them(read, name):
    rows = read([GOOD[0], annotation(2, category_id=8), GOOD[2]], categories=[CATEGORIES[0], {"id": 8, "name": name}])
    assert (
        boxes_of(rows).keys() == {"1.png", "3.png"}
        and "category 2" in rows[1].problem
        and rows[1].problem.isprintable()
    )


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"caption": None}, "`caption` is not a text"),
        ({"caption": "\udc00"}, "`caption` holds half a character"),
        ({"image_id": None}, "`image_id` is missing"),
    ],
)
def test_bad_captions_are_listed_and_the_picture_keeps_its_others(read, changes, problem):
    rows = read(captions=[*CAPTIONS, {"image_id": 2, "caption": "x", **changes}])
    assert boxes_of(rows) == SOUND and rows[1].captions == ("picture 2",)
    assert str(rows[3]).startswith(f"c.json annotation 4: {problem}")


def test_pictures_without_a_caption_are_listed(read):
    rows = read(captions=[*CAPTIONS[:2], {"image_id": 99, "caption": "of a picture that the other file leaves out"}])
    assert (
        boxes_of(rows).keys() == {"1.png", "2.png"}
        and str(rows[2]) == "i.json image 3 (3.png): has no caption in the captions file"
    )


def test_a_file_in_the_others_place_is_said(read, tmp_path):
    with pytest.raises(ValueError, match="c.json holds boxes and no captions"):
        read(captions=GOOD)
    with pytest.raises(ValueError, match="i.json holds captions and no boxes"):
        read(CAPTIONS)
    read()
    with pytest.raises(ValueError, match="c.json has no 'images': is it a COCO file of the right kind"):
        list(read_coco(tmp_path / "c.json", tmp_path / "c.json", tmp_path))
    with pytest.raises(ValueError, match="nowhere is no folder of pictures"):
        list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="cannot be read"):
        list(read_coco(tmp_path, tmp_path / "c.json", tmp_path))


def test_missing_pictures_are_listed(read, tmp_path):
    read()
    (tmp_path / "3.png").unlink()
    bad = list(read_coco(tmp_path / "i.json", tmp_path / "c.json", tmp_path))[2]
    assert str(bad) == "i.json image 3 (3.png): picture 3.png does not exist"
