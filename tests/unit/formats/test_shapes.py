"""Shapes that formats hold beside boxes.

Polygons, circles, points, lines, scribbles, run lengths; and labels that mean nothing.
"""

from __future__ import annotations

import math
from collections import namedtuple

import numpy as np
import pytest

from roictrl_core import formats
from roictrl_core.notes import sentences


def read(source, **how):
    layout, notes = formats.read(source, 64, 64, **how)
    return layout.instances, sentences(notes)


def labelme(kind, points, **more):
    shape = {"label": "fox", "shape_type": kind, "points": points, **more}
    return {
        "imageWidth": 64,
        "imageHeight": 64,
        "shapes": [{key: value for key, value in shape.items() if value != "missing"}],
    }


CORNERS = [[8, 8], [40, 8], [40, 24], [8, 24]]


@pytest.mark.parametrize("kind", ["missing", None, "", "polygon", "rotation"])
def test_labelmes_default_is_a_polygon(kind):
    instances, notes = read(labelme(kind, CORNERS))
    assert instances[0].box == (0.125, 0.125, 0.625, 0.375) and instances[0].mask.area() == 32 * 16 and notes == []


def test_labelmes_circle_is_a_box_and_a_mask():
    instances, notes = read(labelme("circle", [[32, 32], [48, 32]]))
    assert instances[0].box == pytest.approx((0.25, 0.25, 0.75, 0.75), abs=1e-3) and notes == []
    assert instances[0].mask.area() == pytest.approx(math.pi * 16**2, rel=0.02)


def test_labelmes_point_is_a_point():
    instances, notes = read(labelme("point", [[16, 32]]))
    assert instances[0].point == (0.25, 0.5) and not instances[0].has_area and "is a point without a box" in notes[0]


@pytest.mark.parametrize("kind, points", [("line", [[8, 8], [40, 24]]), ("linestrip", [[8, 8], [20, 10], [40, 24]])])
def test_labelmes_lines_are_scribbles(kind, points):
    instances, notes = read(labelme(kind, points))
    assert instances[0].scribble == (tuple((x / 64, y / 64) for x, y in points),)
    assert instances[0].box == (0.125, 0.125, 0.625, 0.375) and instances[0].mask is None and notes == []


def test_a_level_line_has_a_place_although_it_has_no_area():
    instances, _ = read(labelme("line", [[8, 8], [40, 8]]))
    assert instances[0].scribble and (instances[0].has_area or instances[0].point)


@pytest.mark.parametrize(
    "kind, points, sentence",
    [
        (
            "mask",
            CORNERS,
            "Shape 1 ('fox') is a 'mask'; only rectangles, polygons, circles, points and lines can be used, "
            "and it was left out.",
        ),
        ("points", CORNERS, "Shape 1 ('fox') is a 'points'; only"),
        (7, CORNERS[:2], "Shape 1 ('fox') has too few points for a 'polygon' and was left out."),
        ("circle", CORNERS[:1], "Shape 1 ('fox') has too few points for a 'circle' and was left out."),
        ("point", [], "Shape 1 ('fox') has too few points for a 'point' and was left out."),
        ("point", [[80, 8]], "Shape 1 ('fox') has a point that is not x, y inside the picture, but [80.0, 8.0]"),
        ("line", [[8, 8], ["x", 8]], "Shape 1 ('fox') has points that are not pairs of finite numbers"),
        ("line", [[8, 8], [800, 9]], "Shape 1 ('fox') has a scribble that is not a list of x, y inside the picture"),
        ("circle", [[32, 32], [1e308, -1e308]], "Shape 1 ('fox') reaches over the picture's border and was cut there."),
    ],
)
def test_labelmes_other_shapes_are_named(kind, points, sentence):
    _, notes = read(labelme(kind, points))
    assert any(note.startswith(sentence) for note in notes), notes


def anno(**more):
    return {"width": 64, "height": 64, "annos": [{"bbox": [8, 8, 32, 16], "caption": "fox", **more}]}


@pytest.mark.parametrize(
    "scribble, strokes",
    [
        ([[8, 8], [16, 32]], (((0.125, 0.125), (0.25, 0.5)),)),
        ([[64.01, 0], [0, -0.01]], (((1, 0), (0, 0)),)),
        ([[[8, 8], [16, 32]], [[0, 0]]], (((0.125, 0.125), (0.25, 0.5)), ((0, 0),))),
        ([], ()),
        (None, ()),
    ],
)
def test_instance_diffusions_scribble(scribble, strokes):
    instances, notes = read(anno(scribble=scribble))
    assert instances[0].scribble == strokes and instances[0].extra == {} and notes == []


@pytest.mark.parametrize(
    "scribble",
    [[[8, 8], [16]], [[8, 8], [300, 8]], "8 8", {"x": 8}, [8, 8], [[[8, 8]], 3], [[0, 0]] * 10_001],
    ids=lambda value: str(value)[:20],
)
def test_an_unusable_scribble_leaves_the_box(scribble):
    instances, notes = read(anno(scribble=scribble))
    assert instances[0].scribble == () and instances[0].box == (0.125, 0.125, 0.625, 0.375)
    assert notes == [
        "Annotation 1 ('fox') has a scribble that is not a list of x, y inside the picture, or has over 10000 points; "
        "it is not used."
    ]


def test_points_and_boxes_keep_their_order():
    data = anno()
    data["annos"] = [
        {"point": [8, 8], "caption": "a"},
        {"bbox": [8, 8, 8, 8], "caption": "b"},
        {"point": [16, 8], "caption": "c"},
    ]
    assert [instance.caption for instance in read(data)[0]] == ["a", "b", "c"]


# --- masks ---

TRIANGLE = [8, 8, 40, 8, 40, 24]


def coco(segmentation, **more):
    return {
        "images": [{"id": 1, "width": 64, "height": 64}],
        "categories": [{"id": 1, "name": "fox"}],
        "annotations": [
            {"image_id": 1, "category_id": 1, "bbox": [8, 8, 32, 16], "segmentation": segmentation, **more}
        ],
    }


def runs(mask):
    """COCO's uncompressed run lengths of a mask."""
    flat = np.asarray(mask).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    return {"size": list(np.shape(mask)), "counts": [0] * bool(flat[0]) + np.diff([0, *edges, flat.size]).tolist()}


def square(side=64):
    mask = np.zeros((side, side), dtype=int)
    mask[: side // 4, : side // 4] = 1
    return mask


@pytest.mark.parametrize(
    "segmentation, area",
    [
        ([TRIANGLE], 32 * 16 / 2),
        (TRIANGLE, 32 * 16 / 2),
        ([[[8, 8], [40, 8], [40, 24]]], 32 * 16 / 2),
        (runs(square()), 256),
        ([runs(square())], 256),
        ([TRIANGLE, runs(np.roll(square(), 32, axis=0))], 32 * 16 / 2 + 256),
        ([TRIANGLE, runs(np.roll(square(32), 16, axis=0))], 32 * 16 / 2 + 256),
        ([TRIANGLE, [0, 40, 16, 40, 16, 56, 0, 56]], 32 * 16 / 2 + 256),
    ],
    ids=lambda value: str(value)[:40],
)
def test_run_lengths_and_polygons_beside_one_another(segmentation, area):
    for source in (coco(segmentation), anno(mask=segmentation)):
        instances, notes = read(source)
        assert instances[0].mask.area() == pytest.approx(area, rel=0.06) and notes == []


def test_a_coco_polygon_without_its_box():
    for missing in ({"bbox": []}, {"bbox": None}):
        assert read(coco([TRIANGLE], **missing))[0][0].box == (0.125, 0.125, 0.625, 0.375)


# --- labels ---

Seg = namedtuple(
    "SEG", "cropped_image cropped_mask confidence crop_region bbox label control_net_wrapper", defaults=[None]
)


def test_the_name_of_segs_without_a_detector_is_no_caption():
    """Impact's nodes that make SEGS from masks call all of them A."""
    segs = [Seg(None, None, 1.0, (0, 0, 16, 16), (0, 0, 16, 16), label) for label in ("A", "A", "face")]
    instances, notes = read(((64, 64), segs))
    assert [(i.caption, i.label) for i in instances] == [("", ""), ("", ""), ("face", "face")]
    assert notes == [
        "SEGS that are called 'A' come from masks and not from a detector, so they have no captions. "
        "Write these by hand."
    ]
    assert [note for note in read(((64, 64), segs[2:]))[1]] == []
