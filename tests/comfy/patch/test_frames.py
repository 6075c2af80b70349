"""Boxes inside crops, and the crops that core takes."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

share = st.floats(0, 1, width=32)


@pytest.fixture(scope="module")
def frames(pack):
    return pack.module("nodes.patch.frames")


@given(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 15), st.integers(0, 23)))
@settings(deadline=None, max_examples=50)
def test_the_crop_is_cores(frames, area):
    x = torch.arange(16.0 * 24).view(1, 1, 16, 24)
    taken = comfy.samplers.get_area_and_mult({"area": area, "model_conds": {}, "uuid": 0}, x, torch.ones(1)).input_x
    h, w, y, left = frames.area_of_cond({"area": area}, 16, 24)
    assert torch.equal(taken, x[:, :, y : y + h, left : left + w])


def test_a_video_area_keeps_its_spatial_part(frames):
    assert frames.area_of_cond({"area": (4, 8, 12, 0, 2, 3)}, 16, 24) == (8, 12, 2, 3)
    assert frames.area_of_cond({}, 16, 24) is None


@given(
    st.lists(share, min_size=4, max_size=4),
    st.tuples(st.integers(1, 16), st.integers(1, 24), st.integers(0, 8), st.integers(0, 12)),
)
@settings(deadline=None, max_examples=100)
def test_a_projected_box_is_the_visible_part(frames, edges, area):
    x1, x2 = sorted(edges[:2])
    y1, y2 = sorted(edges[2:])
    h, w, y, x = area
    fx1, fy1, fx2, fy2 = frame = frames.frame_of_area((min(h, 16 - y), min(w, 24 - x), y, x), 16, 24)
    visible = max(x1, fx1), max(y1, fy1), min(x2, fx2), min(y2, fy2)
    projected = frames.project_box((x1, y1, x2, y2), frame)
    if frame == frames.FULL:
        assert projected == (x1, y1, x2, y2)
    elif visible[2] <= visible[0] or visible[3] <= visible[1]:
        assert projected is None
    else:
        assert all(-1e-9 <= value <= 1 + 1e-9 for value in projected)
        back = [projected[i] * (fx2 - fx1, fy2 - fy1)[i % 2] + (fx1, fy1)[i % 2] for i in range(4)]
        assert back == pytest.approx(visible, abs=1e-9)


def test_the_whole_picture_keeps_a_box_over_its_border(frames):
    assert frames.project_box((-0.2, 0.1, 0.5, 1.3), frames.FULL) == (-0.2, 0.1, 0.5, 1.3)
