"""Text that people paste or drop.

Fenced, told, printed by Python, in another encoding, none at all; what it is, where, what to do.
"""

from __future__ import annotations

import json

import pytest

from roictrl_core import formats
from roictrl_core.formats.reading import XYXY
from roictrl_core.notes import sentences

FOX = (0.1, 0.2, 0.4, 0.6)
LAYOUT = json.dumps({"version": 1, "width": 512, "height": 512, "instances": [{"box": FOX, "caption": "a fox"}]})
LIST = json.dumps([{"label": "a fox", "score": 0.9, "bbox": FOX}])
YAML = "a forest:\n  a fox: [[0.1, 0.2, 0.4, 0.6]]\n"
YOLO = "0 0.25 0.4 0.3 0.4"


def read(text):
    layout, notes = formats.read(text, 512, 512, names="a fox")
    return layout, sentences(notes)


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{LAYOUT}\n```",
        f"```json\n{LAYOUT}",
        f"``` {LAYOUT} ```",
        f"~~~\n{LAYOUT}\n~~~",
        f"   ```JSON\r\n{LAYOUT}\r\n   ```",
        f"Sure! Here it is:\n\n```json\n{LAYOUT}\n```\nTell me {{more}} if [you] like.",
        f"```\n{LIST}\n```\n\n```\n[]\n```",
        f"```yaml\n{YAML}```",
        f"```\n{YOLO}\n```",
        f"```\n\n```\n```json\n{LAYOUT}\n```",
        f"Here is the layout: {LAYOUT} Enjoy.",
        f"{LAYOUT}\n\nThe fox is at the left.",
        f"The 2 [two] boxes are {LIST}",
        f"Boxes:\n{LIST}\nThat is all.",
        f"The box is [{list(FOX)}].",
        "\n".join([LIST[1:-1]] * 1 + [json.dumps({"label": "b", "bbox": [0, 0, 1, 1]})]),
        str([{"label": "a fox", "score": 0.9, "bbox": list(FOX)}]),
        f"\ufeff{LAYOUT}",
        f"\ufeff \n{YOLO}",
        YAML,
        YOLO,
    ],
    ids=lambda value: value[:30],
)
def test_told_and_fenced(text):
    layout, notes = read(text)
    assert layout.instances[0].box == pytest.approx(FOX) and layout.instances[0].caption in ("a fox", "")
    assert all(f"read as {XYXY}" in note for note in notes)


def test_the_first_fence_that_holds_anything_is_the_one():
    assert len(read(f"```\n{LAYOUT}\n```\nor\n```\n{LIST}\n```")[0].instances) == 1


@pytest.mark.parametrize(
    "text, sentence",
    [
        (
            "Here are the boxes: the fox is left of the owl.",
            "in no format that is known here: found 'Here are the boxes: the fox is left of",
        ),
        ("I see no boxes here.\nSorry!", "in no format that is known here"),
        (
            "Boxes:\n1. a fox, left\n2. an owl: right\n",
            "This is neither JSON nor YOLO's lines. The text is not usable YAML: .* at line 3",
        ),
        (
            'Here: [{"label": "a", "bbox": [0, 0, 1, 1]}, {"label": "b", "bb',
            "The JSON inside this text is not valid: .* at line 1, column 61. Correct",
        ),
        (
            '[{"label": "a", "bbox": [0, 0, 1, 1]}, {"label": "b", "bb',
            "The text is not valid JSON: .* at line 1, column 55. Correct it there.",
        ),
        (
            b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\2".decode("utf-8", "replace"),
            "This is a binary file, or a damaged text: the character with the code 26 "
            "stands at line 2, column 1. Save it as text in UTF-8.",
        ),
        (
            f"{LAYOUT}\n\0",
            "This is a binary file, or a damaged text: the character with the code 0 stands at line 2, column 1.",
        ),
        (
            LAYOUT.encode("utf-16").decode("utf-8", "replace"),
            "This is text in UTF-16, which cannot be read here. Save it as UTF-8.",
        ),
        (LAYOUT.encode("utf-16-be").decode("utf-8", "replace"), "This is text in UTF-16"),
        ("null", "in no format that is known here"),
        ("42", "in no format that is known here"),
        ('{"annotations": [{"image_id": 1, "category_id": 1, "bbox": "x"}], "images": "none"}', None),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else None,
)
def test_what_it_is_where_and_what_to_do(text, sentence):
    if sentence is None:
        assert any(
            "The COCO file lists no images, so its boxes were read on a picture of 512 x 512" in note
            for note in read(text)[1]
        )
        return
    with pytest.raises(ValueError, match=sentence):
        read(text)


def test_another_encoding_is_said():
    lines = (
        '[{"label": "a fox",',
        ' "bbox": [0.1, 0.2, 0.4, 0.6]},',
        ' {"label": "caf\xe9 \xfcber", "bbox": [0, 0, 1, 1]}]',
    )
    text = "\n".join(lines).encode("latin-1").decode("utf-8", "replace")
    layout, notes = read(text)
    assert len(layout.instances) == 2 and notes[0] == (
        "The text is not UTF-8: 2 of its characters could not be read and are �, the first in line 3. "
        "Save it as UTF-8, or correct the captions by hand."
    )


@pytest.mark.parametrize("text", ["", " \r\n\t", "\ufeff"])
def test_blank_text_says_something(text):
    layout, notes = read(text)
    assert layout.instances == () and notes == ["The text is empty, so there are no boxes here."]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        '{"' * 100_000,
        "x [" + "[" * 200_000,
        'a {"' * 60_000,
        "```\n" * 200_000,
        "`" * 500_000,
        "[1" + "1" * 200_000,
        "x [{" + "1" * 200_000,
        ":\n" * 100_000,
        "- " * 100_000,
    ],
    ids=lambda value: value[:6],
)
def test_no_text_is_looked_at_again_and_again(text):
    """A pattern or a parser that begins anew at every character would take minutes for each of these."""
    with pytest.raises(ValueError):
        read(text)


# --- COCO without what belongs to it ---


def coco(**change):
    return {
        "annotations": [
            {"image_id": 7, "category_id": 1, "bbox": [51.2, 102.4, 153.6, 204.8]},
            {"image_id": 8, "category_id": 1, "bbox": [0, 0, 9, 9]},
        ],
        "categories": [{"id": 1, "name": "a fox"}],
        **change,
    }


def test_a_coco_file_without_images():
    for pick in ("7", "1", ""):
        layout, notes = formats.read(coco(), 512, 512, pick=pick)
        assert [i.box for i in layout.instances] == [pytest.approx(FOX)] and layout.instances[0].caption == "a fox"
        assert any(
            "lists no images, so its boxes were read on a picture of 512 x 512 pixels" in note
            for note in sentences(notes)
        )
    assert formats.read(coco(width=256, height=512), 0, 0)[0].instances[0].box[0] == pytest.approx(0.2)
    with pytest.raises(ValueError, match="The COCO image gives boxes in pixels, but not the picture's size"):
        formats.read(coco())


def test_ids_are_the_same_as_text_and_as_numbers():
    data = coco(images=[{"id": "7", "width": 512, "height": 512}], categories=[{"id": "1", "name": "a fox"}])
    layout, notes = formats.read(data)
    assert layout.instances[0].caption == "a fox" and sentences(notes) == [
        "1 annotation belongs to no image of the COCO file and was left out."
    ]
