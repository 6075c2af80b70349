"""What may be read otherwise is offered where it was a guess, and only there."""

from __future__ import annotations

import json

import pytest

from roictrl_core.formats import read_openly
from roictrl_core.formats.choices import MAX_OPTIONS, MAX_TITLE
from roictrl_core.formats.reading import ORDERS, UNITS, XYWH, XYXY, YXYX, ReadAs

DETECTED = '[{"label": "dog", "score": 0.9, "bbox": [64, 48, 256, 192]}]'
SAID = (
    '[{"bbox": [200, 100, 600, 400], "desc": "a red fox", "type": "obj"}]'  # core's elements: order and unit are known
)
FRAMES = json.dumps([[{"x": 1, "y": 1, "width": 99, "height": 99}], [{"x": 5, "y": 5, "width": 200, "height": 200}]])


def offered(text: str, **how) -> dict:
    """Key -> (what was taken, the values that can be given)."""
    found = read_openly(text, 512, 384, **how).choices
    return {key: (choice.now, [option.value for option in choice.options]) for key, choice in found.items()}


def test_a_guessed_order_and_unit_may_be_others():
    assert offered(DETECTED) == {"box_order": (XYXY, list(ORDERS)), "box_unit": ("pixels", list(UNITS))}


def test_who_has_chosen_may_choose_again():
    found = offered(DETECTED, read_as=ReadAs(YXYX, "0 to 1000"))
    assert found == {"box_order": (YXYX, list(ORDERS)), "box_unit": ("0 to 1000", list(UNITS))}
    assert offered(DETECTED, read_as=ReadAs(XYWH))["box_order"][0] == XYWH


def test_nothing_is_asked_where_the_format_says_it():
    assert offered(SAID) == {}
    assert offered('{"version": 1, "instances": [{"box": [0, 0, 1, 1]}]}') == {}
    assert offered('[{"x": 64, "y": 48, "width": 256, "height": 192}]') == {}


def test_doubtful_pixels_may_be_percent():
    wide = read_openly('[{"x": 5, "y": 10, "width": 60, "height": 80}]', 1024, 768)
    assert wide.choices["box_unit"].now == "pixels" and wide.notes[0].code == "read.perhaps_percent"
    assert offered('[{"x": 5, "y": 10, "width": 6000, "height": 80}]')["box_unit"] == ("pixels", list(UNITS))


def test_a_file_of_pixels_in_shares_asks_for_its_unit_alone():
    labelme = {"shapes": [{"label": "a", "shape_type": "rectangle", "points": [[0.1, 0.1], [0.5, 0.5]]}]}
    text = json.dumps({**labelme, "imageWidth": 512, "imageHeight": 384})
    assert offered(text) == {"box_unit": ("0 to 1", list(UNITS))}
    assert offered(text, read_as=ReadAs(unit="pixels")) == {"box_unit": ("pixels", list(UNITS))}


def test_other_frames_may_be_picked():
    assert offered(FRAMES) == {"pick": ("1", ["1", "2"])}
    assert offered(FRAMES, pick="2") == {"pick": ("2", ["1", "2"])}


def test_a_prompt_may_be_picked_by_its_words():
    prompts = {f"a park with {'many ' * 40}dogs": {"a dog": [[0, 0, 1, 1]]}, "a beach": {"a boat": [[0, 0, 0.5, 1]]}}
    found = read_openly(json.dumps(prompts), 512, 384).choices["pick"]
    assert [option.value for option in found.options] == ["1", "2"]
    assert found.options[1].title == "a beach" and len(found.options[0].title) <= MAX_TITLE


def test_of_very_many_the_first_are_offered():
    rows = [[[0, 0, 10 + i, 10]] for i in range(MAX_OPTIONS + 20)]
    found = read_openly(json.dumps(rows), 512, 384).choices
    assert len(found["pick"].options) == MAX_OPTIONS


def test_class_names_may_be_given_and_given_anew():
    yolo = "0 0.5 0.5 0.2 0.2\n1 0.2 0.2 0.1 0.1"
    assert offered(yolo)["class_names"] == ("", [])
    assert offered(yolo, names="fox, owl")["class_names"] == ("fox, owl", [])
    assert "class_names" not in offered(DETECTED, names="fox, owl")


@pytest.mark.parametrize("text", [DETECTED, FRAMES])
def test_every_offer_can_be_taken(text):
    for key, choice in read_openly(text, 512, 384).choices.items():
        for option in choice.options:
            how = {"pick": {"pick": option.value}, "box_order": {"read_as": ReadAs(option.value)}}
            how["box_unit"] = {"read_as": ReadAs(unit=option.value)}
            assert read_openly(text, 512, 384, **how[key]).choices[key].now == option.value


def test_the_route_hands_them_on():
    from roictrl_core.import_request import answer

    found = answer(json.dumps({"text": DETECTED, "width": 512, "height": 384}).encode())["choices"]
    assert found["box_unit"]["now"] == "pixels"
    assert found["box_order"]["options"][0] == {"value": XYXY, "title": XYXY}
