"""Masks and strokes to points: golden tensors, and outlines against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from roictrl_core.instance_diffusion import points
from roictrl_core.instance_diffusion.contours import outlines


@pytest.fixture(scope="module")
def g(golden):
    return {key: value.numpy() for key, value in golden("points").items()}


def mask_of(g, index):
    return np.unpackbits(g[f"mask{index}"], axis=1).astype(bool)


@pytest.mark.parametrize("index", range(3))
def test_mask_points_golden(g, index):
    mask = mask_of(g, index)
    assert np.array_equal(points.contour_points(mask), g[f"contour{index}"])
    assert np.array_equal(points.interior_points(mask), g[f"inside{index}"])
    polygon = points.mask_polygon(mask)
    assert polygon.dtype == np.float32
    assert np.abs(polygon - g[f"polygon_norm{index}"]).max() < 1e-6
    assert np.abs(polygon * 512 - np.minimum(g[f"polygon_px{index}"], 512)).max() < 1e-3


def test_published_stroke_golden(g, reference):
    for name in ("stroke", "stroke_short"):
        assert np.abs(reference.stroke_points(g[f"{name}_in"]) - g[f"{name}_20"]).max() < 1e-6


def test_outlines_equal_scikit_image():
    measure = pytest.importorskip("skimage.measure")
    rng = np.random.default_rng(0)
    for _ in range(150):
        mask = np.pad(rng.random(rng.integers(2, 20, 2)) < rng.random(), 1)
        ours, theirs = outlines(mask), measure.find_contours(mask.astype(float), 0.0)
        assert len(ours) == len(theirs)
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_where_walks_meet_they_are_joined_in_the_order_of_their_squares():
    """Two pixels that touch at a corner share two background pixels: not one walk around each."""
    mask = np.zeros((4, 4), dtype=bool)
    mask[1, 2] = mask[2, 1] = True
    around, between = [[3, 1], [2, 0], [1, 1], [0, 2], [1, 3], [2, 2], [3, 1]], [[2, 2], [1, 1], [2, 2]]
    assert [walk.tolist() for walk in outlines(mask)] == [around, between]


def test_masks_at_the_border_and_with_holes():
    mask = np.ones((9, 9), dtype=bool)
    mask[3:6, 3:6] = False
    walk = points.contour_points(mask)
    assert walk.min() == 0 and walk.max() == 10  # padded coordinates, outside the mask
    assert len(points.outlines(np.pad(mask, 1))) == 2


def test_empty_and_tiny_masks():
    empty = np.zeros((32, 32), dtype=bool)
    assert not points.mask_polygon(empty).any() and not points.mask_scribble(empty).any()
    tiny = empty.copy()
    tiny[10, 20] = True
    polygon = points.mask_polygon(tiny).reshape(256, 2) * 32
    assert np.abs(polygon - (20.5, 10.5)).max() <= 1.5
    assert np.array_equal(points.mask_polygon(tiny), points.mask_polygon(tiny))


def test_mask_scribble_takes_pixels_of_the_mask_by_distance():
    mask = np.zeros((40, 80), dtype=bool)
    mask[10:20, 50:70] = True
    xy = points.mask_scribble(mask).reshape(20, 2)
    columns, rows = np.round(xy * (80, 40)).astype(int).T
    assert mask[rows, columns].all() and len(np.unique(xy, axis=0)) == 20
    distance = np.hypot(columns, rows)
    assert (np.diff(distance) >= 0).all()


def test_a_stroke_keeps_both_ends_where_the_published_reduction_loses_one(reference):
    stroke = np.stack([np.linspace(0.1, 0.9, 39), np.full(39, 0.5)], axis=1)
    ours = points.stroke_scribble([stroke]).reshape(20, 2)
    assert ours[0, 0] == pytest.approx(0.1) and ours[-1, 0] == pytest.approx(0.9)
    assert reference.stroke_points(stroke)[:, 0].max() < 0.55


@pytest.mark.parametrize("stroke", [[[0.3, 0.4]], [[0.3, 0.4], [0.3, 0.4]]])
def test_a_stroke_of_one_place_is_that_place(stroke):
    result = points.stroke_scribble([np.array(stroke)]).reshape(20, 2)
    assert np.allclose(result, (0.3, 0.4))


def test_several_strokes_share_the_points_by_their_length():
    long, short = np.array([[0.0, 0.1], [0.9, 0.1]]), np.array([[0.5, 0.8], [0.6, 0.8]])
    result = points.stroke_scribble([long, short]).reshape(20, 2)
    assert (np.isclose(result[:, 1], 0.1).sum(), np.isclose(result[:, 1], 0.8).sum()) == (18, 2)
    dots = points.stroke_scribble([np.array([[0.1, 0.1]]), np.array([[0.7, 0.7]])]).reshape(20, 2)
    assert sorted(set(dots[:, 0].tolist())) == pytest.approx([0.1, 0.7])


def test_a_mask_must_be_one_picture():
    with pytest.raises(ValueError, match="height x width"):
        points.mask_polygon(np.zeros((2, 8, 8)))
