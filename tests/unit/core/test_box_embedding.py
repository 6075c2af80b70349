"""Box tokens against the golden files and the literal reference."""

from __future__ import annotations

import pytest
import torch

from roictrl_core.box_embedding import FREQUENCIES, BoxEmbedding
from roictrl_core.layers import fourier_features


def embedding(weights: dict) -> BoxEmbedding:
    module = BoxEmbedding(weights["linears.4.weight"].shape[0], weights["linears.0.weight"].shape[0])
    module.load_state_dict(weights)
    return module


@pytest.mark.parametrize("name", ["bbox_proj_1", "bbox_proj_5", "bbox_proj_b2"])
def test_golden(golden, reference, name):
    tensors, _ = golden(name)
    boxes, mask = tensors["boxes"], tensors["masks"] > 0
    torch.testing.assert_close(fourier_features(boxes, FREQUENCIES)[mask], tensors["fourier"][mask], rtol=0, atol=2e-6)
    module = embedding(reference.sub(tensors, "position_net."))
    with torch.no_grad():
        torch.testing.assert_close(module(boxes, mask), tensors["objs"], rtol=1e-5, atol=2e-6)


def test_golden_of_a_block(golden, reference):
    tensors, _ = golden("roifuser_l64_b2")
    boxes, mask = torch.zeros(2, 30, 4), torch.zeros(2, 30, dtype=torch.bool)
    boxes[:, :3], mask[:, :3] = tensors["boxes"], tensors["masks"] > 0
    weights = reference.sub(tensors, "position_net.")
    with torch.no_grad():
        tokens = embedding(weights)(boxes, mask)
    torch.testing.assert_close(tokens, tensors["objs"], rtol=1e-5, atol=2e-6)
    torch.testing.assert_close(tokens, reference.box_tokens(weights, boxes, mask), rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_float32_whatever_the_weights(dtype):
    module = BoxEmbedding(8, 16)
    boxes, mask = torch.rand(1, 5, 4), torch.tensor([[True, True, False, True, False]])
    half = BoxEmbedding(8, 16).to(dtype)
    half.load_state_dict(module.state_dict())
    module.load_state_dict(half.state_dict())  # the rounded weights
    with torch.autocast("cpu", dtype=torch.bfloat16):
        tokens = half(boxes, mask)
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, module(boxes, mask), rtol=1e-6, atol=1e-6)


def test_an_empty_slot_has_the_null_token_whatever_its_box():
    module = BoxEmbedding(8, 16)
    boxes = torch.rand(1, 2, 4)
    boxes[0, 0] = torch.nan
    tokens = module(boxes, torch.zeros(1, 2, dtype=torch.bool))
    assert torch.equal(tokens[0, 0], tokens[0, 1])
