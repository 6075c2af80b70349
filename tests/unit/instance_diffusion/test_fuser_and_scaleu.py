"""Fuser, instance-masked attention and ScaleU against golden tensors and the literal reference."""

from __future__ import annotations

import pytest
import torch

from roictrl_core.instance_diffusion.fuser import InstanceFuser, allow_matrix, box_regions
from roictrl_core.instance_diffusion.scaleu import scale_decoder, scale_skip

TOLERANCE = 2e-5
BOXES = torch.tensor([[[0.0, 0.0, 0.5, 0.25], [0.30, 0.20, 0.95, 0.60], [0.4, 0.7, 0.6, 1.0], [0, 0, 0, 0]]])
USED = torch.tensor([[1.0, 1.0, 1.0, 0.0]])


@pytest.fixture(scope="module")
def small(golden):
    g = golden("fuser_small")
    fuser = InstanceFuser(32, 24, 2)
    fuser.load_state_dict({key[2:]: value for key, value in g.items() if key.startswith("w.")})
    return fuser, g


def test_fuser_golden(small):
    fuser, g = small
    assert (fuser(g["x"], fuser.project(g["objs"])) - g["out"]).abs().max() < TOLERANCE


def check_full_size(g, hashfill, every):
    """every: which of the visual tokens the file has results of."""
    fuser = InstanceFuser(320, 768, 8)
    hashfill.fill_module(fuser, "fuser320.")
    grounding = fuser.project(g["objs"])
    for scale in (1.0, 0.5):
        result = fuser(g["x"], grounding, scale)[:, ::every]
        assert (result - g[f"out_scale{scale:g}"]).abs().max() < TOLERANCE


def test_full_size_fuser_golden(golden, hashfill):
    check_full_size(golden("fuser_320"), hashfill, every=8)


def test_full_size_fuser_golden_at_every_token(full_golden, hashfill):
    check_full_size(full_golden("fuser_320"), hashfill, every=1)


def test_scale_zero_is_the_input_itself(small):
    fuser, g = small
    assert fuser(g["x"], fuser.project(g["objs"]), 0.0) is g["x"]


def test_half_precision_stays_half(small):
    fuser, g = small
    half = InstanceFuser(32, 24, 2).bfloat16()
    half.load_state_dict(fuser.state_dict())
    result = half(g["x"].bfloat16(), half.project(g["objs"].bfloat16()))
    assert result.dtype == torch.bfloat16
    assert (result.float() - g["out"]).abs().max() < 0.1


def test_box_regions_follow_the_published_transposition(reference):
    side = 16
    transposed = box_regions(BOXES, USED, side, side, transposed=True)
    corrected = box_regions(BOXES, USED, side, side, transposed=False)
    for slot in range(3):
        published = reference.published_box_mask(BOXES[0, slot].tolist(), side)
        assert (transposed[0, slot].flatten().numpy() == published).all()
        assert torch.equal(corrected[0, slot], transposed[0, slot].T)
    assert not transposed[0, 3].any()


def test_box_edges_round_half_to_even():
    box = torch.tensor([[[1.5 / 64, 2.5 / 64, 4.5 / 64, 5.5 / 64]]])
    region = box_regions(box, torch.ones(1, 1), 64, 64, transposed=False)[0, 0]
    rows, columns = region.nonzero().T
    assert (columns.min(), columns.max() + 1, rows.min(), rows.max() + 1) == (2, 4, 2, 6)


def test_published_attention_masks_golden(golden):
    masks = golden("points")["attmask64"].bool()
    for mask in masks:
        first, second = mask.nonzero().T  # x, y: the published masks are transposed
        box = torch.tensor([[[first.min(), second.min(), first.max() + 1, second.max() + 1]]]) / 64
        assert torch.equal(box_regions(box, torch.ones(1, 1), 64, 64, transposed=True)[0, 0], mask)


@pytest.mark.parametrize("height, width", [(8, 8), (6, 9)])
def test_allow_matrix_is_the_literal_one(reference, height, width):
    regions = box_regions(BOXES, USED, height, width, transposed=False)
    literal = reference.allow_matrix(regions[0].flatten(1).numpy(), seg_tokens=5)
    ours = allow_matrix(regions, seg_tokens=5)
    assert (ours[0].numpy() == literal[: height * width]).all()


def test_masked_fuser_is_the_literal_one(reference, small):
    fuser, _ = small
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 64, 32, generator=generator)
    objs = torch.randn(2, 4 * 4 + 64, 24, generator=generator)
    regions = box_regions(BOXES.expand(2, -1, -1), torch.stack([USED[0], torch.zeros(4)]), 8, 8, transposed=True)
    result = fuser(x, fuser.project(objs), 1.0, allow_matrix(regions))
    weights = fuser.state_dict()
    full = torch.from_numpy(reference.allow_matrix(regions[0].flatten(1).numpy()))
    assert (result[:1] - reference.fuser(weights, x[:1], objs[:1], 2, 1.0, full)).abs().max() < TOLERANCE
    # a row without instances (uncond) is not masked at all
    assert (result[1:] - reference.fuser(weights, x[1:], objs[1:], 2, 1.0)).abs().max() < TOLERANCE
    assert (result[0] - reference.fuser(weights, x[:1], objs[:1], 2, 1.0)[0]).abs().max() > 1e-3


@pytest.mark.parametrize("size", ["2x2", "5x7", "8x8", "12x20", "16x16", "64x64"])
@pytest.mark.parametrize("scale", [0.25, 1.7])
def test_low_frequency_filter_golden(golden, size, scale):
    g = golden("fourier_filter")
    gain = torch.atanh(torch.tensor([scale - 1.0]))
    assert (scale_skip(g[f"x_{size}"], gain) - g[f"out_{size}_s{scale}"]).abs().max() < TOLERANCE


@pytest.mark.parametrize("shape", [(1, 2, 1, 1), (1, 2, 1, 6), (1, 2, 3, 1), (2, 3, 7, 4)])
def test_skip_filter_equals_the_fourier_transform(reference, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    gain = torch.tensor([0.6])
    assert (scale_skip(x, gain) - reference.scaleu_skip(x, gain)).abs().max() < TOLERANCE


def check_scaleu(g, blocks):
    for block in blocks:
        h = scale_decoder(g[f"h_in.{block}"], g[f"scaleu_b_{block}"])
        skip = scale_skip(g[f"hs_in.{block}"], g[f"scaleu_s_{block}"])
        assert (torch.cat([h, skip], 1) - g[f"cat_out.{block}"]).abs().max() < TOLERANCE


def test_scaleu_golden(golden):
    check_scaleu(golden("scaleu_tiny"), (0, 5, 8))


def test_scaleu_golden_at_every_output_block(full_golden):
    check_scaleu(full_golden("scaleu_tiny"), range(12))


def test_scaleu_computes_in_float32_and_casts_back():
    x = torch.randn(1, 4, 9, 5, generator=torch.Generator().manual_seed(0)).half()
    gain = torch.tensor([0.3], dtype=torch.float16)
    assert torch.equal(scale_skip(x, gain), scale_skip(x.float(), gain).half())
    assert torch.equal(scale_decoder(x, gain.expand(4)), scale_decoder(x.float(), gain.expand(4)).half())
