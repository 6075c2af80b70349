"""Adaptive ROI size inside ComfyUI; its numerics are held in tests/unit/core/test_fuser.py."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture
def plans(pack, monkeypatch) -> list:
    """Every level's plan that is made."""
    module, made = pack.module("roictrl_core.adapter"), []
    plan_level = module.plan_level

    def noting(*args, **kwargs):
        made.append(plan_level(*args, **kwargs))
        return made[-1]

    monkeypatch.setattr(module, "plan_level", noting)
    return made


def test_off_is_the_fixed_grid(model, apply, two_boxes, sample, plans):
    assert torch.equal(sample(apply(model, two_boxes, adaptive_roi_size=False)), sample(apply(model, two_boxes)))
    assert {group.grid for plan in plans for group in plan.groups} <= {(side, side) for side in (25, 19, 13, 7)}


def test_every_row_and_level_has_grids_of_its_boxes(model, apply, two_boxes, sample, plans):
    sample(apply(model, two_boxes, adaptive_roi_size=True), shape=(2, 4, 16, 24))
    finest = next(plan for plan in plans if (plan.height, plan.width) == (16, 24))
    assert [(group.stop - group.start, group.grid) for group in finest.groups] == [(4, (10, 13)), (4, (12, 11))]
    assert {(plan.height, plan.width) for plan in plans} == {(16, 24), (8, 12), (4, 6), (2, 3)}


def test_a_crop_has_grids_of_its_own_cells(model, apply, layout, sample, prompts, plans):
    area = [[text, {**extra, "area": (8, 12, 0, 0), "strength": 1.0}] for text, extra in prompts[0]]
    boxes = layout(((0.0, 0.0, 0.25, 0.5), "a red fox"))
    sample(apply(model, boxes, adaptive_roi_size=True), positive=area)
    grids = {group.grid for plan in plans if (plan.height, plan.width) == (8, 12) for group in plan.groups}
    assert grids == {(8, 6), (4, 3)}  # of the crop, and of the whole picture a level further down


def test_an_override_that_knows_places_gets_those_of_the_boxes(model, apply, two_boxes, sample):
    told = []

    def override(attention, q, k, v, *args, **kwargs):
        height, width = kwargs["transformer_options"]["activations_shape"][-2:]
        told.append((height, width))
        assert q.shape[1] == height * width
        return attention(q, k, v, *args, **kwargs)

    patched = apply(model, two_boxes, adaptive_roi_size=True).clone()
    patched.model_options["transformer_options"]["optimized_attention_override"] = override
    assert torch.allclose(sample(patched), sample(apply(model, two_boxes, adaptive_roi_size=True)), atol=1e-4)
    assert (10, 13) in told


def test_a_map_is_read_at_each_grid_as_the_method_reads_its_own(pack):
    instances = pack.module("roictrl_core.instances").InstanceBatch.from_boxes(
        torch.tensor([[[0, 0, 1, 1], [0, 0, 0.5, 0.25], [0, 0.5, 1, 1], [0.5, 0.5, 1, 0.75]]]), slots=4
    )
    plan = pack.module("roictrl_core.plan").plan_level(instances, size=5, height=8, width=8, adaptive=True)
    maps = torch.rand(1, 64, 3)
    at_rois, rows = (
        getattr(pack.module(module), name)
        for module, name in (("nodes.patch.methods.roictrl", "_at_rois"), ("roictrl_core.sampling", "weighted_rows"))
    )
    everything = rows(maps[0], *plan.align)
    for group in plan.groups:
        pairs = plan.active[group.start : group.stop]
        wanted = everything[group.all_bins].unflatten(0, (-1, group.bins))
        assert torch.equal(at_rois(plan, maps, pairs), wanted)
        assert torch.equal(at_rois(plan, maps, pairs[-1:]), wanted[-1:])
    assert sorted(plan.active) == [0, 1, 2, 3] and len(plan.groups) == 3
