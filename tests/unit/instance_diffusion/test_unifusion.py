"""UniFusion: golden tensors, nulls, formats and the grounding that feeds it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from devtools.goldens import grounding_of
from roictrl_core.instance_diffusion.config import FORMATS, Formats, InstanceDiffusionConfig
from roictrl_core.instance_diffusion.grounding import GroundedInstance, Grounding
from roictrl_core.instance_diffusion.model import InstanceDiffusion
from roictrl_core.instance_diffusion.unifusion import FREQUENCIES, UniFusion
from roictrl_core.layers import fourier_features

TOLERANCE = 2e-5


@pytest.fixture(scope="module")
def net(hashfill):
    net = UniFusion(16, 24, 32)
    hashfill.fill_module(net, "small.")
    return net


@pytest.fixture(scope="module")
def given(golden):
    return golden("unifusion_small")


def test_fourier_golden(golden):
    g = golden("fourier")
    assert torch.equal(fourier_features(g["x4"], FREQUENCIES), g["out4"])
    assert torch.equal(fourier_features(g["x40"], FREQUENCIES), g["out40"])


def test_fourier_is_float32_whatever_comes_in(golden):
    x = golden("fourier")["x4"].half()
    assert torch.equal(fourier_features(x, FREQUENCIES), fourier_features(x.float(), FREQUENCIES))


def test_unifusion_golden(net, given):
    result = net(grounding_of(given), FORMATS["scribble"])
    assert (result - given["out"]).abs().max() < TOLERANCE


def test_unifusion_inside_the_tiny_unet_golden(golden, hashfill):
    g = golden("tiny_unet")
    net = UniFusion(16, 16, 32)
    hashfill.fill_module(net, "tiny.position_net.")
    assert (net(grounding_of(g), FORMATS["mask"]) - g["objs"]).abs().max() < TOLERANCE


def test_null_tokens_do_not_depend_on_the_formats(net):
    null = Grounding.null(1, 16)
    results = [net(null, formats) for formats in FORMATS.values()]
    assert all(torch.equal(results[0], result) for result in results[1:])
    groups = results[0][0, :120].unflatten(0, (4, 30))
    assert torch.equal(groups, groups[:, :1].expand_as(groups))


@pytest.mark.parametrize("format, group", [("box", 0), ("point", 1), ("scribble", 2), ("mask", 3)])
def test_a_dropped_format_leaves_text_with_the_null_location(net, given, format, group):
    grounding = grounding_of(given)
    kept = {"box": True, "point": True, "scribble": True, "mask": True}
    result = net(grounding, Formats(**{**kept, format: False}))
    name = ("position", "point", "scribble", "polygon")[group]
    null = getattr(net, f"null_{name}_feature").expand(30, -1)
    used = grounding.used[0, :, None]
    text = used * grounding.text[0] + (1 - used) * net.null_positive_feature
    expected = net.linears_list[group](torch.cat([text, null], -1))
    assert (result[0, group * 30 : group * 30 + 30] - expected).abs().max() < TOLERANCE
    untouched = net(grounding, Formats(**kept))
    others = [slice(i * 30, i * 30 + 30) for i in range(4) if i != group]
    assert all(torch.equal(result[:, part], untouched[:, part]) for part in others)


def test_a_used_slot_without_scribble_is_published_zeros_or_on_request_the_null(net):
    one = Grounding.of([GroundedInstance((0.1, 0.2, 0.5, 0.6), torch.ones(16))], 16)
    text = torch.ones(16)
    published, nulled = (net(one, FORMATS["scribble"], null_missing=flag) for flag in (False, True))
    for group, name, width in ((2, "scribble", 40), (3, "polygon", 512)):
        zeros = torch.cat([text, fourier_features(torch.zeros(width), FREQUENCIES)])
        null = torch.cat([text, getattr(net, f"null_{name}_feature")])
        assert (published[0, group * 30] - net.linears_list[group](zeros)).abs().max() < TOLERANCE
        assert (nulled[0, group * 30] - net.linears_list[group](null)).abs().max() < TOLERANCE
    assert torch.equal(published[0, :60], nulled[0, :60])


def test_mask_presence_is_per_picture(net, given):
    g = grounding_of(given)
    without = Grounding(**{**g.tensors(), "masks": torch.stack([g.masks[0], torch.zeros_like(g.masks[1])])})
    mixed = net(without, FORMATS["mask"])
    assert (mixed[0, 120:] - given["out"][0, 120:]).abs().max() < TOLERANCE
    assert torch.equal(mixed[1, 120:], net(Grounding.null(1, 16))[0, 120:])


def test_all_formats_dropped_keeps_the_box():
    assert Formats(False, False, False, False) == Formats(True, False, False, False)


def test_box_and_mask_dropped_rules_out_instance_attention():
    assert [FORMATS[name].instance_attention for name in ("box", "mask", "point", "scribble")] == [
        True,
        True,
        False,
        True,
    ]


def test_grounding_of_instances():
    mask = np.zeros((64, 128), dtype=bool)
    mask[16:48, 32:96] = True
    stroke = np.array([[0.5, 0.5], [0.25, 0.5]])
    g = Grounding.of(
        [
            GroundedInstance((0.0, 0.0, 0.5, 1.0), torch.full((8,), 2.0)),
            GroundedInstance(
                (0.25, 0.25, 0.75, 0.75), torch.full((8,), 3.0), point=(0.3, 0.4), scribble=[stroke], mask=mask
            ),
            GroundedInstance((0.0, 0.0, 1.0, 1.0), torch.zeros(8), mask=mask),
        ],
        text_width=8,
    )
    assert g.used[0].tolist() == [1.0] * 3 + [0.0] * 27
    assert g.points[0, 0].tolist() == [0.25, 0.5]
    assert g.points[0, 1].tolist() == pytest.approx([0.3, 0.4])
    assert g.scribbles[0, 0].abs().sum() == 0 and g.polygons[0, 0].abs().sum() == 0
    xy = g.scribbles[0, 1].unflatten(0, (20, 2))
    assert xy[0].tolist() == [0.25, 0.5] and xy[-1].tolist() == [0.5, 0.5]
    drawn_by_mask = g.scribbles[0, 2].unflatten(0, (20, 2))
    assert (drawn_by_mask >= 0.25).all() and (drawn_by_mask < 0.75).all()
    polygon = g.polygons[0, 1].unflatten(0, (256, 2))
    assert polygon[:, 0].min() == pytest.approx(32 / 128) and polygon[:, 1].max() == pytest.approx(49 / 64)
    assert g.masks.shape == (1, 30, 512, 512) and g.masks[0, 1].mean() == pytest.approx(0.25)


def test_an_instance_inside_a_crop():
    mask = np.zeros((8, 8), dtype=bool)
    mask[:4, :4] = True
    instance = GroundedInstance(
        (0.25, 0.25, 0.75, 1.0),
        torch.zeros(1),
        point=(0.5, 0.4),
        mask=mask,
        scribble=[np.array([[0.1, 0.1], [0.3, 0.3]]), np.array([[0.9, 0.9]])],
    )
    crop = instance.cropped((0.0, 0.0, 0.5, 0.5))
    assert crop.box == (0.5, 0.5, 1.0, 1.0) and crop.point == (1.0, 0.8)
    assert [stroke.tolist() for stroke in crop.scribble] == [[[0.2, 0.2], [0.6, 0.6]]]
    assert crop.mask.shape == (4, 4) and crop.mask.all()
    assert instance.cropped((0.8, 0.0, 1.0, 1.0)) is None
    assert instance.cropped((0.0, 0.0, 0.5, 0.2)) is None


def test_too_many_instances_is_a_sentence():
    many = [GroundedInstance((0, 0, 1, 1), torch.zeros(4))] * 32
    with pytest.raises(ValueError, match="32 instances do not fit into the model's 30 slots. Remove 2"):
        Grounding.of(many, 4)


def test_state_dict_keys_equal_the_published_list(root):
    published = {}
    for line in (root / "tests" / "golden" / "instancediffusion" / "keys.txt").read_text().splitlines():
        if line.startswith("===="):
            section = line.split()[1].rstrip(":")
        elif line.count("\t") == 1 and section in ("position_net", "fuser", "scaleu"):
            key, shape = line.split("\t")
            published[key] = tuple(int(n) for n in shape.strip("()").split(",") if n)
    ours = {key: tuple(value.shape) for key, value in InstanceDiffusion(device="meta").state_dict().items()}
    assert len(ours) == 513 and ours == published
    assert InstanceDiffusionConfig.from_shapes(ours) == InstanceDiffusionConfig()
    assert InstanceDiffusionConfig.from_json(InstanceDiffusionConfig().to_json()) == InstanceDiffusionConfig()
