"""Instances with masks, in both Apply nodes: where they show, and what a mask must leave alone."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import pytest
import torch

BOX = (0.1, 0.1, 0.9, 0.9)
HEIGHT, WIDTH = 128, 192  # pixels of the test's picture


@pytest.fixture(params=["adapter", "prompts"])
def patched(request, model, apply, apply_prompts) -> Callable:
    """patched(layout, settings...) -> MODEL, by Apply ROICtrl and by Apply ROI Prompts."""
    if request.param == "adapter":
        return lambda boxes, **settings: apply(model, boxes, **settings)
    return lambda boxes, **settings: apply_prompts(model, boxes, end_percent=1.0, **settings)


@pytest.fixture
def masked(pack, layout) -> Callable:
    """masked(bool array or None, ...) -> a layout of one box per mask, all in the same place."""
    of = pack.module("roictrl_core.masks").RunLengthMask.from_array
    captions = ("a red fox", "a blue bird", "a stone")
    return lambda *masks: layout(
        *(
            (BOX, caption, {} if mask is None else {"mask": of(mask)})
            for caption, mask in zip(captions, masks, strict=False)
        )
    )


def left(share: float = 0.5) -> np.ndarray:
    """The left part of the picture."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[:, : round(WIDTH * share)] = True
    return mask


def test_a_mask_of_ones_is_no_mask(patched, masked, sample):
    ones, none, some = (sample(patched(masked(mask))) for mask in (np.ones((HEIGHT, WIDTH), bool), None, left()))
    assert torch.equal(ones, none) and not torch.equal(some, none)


def test_a_mask_changes_the_picture_and_so_does_its_feather(patched, masked, sample):
    whole, hard, soft = (
        sample(patched(masked(mask), **more), steps=1)
        for mask, more in ((None, {}), (left(), {"mask_feather": 0}), (left(), {"mask_feather": 64}))
    )
    assert not torch.allclose(hard, whole, atol=1e-3) and not torch.allclose(soft, hard, atol=1e-4)
    assert torch.equal(
        sample(patched(masked(left())), steps=1), sample(patched(masked(left()), mask_feather=8), steps=1)
    )


def test_an_empty_mask_leaves_nothing_of_the_instance_and_says_so(model, apply_prompts, masked, sample, caplog):
    with caplog.at_level(logging.WARNING, "ROICtrl"):
        empty = apply_prompts(model, masked(np.zeros((4, 4), bool)), end_percent=1.0)
    assert torch.equal(sample(empty), sample(model))
    assert not torch.equal(sample(apply_prompts(model, masked(left()), end_percent=1.0)), sample(model))
    assert "Apply ROI Prompts: The mask of instance 1 ('a red fox') is empty; nothing of it can appear." in caplog.text


def test_a_mask_beside_its_box_is_said(patched, layout, pack, caplog):
    mask = pack.module("roictrl_core.masks").RunLengthMask.from_array(left(0.25))
    with caplog.at_level(logging.WARNING, "ROICtrl"):
        patched(layout(((0.5, 0.1, 0.9, 0.9), "a red fox", {"mask": mask})))
    assert (
        "The mask of instance 1 ('a red fox') lies outside its box" in caplog.text
        and "Move the box over the mask" in caplog.text
    )


@pytest.fixture
def blends(pack, monkeypatch) -> list:
    """(plan, global weight [B, T]) of every adapted block of the calls that follow."""
    blending, seen = pack.module("roictrl_core.blending").AttentionBlending, []
    forward = blending.forward

    def watched(self, a, rois, instances, plan, order=None):
        blend = forward(self, a, rois, instances, plan, order)
        seen.append((plan, blend.global_weight))
        return blend

    monkeypatch.setattr(blending, "forward", watched)
    return seen


def test_the_global_slot_gets_what_the_mask_takes_in_every_row(model, apply, masked, sample, blends):
    """A batch of two, positive and negative: rows of one cond each, of which both instances are masked in all."""
    sample(apply(model, masked(left(), left(0.25)), mask_feather=0), steps=1, shape=(2, 4, 16, 24))
    plan, weight = max(blends, key=lambda seen: seen[0].width)
    maps = weight.view(-1, plan.height, plan.width)
    assert len(maps) == 4 and (plan.height, plan.width) == (16, 24)
    assert (maps[:, :, 12:] == 1).all()  # right of both masks
    covered = plan.coverage.amax(1) > 0
    assert (weight.flatten()[plan.cells[covered]] < 1).all()  # an instance shows in every cell that its mask covers
    assert (maps[:, 8, 6:11] > 0).all() and (maps[:, 8, 6:11] < 1).all()


def test_masks_are_averaged_once_per_level_and_run(pack, model, apply, masked, sample, monkeypatch):
    soft, calls = pack.module("roictrl_core.coverage").SoftMask, []
    coverage = soft.coverage
    monkeypatch.setattr(
        soft,
        "coverage",
        lambda self, frame, height, width: calls.append((height, width)) or coverage(self, frame, height, width),
    )
    sample(apply(model, masked(left())), steps=3, shape=(2, 4, 16, 24))
    assert sorted(calls) == [(2, 3), (4, 6), (8, 12), (16, 24)]


def test_an_area_sees_its_part_of_the_mask(model, apply, masked, sample, prompts, blends):
    """The right half of the picture, where a mask of the left three quarters covers the crop's left half."""
    area = [[prompts[0][0][0], {**prompts[0][0][1], "area": (16, 12, 0, 12), "strength": 1.0}]]
    sample(apply(model, masked(left(0.75)), mask_feather=0), positive=area, steps=1)
    crops = [
        weight.view(-1, plan.height, plan.width) for plan, weight in blends if (plan.height, plan.width) == (16, 12)
    ]
    assert crops
    for maps in crops:
        assert (maps[:, :, 6:] == 1).all() and (maps[:, 4:12, :6] < 0.999).all()


def test_graphs_saved_before_there_was_a_setting_still_run(pack):
    """What came later is optional and last, so that widgets saved in order keep their places."""
    later = {
        "apply.ApplyROICtrl": [
            ("mask_feather", 8),
            ("speed", "exact"),
            ("computed_share", 0.3),
            ("compute_every", 4),
            ("adaptive_roi_size", False),
        ],
        "roi_prompts.ApplyROIPrompts": [
            ("mask_feather", 8),
            ("blocks", "all"),
            ("own_pass", 0.0),
            ("own_margin", 0.15),
            ("own_patch", 0.3),
        ],
        "instance_diffusion.ApplyInstanceDiffusion": [
            ("speed", "exact"),
            ("computed_share", 0.3),
            ("compute_every", 4),
        ],
    }
    for name, wanted in later.items():
        module, node = name.split(".")
        inputs = getattr(pack.module(f"nodes.{module}"), node).define_schema().inputs[-len(wanted) :]
        assert [(entry.id, entry.default) for entry in inputs] == wanted
        assert all(entry.optional for entry in inputs)
