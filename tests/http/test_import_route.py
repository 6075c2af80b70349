"""The route that reads pasted text for the editor, on a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

ELEMENTS = (
    '[{"type": "obj", "bbox": [200, 100, 600, 400], "desc": "a red fox"}, {"bbox": [0, 0, 0, 0], "desc": "none"}]'
)


def post(server, body: bytes) -> tuple[int, dict]:
    request = urllib.request.Request(server.url + "/roictrl/import", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_foreign_text_becomes_a_layout_and_sentences(server):
    status, answer = post(server, json.dumps({"text": ELEMENTS, "width": 512, "height": 384}).encode())
    assert status == 200
    assert answer["layout"]["instances"] == [{"box": [0.1, 0.2, 0.4, 0.6], "caption": "a red fox"}]
    assert (answer["layout"]["width"], answer["layout"]["height"]) == (512, 384)
    assert [(note["code"], note["text"]) for note in answer["notes"]] == [
        ("read.no_area", "Element 2 ('none') has no area and was left out.")
    ]


DETECTED = '[{"label": "dog", "score": 0.9, "bbox": [64, 48, 256, 192]}]'


def test_a_person_says_how_to_read(server):
    request = {"text": DETECTED, "width": 512, "height": 384}
    status, answer = post(server, json.dumps(request).encode())
    assert status == 200 and answer["layout"]["instances"][0]["box"] == [0.125, 0.125, 0.5, 0.5]
    assert [note["code"] for note in answer["notes"]] == ["read.assumed_pixels"]
    status, answer = post(
        server, json.dumps({**request, "box_order": "y1, x1, y2, x2", "box_unit": "0 to 1000"}).encode()
    )
    assert answer["layout"]["instances"][0]["box"] == [0.048, 0.064, 0.192, 0.256] and answer["notes"] == []
    assert post(server, json.dumps({**request, "box_order": ["x"]}).encode())[0] == 422


@pytest.mark.parametrize(
    "text, code", [("", "read.blank"), ("[]", "read.no_boxes"), (DETECTED.replace("dog", "d\ufffdg"), "read.not_utf8")]
)
def test_something_is_said_of_nothing_and_of_another_encoding(server, text, code):
    status, answer = post(server, json.dumps({"text": text, "width": 512, "height": 384}).encode())
    assert status == 200 and answer["notes"][0]["code"] == code


@pytest.mark.parametrize(
    "body, status, sentence",
    [
        (b"{", 422, "not valid JSON"),
        (b"[]", 422, 'must be a JSON object with "text"'),
        (b'{"text": "[]", "width": "9"}', 422, "must be whole numbers"),
        (b'{"text": "hello there"}', 422, "in no format that is known here"),
        (
            b'{"text": "[]", "box_unit": "miles"}',
            422,
            "There is no unit of a box's numbers 'miles'. Use one of: auto; pixels;",
        ),
        (b" " * (21 * 2**20), 413, "larger than 10 MB"),
    ],
)
def test_refusals_are_sentences(server, body, status, sentence):
    found, answer = post(server, body)
    assert found == status and sentence in answer["error"]


def test_the_server_lives_on_after_refusals(server):
    status, answer = post(server, json.dumps({"text": "0 0.5 0.5 1 1", "class_names": "fox"}).encode())
    assert status == 200 and answer["layout"]["instances"][0]["caption"] == "fox"
