"""Readers: good rows come through, bad ones are named by their line; nothing leaves the data folder."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from roictrl_core.training import json_stream, sources
from roictrl_core.training.json_stream import stream_array
from roictrl_core.training.rows import BadRow, Example
from roictrl_core.training.sources import listing, read_imagefolder, survey


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (80, 40), "red").save(tmp_path / "a.png")
    return tmp_path


def write_rows(folder, *rows):
    (folder / "metadata.jsonl").write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def row(**changes):
    return {
        "file_name": "a.png",
        "caption": "two cats",
        "instances": [{"box": [0.1, 0.2, 0.5, 0.9], "caption": "a cat"}],
        **changes,
    }


def test_good_rows(folder):
    pixels = {"box_px": [8, 4, 40, 36], "caption": "a dog"}
    write_rows(folder, row(), "", row(caption=["one", "two"], instances=[]), row(instances=[pixels]))
    first, second, third = read_imagefolder(folder)
    assert first == Example(
        folder / "a.png", ("two cats",), ((0.1, 0.2, 0.5, 0.9),), ("a cat",), "metadata.jsonl line 1"
    )
    assert second.captions == ("one", "two") and second.boxes == () and second.where == "metadata.jsonl line 3"
    assert third.boxes == ((0.1, 0.1, 0.5, 0.9),)


@pytest.mark.parametrize(
    "bad, problem",
    [
        ("{not json", "is not JSON"),
        ("[1, 2]", "is not a JSON object"),
        (row(file_name="b.png"), "picture b.png does not exist"),
        (row(file_name="../a.png"), "leads out of the data folder"),
        (row(caption=None), "`caption` is neither"),
        (row(caption=[]), "`caption` is neither"),
        (row(instances=None), "`instances` is not a list"),
        (row(instances=[{"box": [0, 0, 1, 1]}]), "instance 1 has no caption"),
        (row(instances=[{"box": [0, 0, 1], "caption": "x"}]), "box of instance 1 (x) is not four finite numbers"),
        (row(instances=[{"box": [0, 0, 1, float("nan")], "caption": "x"}]), "is not four finite numbers"),
        (row(instances=[{"box": [0.5, 0, 0.5, 1], "caption": "x"}]), "is empty, inverted or outside"),
        (row(instances=[{"box": [8, 4, 40, 36], "caption": "x"}]), "is not in 0..1; give pixels as `box_px`"),
        (
            row(instances=[{"box_px": [8, 4, 400, 36], "caption": "x"}]),
            "lies far outside the picture, which is 80 x 40 pixels",
        ),
        (
            row(instances=[{"box": [0, 0, 1, 1], "box_px": [8, 4, 40, 36], "caption": "x"}]),
            "has both `box` and `box_px`",
        ),
        (row(instances=[{"box": [0, 0, 1, 1, 0], "caption": "x"}]), "is not four finite numbers"),
        (row(instances=[{"box": [0, 0, True, 1], "caption": "x"}]), "is not four finite numbers"),
        (row(instances=[{"box": [0, 0, 10**400, 1], "caption": "x"}]), "is not four finite numbers"),
        (row(instances=[{"box_px": [0, 0, 10**400, 1], "caption": "x"}]), "is not four finite numbers"),
        (
            '{"file_name": "a.png", "caption": "x", "instances": ' + "1" * 5000 + "}",
            "holds a number of thousands of digits",
        ),
        (row(instances=[{"box": [0, 0, 2, 2], "caption": "x"}]), "(x) reaches 100% of the picture beyond its border"),
        (row(instances=[{"box": [-1, -1, 1.9, 1.9], "caption": "x"}]), "reaches 100% of the picture beyond its border"),
        (
            row(instances=[{"box_px": [0, 0, 0.5, 1], "caption": "x"}]),
            "instance 1 (x) looks like shares of the picture",
        ),
        ('{"file_name": "b.png", "file_name": "a.png"}', "has the key `file_name` twice: keep one"),
        (
            '{"file_name": "a.png", "caption": "x", "instances": [{"box": [0], "box": [0, 0, 1, 1], "caption": "x"}]}',
            "instance 1 has the key `box` twice: keep one",
        ),
        ('{"file_name": ' + "[" * 100_000, "too many brackets inside brackets"),
        (row(file_name="x" * 5000 + ".png"), "cannot be looked up"),
        (row(file_name="a\0.png"), "cannot be looked up"),
        (row(file_name="\ud800.png"), "cannot be looked up"),
        (row(file_name="."), "picture . does not exist"),
        (row(caption="half \ud800"), "`caption` holds half a character"),
        (
            row(instances=[{"box": [0, 0, 1, 1], "caption": "half \udc00"}]),
            "the caption of instance 1 holds half a character",
        ),
    ],
)
def test_bad_row_says_line_and_problem(folder, bad, problem):
    write_rows(folder, row(), bad, row())
    good, rows = survey(read_imagefolder(folder))
    assert good == 2 and [r.where for r in rows] == ["metadata.jsonl line 2"]
    assert problem in rows[0].problem
    assert str(rows[0]) in listing(rows)


def test_messages_stay_on_one_short_line(folder):
    """Whatever a caption holds: a line break would look like a row of its own, an escape sequence obeys nobody."""
    write_rows(folder, row(instances=[{"box": [0], "caption": "one\ntwo \x1b[31m" + "x" * 5000}]))
    (bad,) = read_imagefolder(folder)
    assert bad.problem.isprintable() and len(bad.problem) < 150 and "instance 1 (one two \ufffd[31m" in bad.problem


@pytest.mark.parametrize("metadata", ["missing", "a folder", "no folder", "a long name"])
def test_folder_without_metadata(tmp_path, metadata):
    if metadata == "a folder":
        (tmp_path / "metadata.jsonl").mkdir()
    place = {"no folder": tmp_path / "nowhere", "a long name": tmp_path / ("x" * 5000)}.get(metadata, tmp_path)
    with pytest.raises(ValueError, match="has no metadata.jsonl|cannot be read"):
        next(read_imagefolder(place))


def test_empty_metadata_has_no_rows(folder):
    for data in (b"", b"\n\n", b"\xef\xbb\xbf\n"):
        (folder / "metadata.jsonl").write_bytes(data)
        assert survey(read_imagefolder(folder)) == (0, [])


def test_byte_order_marks(folder):
    write_rows(folder, row(), row())
    data = (folder / "metadata.jsonl").read_bytes()
    (folder / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + data)
    assert survey(read_imagefolder(folder)) == (2, [])
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        (folder / "metadata.jsonl").write_bytes(data.decode().encode(encoding))
        with pytest.raises(ValueError, match="metadata.jsonl is UTF-16 text: save it as UTF-8"):
            next(read_imagefolder(folder))


def test_a_line_in_another_encoding_is_a_bad_row(folder):
    (folder / "metadata.jsonl").write_bytes(json.dumps(row()).encode() + b'\n{"file_name": "caf\xe9.png"}\n')
    good, (bad,) = survey(read_imagefolder(folder))
    assert good == 1 and str(bad) == "metadata.jsonl line 2: is not UTF-8 text: save the file as UTF-8"


def test_a_line_without_an_end_is_not_read_whole(folder, monkeypatch):
    monkeypatch.setattr(sources, "LONGEST_LINE", 300)
    write_rows(folder, row(), '{"a": "' + "x" * 1000, row(), "y" * 299, row())
    good, bad = survey(read_imagefolder(folder))
    assert good == 3 and [r.where for r in bad] == ["metadata.jsonl line 2", "metadata.jsonl line 4"]
    assert "is longer than" in bad[0].problem and "is not JSON" in bad[1].problem


def test_reader_streams(folder):
    """The first row is there before the last one is read."""
    write_rows(folder, row(), "{broken")
    rows = read_imagefolder(folder)
    assert isinstance(next(rows), Example)
    assert isinstance(next(rows), BadRow)


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_stream_array_at_any_chunk_border(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    items = [{"a": [1.5, {"b": "]},é"}]}, 12345, -1.25e3, 'x"y', None, True]
    for indent in (None, 2):
        (tmp_path / "f.json").write_text(
            json.dumps({"skip": [[1], {"key": 2}], "n": 12, "key": items, "after": 1}, indent=indent)
        )
        assert list(stream_array(tmp_path / "f.json", "key")) == items


BROKEN = [
    "",
    "[]",
    '{"a": 1 "key": [1]}',
    "{}",
    '{"other": [1]}',
    '{"key": [1, 2',
    '{"key": [1 2]}',
    '{"key": 3}',
    '{"key": [1, 2x]}',
    '{"key": [' + "[" * 100_000,
    '{"key": [' + "1" * 5000 + "]}",
    '{"other": {' + '"a":{' * 100_000,
]


@pytest.mark.parametrize("chunk", [7, 1 << 20])
@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_stream_array_refuses(tmp_path, monkeypatch, text, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(ValueError, match="f.json"):
        list(stream_array(tmp_path / "f.json", "key"))


@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_stream_array_says_where_it_broke(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    (tmp_path / "f.json").write_text('{"key": [1, {"a": 2], 3]}')
    with pytest.raises(ValueError, match="f.json is not valid JSON: Expecting ',' delimiter .character 20.$"):
        list(stream_array(tmp_path / "f.json", "key"))


def test_stream_array_refuses_what_no_text_reader_takes(tmp_path):
    for place, sentence in (
        (tmp_path, "cannot be read"),
        (tmp_path / "no.json", "cannot be read"),
        (tmp_path / ("x" * 5000), "cannot be read"),
    ):
        with pytest.raises(ValueError, match=sentence):
            list(stream_array(place, "key"))
    for encoding in ("utf-16", "utf-16-le", "utf-16-be"):
        (tmp_path / "wide.json").write_text('{"key": [1]}', encoding=encoding)
        with pytest.raises(ValueError, match="wide.json is UTF-16 text: save it as UTF-8"):
            list(stream_array(tmp_path / "wide.json", "key"))
    (tmp_path / "long.json").write_text('{"key": [' + "1" * 5000 + "]}")
    with pytest.raises(ValueError, match="long.json holds a number of thousands of digits after character 10$"):
        list(stream_array(tmp_path / "long.json", "key"))
    (tmp_path / "latin.json").write_bytes(b'{"key": ["caf\xe9"]}')
    with pytest.raises(ValueError, match="latin.json is not UTF-8 text: save it as UTF-8"):
        list(stream_array(tmp_path / "latin.json", "key"))


def test_stream_array_gives_up_on_a_value_without_an_end(tmp_path, monkeypatch):
    """A string that is never closed is not read to the end.

    It would otherwise be decoded anew, from its start, with every chunk of a file of gigabytes.
    """
    monkeypatch.setattr(json_stream, "CHUNK", 16)
    monkeypatch.setattr(json_stream, "LONGEST_VALUE", 1000)
    (tmp_path / "f.json").write_text('{"key": ["' + "x" * 100_000)
    with pytest.raises(ValueError, match="f.json has a value of over"):
        list(stream_array(tmp_path / "f.json", "key"))
