"""Layouts as the text of a prompt: places in words, the background, and the JSON of models that read boxes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import formats
from roictrl_core.layout import Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences
from roictrl_core.prompt_styles import CAPTIONS, STYLES
from roictrl_core.wording import Words, place, placed_captions

FOX = Instance((0, 0, 0.3, 0.3), "a red fox")
OWL = Instance((0.6, 0.4, 1.0, 0.6), "a blue owl")
WHOLE = "compositional_deconstruction"


PLAIN = Words()


def text(style, *instances, caption="", words=PLAIN):
    return STYLES[style](Layout(instances=instances, caption=caption), words)[0]


def placed(*instances):
    return ", ".join(placed_captions(instances))


@pytest.mark.parametrize(
    "box, words",
    [
        ((0, 0, 0.3, 0.3), "in the upper left"),
        ((0.4, 0, 0.6, 0.3), "at the top"),
        ((0.7, 0, 1, 0.3), "in the upper right"),
        ((0, 0.4, 0.3, 0.6), "on the left"),
        ((0.4, 0.4, 0.6, 0.6), "in the centre"),
        ((0.7, 0.4, 1, 0.6), "on the right"),
        ((0, 0.7, 0.3, 1), "in the lower left"),
        ((0.4, 0.7, 0.6, 1), "at the bottom"),
        ((0.7, 0.7, 1, 1), "in the lower right"),
        ((0, 0, 1, 1), "filling the picture"),
        ((0.1, 0.05, 0.95, 0.9), "filling the picture"),
        ((0, 0, 1, 0.2), "across the top"),
        ((0, 0.45, 0.9, 0.6), "across the middle"),
        ((0, 0.8, 1, 1), "across the bottom"),
        ((0, 0, 1, 0.5), "across the upper half"),
        ((0, 0.5, 1, 1), "across the lower half"),
        ((0, 0.25, 1, 0.75), "across the middle"),
        ((0, 0, 0.2, 1), "from top to bottom on the left"),
        ((0.4, 0.1, 0.6, 0.95), "from top to bottom in the middle"),
        ((0, 0, 0.5, 1), "filling the left half"),
        ((0.5, 0, 1, 1), "filling the right half"),
        ((0.2, 0.2, 0.8, 0.8), "filling much of the centre"),
        ((0, 0, 0.6, 0.6), "filling much of the upper left"),
        ((0.9, 0.9, 0.95, 0.95), "seen small in the lower right"),
        ((0.5, 0.5, 0.5, 0.5), "in the centre"),
    ],
)
def test_places(box, words):
    assert place(box) == words


def test_what_shares_a_place_is_told_apart():
    row = [
        Instance((x, 0.4, x + 0.14, 0.6), caption)
        for x, caption in zip((0.0, 0.18, 0.36, 0.5, 0.7, 0.86), "abcdef", strict=True)
    ]
    assert placed(*row) == (
        "a on the far left, b on the left, c just left of the centre, d just right of the centre, "
        "e on the right, f on the far right"
    )
    top = [Instance((x, 0, x + 0.14, 0.3), caption) for x, caption in ((0.34, "a"), (0.52, "b"))]
    assert placed(*top) == "a at the top just left of the middle, b at the top just right of the middle"
    pile = [Instance((0.4, y, 0.6, y + 0.14), caption) for y, caption in ((0.34, "a"), (0.52, "b"))]
    assert placed(*pile) == "a just above the centre, b just below the centre"


def test_equal_captions_are_one_phrase():
    boxes = [(0, 0, 0.3, 0.3), (0.7, 0, 1, 0.3), (0.7, 0.7, 1, 1), (0.72, 0.72, 1, 1)]
    foxes = [Instance(box, "a fox") for box in boxes]
    assert placed(*foxes[:2]) == "a fox in the upper left and another in the upper right"
    assert placed(*foxes, OWL) == (
        "a fox in the upper left, another in the upper right, another in the lower right and another beside it, "
        "a blue owl on the right"
    )


def test_several_things_have_no_other_one():
    left, right = (0, 0.4, 0.3, 0.6), (0.7, 0.4, 1, 0.6)
    for caption, said in (
        ("tall trees", "tall trees on the left and on the right"),
        ("a pair of foxes", "a pair of foxes on the left and another on the right"),
        ("grass", "grass on the left and another on the right"),
        ("red fox", "red fox on the left and another on the right"),
    ):
        assert placed(Instance(left, caption), Instance(right, caption)) == said
    assert placed(*[Instance(left, "trees")] * 2) == "trees on the left"


def test_captions_keep_their_words_in_one_line():
    words = 'a "red" fox\n by (Ünal:1.2) \u72d0.'
    assert placed(Instance((0, 0, 1, 1), words)) == 'a "red" fox by (Ünal:1.2) \u72d0 filling the picture'
    assert placed(Instance((0, 0, 1, 1), " "), Instance((0, 0, 1, 1), ". ,")) == ""


def test_written_words_are_named():
    sign = {"imported": {"type": "text", "text": "OPEN"}}
    for caption, said in (
        ("a sign", 'a sign with the text "OPEN"'),
        ("", 'the text "OPEN"'),
        ("a sign, OPEN", "a sign, OPEN"),
    ):
        assert placed(Instance((0, 0, 0.3, 0.3), caption, extra=sign)) == f"{said} in the upper left"
    for extra in ({"imported": {"type": "text", "text": 3}}, {"imported": 5}, {"imported": {"text": "OPEN"}}):
        assert placed(Instance((0, 0, 0.3, 0.3), "a sign", extra=extra)) == "a sign in the upper left"


def test_a_mask_narrows_the_place():
    mask = np.zeros((40, 40), dtype=bool)
    mask[30:38, 2:10] = True
    everywhere = Instance((0, 0, 1, 1), "a fox")
    shapes = [RunLengthMask.from_array(shape) for shape in (mask, np.zeros((40, 40), dtype=bool))]
    assert placed(Instance((0, 0, 1, 1), "a fox", mask=shapes[0])) == "a fox in the lower left"
    assert placed(Instance((0, 0, 1, 1), "a fox", mask=shapes[1])) == placed(everywhere)
    assert placed(Instance((0.5, 0, 1, 0.3), "a fox", mask=shapes[0])) == "a fox in the upper right"


def test_boxes_over_the_border_and_points_have_places():
    assert placed(Instance((-0.9, -0.9, 0.3, 0.3), "a fox")) == "a fox in the upper left"
    assert placed(Instance((0.2, 0.2, 0.2, 0.2), "a fox", point=(0.9, 0.9))) == "a fox in the lower right"


def test_the_sentence():
    words = Words("a photo of", ", ", "best quality")
    style = "places in words"
    placed_both = "a red fox in the upper left, a blue owl on the right"
    assert text(style, FOX, OWL, words=words) == f"a photo of {placed_both}, best quality"
    assert text(style, FOX, OWL, caption="a forest") == f"a forest, {placed_both}"
    assert text(style, FOX, OWL, caption="A forest.\n") == f"A forest. A{placed_both[1:]}"
    token = Instance((0, 0, 0.3, 0.3), "embedding:fox")
    assert text(style, token, caption="A forest.") == "A forest. embedding:fox in the upper left"
    assert text(style, FOX, OWL, words=Words(separator="; ")) == placed_both.replace(", ", "; ")
    assert text(style, caption="a forest", words=words) == "a photo of a forest, best quality"
    assert text(style) == ""
    off = Instance((0, 0, 1, 1), "a cat", enabled=False)
    assert text(style, off, FOX) == "a red fox in the upper left"


def test_the_captions_stay_as_they_were():
    words = Words("a photo of", " and ", "best quality")
    assert text(CAPTIONS, FOX, OWL, FOX, words=words) == "a photo of a red fox and a blue owl and best quality"
    assert text(CAPTIONS, FOX, caption=" a forest ") == "a forest"
    assert text(CAPTIONS, Instance((9, 9, 9, 9), "a\nfox.")) == "a\nfox."  # whatever the box is
    assert text(CAPTIONS) == ""


def test_the_background():
    style = "background only"
    words = Words("a photo of", ", ", "oil painting")
    assert text(style, FOX, caption=" a forest ", words=words) == "a photo of a forest, oil painting"
    assert text(style, FOX, words=words) == "a photo of oil painting"
    empty = STYLES[style](Layout(instances=(FOX,)), Words())
    assert empty[0] == "" and sentences(empty[1])[0].startswith("The layout says nothing about the background")


def test_elements():
    style = "elements JSON"
    colored = Instance((0.0, 0.25, 1.5, 1.0), 'an "owl"\n\u72d0', color="#e69f00")
    found, notes = STYLES[style](Layout(instances=(FOX, colored, Instance((0, 0, 1, 1), enabled=False))), Words("x"))
    assert json.loads(found) == [
        {"type": "obj", "bbox": [0, 0, 300, 300], "desc": "a red fox"},
        {"type": "obj", "bbox": [250, 0, 1000, 1000], "desc": 'an "owl"\n\u72d0', "color_palette": ["#E69F00"]},
    ]
    assert "\u72d0" in found and "\n" not in found
    assert [note.code for note in notes] == ["write.cut"]
    assert text(style) == "[]"
    nameless = STYLES[style](Layout(instances=(Instance((0, 0, 1, 1)),)), Words())
    assert json.loads(nameless[0])[0]["desc"] == "" and nameless[1][0].code == "layout.caption_empty"


def test_a_json_caption():
    style = "JSON caption"
    words = Words("a photo of", ", ", "a meadow")
    elements = json.loads(text("elements JSON", FOX, OWL))
    assert json.loads(text(style, FOX, OWL, words=words)) == {
        "high_level_description": "a photo of a red fox, a blue owl, a meadow",
        WHOLE: {"background": "a meadow", "elements": elements},
    }
    assert json.loads(text(style, FOX, OWL, caption="a forest")) == {
        "high_level_description": "a forest",
        WHOLE: {"background": "a forest", "elements": elements},
    }
    empty, notes = STYLES[style](Layout(), Words())
    assert json.loads(empty) == {WHOLE: {"background": "", "elements": []}}
    assert [note.code for note in notes] == ["prompt.no_background"]
    strong = STYLES[style](Layout(instances=(Instance((0, 0, 1, 1), "a fox", strength=0.5),), caption="x"), Words())
    assert sentences(strong[1]) == ["Ideogram / Krea 2 caption cannot carry the strength of instance 1 ('a fox')."]


IMPORTED = {
    "high_level_description": "Two animals meet.",
    "style_description": {"aesthetics": "calm", "lighting": "dusk", "medium": "painting", "art_style": "gouache"},
    WHOLE: {
        "background": "A forest",
        "elements": [{"type": "obj", "bbox": [0, 0, 300, 300], "desc": "a fox"}, {"type": "obj", "desc": "fireflies"}],
    },
}


def test_an_imported_caption_keeps_its_words():
    layout, _ = formats.read(IMPORTED, 512, 512)
    assert json.loads(STYLES["JSON caption"](layout, Words())[0]) == IMPORTED
    around = json.loads(STYLES["JSON caption"](layout, Words("A photo:", " ", "8k"))[0])
    assert around == {**IMPORTED, "high_level_description": "A photo: Two animals meet. 8k"}
    assert STYLES["background only"](layout, Words())[0] == "A forest"
    nameless, _ = formats.read({key: IMPORTED[key] for key in IMPORTED if key != "high_level_description"}, 512, 512)
    assert "high_level_description" not in json.loads(STYLES["JSON caption"](nameless, Words())[0])
    assert list(json.loads(STYLES["JSON caption"](nameless, Words("x"))[0]))[0] == "high_level_description"


@pytest.mark.parametrize("kept", [3, [], {}, {"elements": 3}, {"background": [], "x": object()}, {"x": float("nan")}])
def test_foreign_values_under_that_name(kept):
    layout = Layout(instances=(FOX,), extra={"ideogram": kept})
    assert json.loads(STYLES["JSON caption"](layout, Words())[0])[WHOLE]["elements"][0]["desc"] == "a red fox"


@pytest.mark.parametrize("style", ["places in words", "elements JSON", "JSON caption"])
def test_a_box_that_has_no_place_is_named(style):
    for box, sentence in (
        ((0.5, 0.5, 0.5, 0.5), "box of instance 2 .'a fox'. has no area"),
        ((2, 2, 3, 3), "box of instance 2 .'a fox'. lies outside"),
        ((0, 0, float("nan"), 1), "box of instance 2 .'a fox'. is .* four finite numbers"),
    ):
        with pytest.raises(ValueError, match=sentence):
            text(style, FOX, Instance(box, "a fox"))


numbers = st.floats(-1.5, 2.5, allow_nan=False)


@given(st.lists(st.tuples(numbers, numbers, numbers, numbers, st.text(max_size=8)), max_size=6), st.text(max_size=5))
@settings(deadline=None, max_examples=60)
def test_every_sound_layout_has_a_text_in_every_style(rows, caption):
    instances = tuple(Instance((x1, y1, x2, y2), words) for x1, y1, x2, y2, words in rows)
    sound = tuple(one for i, one in enumerate(instances, 1) if not one.problems(i))
    layout = Layout(instances=sound, caption=caption)
    for name, style in STYLES.items():
        found, notes = style(layout, Words())
        assert isinstance(found, str) and all(sentences(notes))
        if "JSON" in name:
            found = json.loads(found)
            boxes = [one["bbox"] for one in (found if isinstance(found, list) else found[WHOLE]["elements"])]
            assert len(boxes) == len(sound)
            assert all(0 <= y1 < y2 <= 1000 and 0 <= x1 < x2 <= 1000 for y1, x1, y2, x2 in boxes)
