"""Which instances get a slot, and the batch that holds them."""

from __future__ import annotations

import torch

from roictrl_core.coverage import PlacedMask, SoftMask
from roictrl_core.instances import InstanceBatch, largest
from roictrl_core.training.batches import Batch


def masked() -> InstanceBatch:
    """Two pictures of two instances, one of them behind a mask."""
    mask = PlacedMask(SoftMask(torch.ones(4, 4, dtype=torch.bool), (0.0, 0.0)), (0.0, 0.0, 1.0, 1.0))
    plain = InstanceBatch.from_boxes(torch.rand(2, 2, 4), slots=3)
    return InstanceBatch(plain.boxes, plain.roi_mask, plain.token_mask, plain.strength, {(1, 0): mask})


def test_another_device_keeps_masks():
    instances = masked()
    moved = instances.to("meta")
    assert moved.masks == instances.masks and len(moved.masks) == 1
    assert {t.device.type for t in (moved.boxes, moved.roi_mask, moved.token_mask, moved.strength)} == {"meta"}


def test_a_training_batch_keeps_masks_on_another_device():
    instances = masked()
    latents, context = torch.zeros(2, 4, 8, 8), torch.zeros(2, 7, 5)
    batch = Batch(latents, latents, torch.zeros(2), instances, context, None, (context[0],), (0, 0, 0, 0), (0, 1))
    moved = batch.to("meta")
    assert moved.instances.masks == instances.masks and moved.texts[0].device.type == "meta"


def test_the_largest_are_kept_in_drawing_order():
    assert largest([0.3, 0.1, 0.5, 0.2], 2) == ([0, 2], [1, 3])
    assert largest([0.3, 0.1], 30) == ([0, 1], [])
