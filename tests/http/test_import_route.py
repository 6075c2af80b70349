"""The route that reads pasted text for the editor, on a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest

ELEMENTS = '[{"type": "obj", "bbox": [200, 100, 600, 400], "desc": "a red fox"}, {"bbox": [0, 0, 0, 0], "desc": "none"}]'


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
    assert [(note["code"], note["text"]) for note in answer["notes"]] == [("read.no_area", "Element 2 ('none') has no area and was left out.")]


@pytest.mark.parametrize("body, status, sentence", [
    (b"{", 422, "not valid JSON"),
    (b"[]", 422, 'must be a JSON object with "text"'),
    (b'{"text": "[]", "width": "9"}', 422, "must be whole numbers"),
    (b'{"text": "hello there"}', 422, "in no format that is known here"),
    (b" " * (21 * 2**20), 413, "larger than 10 MB"),
])
def test_refusals_are_sentences(server, body, status, sentence):
    found, answer = post(server, body)
    assert found == status and sentence in answer["error"]


def test_the_server_lives_on_after_refusals(server):
    status, answer = post(server, json.dumps({"text": "0 0.5 0.5 1 1", "class_names": "fox"}).encode())
    assert status == 200 and answer["layout"]["instances"][0]["caption"] == "fox"
