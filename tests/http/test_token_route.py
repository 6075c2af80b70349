"""The route that counts a caption's tokens for the editor, on a real server."""

from __future__ import annotations

import json
import urllib.error
import urllib.request

import pytest


def post(server, body: bytes) -> tuple[int, dict]:
    request = urllib.request.Request(server.url + "/roictrl/tokens", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize(
    "text, tokens, chunks",
    [
        ("", 0, 1),
        ("a red fox", 3, 1),
        ("(a red fox:1.2)", 3, 1),  # weights are none of the words
        ("fox " * 75, 75, 1),
        ("fox " * 76, 76, 2),
        ("\ud800", 1, 1),
    ],
)
def test_counts_are_those_of_clip(server, text, tokens, chunks):
    assert post(server, json.dumps({"text": text}).encode()) == (200, {"tokens": tokens, "chunks": chunks})


@pytest.mark.parametrize(
    "body, status, sentence",
    [
        (b"{", 422, 'must be a JSON object with "text"'),
        (b"[]", 422, 'must be a JSON object with "text"'),
        (b'{"text": 7}', 422, 'must be a JSON object with "text"'),
        (json.dumps({"text": "(" * 3000 + "fox" + ")" * 3000}).encode(), 422, "cannot be counted"),
        (b" " * 9000, 413, "larger than 8 KB"),
    ],
)
def test_refusals_are_sentences(server, body, status, sentence):
    found, answer = post(server, body)
    assert found == status and sentence in answer["error"]
