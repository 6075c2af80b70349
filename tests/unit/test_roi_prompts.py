"""The fuser without an adapter: weights at edges and overlaps, and the sum that it makes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from roictrl_core.coverage import PlacedMask, SoftMask
from roictrl_core.instances import InstanceBatch
from roictrl_core.roi_prompts import edge_weights, fuse_prompts, plan_patches

CPU = torch.device("cpu")


def instances(*boxes, strength=None) -> InstanceBatch:
    batch = InstanceBatch.from_boxes(torch.tensor([boxes]), slots=len(boxes))
    return (
        batch
        if strength is None
        else InstanceBatch(batch.boxes, batch.roi_mask, batch.token_mask, torch.tensor([strength]))
    )


def dense(patches, rows, height, width):
    """Every patch's weight on the whole map: [patches, rows, H, W]."""
    maps = torch.zeros(len(patches), rows, height, width)
    for i, p in enumerate(patches):
        maps[i, p.row, p.top : p.bottom, p.left : p.right] = p.weight
    return maps


@given(st.floats(0, 0.9), st.floats(0.01, 0.5), st.integers(1, 40))
@settings(deadline=None)
def test_edges_are_the_share_of_each_cell(low, length, size):
    high = min(1.0, low + length)
    cell = torch.arange(size) / size
    covered = ((cell + 1 / size).clamp(max=high) - cell.clamp(min=low)).clamp(min=0) * size
    weights = edge_weights(low, high, size)
    if (high - low) * size >= 1:
        assert torch.allclose(weights, covered.float(), atol=1e-4)
    assert (weights <= 1).all() and (weights >= 0).all() and (weights > 0).any()


def test_edges_by_hand():
    assert edge_weights(0.25, 0.75, 8).tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert edge_weights(0.25, 0.6875, 8).tolist() == [0, 0, 1, 1, 1, 0.5, 0, 0]
    assert edge_weights(-0.5, 2.0, 4).tolist() == [1, 1, 1, 1]


def test_overlapping_boxes_share_what_the_global_prompt_leaves():
    patches = plan_patches(instances((0.0, 0.0, 1.0, 1.0), (0.5, 0.0, 1.0, 1.0)), 8, 8, 0.2, CPU)
    first, second = dense(patches, 1, 8, 8)[:, 0]
    assert torch.allclose(first[:, :4], torch.tensor(0.8)) and torch.allclose(first[:, 4:], torch.tensor(0.4))
    assert torch.allclose(second[:, 4:], torch.tensor(0.4)) and patches[1].size == (8, 4)


def test_strength_scales_a_box_and_its_share():
    patches = plan_patches(instances((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0), strength=(0.5, 2.0)), 4, 4, 0.0, CPU)
    left, right = dense(patches, 1, 4, 4)[:, 0]
    assert torch.allclose(left[:, :2], torch.tensor(0.5)) and torch.allclose(right[:, 2:], torch.tensor(1.0))


def masked(batch: InstanceBatch, mask: torch.Tensor, feather: float) -> InstanceBatch:
    """The batch with a mask on its first instance."""
    placed = PlacedMask(SoftMask(mask, (feather, feather)), (0.0, 0.0, 1.0, 1.0))
    return InstanceBatch(batch.boxes, batch.roi_mask, batch.token_mask, batch.strength, {(0, 0): placed})


def test_an_instance_weighs_what_its_mask_covers_and_leaves_the_rest_to_those_beneath():
    both = instances((0.0, 0.0, 1.0, 1.0), (0.0, 0.0, 1.0, 1.0))
    left = torch.zeros(16, 16, dtype=torch.bool)
    left[:, :8] = True
    first, second = dense(plan_patches(masked(both, left, 4.0), 8, 8, 0.2, CPU), 1, 8, 8)[:, 0]
    cover = PlacedMask(SoftMask(left, (4.0, 4.0)), (0, 0, 1, 1)).mask.coverage((0, 0, 1, 1), 8, 8)
    assert 0 < cover[0, 4] < 0.5 < cover[0, 3] < 1
    torch.testing.assert_close(first, 0.8 * cover / (1 + cover))
    torch.testing.assert_close(second, 0.8 / (1 + cover))


def test_a_mask_without_a_pixel_in_the_box_leaves_no_patch():
    right = torch.zeros(16, 16, dtype=torch.bool)
    right[:, 12:] = True
    [patch] = plan_patches(masked(instances((0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)), right, 0.0), 8, 8, 0.2, CPU)
    assert patch.pair == 1


def test_a_box_outside_or_without_area_has_no_patch():
    assert plan_patches(instances((1.2, 0.0, 1.5, 1.0), (0.5, 0.5, 0.5, 0.5)), 8, 8, 0.2, CPU) == []


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_sum_against_a_dense_reference(dtype):
    """a + sum of weight * (the box's reading of the whole map - a), computed cell by cell on the whole map."""
    torch.manual_seed(0)
    boxes, (height, width) = instances((0.1, 0.2, 0.7, 0.9), (0.4, 0.0, 0.95, 0.5), (0.3, 0.3, 0.32, 0.33)), (7, 9)
    a, n = (torch.randn(1, height * width, 5, dtype=dtype) for _ in range(2))
    readings = torch.randn(3, 5, dtype=dtype)
    patches = plan_patches(boxes, height, width, 0.25, CPU)
    got = fuse_prompts(
        a, n, patches, (height, width), lambda cells, pairs, size: cells * readings[pairs].view(len(pairs), 1, -1)
    )
    want = a.clone()
    for patch, weight in zip(patches, dense(patches, 1, height, width), strict=True):
        want = want + weight.flatten(1)[..., None].to(dtype) * (n * readings[patch.pair] - a)
    assert got.dtype == dtype
    assert torch.allclose(got, want, atol=1e-5 if dtype != torch.bfloat16 else 0.1)


def test_without_patches_nothing_changes():
    a = torch.randn(2, 12, 4)
    assert torch.equal(fuse_prompts(a, a, [], (3, 4), None), a)
