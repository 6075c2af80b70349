"""What a crop sees of a layout: boxes, points, scribbles, masks and outlines cut and mapped, and what is left out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from roictrl_core.crop import Crop, crop_layout
from roictrl_core.layout import Instance, Layout
from roictrl_core.lines import cut_polygon, cut_stroke
from roictrl_core.masks import RunLengthMask
from roictrl_core.notes import sentences

RIGHT_HALF = Crop.of(200, 100, 100, 0, 100, 100)
share = st.floats(0, 1, allow_nan=False)


def only(instance: Instance, crop: Crop = RIGHT_HALF, least: float = 0.1) -> Instance:
    (found,) = crop_layout(Layout(200, 100, (instance,)), crop, least)[0].instances
    return found


def test_the_whole_picture_sees_the_layout_as_it_is():
    mask = RunLengthMask.from_array(np.eye(100, 200) > 0)
    outline = [[0, 0], [1, 0], [1, 1]]
    layout = Layout(
        200,
        100,
        (
            Instance((0.1, 0.2, 0.5, 0.9), "a fox", scribble=(((0.2, 0.3), (0.4, 0.4)),), point=(0.3, 0.5)),
            Instance((0.0, 0.0, 1.0, 1.0), "an owl", mask=mask, strength=0.5, extra={"outline": outline}),
            Instance((0.7, 0.7, 0.7, 0.7), "a dot", point=(0.7, 0.7)),
        ),
        caption="a wood",
    )
    assert crop_layout(layout, Crop.of(200, 100, 0, 0, 200, 100)) == (layout, [])


def test_a_box_is_cut_and_mapped():
    assert only(Instance((0.25, 0.5, 0.75, 1.0), "a fox")).box == (0.0, 0.5, 0.5, 1.0)
    layout, _ = crop_layout(Layout(200, 100, (Instance((0.6, 0, 0.9, 1)),), caption="a wood"), RIGHT_HALF)
    assert (layout.width, layout.height, layout.caption) == (100, 100, "a wood")


def test_what_acts_beside_the_box_stays():
    one = Instance((0.5, 0, 1, 1), "a fox", "blurry", 0.5, 0.1, 0.9, False, "#ff0000", "fox", conditioning=[1])
    assert only(one) == replace(one, box=(0.0, 0.0, 1.0, 1.0)) and only(one).conditioning == [1]


@pytest.mark.parametrize(
    ("box", "least", "seen"),
    [
        ((0.0, 0.0, 0.5, 1.0), 0.0, False),  # touches the crop
        ((0.0, 0.0, 0.55, 1.0), 0.09, True),  # a share of 1 in 11
        ((0.0, 0.0, 0.55, 1.0), 0.11, False),
        ((-9.0, -9.0, 9.0, 9.0), 0.5, True),  # what lies outside the picture does not count
        ((0.0, 0.0, 1.0, 1.0), 0.6, True),  # half of it, and it fills the crop
    ],
)
def test_a_box_is_seen_by_its_share_or_by_what_it_fills(box, least, seen):
    assert bool(crop_layout(Layout(200, 100, (Instance(box, "a fox"),)), RIGHT_HALF, least)[0].instances) is seen


def test_a_mask_is_cut_to_pixels_and_counts_in_place_of_its_box():
    pixels = np.zeros((50, 100), dtype=bool)
    pixels[10:20, 40:60] = True  # half of it in the crop
    one = Instance((0.0, 0.0, 1.0, 1.0), "a fox", mask=RunLengthMask.from_array(pixels))
    found = only(one, least=0.5)
    expected = np.zeros((100, 100), dtype=bool)
    expected[20:40, 0:20] = True
    assert (found.mask.to_array() == expected).all()
    assert not crop_layout(Layout(200, 100, (one,)), RIGHT_HALF, 0.51)[0].instances
    nowhere = replace(one, mask=RunLengthMask.from_array(np.pad(pixels[:, :60], ((0, 0), (0, 60)))[:, 20:120] & False))
    assert only(nowhere).mask.area() == 0  # an empty mask is no reason: Layout warns of it
    left = replace(one, mask=RunLengthMask.from_array(np.arange(100)[None].repeat(50, 0) < 50))
    assert not crop_layout(Layout(200, 100, (left,)), RIGHT_HALF, 0.0)[0].instances


def test_a_mask_is_cut_as_the_whole_one_is_scaled():
    rng = np.random.default_rng(0)
    mask = RunLengthMask.from_array(rng.random((37, 53)) > 0.5)
    crop = Crop.of(200, 100, 31, 17, 90, 60)
    found = only(Instance((0.0, 0.0, 1.0, 1.0), mask=mask), crop)
    assert (found.mask.to_array() == mask.resized(100, 200)[17:77, 31:121]).all()


def test_points_and_scribbles_are_cut_and_mapped():
    stroke = ((0.25, 0.5), (0.75, 0.5), (0.75, 1.0), (0.25, 1.0))
    found = only(Instance((0.0, 0.0, 1.0, 1.0), point=(0.75, 0.25), scribble=(stroke, ((0.1, 0.1),))))
    assert found.point == (0.5, 0.25)
    assert found.scribble == (((0.0, 0.5), (0.5, 0.5), (0.5, 1.0), (0.0, 1.0)),)
    assert only(Instance((0.0, 0.0, 1.0, 1.0), point=(0.25, 0.25))).point is None


def test_a_point_alone_is_in_one_of_the_crops_that_share_its_border():
    layout = Layout(200, 100, (Instance((0.5, 0.5, 0.5, 0.5), "a dot", point=(0.5, 0.5)),))
    left = Crop.of(200, 100, 0, 0, 100, 100)
    assert not crop_layout(layout, left)[0].instances
    (dot,) = crop_layout(layout, RIGHT_HALF)[0].instances
    assert dot.point == (0.0, 0.5) and dot.box == (0.0, 0.5, 0.0, 0.5)
    assert not crop_layout(layout, RIGHT_HALF)[0].problems()


def test_an_outline_is_cut_to_its_part_in_the_crop_and_a_damaged_one_goes():
    square = [[0.25, 0.25], [0.75, 0.25], [0.75, 0.75], [0.25, 0.75]]
    found = only(Instance((0.0, 0.0, 1.0, 1.0), extra={"outline": square, "mood": 1})).extra
    assert found["mood"] == 1
    assert sorted(found["outline"]) == [[0.0, 0.25], [0.0, 0.75], [0.5, 0.25], [0.5, 0.75]]
    for outline in ("text", [[0.1, 0.1], [0.2]], [[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]):
        assert only(Instance((0.0, 0.0, 1.0, 1.0), extra={"outline": outline})).extra == {}


def test_a_line_that_leaves_and_returns_is_two():
    frame = (0.0, 0.0, 1.0, 1.0)
    assert cut_stroke(((0.5, 0.5), (1.5, 0.5), (1.5, 0.7), (0.5, 0.7)), frame) == [
        ((0.5, 0.5), (1.0, 0.5)),
        ((1.0, 0.7), (0.5, 0.7)),
    ]
    assert cut_stroke(((-1.0, 2.0), (2.0, 2.0)), frame) == []
    assert cut_polygon([(2.0, 2.0), (3.0, 2.0), (3.0, 3.0)], frame) == []


@given(
    box=st.tuples(share, share, share, share),
    x=st.integers(0, 150),
    width=st.integers(1, 90),
    point=st.tuples(share, share),
)
def test_whatever_is_cut_is_sound(box, x, width, point):
    box = (*(min(box[i], box[i + 2]) for i in (0, 1)), *(max(box[i], box[i + 2]) for i in (0, 1)))
    stroke = ((box[0], box[1]), (box[2], box[3]), point)
    layout = Layout(200, 100, (Instance(box, "a fox", point=point, scribble=(stroke,)),))
    found, _ = crop_layout(layout, Crop.of(200, 100, x, 10, width, 50), 0.0)
    assert found.problems() == []


def test_what_is_left_out_is_said():
    layout = Layout(200, 100, (Instance((0.0, 0.0, 0.51, 1.0), "a fox"), Instance((0.0, 0.0, 0.4, 1.0), "an owl")))
    found, notes = crop_layout(layout, RIGHT_HALF)
    assert not found.instances and [note.instance for note in notes] == [1, None]
    little, nothing = sentences(notes)
    assert little.startswith("The crop has 2 % of instance 1 ('a fox'), and leaves it out.")
    assert nothing.startswith("The crop (0.5, 0, 1, 1) sees no box, so its layout is empty")
    muted = replace(layout, instances=tuple(replace(one, enabled=False) for one in layout.instances))
    assert crop_layout(muted, RIGHT_HALF)[1] == []


def test_a_crop_is_cut_at_the_border_and_must_have_something_of_the_picture():
    assert Crop.of(200, 100, 150, 50, 100, 100).size == (50, 50)
    assert Crop.of(200, 100, 150, 50, 100, 100).xywh() == {"x": 150, "y": 50, "width": 50, "height": 50}
    with pytest.raises(ValueError, match=r"The crop of 10 x 10 pixels at 200, 0 has nothing of the picture of 200 x"):
        Crop.of(200, 100, 200, 0, 10, 10)
