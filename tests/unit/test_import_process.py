"""The process that reads import requests: what it answers, and that nothing in it can stay or break the server."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from roictrl_core import import_process
from roictrl_core.import_process import ImportRefused
from roictrl_core.safe_text import MAX_BYTES

LOAD = (
    "import importlib.util, sys; spec = importlib.util.spec_from_file_location('process', {file!r}); process = "
    "importlib.util.module_from_spec(spec); spec.loader.exec_module(process); "
)


def body(text: str, **more) -> bytes:
    return json.dumps({"text": text, "width": 64, "height": 32, **more}).encode()


def instead(monkeypatch, code: str) -> None:
    """Let the process run other code, after this file is loaded into it as `process`."""
    interpreter, *flags, file, first, second = [*import_process._command(), ""][:6]
    command = [interpreter, *flags, "-c", LOAD.format(file=file) + code, *filter(None, (first, second))]
    monkeypatch.setattr(import_process, "_command", lambda: command)


def test_an_answer_is_a_layout_with_notes():
    read, data = import_process.run(body("7 0.5 0.5 0.5 0.5\n1 0.5 0.5 0 1", class_names="fox\nowl", pick=1))
    answer = json.loads(data)
    assert read and answer["layout"] == {
        "version": 1,
        "width": 64,
        "height": 32,
        "instances": [{"box": [0.25, 0.25, 0.75, 0.75], "caption": "class 7"}],
    }
    assert [note["code"] for note in answer["notes"]] == ["read.class_unnamed", "read.no_area"]


def test_any_character_comes_back():
    caption = "caf\u00e9 \U0001f98a \ud800 \u2028 \x00"
    read, data = import_process.run(body(json.dumps({"instances": [{"box": [0, 0, 1, 1], "caption": caption}]})))
    assert read and json.loads(data)["layout"]["instances"][0]["caption"] == caption


@pytest.mark.parametrize(
    "request_body, sentence",
    [
        (b"", "The request is not valid JSON"),
        (b"\xff\xfe", "The request is not UTF-8 text: its byte 1 cannot be read."),
        (b"[" * (2 * MAX_BYTES), "The request has 20971520 lists and objects; at most 20 are read"),
        (b'{"text": 3}', 'must be a JSON object with "text"'),
        (b'{"text": "[]", "height": 16385}', "must be whole numbers from 0 to 16384 pixels, not 0 and 16385"),
        (body("[]", pick=[1]), 'The "pick" of the request must be text or a whole number'),
        (body("[]", class_names=["fox"]), '"class_names" must be text'),
        (
            body("[" + "[]," * (MAX_BYTES // 3 - 1) + "0]"),
            "The text has 3495253 lists and objects; at most 300000 are read",
        ),
        (
            body("0 0.5 0.5 1 1", class_names="a\n" * 60_000),
            "The list of names has 59999 line breaks; at most 50000 are read",
        ),
    ],
    ids=lambda value: str(value)[:20],
)
def test_refusals_are_sentences(request_body, sentence):
    read, data = import_process.run(request_body)
    assert not read and sentence in json.loads(data)["error"]


def test_the_process_is_killed_at_its_deadline(monkeypatch):
    instead(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(import_process, "DEADLINE", 1)
    with pytest.raises(ImportRefused, match="could not be read within 1 seconds"):
        import_process.run(b"")


def test_the_process_ends_itself_where_nobody_kills_it(monkeypatch):
    """While a C function holds the interpreter's lock, too: sorting 2**23 numbers that compare slowly, for ever."""
    instead(
        monkeypatch,
        "process.DEADLINE = -4; process._core = lambda name: process; "
        "process.answer = lambda data: any(i < 0 for i in __import__('itertools').repeat(1)); sys.exit(process.main())",
    )
    with pytest.raises(ImportRefused, match="broke down .status 1."):
        import_process.run(b"")


def test_a_crash_is_a_sentence_and_stands_in_the_log(monkeypatch, caplog):
    instead(monkeypatch, "raise KeyError('of ours')")
    with pytest.raises(ImportRefused, match="broke down .status 1.; ComfyUI's log says more"):
        import_process.run(b"")
    assert "KeyError: 'of ours'" in caplog.text


def test_a_python_that_does_not_start_is_a_sentence(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(ImportRefused, match="could not be started"):
        import_process.run(b"")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells and limits the memory")
def test_the_memory_of_the_process_is_limited(monkeypatch):
    instead(monkeypatch, "process.MAX_MEMORY = 2**20; sys.exit(process.main())")
    with pytest.raises(ImportRefused, match="takes too much memory"):
        import_process.run(body("x" * (MAX_BYTES - 1)))


def test_the_process_loads_neither_torch_nor_comfyui():
    """From an empty interpreter, as ComfyUI's embedded ones may have it: no site packages, no environment."""
    interpreter, isolated, no_site, file, *folders = import_process._command()
    code = LOAD.format(file=file) + (
        "sys.path.extend(sys.argv[1:]); process._core('import_request'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [interpreter, isolated, no_site, "-c", code, *folders], capture_output=True, check=True, text=True
    )
    loaded = set(done.stdout.split())
    assert {"numpy", "roictrl_core"} <= loaded and not loaded & {
        "torch",
        "comfy",
        "nodes",
        "PIL",
        "aiohttp",
        "site",
        "asyncio",
    }
