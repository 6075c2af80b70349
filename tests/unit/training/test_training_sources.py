"""Readers: good rows come through, bad ones are named by their line; nothing leaves the data folder."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from roictrl_core.training import json_stream
from roictrl_core.training.json_stream import stream_array
from roictrl_core.training.sources import BadRow, Example, listing, read_coco, read_imagefolder, survey


@pytest.fixture
def folder(tmp_path):
    Image.new("RGB", (80, 40), "red").save(tmp_path / "a.png")
    return tmp_path


def write_rows(folder, *rows):
    (folder / "metadata.jsonl").write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))


def row(**changes):
    return {"file_name": "a.png", "caption": "two cats", "instances": [{"box": [0.1, 0.2, 0.5, 0.9], "caption": "a cat"}], **changes}


def test_good_rows(folder):
    pixels = {"box_px": [8, 4, 40, 36], "caption": "a dog"}
    write_rows(folder, row(), "", row(caption=["one", "two"], instances=[]), row(instances=[pixels]))
    first, second, third = read_imagefolder(folder)
    assert first == Example(folder / "a.png", ("two cats",), ((0.1, 0.2, 0.5, 0.9),), ("a cat",), "metadata.jsonl line 1")
    assert second.captions == ("one", "two") and second.boxes == () and second.where == "metadata.jsonl line 3"
    assert third.boxes == ((0.1, 0.1, 0.5, 0.9),)


@pytest.mark.parametrize("bad, problem", [
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
])
def test_bad_row_says_line_and_problem(folder, bad, problem):
    write_rows(folder, row(), bad, row())
    good, rows = survey(read_imagefolder(folder))
    assert good == 2 and [r.where for r in rows] == ["metadata.jsonl line 2"]
    assert problem in rows[0].problem
    assert str(rows[0]) in listing(rows)


def test_folder_without_metadata(tmp_path):
    with pytest.raises(ValueError, match="has no metadata.jsonl"):
        next(read_imagefolder(tmp_path))


def test_reader_streams(folder):
    """The first row is there before the last one is read."""
    write_rows(folder, row(), "{broken")
    rows = read_imagefolder(folder)
    assert isinstance(next(rows), Example)
    assert isinstance(next(rows), BadRow)


def coco(tmp_path):
    for name in ("1.jpg", "2.jpg"):
        Image.new("RGB", (100, 50), "blue").save(tmp_path / name)
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 100, "height": 50} for n in (1, 2, 3)]
    boxes = [{"id": 10, "image_id": 2, "category_id": 7, "bbox": [10, 10, 50, 20], "segmentation": [[1, 2, 3]]},
             {"id": 11, "image_id": 1, "category_id": 8, "bbox": [0, 0, 100, 50]},
             {"id": 12, "image_id": 2, "category_id": 8, "bbox": [50, 25, 50, 25]},
             {"id": 13, "image_id": 2, "category_id": 8, "bbox": [0, 0, 9, 9], "iscrowd": 1}]
    categories = [{"id": 7, "name": "dog"}, {"id": 8, "name": "cat"}]
    # In COCO's own files "categories" is last and "info" first.
    (tmp_path / "instances.json").write_text(json.dumps({"info": {"year": 1}, "images": images, "annotations": boxes, "categories": categories}))
    texts = [{"image_id": 1, "caption": "a cat "}, {"image_id": 2, "caption": "pets"}, {"image_id": 2, "caption": "two pets"}]
    (tmp_path / "captions.json").write_text(json.dumps({"annotations": texts}))
    return read_coco(tmp_path / "instances.json", tmp_path / "captions.json", tmp_path)


def test_coco(tmp_path):
    one, two, three = coco(tmp_path)
    assert one.captions == ("a cat",) and one.boxes == ((0, 0, 1, 1),)
    assert two.captions == ("pets", "two pets") and two.instance_captions == ("dog", "cat")
    assert two.boxes == ((0.1, 0.2, 0.6, 0.6), (0.5, 0.5, 1, 1))
    assert isinstance(three, BadRow) and three.where == "instances.json image 3 (3.jpg)" and "does not exist" in three.problem


@pytest.mark.parametrize("chunk", [1, 2, 7, 1000])
def test_stream_array_at_any_chunk_border(tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(json_stream, "CHUNK", chunk)
    items = [{"a": [1.5, {"b": "]},é"}]}, 12345, -1.25e3, "x\"y", None, True]
    for indent in (None, 2):
        (tmp_path / "f.json").write_text(json.dumps({"skip": [[1], {"key": 2}], "n": 12, "key": items, "after": 1}, indent=indent))
        assert list(stream_array(tmp_path / "f.json", "key")) == items


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"other": [1]}', '{"key": [1, 2', '{"key": [1 2]}', '{"key": 3}'])
def test_stream_array_refuses(tmp_path, text):
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(ValueError, match="f.json"):
        list(stream_array(tmp_path / "f.json", "key"))
