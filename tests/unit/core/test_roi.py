"""ROI-Align and ROI-Unpool as a level's plan and the gather run them.

Held against golden files, torchvision, the literal reference, and properties.
"""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core import sampling
from roictrl_core.instances import InstanceBatch
from roictrl_core.plan import LevelPlan, plan_level
from roictrl_core.roi import align_taps, box_cells
from roictrl_core.sampling import weighted_rows, working_dtype

GRID = {8: 25, 16: 19, 32: 13, 64: 7}
FULL = [0.0, 0.0, 1.0, 1.0]
quick = settings(max_examples=40, deadline=None, derandomize=True)

edge = st.floats(-0.5, 1.5, width=32)
inner_edge = st.integers(0, 64).map(lambda i: i / 64)  # snapped to a grid, where rounding ties
any_box = st.tuples(*[edge | inner_edge] * 4)
size = st.integers(1, 20)


def boxes_of(*boxes) -> torch.Tensor:
    return torch.tensor(boxes, dtype=torch.float32)[None]  # [1, n, 4]


def plan_of(boxes: torch.Tensor, size: int, height: int, width: int) -> LevelPlan:
    """For boxes `[B, n, 4]`, each in a slot of its own."""
    batch = InstanceBatch.from_boxes(boxes, slots=boxes.shape[1])
    return plan_level(batch, size=size, height=height, width=width)


def roi_align(features: torch.Tensor, boxes: torch.Tensor, size: int) -> torch.Tensor:
    """`[B, C, H, W]` and `[B, n, 4]` to `[B, n, C, P, P]`; zeros for a ROI that fills no cell, which no block reads."""
    batch, channels, height, width = features.shape
    plan = plan_of(boxes, size, height, width)
    table = features.to(working_dtype(features.dtype)).permute(0, 2, 3, 1).reshape(-1, channels)  # [B * H * W, C]
    rois = weighted_rows(table, *plan.align).view(-1, size, size, channels).permute(0, 3, 1, 2)  # [A, C, P, P]
    result = features.new_zeros(batch, boxes.shape[1], channels, size, size)
    result[plan.pair_row, plan.pair_slot] = rois.to(features.dtype)
    return result


def roi_unpool(rois: torch.Tensor, boxes: torch.Tensor, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """`[B, n, C, P, P]` to values `[B, n, C, H, W]`, zero where not valid, and valid `[B, n, H, W]`."""
    batch, count, channels, size = rois.shape[:4]
    plan = plan_of(boxes, size, height, width)
    active = rois[plan.pair_row, plan.pair_slot].to(working_dtype(rois.dtype))  # [A, C, P, P]
    table = active.permute(0, 2, 3, 1).reshape(-1, channels)  # [A * P * P, C]
    shown = plan.cell_pair < len(plan.active)  # [N, K]
    read = weighted_rows(table, plan.unpool.index.flatten(0, 1), plan.unpool.weight.flatten(0, 1))  # [N * K, C]
    pair, cell = plan.cell_pair[shown], (plan.cells % (height * width))[:, None].expand_as(shown)[shown]
    place = plan.pair_row[pair], plan.pair_slot[pair], cell
    values = rois.new_zeros(batch, count, height * width, channels)
    values[place] = read.view(*shown.shape, channels)[shown].to(rois.dtype)
    valid = torch.zeros(batch, count, height * width, dtype=torch.bool)
    valid[place] = True
    return values.transpose(2, 3).unflatten(3, (height, width)), valid.unflatten(2, (height, width))


def active(boxes: torch.Tensor, size: int, height: int, width: int) -> torch.Tensor:
    """`[B, n]` bool: the ROIs that fill a cell."""
    plan = plan_of(boxes, size, height, width)
    found = torch.zeros(boxes.shape[:2], dtype=torch.bool)
    found[plan.pair_row, plan.pair_slot] = True
    return found


def proper(box) -> list[float]:
    """The same corners with x1 <= x2 and y1 <= y2."""
    x1, y1, x2, y2 = box
    return [min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)]


@pytest.mark.parametrize("stride", GRID)
@pytest.mark.parametrize("name", ["op_roi_square", "op_roi_wide32", "op_roi_batch2", "op_roi_edge_over"])
def test_golden(golden, name, stride):
    tensors, meta = golden(name)
    height, width = (side // stride for side in meta["image_hw"])
    features = tensors[f"feat_{stride}"].transpose(1, 2).unflatten(2, (height, width))
    read = active(tensors["boxes"], GRID[stride], height, width)
    torch.testing.assert_close(
        roi_align(features, tensors["boxes"], GRID[stride])[read], tensors[f"aligned_{stride}"][read], rtol=0, atol=2e-6
    )
    values, valid = roi_unpool(tensors[f"roi_{stride}"], tensors["boxes"], height, width)
    torch.testing.assert_close(values, tensors[f"unpooled_{stride}"], rtol=0, atol=2e-6)
    assert torch.equal(valid, tensors[f"valid_{stride}"].bool())


def test_torchvision_agrees():
    """With either of its implementations: they part only where a sample lies more than a cell outside the map."""
    torchvision = pytest.importorskip("torchvision")
    generator = torch.Generator().manual_seed(0)
    for bins, height, width in ((25, 32, 48), (7, 8, 8), (13, 15, 9)):
        features = torch.randn(2, 3, height, width, generator=generator)
        scale = torch.tensor([width, height, width, height], dtype=torch.float32)
        boxes = (
            torch.rand(2, 40, 4, generator=generator) * (1 + 1 / scale) - 0.5 / scale
        )  # inverted ones among them, which are not read
        with torch.compiler.set_stance("force_eager"):
            witness = torchvision.ops.roi_align(features, list(boxes * scale), bins, sampling_ratio=2, aligned=True)
        read = active(boxes, bins, height, width)
        ours = roi_align(features, boxes, bins)
        torch.testing.assert_close(ours[read], witness.view_as(ours)[read], rtol=0, atol=5e-5)


def test_samples_up_to_a_cell_outside_read_the_border_and_others_are_zero():
    features = torch.arange(1.0, 9.0).expand(1, 1, 8, 8)  # the column's number, from 1
    for box, columns in (
        ([-1.0, 0.0, 1.0, 1.0], [0.0, 0.0, 2.5, 6.5]),  # samples at -7.5, -5.5, ..., 6.5
        ([0.0, 0.0, 2.0, 1.0], [2.5, 6.5, 0.0, 0.0]),  # at .5, 2.5, ..., 14.5
        (
            [-0.25, 0.0, 1.25, 1.0],
            [0.5, 3.0, 6.0, 4.0],
        ),  # at -1.75, -.25, ..., 8.75: one sample of the bin is out, and counts
    ):
        ours = roi_align(features, boxes_of(box), 4)[0, 0, 0]
        assert ours[0].tolist() == columns, box
        across = roi_align(features.mT, boxes_of([box[1], box[0], box[3], box[2]]), 4)[0, 0, 0]
        assert torch.equal(across, ours.T)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(-0.25, 0.5, (1 + 3) / 2), (-0.250001, 0.5, 3 / 2), (0.5, 1.25, (6 + 8) / 2), (0.5, 1.250001, 6 / 2)],
)
def test_a_sample_exactly_at_the_limit_counts(low, high, expected):
    """One sample of the two is at -1, or at the map's size, 8: the last places that read the border.

    Then just beyond.
    """
    taps = align_taps(torch.tensor([low]), torch.tensor([high]), 1, 8)
    ours = (torch.arange(1.0, 9.0)[taps.index] * taps.weight).sum()
    assert float(ours) == pytest.approx(expected, abs=1e-4)


@quick
@given(box=any_box, bins=st.integers(1, 9), height=size, width=size, seed=st.integers(0, 99))
def test_equals_the_literal_reference(reference, box, bins, height, width, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(2, height, width, generator=generator)
    roi = torch.randn(2, bins, bins, generator=generator)
    one = boxes_of(box)
    values, valid = roi_unpool(roi[None, None], one, height, width)
    expected, expected_valid = reference.roi_unpool(roi, one[0, 0], height, width)
    if expected_valid.any():
        aligned = reference.roi_align(features, one[0, 0], bins, (bins, bins))
        torch.testing.assert_close(roi_align(features[None], one, bins)[0, 0], aligned, rtol=0, atol=2e-6)
    assert torch.equal(valid[0, 0], expected_valid)
    torch.testing.assert_close(values[0, 0], expected, rtol=0, atol=2e-6)


@quick
@given(box=any_box, height=size, width=size, a=st.floats(-3, 3), b=st.floats(-3, 3))
def test_linear(box, height, width, a, b):
    one = boxes_of(box)
    x, y = torch.randn(2, 1, 2, height, width, dtype=torch.float64)
    mixed = roi_align(a * x + b * y, one, 5)
    torch.testing.assert_close(mixed, a * roi_align(x, one, 5) + b * roi_align(y, one, 5), rtol=0, atol=1e-12)
    p, q = torch.randn(2, 1, 1, 2, 5, 5, dtype=torch.float64)
    mixed = roi_unpool(a * p + b * q, one, height, width)[0]
    expected = a * roi_unpool(p, one, height, width)[0] + b * roi_unpool(q, one, height, width)[0]
    torch.testing.assert_close(mixed, expected, rtol=0, atol=1e-12)


@quick
@given(box=st.tuples(*[inner_edge] * 4), height=st.integers(4, 20), width=st.integers(4, 20))
def test_a_constant_comes_back_inside(box, height, width):
    one = boxes_of(proper(box))
    rois = roi_align(torch.full((1, 1, height, width), 3.0), one, 7)
    torch.testing.assert_close(rois, torch.full_like(rois, 3.0 * bool(active(one, 7, height, width))))
    values, valid = roi_unpool(rois, one, height, width)
    torch.testing.assert_close(values, 3.0 * valid[:, :, None].float(), rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("box", "cells"),
    [
        ([0.25, 0.25, 0.75, 0.75], 16),
        ([-0.25, 0.0, 0.25, 0.5], 8),  # keeps its negative start; only the cells in the image are written
        ([0.75, 0.5, 1.5, 1.25], 8),
        ([0.32, 0.3, 0.42, 0.9], 0),  # narrower than a cell and between two
        ([0.25, 0.25, 0.25, 0.75], 0),
        ([0.75, 0.75, 0.25, 0.25], 0),
        ([1.2, 0.2, 1.6, 0.8], 0),
        ([-0.9, 0.2, -0.1, 0.8], 0),
    ],
)
def test_cells_written(box, cells):
    values, valid = roi_unpool(torch.ones(1, 1, 1, 8, 8), boxes_of(box), 8, 8)
    assert int(valid.sum()) == cells
    assert torch.equal(values[:, :, 0], valid.float())


def test_a_half_rounds_down():
    first, count = box_cells(torch.tensor([0.5 / 8, 1.5 / 8]), torch.tensor([4.5 / 8, 3.5 / 8]), 8)
    assert first.tolist() == [0, 1] and count.tolist() == [4, 2]


@pytest.mark.parametrize(
    ("cells", "bins", "lost"), [(32, 7, 4), (14, 7, 1), (8, 7, 1), (7, 7, 0), (3, 7, 0), (64, 25, 2)]
)
def test_trailing_cells_are_lost_where_the_box_has_more_cells_than_bins(cells, bins, lost):
    valid = roi_unpool(torch.ones(1, 1, 1, bins, bins), boxes_of(FULL), cells, cells)[1][0, 0]
    kept = cells - lost
    assert valid[:kept, :kept].all() and int(valid.sum()) == kept * kept


def test_batch_equals_loop():
    features, rois = torch.randn(3, 2, 9, 6), torch.randn(3, 4, 2, 5, 5)
    boxes = torch.rand(3, 4, 4)
    aligned, (values, valid) = roi_align(features, boxes, 5), roi_unpool(rois, boxes, 9, 6)
    for image in range(3):
        for n in range(4):
            one = boxes[image, n][None, None]
            torch.testing.assert_close(aligned[image, n], roi_align(features[image][None], one, 5)[0, 0])
            value, cells = roi_unpool(rois[image, n][None, None], one, 9, 6)
            torch.testing.assert_close(values[image, n], value[0, 0])
            assert torch.equal(valid[image, n], cells[0, 0])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_geometry_is_float32_in_half_precision(dtype):
    """Values differ by the rounding of input and output alone, and not one cell is lost."""
    boxes = boxes_of([0.13, 0.07, 0.61, 0.93], [0.4, 0.4, 1.1, 0.9], FULL)
    features, rois = torch.randn(1, 4, 64, 96).to(dtype), torch.randn(1, 3, 4, 25, 25).to(dtype)
    aligned = roi_align(features, boxes, 25)
    values, valid = roi_unpool(rois, boxes, 64, 96)
    assert aligned.dtype == values.dtype == dtype
    assert torch.equal(aligned, roi_align(features.float(), boxes, 25).to(dtype))
    expected, expected_valid = roi_unpool(rois.float(), boxes, 64, 96)
    assert torch.equal(values, expected.to(dtype)) and torch.equal(valid, expected_valid)


def test_gradients():
    boxes = boxes_of([0.1, -0.2, 0.8, 0.7], [0.4, 0.4, 0.45, 0.9])
    features = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    rois = torch.randn(1, 2, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: roi_align(x, boxes, 3), features)
    assert torch.autograd.gradcheck(lambda x: roi_unpool(x, boxes, 5, 6)[0], rois)


def test_autocast_leaves_the_operators_in_full_precision():
    features, boxes = torch.randn(1, 2, 16, 16), boxes_of([0.1, 0.2, 0.8, 0.9])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        aligned = roi_align(features, boxes, 7)
    assert torch.equal(aligned, roi_align(features, boxes, 7))


def test_no_boxes():
    none = torch.zeros(2, 0, 4)
    assert roi_align(torch.randn(2, 3, 8, 8), none, 7).shape == (2, 0, 3, 7, 7)
    values, valid = roi_unpool(torch.zeros(2, 0, 3, 7, 7), none, 8, 8)
    assert values.shape == (2, 0, 3, 8, 8) and valid.shape == (2, 0, 8, 8)


def test_devices_without_embedding_bag_get_the_same(monkeypatch):
    features, rois = torch.randn(2, 3, 9, 6), torch.randn(2, 4, 3, 5, 5)
    boxes = torch.rand(2, 4, 4)
    expected = roi_align(features, boxes, 5), roi_unpool(rois, boxes, 9, 6)[0]
    monkeypatch.setattr(sampling, "DEVICES_WITHOUT_EMBEDDING_BAG", ("cpu",))
    torch.testing.assert_close(roi_align(features, boxes, 5), expected[0], rtol=0, atol=1e-6)
    torch.testing.assert_close(roi_unpool(rois, boxes, 9, 6)[0], expected[1], rtol=0, atol=1e-6)
