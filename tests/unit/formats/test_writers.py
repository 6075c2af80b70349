"""What is written keeps the rules of the tools that read it, and what it cannot keep is said."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO

from roictrl_core import formats
from roictrl_core.formats.comfyui import write_bounding_boxes, write_union
from roictrl_core.formats.outlines import polygon_mask
from roictrl_core.formats.tracing import MAX_EDGES, outlines
from roictrl_core.layout import Instance, Layout
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences

FOREIGN = [kind for kind in formats.WRITABLE if kind != "layout"]
OVER = Layout(
    512,
    256,
    (Instance((-0.1, 0.5, 1.2, 0.9), "a hill"), Instance((0.1, 0.1, 0.4, 0.4), "a fox")),
    extra={"file_name": "a.png"},
)


def write(layout: Layout, kind: str):
    data, notes = formats.write(layout, kind)
    return data, sentences(notes)


def ellipse(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width] + 0.5
    return ((x / width - 0.5) / 0.3) ** 2 + ((y / height - 0.5) / 0.2) ** 2 < 1


# --- every format: boxes inside the picture, points without a box ---


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_box_over_the_border_is_cut_and_said(kind):
    text, notes = formats.write_text(OVER, kind)
    cut = [note for note in notes if note.code == "write.cut"]
    assert [note.instance for note in cut] == [1]
    assert cut[0].sentence().startswith("The box of instance 1 ('a hill') reaches over the picture's border; for ")
    back, notes = formats.read(text, 512, 256, names="a hill\na fox")
    assert back.instances[0].box == pytest.approx((0, 0.5, 1, 0.9), abs=0.003)
    assert "read.cut" not in [note.code for note in notes]


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_point_without_a_box_is_written_as_a_point_or_left_out(kind):
    layout = Layout(512, 256, (Instance((0.5, 0.5, 0.5, 0.5), "a bee", point=(0.5, 0.5)), OVER.instances[1]))
    text, notes = formats.write_text(layout, kind)
    if "point" in formats.FORMATS[kind].carries:
        assert "write.no_area" not in [note.code for note in notes] and "a bee" in text
    else:
        assert [note.instance for note in notes if note.code == "write.no_area"] == [1] and "a bee" not in text
        assert len(formats.read(text, 512, 256, names="a fox")[0].instances) == 1


def test_rounding_over_the_border_is_not_worth_a_word():
    assert write(Layout(512, 512, (Instance((0, 0, 1.0004, 1), "a"),)), "coco")[1] == []


def test_boxes_of_any_size_become_pixels():
    layout = Layout(512, 512, (Instance((-900, 0.25, 900, 0.5), extra={"imported": "text"}),))
    for reach in (900, 1e308):
        wide = replace(layout, instances=(replace(layout.instances[0], box=(-reach, 0.25, reach, 0.5)),))
        assert write_bounding_boxes(wide)[0][0].items() >= {"x": 0, "y": 128, "width": 512, "height": 128}.items()
    assert write(layout, "elements")[0][0]["bbox"] == [250, 0, 500, 1000]


# --- COCO, read by pycocotools ---


def coco_of(layout: Layout, folder) -> COCO:
    file = folder / "coco.json"
    file.write_text(formats.write_text(layout, "coco")[0], encoding="utf-8")
    return COCO(str(file))


def test_pycocotools_reads_our_coco(tmp_path):
    shape = ellipse(32, 64)
    layout = Layout(
        512, 256, (*OVER.instances, Instance((0.2, 0.3, 0.8, 0.7), "a pond", mask=RunLengthMask.from_array(shape)))
    )
    coco = coco_of(layout, tmp_path)
    hill, fox, pond = coco.loadAnns(coco.getAnnIds())
    assert [coco.loadCats(annotation["category_id"])[0]["name"] for annotation in (hill, fox, pond)] == [
        "a hill",
        "a fox",
        "a pond",
    ]
    assert hill["bbox"] == [0, 128, 512, 102.4] and hill["area"] == pytest.approx(512 * 102.4)
    drawn = coco.annToMask(fox)
    assert drawn.shape == (256, 512) and np.argwhere(drawn).min(0).tolist() == [26, 51]
    mask = coco.annToMask(pond)
    assert mask.shape == (256, 512) and np.array_equal(mask[4::8, 4::8], shape) and pond["area"] == mask.sum()
    coco.info()
    assert len(coco.loadRes([{"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}]).anns) == 1


def test_pycocotools_draws_our_coco(tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    layout = Layout(
        64, 64, (OVER.instances[1], Instance((0, 0, 1, 1), "a", mask=RunLengthMask.from_array(ellipse(64, 64))))
    )
    coco = coco_of(layout, tmp_path)
    figure = pyplot.figure()
    coco.showAnns(coco.loadAnns(coco.getAnnIds()), draw_bbox=True)
    shapes, pictures = figure.gca().collections, figure.gca().images
    pyplot.close(figure)
    assert len(shapes[0].get_paths()) == 3 and len(pictures) == 1  # two boxes and a polygon; a mask


def test_coco_boxes_end_inside_the_picture():
    layout = Layout(333, 333, tuple(Instance((i / 97, 0, 1, 1 - i / 97), "a") for i in range(96)))
    boxes = [annotation["bbox"] for annotation in write(layout, "coco")[0]["annotations"]]
    assert all(x + w <= 333 and y + h <= 333 and w > 0 and h > 0 for x, y, w, h in boxes)


# --- YOLO ---


def test_yolo_lines_keep_ultralytics_rules():
    layout = Layout(512, 256, (*OVER.instances, Instance((0.1, 0.1, 0.2, 0.2), " a\n fox"), Instance((0, 0, 1, 1))))
    (labels, names), notes = write(layout, "yolo")
    rows = [line.split() for line in labels.splitlines()]
    assert all(len(row) == 5 and all(0 <= float(value) <= 1 for value in row[1:]) for row in rows)
    assert [row[0] for row in rows] == ["0", "1", "1", "2"] and names == "a hill\na fox\nclass 2\n"
    assert rows[0][1:] == ["0.500000", "0.700000", "1.000000", "0.400000"]
    assert formats.read(labels, names=names)[0].instances[1].caption == "a fox"
    assert "YOLO class 1 is 'a fox'." in notes


def test_an_empty_caption_keeps_its_class_number():
    (labels, names), _ = write(Layout(64, 64, (Instance((0, 0, 0.5, 1)), Instance((0.5, 0, 1, 1), "a fox"))), "yolo")
    assert formats.read(labels, names=names)[0].instances[1].caption == "a fox"


# --- labelme ---

SHAPE_POINTS = {"rectangle": (2, 2), "polygon": (3, 10**6), "point": (1, 1), "linestrip": (2, 10**6)}


def test_labelme_shapes_keep_labelmes_rules():
    instance = Instance(
        (0.1, 0.1, 0.9, 0.9),
        "a pond",
        point=(0.5, 0.25),
        scribble=(((0.2, 0.2), (0.3, 0.4)), ((0.5, 0.5),)),
        mask=RunLengthMask.from_array(ellipse(64, 64)),
    )
    data, notes = write(Layout(512, 256, (*OVER.instances, instance)), "labelme")
    assert data["imagePath"] == "1.png"
    assert {"version", "flags", "shapes", "imagePath", "imageData", "imageHeight", "imageWidth"} == set(data)
    for shape in data["shapes"]:
        least, most = SHAPE_POINTS[shape["shape_type"]]
        assert least <= len(shape["points"]) <= most and isinstance(shape["label"], str)
        assert all(0 <= x <= 512 and 0 <= y <= 256 for x, y in shape["points"])
    assert [(shape["shape_type"], shape["group_id"]) for shape in data["shapes"]] == [
        ("rectangle", None),
        ("rectangle", None),
        ("polygon", 3),
        ("point", 3),
        ("linestrip", 3),
    ]
    assert data["shapes"][3]["points"] == [[256, 64]] and data["shapes"][4]["points"] == [[102.4, 51.2], [153.6, 102.4]]
    assert notes[1:] == [
        "The layout names no picture, but a labelme file must: save the picture as '1.png' beside it, "
        "or change imagePath."
    ]


def test_a_labelme_file_of_ours_comes_back():
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:24, 8:24] = mask[40:56, 40:56] = True
    instances = (
        Instance(
            (0.125, 0.125, 0.875, 0.875),
            "a pond",
            mask=RunLengthMask.from_array(mask),
            point=(0.25, 0.25),
            scribble=(((0.25, 0.25), (0.5, 0.75)),),
        ),
        Instance((0.5, 0.5, 0.75, 0.75), "a pond", scribble=(((0.5, 0.5), (0.75, 0.5)), ((0.5, 0.625), (0.75, 0.625)))),
        Instance((0.5, 0.5, 0.5, 0.5), "a bee", point=(0.5, 0.5)),
    )
    text, notes = formats.write_text(Layout(64, 64, instances, extra={"imagePath": "a.png"}), "labelme")
    back, _ = formats.read(text)
    assert notes == [] and [(i.box, i.caption, i.mask, i.point, i.scribble) for i in back.instances] == [
        (i.box, i.caption, i.mask, i.point, i.scribble) for i in instances
    ]


def test_labelme_groups_are_one_object():
    def shape(kind, points, group, label="a"):
        return {"label": label, "shape_type": kind, "points": points, "group_id": group}

    data = {
        "imageWidth": 64,
        "imageHeight": 64,
        "shapes": [
            shape("rectangle", [[0, 0], [16, 16]], 1),
            shape("rectangle", [[32, 32], [48, 48]], 1),
            shape("rectangle", [[0, 0], [16, 16]], 1, "b"),
            shape("point", [[4, 4]], 2),
            shape("point", [[8, 8]], 2),
            shape("rectangle", [[0, 0], [16, 16]], None),
            shape("rectangle", [[0, 0], [16, 16]], None),
        ],
    }
    layout, notes = formats.read(data)
    assert [(i.caption, i.box) for i in layout.instances] == [
        ("a", (0, 0, 0.75, 0.75)),
        ("b", (0, 0, 0.25, 0.25)),
        ("a", (0.0625, 0.0625) * 2),
        ("a", (0, 0, 0.25, 0.25)),
        ("a", (0, 0, 0.25, 0.25)),
    ]
    assert layout.instances[0].mask.area() == 2 * 256 and layout.instances[1].mask is None
    assert sentences(notes)[0] == "Shape 4 ('a') has 2 points; the first is used."


def test_labelme_polygons_are_what_shows_of_the_mask():
    mask = np.zeros((64, 64), dtype=bool)
    mask[8:40, 8:40] = True
    mask[16:24, 16:24] = False
    mask[60:, 60:] = True  # outside the box
    data, notes = write(
        Layout(128, 128, (Instance((0, 0, 0.5, 0.5), "a ring", mask=RunLengthMask.from_array(mask)),)), "labelme"
    )
    assert [shape["points"] for shape in data["shapes"]] == [[[64, 16], [64, 64], [16, 64], [16, 16]]]
    assert notes[0] == "The mask of instance 1 ('a ring') has 1 hole, which is filled: labelme's polygons have none."


@pytest.mark.parametrize(
    "mask", [np.eye(4, dtype=bool)[::-1] & False, np.pad(np.ones((1, 1), dtype=bool), ((0, 7), (7, 0)))]
)
def test_labelme_writes_the_box_where_no_mask_shows(mask):
    data, notes = write(
        Layout(64, 64, (Instance((0, 0, 0.5, 0.5), "a", mask=RunLengthMask.from_array(mask)),)), "labelme"
    )
    assert data["shapes"][0]["shape_type"] == "rectangle" and "has no outline that could be edited by hand" in notes[0]


def as_mask(part, width: int, height: int) -> np.ndarray:
    return polygon_mask([[(x / width, y / height) for x, y in part]], width, height)[0].to_array()


def test_outlines_hold_exactly_the_mask():
    mask = np.random.default_rng(0).random((40, 60)) > 0.4
    parts, holes = outlines(mask)
    filled = np.zeros_like(mask)
    for part in parts:  # holes lie in their parts, and so are filled
        filled |= as_mask(part, 60, 40)
    assert holes > 3 and not (mask & ~filled).any()
    solid = ellipse(40, 60)
    (part,), holes = outlines(solid)
    assert holes == 0 and np.array_equal(as_mask(part, 60, 40), solid)
    assert len(outlines(np.eye(5, dtype=bool))[0]) == 5  # touching corners are not one part


def test_ragged_masks_have_no_outline():
    assert outlines(np.indices((400, 400)).sum(0) % 2 == 0) is None and MAX_EDGES < 4 * 400 * 400 / 2


# --- InstanceDiffusion ---


def test_instance_diffusion_carries_scribbles():
    strokes = (((0.25, 0.5), (0.5, 0.5)), ((0.75, 0.25),))
    data, notes = write(Layout(64, 32, (Instance((0, 0, 1, 1), "a", scribble=strokes),)), "instancediffusion")
    assert data["annos"][0]["scribble"] == [[16, 16], [32, 16], [48, 8]]
    assert notes == [
        "The 2 strokes of instance 1 ('a') are written as one; InstanceDiffusion holds one for each instance."
    ]
    assert write(Layout(64, 32, (Instance((0, 0, 1, 1), "a", scribble=strokes[:1]),)), "instancediffusion")[1] == []


@pytest.mark.parametrize("kind", ["coco", "instancediffusion"])
def test_masks_are_of_the_pictures_size(kind):
    mask = RunLengthMask.from_array(ellipse(8, 8))
    text, notes = formats.write_text(Layout(64, 32, (Instance((0, 0, 1, 1), "a", mask=mask),)), kind)
    back = formats.read(text)[0].instances[0].mask
    assert notes == [] and back.size == (32, 64) and np.array_equal(back.to_array(), mask.resized(32, 64))
    assert json.loads(text)


# --- masks in memory ---


def test_the_union_of_all_masks():
    mask = RunLengthMask.from_array(np.eye(4, dtype=bool))
    layout = Layout(
        8, 4, (Instance((0, 0, 0.25, 1)), Instance((0, 0, 1, 1), mask=mask), Instance((0, 0, 1, 1), enabled=False))
    )
    union = write_union(layout)
    expected = np.eye(4, dtype=np.float32).repeat(2, axis=1)
    expected[:, :2] = 1
    assert union.dtype == np.float32 and np.array_equal(union, expected)
    assert not write_union(Layout(8, 4)).any()


def test_a_caption_that_is_a_word_of_mig_bench_keeps_its_box():
    layout = Layout(
        64, 64, (Instance((0.1, 0.1, 0.5, 0.5), "coco_id"), Instance((0.2, 0.2, 0.6, 0.6), "fox")), "a photo"
    )
    data, notes = formats.write(layout, "migc")
    assert data == {"a photo": {"coco id": [[0.1, 0.1, 0.5, 0.5]], "fox": [[0.2, 0.2, 0.6, 0.6]], "coco_id": ""}}
    assert notes[0].sentence().startswith("The caption of instance 1 ('coco_id') is a word of MIG-Bench's own")


@pytest.mark.parametrize("kind", formats.WRITABLE)
def test_a_layout_made_from_masks_can_be_written(kind):
    mask = np.zeros((1, 64, 64), np.float32)
    mask[0, 5:20, 10:30], mask[0, 6, 11] = 1, 0
    layout, _ = formats.read(mask, 64, 64)
    assert formats.write_text(replace(layout, caption="a photo"), kind)[0]
