"""Foreign box formats: every sample in, ours out and in again, and a sentence for everything that cannot be used."""

from __future__ import annotations

import copy
import json
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import formats
from roictrl_core.formats.comfyui import write_masks
from roictrl_core.formats.outlines import polygon_mask
from roictrl_core.layout import Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences

SAMPLES = Path(__file__).parent / "data" / "formats"
NAMES = (SAMPLES / "yolo_names.txt").read_text()
TALL = (512, 512)

FOX, OWL = (0.1, 0.2, 0.4, 0.6), (0.6, 0.2, 0.9, 0.6)

# file -> size given, boxes, captions, global caption, notes (the beginning of each)
EXPECTED = {
    "bounding_box.json": (
        TALL,
        [(51 / 512, 102 / 512, 205 / 512, 307 / 512), (307 / 512, 102 / 512, 461 / 512, 307 / 512)],
        ["fox", "a blue owl"],
        "",
        [],
    ),
    "elements.json": (
        (0, 0),
        [FOX, (0.3, 0.05, 0.7, 0.12)],
        ["a red fox", "a sign"],
        "",
        ["Element 2 ('a sign') is to show the text 'OPEN'"],
    ),
    "instancediffusion.json": (
        (0, 0),
        [(51 / 512, 77 / 384, 205 / 512, 231 / 384), (0.75, 120.5 / 384) * 2],
        ["a red fox sitting", "a blue owl"],
        "a fox and an owl in a forest",
        ["Annotation 2 ('a blue owl') is a point without a box"],
    ),
    "migc.yaml": (
        (0, 0),
        [OWL, FOX, (0.4, 0.7, 0.6, 0.95)],
        ["a blue owl", "a red fox", "a red fox"],
        "a photo of a red fox and a blue owl and a red fox",
        [],
    ),
    "omost_conds.json": (
        (0, 0),
        [(5 / 90, 20 / 90, 0.5, 60 / 90)],
        ["a red fox. thick fur. fox."],
        "a forest at dusk. soft light. forest, dusk.",
        [],
    ),
    "coco.json": ((0, 0), [FOX], ["fox"], "", []),
    "labelme.json": ((0, 0), [FOX, (300 / 512, 200 / 384, 400 / 512, 300 / 384)], ["a red fox", "a pond"], "", []),
    "yolo.txt": ((0, 0), [FOX, OWL], ["red fox", "blue owl"], "", []),
    "ideogram.json": (
        (0, 0),
        [FOX, (0.3, 0.05, 0.7, 0.12)],
        ["a red fox, sitting", "a wooden sign"],
        "A fox and an owl meet in a forest. A forest at dusk, pale trunks in fog. loose gouache. painting. "
        "calm, misty. soft dusk light. a few fireflies.",
        [
            "Element 2 ('a wooden sign') is to show the text 'OPEN'",
            "Element 3 ('a few fireflies') has no box; its words go into the global caption.",
        ],
    ),
    "label_studio.json": (
        (0, 0),
        [FOX, (0.6, 0.5, 0.8, 0.75), (0.425, 0.1, 0.5, 0.1 + 128 / 384)],
        ["red fox", "pond", "a sign"],
        "",
        [
            "Annotation 3 ('a sign') is turned by 90 degrees; its mask is turned",
            "Annotation 4 ('moss') is painted with a brush",
        ],
    ),
    "cvat_images.xml": (
        (0, 0),
        [
            (300 / 512, 200 / 384, 400 / 512, 300 / 384),
            (0.25, 0.5) * 2,
            (0.25, 0.25) * 2,
            (8 / 512, 16 / 384, 12 / 512, 18 / 384),
            FOX,
        ],
        ["pond", "path", "eye", "leaf", "red fox"],
        "",
        [
            "There are 2 images here; the first, '0007.png', is used.",
            "Shape 3 ('path') is an upright or level line",
            "Shape 4 ('eye') is a point without a box",
            "Shape 6 ('crate') is a 'cuboid', which is not read here",
        ],
    ),
    "cvat_video.xml": (
        (0, 0),
        [FOX],
        ["red fox"],
        "",
        [
            "There are 3 frames here; the first, 'frame 0', is used.",
            "Objects that are not in this frame, and were left out: 1.",
        ],
    ),
    "gemini.json": (
        (0, 0),
        [FOX, OWL],
        ["a red fox", "a blue owl"],
        "",
        ["The mask of box 1 ('a red fox') is a picture or its file, 'data:image/png;base64,"],
    ),
    "qwen3_vl.json": (
        (512, 384),
        [FOX, OWL, (0.5, 0.9) * 2],
        ["a red fox", "a blue owl", "a beetle"],
        "",
        ["The boxes were read as x1, y1, x2, y2 in 0 to 1000, which was assumed.", "Box 3 ('a beetle') is a point"],
    ),
    "florence2.json": ((512, 384), [FOX, OWL], ["red fox", "blue owl"], "", []),
    "florence2_polygons.json": ((512, 384), [FOX], ["red fox"], "", []),
    "hf_rows.jsonl": (
        (0, 0),
        [FOX, OWL],
        ["red fox", "blue owl"],
        "",
        ["There are 2 images here; the first, '0007.png', is used."],
    ),
    "simpletuner.bbox": (
        (0, 0),
        [FOX, OWL],
        ["a red fox", "a blue owl"],
        "",
        [
            "The mask of box 1 ('a red fox') is a picture or its file, 'masks/fox.png'",
            "The boxes were read as x1, y1, x2, y2 normalised 0 to 1, which was assumed.",
        ],
    ),
    "tracking.json": (
        (0, 0),
        [FOX, OWL],
        ["red fox", "blue owl"],
        "",
        [
            "There are 3 frames here; the first, 'frame 1', is used.",
            "Objects that are not in this frame, and were left out: 1.",
        ],
    ),
    "voc.xml": ((0, 0), [(0.125, 0.25, 0.5, 0.75), (0.5, 0, 1, 1)], ["red fox", "blue owl"], "", []),
}


def read(*args, **more) -> tuple[Layout, list[str]]:
    layout, notes = formats.read(*args, **more)
    return layout, sentences(notes)


def write(layout: Layout, kind: str) -> tuple[object, list[str]]:
    data, notes = formats.write(layout, kind)
    return data, sentences(notes)


def write_text(layout: Layout, kind: str) -> tuple[str, list[str]]:
    text, notes = formats.write_text(layout, kind)
    return text, sentences(notes)


def sample(name: str, **more) -> tuple[Layout, list[str]]:
    return read((SAMPLES / name).read_text(), *EXPECTED[name][0], names=NAMES, **more)


def test_every_sample_is_expected():
    assert {path.name for path in SAMPLES.iterdir()} == {*EXPECTED, "yolo_names.txt", "README.md"}


@pytest.mark.parametrize("name", EXPECTED)
def test_samples(name):
    _, boxes, captions, caption, sentences = EXPECTED[name]
    layout, notes = sample(name)
    assert [i.box for i in layout.instances] == [pytest.approx(box) for box in boxes]
    assert [i.caption for i in layout.instances] == captions and layout.caption == caption
    assert [note[: len(wanted)] for note, wanted in zip(notes, sentences, strict=True)] == sentences
    assert layout.validate()


def test_samples_carry_their_size_and_more():
    assert [
        (sample(n)[0].width, sample(n)[0].height) for n in ("coco.json", "labelme.json", "instancediffusion.json")
    ] == [(512, 384)] * 3
    detected = sample("bounding_box.json")[0].instances[0]
    assert detected.label == "fox" and detected.extra == {"imported": {"score": 0.91}}
    assert sample("elements.json")[0].instances[1].extra["imported"] == {"type": "text", "text": "OPEN"}
    assert sample("instancediffusion.json")[0].instances[1].point == pytest.approx((0.75, 120.5 / 384))
    assert sample("omost_conds.json")[0].instances[0].color == "#b22222"
    assert sample("migc.yaml")[0].extra == {"coco_id": "1"}


def test_a_polygon_is_a_mask():
    mask = sample("labelme.json")[0].instances[1].mask.to_array()
    rows, columns = np.nonzero(mask)
    assert (
        mask.shape == (384, 512)
        and rows.min() >= 200
        and rows.max() < 300
        and columns.min() >= 300
        and columns.max() < 400
    )
    assert mask.sum() == pytest.approx(0.5 * (100 * 100 - 90 * 10), rel=0.005)  # shoelace


def test_polygons_fill_the_pixels_whose_centres_they_hold():
    points = [(10.2, 10.7), (50.1, 12.3), (20.0, 40.0), (44.5, 58.0)]  # crosses itself
    y, x = np.mgrid[0:64, 0:64] + 0.5
    inside = np.zeros((64, 64), dtype=bool)
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1], strict=True):
        inside ^= ((y1 > y) != (y2 > y)) & (x > x1 + (x2 - x1) * (y - y1) / (y2 - y1))
    normalised = [[(px / 64, py / 64) for px, py in points]]
    assert np.array_equal(polygon_mask(normalised, 64, 64)[0].to_array(), inside)
    assert polygon_mask(normalised, 4096, 2048)[0].size == (512, 1024)


# --- the other way ---

LAYOUT = Layout(
    512,
    512,
    (
        Instance((0.125, 0.25, 0.5, 0.75), "a red fox", color="#e69f00"),
        Instance((0.5, 0.125, 0.875, 0.625), "a blue owl"),
        Instance((0.0, 0.0, 1.0, 0.5), "off", enabled=False),
    ),
    caption="a forest",
)


@pytest.mark.parametrize("kind", formats.WRITABLE)
def test_what_is_written_is_read_again(kind):
    text, notes = write_text(LAYOUT, kind)
    names = "\n".join(note.split("'")[1] for note in notes if note.startswith("YOLO class"))
    back, sentences = read(text, 512, 512, names=names)
    kept = LAYOUT.instances if kind == "layout" else LAYOUT.instances[:2]
    assert [i.box for i in back.instances] == [pytest.approx(i.box, abs=1e-3) for i in kept]
    assert [i.caption for i in back.instances] == [i.caption for i in kept] and sentences == []
    assert any("Instance 3 ('off') is not enabled and was left out" in note for note in notes) == (kind != "layout")


def test_our_own_form_is_lossless():
    layout, _ = sample("labelme.json")
    assert read(write_text(layout, "layout")[0])[0] == layout


@pytest.mark.parametrize("kind", ["coco", "instancediffusion"])
def test_masks_travel_where_the_format_has_them(kind):
    mask = RunLengthMask.from_array(np.eye(8, dtype=bool))
    text, notes = write_text(Layout(8, 8, (Instance((0, 0, 1, 1), "a", mask=mask),)), kind)
    assert notes == [] and read(text)[0].instances[0].mask == mask


def test_points_travel_in_instance_diffusion():
    layout, _ = sample("instancediffusion.json")
    data, notes = write(layout, "instancediffusion")
    assert notes == [] and data["annos"][1] == {
        "point": [384, 120.5],
        "mask": [],
        "category_name": "owl",
        "caption": "a blue owl",
    }
    assert read(data)[0] == layout
    both = read(anno(point=[16, 32]))[0].instances[0]
    assert both.point == (0.25, 0.5) and both.box == (0.125, 0.125, 0.25, 0.25)


def test_what_cannot_be_carried_is_named():
    layout = Layout(64, 64, (Instance((0, 0, 1, 1), "a fox", "dog", 0.5, conditioning=[], label="x"),))
    _, notes = write(layout, "elements")
    assert notes == ["Elements cannot carry the negative, strength, label, conditioning of instance 1 ('x')."]


def test_elements_text_and_palette_come_back():
    element = {
        "type": "text",
        "bbox": [50, 300, 120, 700],
        "text": "OPEN",
        "desc": "a sign",
        "color_palette": ["#112233", "#445566"],
    }
    assert write(read([element])[0], "elements")[0] == [element]


def test_masks_out():
    shape = RunLengthMask.from_array(np.eye(4, dtype=bool))
    layout = Layout(
        8,
        4,
        (Instance((0.25, 0, 0.4375, 1)), Instance((0, 0, 1, 1), enabled=False), Instance((0, 0, 1, 1), mask=shape)),
    )
    masks = write_masks(layout)
    assert masks.shape == (2, 4, 8) and masks.dtype == np.float32
    assert masks[0, 1].tolist() == [0, 0, 1, 0.5, 0, 0, 0, 0]  # the half pixel by its share
    assert np.array_equal(masks[1], np.eye(4).repeat(2, axis=1))


# --- in memory ---

Seg = namedtuple(
    "SEG", "cropped_image cropped_mask confidence crop_region bbox label control_net_wrapper", defaults=[None]
)


def seg(mask=None, region=(8, 8, 40, 24), bbox=(16, 8, 32, 24), confidence=0.9):
    return Seg(None, mask, confidence, region, bbox, "fox")


def test_segs():
    shape = np.zeros((16, 32), dtype=np.float32)
    shape[4:8, 8:24] = 1
    layout, notes = read(
        ((32, 64), [seg(shape), seg(torch.from_numpy(shape)[None], confidence=np.array([0.5])), seg()])
    )
    assert (layout.width, layout.height) == (64, 32) and notes == []
    assert layout.instances[0].box == (0.25, 0.25, 0.5, 0.75) and layout.instances[0].caption == "fox"
    mask = layout.instances[0].mask.to_array()
    assert mask.shape == (32, 64) and mask[12:16, 16:32].all() and mask.sum() == 4 * 16
    assert layout.instances[1].mask == layout.instances[0].mask and layout.instances[2].mask is None
    assert layout.instances[1].extra == {"imported": {"score": 0.5}}


def test_mask_batches():
    masks = torch.zeros(4, 32, 64)
    masks[0, 8:16, 16:32] = 1
    masks[1] = masks[0] * 0.5001
    masks[2, 0, 0] = masks[2, 31, 63] = 1
    layout, notes = read(masks)
    assert [i.box for i in layout.instances] == [(0.25, 0.25, 0.5, 0.5)] * 2 + [(0, 0, 1, 1)]
    assert [i.mask is None for i in layout.instances] == [True, True, False]
    assert notes == [
        "Mask 2 has soft edges; its pixels over 0.5 are used.",
        "Mask 4 has no pixel over 0.5 and was left out.",
    ]
    assert read(masks[0])[0].instances == read(masks[:1, None])[0].instances == layout.instances[:1]


def test_bare_boxes_and_layouts():
    for boxes in ([[0.1, 0.2, 0.4, 0.6]], [0.1, 0.2, 0.4, 0.6], np.array([FOX]), torch.tensor([FOX])):
        layout, notes = read(boxes)
        assert layout.instances[0].box == pytest.approx(FOX) and "read as x1, y1, x2, y2 normalised" in notes[0]
    layout, notes = read([[51, 102, 205, 307]], 512, 512)
    assert (
        layout.instances[0].box == pytest.approx((51 / 512, 102 / 512, 205 / 512, 307 / 512))
        and "in pixels" in notes[0]
    )
    assert read(layout) == (layout, [])
    assert read([])[0].instances == () and read("")[0].instances == ()


# --- choosing ---

COCO = json.loads((SAMPLES / "coco.json").read_text())
COCO["images"].append({"id": 1, "file_name": "second.png", "width": 100, "height": 100})
COCO["annotations"].append({"id": 2, "image_id": 1, "category_id": 9, "bbox": [0, 0, 50, 50]})


@pytest.mark.parametrize(
    "pick, image",
    [("", "0007.png"), ("7", "0007.png"), ("second.png", "second.png"), ("1", "second.png"), ("2", "second.png")],
)
def test_a_coco_image_by_id_name_or_index(pick, image):
    layout, notes = read(COCO, pick=pick)
    assert layout.extra["file_name"] == image
    assert any("There are 2 images here; the first, '0007.png', is used" in note for note in notes) == (pick == "")


def test_a_migc_prompt_and_a_frame():
    data = {"one": {"a": [[0, 0, 1, 1]]}, "two": {"b": [0, 0, 0.5, 1], "coco_id": "2"}}
    assert read(data, pick="2") == read(data, pick="two")
    assert read(data, pick="two")[0].instances[0].box == (0, 0, 0.5, 1)
    box = {"x": 0, "y": 0, "width": 8, "height": 8}
    layout, notes = read([[box], [box, box]], 8, 8)
    assert len(layout.instances) == 1 and notes == [
        "There are 2 frames here; the first, 'frame 1', is used. Pick another by its name or its index."
    ]
    assert len(read([[box], [box, box]], 8, 8, pick="2")[0].instances) == 2
    with pytest.raises(
        ValueError, match="There is no frame '3' here. Give an index from 1 to 2 or one of: 'frame 1', 'frame 2'"
    ):
        read([[box], [box, box]], 8, 8, pick="3")


@pytest.mark.parametrize(
    "names, caption",
    [
        ("fox\nowl", "owl"),
        ("names: [fox, owl]", "owl"),
        ("nc: 2\nnames:\n  0: fox\n  1: owl\n", "owl"),
        ("", "class 1"),
    ],
)
def test_yolo_names(names, caption):
    layout, notes = read("1 0.5 0.5 1 1 0.75", names=names)
    assert layout.instances[0].caption == caption and layout.instances[0].extra == {"imported": {"score": 0.75}}
    assert notes[0].startswith("Lines of the YOLO file were read as class") and len(notes) == 1 + (not names)


# --- what single entries cannot do: left out or cut, with a sentence ---


def boxes(**change):
    return [{"x": 8, "y": 8, "width": 8, "height": 8, "label": "fox", **change}]


def anno(**change):
    return {"width": 64, "height": 64, "annos": [{"bbox": [8, 8, 8, 8], "caption": "fox", **change}]}


def coco(**change):
    return {
        "images": [{"id": 1, "file_name": "a", "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "fox"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [8, 8, 8, 8], **change}],
    }


def shape(**change):
    return {
        "imageWidth": 64,
        "imageHeight": 64,
        "shapes": [{"label": "fox", "shape_type": "rectangle", "points": [[8, 8], [16, 16]], **change}],
    }


@pytest.mark.parametrize(
    "source, sentence, left",
    [
        (boxes(width=0), "Box 1 ('fox') has no area and was left out.", 0),
        (boxes(height=-4), "Box 1 ('fox') has no area and was left out.", 0),
        (boxes(x=64), "Box 1 ('fox') lies outside the picture and was left out.", 0),
        (boxes(x=60), "Box 1 ('fox') reaches over the picture's border and was cut there.", 1),
        (
            boxes(x="8"),
            "Box 1 ('fox') has a box that is not 4 finite numbers, but ['8', 8, 8, 8], and was left out.",
            0,
        ),
        (boxes() + [3], "Box 2 has no x, y, width and height and was left out.", 1),
        (
            boxes(metadata={"type": "text", "text": "OPEN", "desc": "a sign"}),
            "Box 1 ('a sign') is to show the text 'OPEN'",
            1,
        ),
        ([{"bbox": [0, 0, 500], "desc": ""}], "Element 1 has a box that is not 4 finite numbers", 0),
        (
            [{"bbox": [0, 0, 500, 500], "desc": ""}, "x"],
            "Element 2 has a box that is not 4 finite numbers, but None",
            1,
        ),
        (anno(bbox=None), "Annotation 1 ('fox') has a box that is not 4 finite numbers", 0),
        (
            anno(bbox=[], point=[65, 8]),
            "Annotation 1 ('fox') has a point that is not x, y inside the picture, but [65, 8]; it is not used.",
            0,
        ),
        (
            anno(point="8, 8"),
            "Annotation 1 ('fox') has a point that is not x, y inside the picture, but '8, 8'; it is not used.",
            1,
        ),
        (
            anno(mask={"size": [2, 2], "counts": "1"}),
            "Annotation 1 ('fox') has a mask that cannot be read; only its box is used.",
            1,
        ),
        (coco(iscrowd=1), "Annotation 1 ('fox') is a crowd and was left out.", 0),
        (coco(category_id=5), "Annotation 1 ('category 5') has a category that the file does not name", 1),
        (coco(category_id=[]), "Annotation 1 ('category []') has a category that the file does not name", 1),
        (coco(image_id=5), "1 annotation belongs to no image of the COCO file and was left out.", 0),
        (
            coco(segmentation=[[1, 2, 3]]),
            "Annotation 1 ('fox') has a polygon that is not a list of at least three x, y pairs",
            1,
        ),
        ({**coco(), "annotations": [*coco()["annotations"], 3]}, "1 annotation of the COCO file is not an object", 1),
        (
            shape(shape_type="mask"),
            "Shape 1 ('fox') is a 'mask'; only rectangles, polygons, circles, points and lines can be used",
            0,
        ),
        (shape(points=[[8, 8]]), "Shape 1 ('fox') has too few points for a 'rectangle'", 0),
        (shape(shape_type="polygon"), "Shape 1 ('fox') has too few points for a 'polygon'", 0),
        (shape(points=[[8, 8], [16, None]]), "Shape 1 ('fox') has points that are not pairs of finite numbers", 0),
        (shape(points=None), "Shape 1 ('fox') has points that are not pairs of finite numbers", 0),
        ({"p": {"fox": [[0, 0, 1, "1"]]}}, "Box 1 ('fox') has a box that is not 4 finite numbers", 0),
        ({"p": {}}, "There are no boxes here: no frame of the tracking has one.", 0),
        ([{"rect": [0, 90, 0, 90]}], "The Omost canvas has only its global entry, and so no boxes.", 0),
        ([{"rect": [0, 90, 0, 90]}, {"rect": [0, 9]}], "Canvas entry 2 has a box that is not 4 finite numbers", 0),
        ("0 0.5 0.5 1 1\n0 0.5", "Line 2 is neither 'class cx cy w h'", 1),
        ("0 0.5 0.5 1 1e999", "Line 1 has '1e999' where a finite number must be and was left out.", 0),
        ("7 0.5 0.5 1 1", "Line 1 ('class 7') has class 7, which the names do not hold", 1),
        (
            ((32, 64), [seg(np.ones((2, 2)))]),
            "The mask of SEG 1 ('fox') has the shape 2 x 2, which does not fit its crop region",
            1,
        ),
        (((32, 64), [seg(bbox=(1, 2))]), "SEG 1 ('fox') has a box that is not 4 finite numbers", 0),
        (np.full((1, 4, 8), np.nan), "Mask 1 holds NaN or infinite values and was left out.", 0),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_unusable_entries_are_named(source, sentence, left):
    layout, notes = read(copy.deepcopy(source), 64, 64, names=NAMES)
    assert any(note.startswith(sentence) for note in notes), notes
    assert len(layout.instances) == left


def test_another_shape_is_said():
    assert read(anno(), 64, 128)[1] == [
        "The boxes were drawn on 64 x 64 pixels, which has another shape than 64 x 128; "
        "they are stretched with the picture."
    ]


# --- what is unusable as a whole: refused with a sentence ---


@pytest.mark.parametrize(
    "source, sentence",
    [
        ("{", "not valid JSON: .* line 1"),
        ('[{"x": NaN}]', "holds the number NaN"),
        ("[" * 50 + "]" * 50, "nested more than 32 levels"),
        ("x" * (10 * 2**20 + 1), "at most 10 MB are read"),
        ("a: 1\na: 2", "key 'a' stands twice at line 2"),
        ("a: &x [1]\nb: *x", "aliases .* are not allowed at line 2"),
        ("a: !!python/object/apply:os.system [ls]", "not usable YAML: tags .* are not allowed at line 1"),
        ("a: {", "not usable YAML: .* line 1"),
        ("hello there", "in no format that is known here: found 'hello there'. Use one of"),
        ('{"foo": 1}', "found an object with the keys 'foo'"),
        ('[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.5}]', "COCO results file"),
        (7, "in no format that is known here"),
        (boxes(), "BOUNDING_BOX gives boxes in pixels, but not the picture's size. Give width and height."),
        ([[1, 2, 30, 40]], "A list of boxes over 1 gives boxes in pixels"),
        ({"annos": []}, "InstanceDiffusion file gives boxes in pixels"),
        ({"annos": {}, "width": 8, "height": 8}, "annos must be a list"),
        ({"annos": [], "width": 0, "height": 8}, "has the size 0 x 8; both must be whole numbers"),
        ({"shapes": 3, "imageWidth": 8, "imageHeight": 8}, "shapes must be a list"),
        ({"shapes": [], "imageWidth": "wide", "imageHeight": 8}, "has the size 'wide' x 8"),
        ({"images": [], "annotations": []}, "no images"),
        ({"images": [{"id": 1}], "annotations": [{"image_id": 1}]}, "COCO image gives boxes in pixels"),
        ([{"bbox": [0, 0, 9, 9]}] * 10001, "10001 entries; at most 10000"),
        ("0 0.5 0.5 1 1\n" * 10001, "10001 entries; at most 10000"),
        ({"p": {"a": [[0, 0, 1, 1]] * 6000, "b": [[0, 0, 1, 1]] * 6000}}, "more than 10000 boxes"),
        ({"instances": [{"box": 3}]}, "box of instance 1 must be a list of four numbers"),
        (torch.zeros(2, 8, 8, 3), r"MASK batch must have the shape \[masks, height, width\], not \[2, 8, 8, 3\]"),
        (np.zeros((0, 8, 8)), "MASK batch must have the shape"),
        (np.zeros((1, 1, 8192 * 8192 + 1), dtype=bool), "are too large. Scale them down"),
        (((0, 64), []), "SEGS has the size 64 x 0"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_unusable_sources_are_refused(source, sentence):
    with pytest.raises(ValueError, match=sentence):
        read(copy.copy(source))


def test_a_bad_list_of_names_is_refused():
    with pytest.raises(ValueError, match="names of the YOLO file must be a list"):
        read("0 0.5 0.5 1 1", names="names: 3")


def test_unknown_kinds_and_broken_layouts_are_not_written():
    with pytest.raises(ValueError, match="cannot be written as 'omost'. Use one of: layout, bounding_box"):
        write(LAYOUT, "omost")
    with pytest.raises(ValueError, match="has no area"):
        write(replace(LAYOUT, instances=(Instance((0, 0, 0, 0)),)), "coco")


def test_aliases_cannot_unfold():
    bomb = "a: &a [x, x]\n" + "".join(f"{n}: &{n} [*{p}, *{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))
    with pytest.raises(ValueError, match="aliases"):
        read(bomb)


# --- damage of any kind: a layout or a sentence, nothing else ---

SOURCES = [
    yaml.safe_load(path.read_text())
    for folder in (SAMPLES, SAMPLES.parent / "detections")
    for path in sorted(folder.iterdir())
    if path.suffix in (".json", ".yaml")
]
SOURCES += [
    [json.loads(line) for line in path.read_text().splitlines()]
    for path in sorted(SAMPLES.iterdir())
    if path.suffix in (".jsonl", ".bbox")
]
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(),
    st.text(max_size=3),
    st.just([]),
    st.just({}),
    st.just([[]]),
    st.just([{}]),
    st.just([1, 2, 3, 4]),
)


def places(value, path=()):
    yield path
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from places(value[key], (*path, key))


@settings(deadline=None, max_examples=400)
@given(st.data())
def test_any_damage_gives_a_layout_or_a_sentence(data):
    source = copy.deepcopy(data.draw(st.sampled_from(SOURCES)))
    for _ in range(data.draw(st.integers(1, 2))):
        if not source:
            break
        *path, last = data.draw(st.sampled_from([p for p in places(source) if p]))
        target = source
        for key in path:
            target = target[key]
        if data.draw(st.booleans()):
            target[last] = copy.deepcopy(data.draw(JUNK))
        else:
            del target[last]
    try:
        layout, notes = read(source, 64, 64, pick=data.draw(st.sampled_from(["", "1", "x"])))
    except ValueError as error:
        assert str(error).rstrip().endswith((".", ")", "'"))
        return
    assert layout.validate() and all(note.endswith(".") for note in notes)
    assert Layout.from_json(layout.to_json()) == layout


@settings(deadline=None, max_examples=150)
@given(st.one_of(st.text(max_size=60), st.text(alphabet='0 1.9-e\n{}[]":,&*!', max_size=60)))
def test_any_text_gives_a_layout_or_a_sentence(text):
    try:
        read(text, 64, 64)
    except ValueError as error:
        assert len(str(error)) > 20
