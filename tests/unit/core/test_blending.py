"""The blending alone: golden files, the slot permutation, strength."""

from __future__ import annotations

import pytest
import torch

from devtools.goldens import blending_of, plan_of_maps
from roictrl_core.blending import slot_order
from roictrl_core.instances import InstanceBatch


@torch.no_grad()
@pytest.mark.parametrize("name", ["fuse_3roi", "fuse_wide_b2", "fuse_perm"])
def test_golden(golden, name):
    tensors, _ = golden(name)
    slots, foreground = tensors["x"], tensors["fg_mask"].bool()
    plan = plan_of_maps(foreground[:, 1:])
    a = slots[:, 0].flatten(2).transpose(1, 2)  # [B, T, C]
    rois = slots[plan.pair_row, 1 + plan.pair_slot].flatten(2).transpose(1, 2).flatten(0, 1)  # [A * T, C]
    used = foreground[:, 1:].flatten(2).any(2)
    instances = InstanceBatch(torch.zeros(*used.shape, 4), used, used, torch.ones(used.shape))
    blend = blending_of(tensors)(a, rois, instances, plan, tensors["perm"])
    torch.testing.assert_close(
        blend.fused.transpose(1, 2).view_as(tensors["out"]), tensors["out"], rtol=1e-5, atol=2e-6
    )
    torch.testing.assert_close(blend.global_weight, tensors["fuse_weight"][:, 0].flatten(1), rtol=1e-5, atol=2e-6)
    assert torch.equal(blend.foreground, foreground[:, 1:].any(1).flatten(1))


def test_slot_order_depends_on_its_arguments_alone():
    orders = {
        (seed, call, block): slot_order(30, seed, call, block)
        for seed in (0, 1, 2**63)
        for call in (0, 1)
        for block in range(3)
    }
    for arguments, order in orders.items():
        assert torch.equal(order, slot_order(30, *arguments))
        assert sorted(order.tolist()) == list(range(30))
    assert len({tuple(order.tolist()) for order in orders.values()}) == len(orders)
