"""Adapter and config: the published keys, any other UNet, JSON both ways."""

from __future__ import annotations

import json

import pytest
import torch

from roictrl_core.adapter import ROICtrlAdapter
from roictrl_core.config import AdapterConfig, BlockConfig
from roictrl_core.instances import InstanceBatch

SDXL = {
    "model_channels": 320,
    "channel_mult": [1, 2, 4],
    "num_res_blocks": [2, 2, 2],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "transformer_depth_middle": 10,
    "num_head_channels": 64,
    "num_heads": -1,
}
PUBLISHED_BLOCKS = {  # spec/roictrl.md section 2
    "down_blocks.0.attentions.0": ("input", 1, 320), "down_blocks.0.attentions.1": ("input", 2, 320),
    "down_blocks.1.attentions.0": ("input", 4, 640), "down_blocks.1.attentions.1": ("input", 5, 640),
    "down_blocks.2.attentions.0": ("input", 7, 1280), "down_blocks.2.attentions.1": ("input", 8, 1280),
    "mid_block.attentions.0": ("middle", 0, 1280),
    "up_blocks.1.attentions.0": ("output", 3, 1280), "up_blocks.1.attentions.1": ("output", 4, 1280), "up_blocks.1.attentions.2": ("output", 5, 1280),
    "up_blocks.2.attentions.0": ("output", 6, 640), "up_blocks.2.attentions.1": ("output", 7, 640), "up_blocks.2.attentions.2": ("output", 8, 640),
    "up_blocks.3.attentions.0": ("output", 9, 320), "up_blocks.3.attentions.1": ("output", 10, 320), "up_blocks.3.attentions.2": ("output", 11, 320),
}  # fmt: skip


@pytest.fixture(scope="module")
def published(root):
    """Shape by published key."""
    return json.loads((root / "tests" / "golden" / "roictrl" / "keys.json").read_text())


def shapes_of(config: AdapterConfig) -> dict:
    return {key: list(t.shape) for key, t in ROICtrlAdapter(config, device="meta").state_dict().items()}


def test_sd15_has_the_published_keys_and_shapes(published):
    assert shapes_of(AdapterConfig.sd15()) == published
    assert sum(p.numel() for p in ROICtrlAdapter(AdapterConfig.sd15(), device="meta").parameters()) == 249_204_464


def test_published_blocks():
    blocks = AdapterConfig.sd15().blocks
    assert {b.name.removesuffix(".transformer_blocks.0"): (*b.comfy, b.channels) for b in blocks} == PUBLISHED_BLOCKS
    assert [b.level for b in blocks] == [0, 0, 1, 1, 2, 2, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    assert all(b.heads == 8 and b.index == 0 for b in blocks)


def test_recognised_from_keys(published, golden):
    assert AdapterConfig.from_state_dict(published) == AdapterConfig.sd15()
    small = {key: t.shape for key, t in golden("adapter_smallA")[0].items()}
    config = AdapterConfig.from_state_dict(small)
    assert [b.channels for b in config.blocks] == [32] * 2 + [64] * 11 + [32] * 3
    assert shapes_of(config) == {key: list(shape) for key, shape in small.items()}


def test_sdxl():
    config = AdapterConfig.for_unet(SDXL)
    assert len(config.blocks) == 2 * 2 + 2 * 10 + 10 + 3 * 10 + 3 * 2
    assert {b.comfy for b in config.blocks} == {*(("input", i) for i in (4, 5, 7, 8)), ("middle", 0), *(("output", i) for i in range(6))}
    assert config.block(("output", 2), 9) == BlockConfig("up_blocks.0.attentions.2.transformer_blocks.9", ("output", 2), 9, 1280, 20, 2)
    assert config.block(("input", 4), 1) == BlockConfig("down_blocks.1.attentions.0.transformer_blocks.1", ("input", 4), 1, 640, 10, 1)
    assert AdapterConfig.from_state_dict(shapes_of(config)) == config


def test_grids_slots_and_widths_come_from_the_config():
    config = AdapterConfig.for_unet({**SDXL, "model_channels": 16, "num_head_channels": 4}, grids=(16, 8, 4), slots=6, token_width=24, token_hidden=40)
    adapter = ROICtrlAdapter(config)
    instances = InstanceBatch.from_boxes(torch.rand(2, 3, 4), slots=6)
    assert adapter.box_tokens(instances).shape == (2, 6, 24)
    fuser = adapter.fuser(("middle", 0), 9)
    assert fuser.context_proj.in_features == 24 and fuser.roiattn_fuser.channel_gate.mlp[0].in_features == 7
    assert adapter.fuser(("input", 1)) is None and adapter.fuser(("input", 4), 2) is None


def test_more_instances_than_slots():
    with pytest.raises(ValueError, match=r"^7 instances do not fit the adapter's 6 slots\. Remove or merge 1 of them\.$"):
        InstanceBatch.from_boxes(torch.rand(1, 7, 4), slots=6)


def test_a_level_without_a_grid():
    with pytest.raises(ValueError, match="level 2, but the adapter's config has ROI grids for 2 levels only"):
        AdapterConfig.for_unet(SDXL, grids=(16, 8))


@pytest.mark.parametrize("config", [AdapterConfig.sd15(64, heads=4), AdapterConfig.for_unet(SDXL, slots=12)])
def test_json_round_trip(config):
    assert AdapterConfig.from_json(config.to_json()) == config


def test_layers_come_from_operations():
    class Operations(torch.nn.Module):
        made = []

        def __getattr__(self, name):
            self.made.append(name)
            return getattr(torch.nn, name)

    ROICtrlAdapter(AdapterConfig.sd15(16, heads=2), Operations())
    assert set(Operations.made) == {"Linear", "LayerNorm", "Conv2d"}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"boxes": torch.zeros(2, 3)}, r"must have the shape \[rows, slots, 4\]"),
        ({"roi_mask": torch.zeros(2, 4, dtype=torch.bool)}, r"roi_mask must have the shape \[rows, slots\] = \[2, 3\], not \[2, 4\]"),
    ],
)
def test_instances_that_do_not_belong_together(change, sentence):
    good = {"boxes": torch.zeros(2, 3, 4), "roi_mask": torch.ones(2, 3) > 0, "token_mask": torch.ones(2, 3) > 0, "strength": torch.ones(2, 3)}
    with pytest.raises(ValueError, match=sentence):
        InstanceBatch(**{**good, **change})
