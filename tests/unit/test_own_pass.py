"""Where the crop of a box lies, and what of each cell is the box's."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core.own_pass import Crop, background, box_weights, crop_of, inside_crop, written

edges = st.tuples(st.floats(-0.2, 1.2), st.floats(-0.2, 1.2)).map(sorted)


@settings(deadline=None)
@given(edges, edges, st.integers(2, 40), st.integers(2, 40), st.sampled_from([0.0, 0.3, 1.0]), st.integers(0, 34))
def test_a_crop_holds_its_box_and_lies_in_the_latent(across, down, rows, columns, margin, least):
    for step, grain in ((1, 0), (1, 3), (2, 0), (2, 4)):
        height, width = rows * step, columns * step
        box = (across[0], down[0], across[1], down[1])
        crop = crop_of(box, height, width, margin, least, grain, step)
        if crop is None:
            assert min(box[2], 1) <= max(box[0], 0) or min(box[3], 1) <= max(box[1], 0)
            continue
        for start, length, low, high, size in (
            (crop.top, crop.height, box[1], box[3], height),
            (crop.left, crop.width, box[0], box[2], width),
        ):
            assert start >= 0 and start + length <= size and start % step == length % step == 0
            assert start <= max(low, 0) * size + 1e-4 and start + length >= min(high, 1) * size - 1e-4
            assert length >= min(least, size) - 1e-4


def test_where_a_crop_lies():
    """Of 16 cells each way: around the box, or pushed inside."""
    assert crop_of((0.25, 0.25, 0.5, 0.75), 16, 16, 0.0, 0, 0, 1) == Crop(4, 4, 8, 4)
    assert crop_of((0.25, 0.25, 0.5, 0.75), 16, 16, 0.5, 0, 0, 1) == Crop(0, 2, 16, 8)
    assert crop_of((0.0, 0.9, 0.1, 1.0), 16, 16, 0.0, 6, 0, 1) == Crop(10, 0, 6, 6)
    assert crop_of((0.3, 0.3, 0.4, 0.4), 16, 16, 0.0, 0, 4, 2) == Crop(4, 4, 4, 4)
    assert crop_of((1.0, 0.0, 1.2, 0.5), 16, 16, 0.0, 6, 0, 1) is None


@pytest.mark.parametrize("feather", [True, False])
def test_a_box_takes_its_cells(feather):
    box = (0.25, 0.25, 0.5, 0.75)
    weight = box_weights(box, crop_of(box, 16, 16, 0.5, 0, 0, 1), 16, 16, feather)
    assert weight.sum() == 32 and (weight[4:12, 4:8] == 1).all()
    half = box_weights((0.25, 0.25, 0.53, 0.75), Crop(4, 4, 8, 6), 16, 16, feather)
    assert half[6, 8] == pytest.approx(0.48 if feather else 0.0)
    out, own = torch.zeros(2, 4, 3, 16, 16), torch.ones(2, 4, 3, 16, 16)
    assert torch.equal(written(out, own, weight)[1, 2, 1], weight)


@pytest.mark.parametrize("frames", [(), (3,)])
def test_the_background_is_what_no_box_takes(frames):
    predicted = torch.rand(2, 4, *frames, 6, 5)
    taken = torch.zeros(6, 5)
    taken[1:4, 2:] = 0.3
    even = background(predicted, taken)
    assert even.shape == (2, 4, *frames, 1, 1)
    assert torch.allclose(even[..., 0, 0], predicted[..., taken == 0].mean(-1))
    assert torch.allclose(background(predicted, torch.ones(6, 5)), predicted.mean((-2, -1), keepdim=True))


def test_what_lies_in_a_crop():
    latents = torch.rand(2, 4, 6, 5)
    assert torch.equal(inside_crop(latents, Crop(1, 2, 3, 2)), latents[..., 1:4, 2:4])
