"""The blending alone: golden files, the slot permutation, strength."""

from __future__ import annotations

import pytest
import torch

from roictrl_core.blending import AttentionBlending, slot_order
from roictrl_core.instances import InstanceBatch
from roictrl_core.plan import LevelPlan
from roictrl_core.roi import Taps


def plan_of_maps(foreground: torch.Tensor) -> LevelPlan:
    """A plan for slots that are whole maps already: `[B, S, H, W]` bool; ROI bin i is cell i."""
    batch, _, height, width = foreground.shape
    pairs = foreground.flatten(2).any(2).nonzero()  # [A, 2]
    shown = foreground[pairs[:, 0], pairs[:, 1]].flatten(1)  # [A, T]
    by_row = torch.stack([(pairs[:, 0] == row)[:, None] & shown for row in range(batch)])  # [B, A, T]
    by_cell = by_row.transpose(1, 2).flatten(0, 1)  # [B * T, A]
    cells = by_cell.any(1).nonzero().flatten()
    cell_pair = [by_cell[cell].nonzero().flatten() for cell in cells]
    table = torch.nn.utils.rnn.pad_sequence(cell_pair, batch_first=True, padding_value=len(pairs))  # [N, K]
    index = table.clamp(max=len(pairs) - 1) * height * width + (cells % (height * width))[:, None]
    weight = torch.stack([table < len(pairs), *[torch.zeros_like(table, dtype=torch.bool)] * 3], dim=-1).float()
    none = Taps(torch.zeros(0, 16), torch.zeros(0, 16))
    unpool = Taps(index[..., None].expand(-1, -1, 4).int(), weight)
    return LevelPlan(
        0,
        batch,
        height,
        width,
        tuple(range(len(pairs))),
        pairs[:, 0],
        pairs[:, 1],
        none,
        cells,
        table,
        unpool,
        shown.all(1),
    )


def blending(reference, tensors: dict) -> AttentionBlending:
    weights = reference.sub(tensors, "w.")
    module = AttentionBlending(
        weights["channel_reduction.weight"].shape[1], weights["channel_gate.mlp.0.weight"].shape[0] - 1
    )
    module.load_state_dict(weights)
    return module


@torch.no_grad()
@pytest.mark.parametrize("name", ["fuse_3roi", "fuse_wide_b2", "fuse_perm"])
def test_golden(golden, reference, name):
    tensors, _ = golden(name)
    slots, foreground = tensors["x"], tensors["fg_mask"].bool()
    plan = plan_of_maps(foreground[:, 1:])
    a = slots[:, 0].flatten(2).transpose(1, 2)  # [B, T, C]
    rois = slots[plan.pair_row, 1 + plan.pair_slot].flatten(2).transpose(1, 2)  # [A, T, C]
    used = foreground[:, 1:].flatten(2).any(2)
    instances = InstanceBatch(torch.zeros(*used.shape, 4), used, used, torch.ones(used.shape))
    blend = blending(reference, tensors)(a, rois, instances, plan, tensors["perm"])
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
