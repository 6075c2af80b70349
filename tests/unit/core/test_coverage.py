"""Masks inside boxes: the cells' coverage against a literal integral, by hand, and what a mask of ones leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core.coverage import PlacedMask, SoftMask, axis_weights, coverage_maps
from roictrl_core.instances import InstanceBatch
from roictrl_core.masks import MAX_SIDE, RunLengthMask
from roictrl_core.plan import plan_level

WHOLE = (0.0, 0.0, 1.0, 1.0)
CROPS = st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(1, 6), st.integers(1, 8)).map(
    lambda c: (c[0] / 12, c[1] / 16, min(c[0] + c[2], 12) / 12, min(c[1] + c[3], 16) / 16)
)


def half(side: int = 64) -> np.ndarray:
    """The left half of a picture."""
    mask = np.zeros((side, side), bool)
    mask[:, : side // 2] = True
    return mask


@given(
    st.integers(1, 24),
    st.integers(1, 24),
    st.integers(1, 9),
    st.integers(1, 9),
    st.floats(0, 12),
    st.floats(0, 12),
    st.one_of(st.just(WHOLE), CROPS),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_coverage_against_the_literal_integral(reference, rows, columns, height, width, x, y, frame, seed):
    pixels = torch.rand(rows, columns, generator=torch.Generator().manual_seed(seed)) < 0.5
    x, y = (feather if feather > 0.05 else 0.0 for feather in (x, y))
    got = SoftMask(pixels, (x, y)).coverage(frame, height, width)
    assert got.dtype == torch.float32 and got.shape == (height, width)
    np.testing.assert_allclose(got, reference.coverage(pixels, (x, y), frame, height, width), atol=2e-5)


def test_a_hard_edge_is_the_area_average():
    mask = SoftMask.of(RunLengthMask.from_array(half()), 0, 64, 64)
    assert mask.coverage(WHOLE, 2, 8)[0].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]
    assert mask.coverage(WHOLE, 2, 3)[0].tolist() == pytest.approx([1, 0.5, 0])
    assert mask.coverage((0.25, 0.0, 0.75, 0.5), 2, 4)[0].tolist() == [1, 1, 0, 0]


def test_the_feather_is_a_linear_ramp_of_its_width():
    mask = SoftMask.of(RunLengthMask.from_array(half()), 16, 64, 64)
    ramp = mask.coverage(WHOLE, 1, 64)[0]  # one cell per pixel: the ramp at each pixel's centre
    expected = ((32 - (torch.arange(64) + 0.5)) / 16 + 0.5).clamp(0, 1)
    torch.testing.assert_close(ramp, expected, rtol=0, atol=1e-5)


def test_the_feather_is_measured_on_the_picture_and_not_on_the_mask():
    coarse = SoftMask.of(RunLengthMask.from_array(half(32)), 16, 64, 64)
    fine = SoftMask.of(RunLengthMask.from_array(half(128)), 16, 64, 64)
    torch.testing.assert_close(coarse.coverage(WHOLE, 4, 16), fine.coverage(WHOLE, 4, 16), rtol=0, atol=1e-5)
    wide = SoftMask.of(RunLengthMask.from_array(half(32)), 16, 128, 64)
    assert wide.feather == (4, 8)


def test_the_pictures_border_is_no_edge():
    full = torch.ones(24, 24, dtype=torch.bool)
    torch.testing.assert_close(SoftMask(full, (9.0, 5.0)).coverage(WHOLE, 7, 5), torch.ones(7, 5), rtol=0, atol=1e-6)


def test_the_longest_mask_that_is_read():
    strip = SoftMask.of(RunLengthMask.from_runs((1, MAX_SIDE), [MAX_SIDE // 2, MAX_SIDE // 2]), 8, 512, 512)
    assert strip.coverage(WHOLE, 2, 4)[0].tolist() == pytest.approx([0, 0.0078, 0.9922, 1], abs=1e-3)


@pytest.mark.parametrize("side", [512, 4096])
def test_float32_is_enough_for_large_masks(side):
    weights = axis_weights(0.0, 1.0, 96, side, side / 64)
    assert weights.min() > -1e-6
    torch.testing.assert_close(
        weights.sum(0)[side // 4 : -side // 4], torch.full((side // 2,), 96 / side), rtol=2e-3, atol=0
    )


def test_a_mask_of_ones_is_no_mask():
    assert SoftMask.of(RunLengthMask.from_array(np.ones((8, 9), bool)), 8, 64, 64) is None
    assert coverage_maps([None, None], 4, 4) is None and coverage_maps([], 4, 4) is None


def test_equal_masks_are_computed_once(monkeypatch):
    mask, other, calls = SoftMask(torch.rand(9, 9) < 0.5, (2.0, 2.0)), SoftMask(torch.rand(9, 9) < 0.5, (0.0, 0.0)), []
    coverage = SoftMask.coverage
    monkeypatch.setattr(SoftMask, "coverage", lambda self, *where: calls.append(self) or coverage(self, *where))
    crop = PlacedMask(mask, (0.0, 0.0, 0.5, 0.5))
    maps = coverage_maps([PlacedMask(mask, WHOLE), None, PlacedMask(mask, WHOLE), crop, PlacedMask(other, WHOLE)], 4, 5)
    assert len(calls) == 3 and torch.equal(maps[0], maps[2]) and not torch.equal(maps[0], maps[3])
    assert torch.equal(maps[1], torch.ones(4, 5))


def test_a_plan_holds_each_rois_coverage():
    batch = InstanceBatch.from_boxes(torch.tensor([[[0.0, 0.0, 1.0, 1.0], [0.0, 0.0, 0.5, 1.0]]]), slots=2)
    assert plan_level(batch, size=8, height=8, width=8).coverage is None
    mask = SoftMask(torch.from_numpy(half()), (0.0, 0.0))
    masked = InstanceBatch(
        batch.boxes, batch.roi_mask, batch.token_mask, batch.strength, {(0, 0): PlacedMask(mask, WHOLE)}
    )
    plan = plan_level(masked, size=8, height=8, width=8)
    by_cell = {
        int(cell): (pairs.tolist(), cover.tolist())
        for cell, pairs, cover in zip(plan.cells, plan.cell_pair, plan.coverage, strict=True)
    }
    assert by_cell[0] == ([0, 1], [1, 1]) and by_cell[7] == (
        [0, 2],
        [0, 1],
    )  # left: both ROIs; right: the padding counts as covered


@pytest.mark.parametrize(
    ("box", "touched"),
    [
        ((0.0, 0.0, 0.4, 0.4), True),
        ((0.5, 0.0, 1.0, 1.0), False),
        ((-0.3, 0.2, 0.01, 1.4), True),
        ((0.499, 0.0, 0.6, 1.0), True),
    ],
)
def test_whether_a_mask_touches_a_box(box, touched):
    assert SoftMask(torch.from_numpy(half()), (0.0, 0.0)).touches(box) == touched
