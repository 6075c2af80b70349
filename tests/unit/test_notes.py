"""What is said, as data: every code has a sentence in both languages with the same values, and every code is used."""

from __future__ import annotations

import json
import re
from string import Formatter

import pytest

from roictrl_core import notes
from roictrl_core.notes import MAX_TITLE, Note, quote, subject
from roictrl_core.sentences import ITEMS, SENTENCES


def fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


@pytest.fixture(scope="module")
def chinese(root) -> dict:
    return json.loads((root / "locales" / "zh" / "main.json").read_text(encoding="utf-8"))["roictrl"]


def test_chinese_says_the_same_things_with_the_same_values(chinese):
    said = {f"{area}.{what}": text for area, group in chinese["note"].items() for what, text in group.items()}
    assert said.keys() == SENTENCES.keys() and chinese["item"].keys() == ITEMS.keys()
    assert {code: fields(text) for code, text in said.items()} == {
        code: fields(text) for code, text in SENTENCES.items()
    }
    assert all(fields(text) == {"n"} for text in chinese["item"].values())


def test_every_code_is_used_and_every_used_code_has_a_sentence(root):
    code = "\n".join(
        file.read_text(encoding="utf-8")
        for folder in ("roictrl_core", "nodes")
        for file in (root / folder).rglob("*.py")
        if file.name != "sentences.py"
    )
    made = re.findall(
        r'f"([a-z]+\.(?:[a-z_]+_)?)\{(?:[a-z_]+)\}((?:_[a-z_]+)?)"', code
    )  # codes with a part that is a value
    for name in SENTENCES:
        assert f'"{name}"' in code or any(name.startswith(start) and name.endswith(end) for start, end in made), name
    areas = {name.split(".")[0] for name in SENTENCES}
    for name in re.findall(r'"([a-z]+\.[a-z_]+)"', code):
        assert name in SENTENCES or name.split(".")[0] not in areas, name


def test_a_note_is_a_sentence_and_plain_data():
    note = Note("layout.twins", 2, {"who": subject("instance", 2, "an  owl"), "other": subject("instance", 1)})
    assert note.sentence().startswith("The boxes of instance 1 and instance 2 ('an owl') share their caption")
    data = json.loads(json.dumps(note.to_dict()))
    assert (data["code"], data["instance"], data["text"]) == ("layout.twins", 2, note.sentence())
    assert data["values"]["other"] == {"item": "instance", "number": 1, "title": ""}


def test_a_sentence_begins_with_a_capital_and_names_lists():
    note = Note(
        "write.not_carried", 1, {"who": subject("line", 3, "x"), "format": "YOLO labels", "fields": ["mask", "point"]}
    )
    assert note.sentence() == "YOLO labels cannot carry the mask, point of line 3 ('x')."
    assert (
        Note("read.crowd", values={"who": subject("annotation", 3)}).sentence()
        == "Annotation 3 is a crowd and was left out."
    )


@pytest.mark.parametrize(
    "code, values, one",
    [
        ("notes.more", {"count": 1}, "There is 1 more such sentence, which is left out here."),
        (
            "apply.many_boxes",
            {"count": 9, "captions": 1, "times": "2.0"},
            "9 boxes act here, with 1 caption to encode.",
        ),
        (
            "prompt.boxes_unused",
            {"incoming": 1, "drawn": 1},
            "The boxes input brings 1 box, but 1 is drawn here already;",
        ),
        (
            "read.captions_left",
            {"captions": 2, "masks": 1, "left": 1},
            "There are 2 captions for 1 mask; the last 1 is",
        ),
        ("read.lists_differ", {"key": "scores", "count": 1, "boxes": 2}, "The list of scores has 1 entry for 2 boxes"),
        (
            "read.coco_no_such_image",
            {"count": 1},
            "1 annotation belongs to no image of the COCO file and was left out.",
        ),
        (
            "read.coco_no_such_image",
            {"count": 2},
            "2 annotations belong to no image of the COCO file and were left out.",
        ),
    ],
)
def test_words_go_with_their_numbers(code, values, one):
    assert Note(code, values=values).sentence().startswith(one)


def test_too_many_notes_are_counted():
    said = notes.capped([Note("read.no_boxes")] * (notes.MAX_NOTES + 5), 3)
    assert len(said) == notes.MAX_NOTES + 1 and said[-1].sentence().startswith("There are 8 more")


def test_text_with_braces_in_a_value_is_text():
    assert (
        "{0.__class__} {who}"
        in Note("write.yolo_class", values={"number": 0, "name": "{0.__class__} {who}"}).sentence()
    )


@pytest.mark.parametrize(
    "value",
    ["x" * 10**6, ["x"] * 10**6, {"a": 1}, 10**5000, [[[]]], [1.0] * 5, None, float("nan"), object],
    ids=lambda value: type(value).__name__,
)
def test_quotes_are_short(value):
    assert 0 < len(quote(value)) <= notes.MAX_QUOTE + 10


def test_titles_are_short():
    assert len(subject("box", 1, "word " * 10**6)["title"]) == MAX_TITLE and subject("box", 1, 5)["title"] == ""
