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
PUBLISHED_BLOCKS = {  # docs/roictrl.md section 8
    "down_blocks.0.attentions.0": 320, "down_blocks.0.attentions.1": 320,
    "down_blocks.1.attentions.0": 640, "down_blocks.1.attentions.1": 640,
    "down_blocks.2.attentions.0": 1280, "down_blocks.2.attentions.1": 1280,
    "mid_block.attentions.0": 1280,
    "up_blocks.1.attentions.0": 1280, "up_blocks.1.attentions.1": 1280, "up_blocks.1.attentions.2": 1280,
    "up_blocks.2.attentions.0": 640, "up_blocks.2.attentions.1": 640, "up_blocks.2.attentions.2": 640,
    "up_blocks.3.attentions.0": 320, "up_blocks.3.attentions.1": 320, "up_blocks.3.attentions.2": 320,
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
    assert {b.name.removesuffix(".transformer_blocks.0"): b.channels for b in blocks} == PUBLISHED_BLOCKS
    assert [b.level for b in blocks] == [0, 0, 1, 1, 2, 2, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    assert all(b.heads == 8 for b in blocks)


def test_recognised_from_keys(published, golden):
    assert AdapterConfig.from_state_dict(published) == AdapterConfig.sd15()
    small = {key: t.shape for key, t in golden("adapter_smallA")[0].items()}
    config = AdapterConfig.from_state_dict(small)
    assert [b.channels for b in config.blocks] == [32] * 2 + [64] * 11 + [32] * 3
    assert shapes_of(config) == {key: list(shape) for key, shape in small.items()}


def test_sdxl():
    config = AdapterConfig.for_unet(SDXL)
    assert len(config.blocks) == 2 * 2 + 2 * 10 + 10 + 3 * 10 + 3 * 2
    assert {b.name.rsplit(".", 2)[0] for b in config.blocks} == {
        "mid_block.attentions.0", *(f"down_blocks.{level}.attentions.{layer}" for level in (1, 2) for layer in (0, 1)),
        *(f"up_blocks.{level}.attentions.{layer}" for level in (0, 1) for layer in (0, 1, 2))}  # fmt: skip
    last, second = "up_blocks.0.attentions.2.transformer_blocks.9", "down_blocks.1.attentions.0.transformer_blocks.1"
    assert config.block(last) == BlockConfig(last, 1280, 20, 2)
    assert config.block(second) == BlockConfig(second, 640, 10, 1)
    assert AdapterConfig.from_state_dict(shapes_of(config)) == config


def test_grids_slots_and_widths_come_from_the_config():
    config = AdapterConfig.for_unet(
        {**SDXL, "model_channels": 16, "num_head_channels": 4},
        grids=(16, 8, 4),
        slots=6,
        token_width=24,
        token_hidden=40,
    )
    adapter = ROICtrlAdapter(config)
    instances = InstanceBatch.from_boxes(torch.rand(2, 3, 4), slots=6)
    assert adapter.box_tokens(instances).shape == (2, 6, 24)
    fuser = adapter.fuser("mid_block.attentions.0.transformer_blocks.9")
    assert fuser.context_proj.in_features == 24 and fuser.roiattn_fuser.channel_gate.mlp[0].in_features == 7
    assert config.block("down_blocks.0.attentions.0.transformer_blocks.0") is None
    assert config.block("down_blocks.1.attentions.0.transformer_blocks.2") is None


def test_more_instances_than_slots():
    with pytest.raises(
        ValueError, match=r"^7 instances do not fit the adapter's 6 slots\. Remove or merge 1 of them\.$"
    ):
        InstanceBatch.from_boxes(torch.rand(1, 7, 4), slots=6)


def test_a_level_without_a_grid():
    with pytest.raises(ValueError, match="level 2, but the adapter's config has ROI grids for 2 levels only"):
        AdapterConfig.for_unet(SDXL, grids=(16, 8))


@pytest.mark.parametrize("config", [AdapterConfig.sd15(64, heads=4), AdapterConfig.for_unet(SDXL, slots=12)])
def test_json_round_trip(config):
    assert AdapterConfig.from_json(config.to_json()) == config


def test_a_file_of_the_first_version_says_the_same():
    """It also named ComfyUI's ids of the blocks."""
    config = AdapterConfig.sd15()
    data = json.loads(config.to_json())
    for number, block in enumerate(data["blocks"]):
        block.update(comfy=["input", number], index=0)
    assert AdapterConfig.from_json(json.dumps({**data, "version": 1})) == config


def edited(**changes) -> str:
    """A config's JSON with other fields; those named `block_...` are the first block's."""
    data = json.loads(AdapterConfig.sd15(16, heads=2).to_json())
    for key, value in changes.items():
        (data["blocks"][0] if key.startswith("block_") else data)[key.removeprefix("block_")] = value
    return json.dumps(data)


BAD_CONFIGS = [
    ("{", "not valid JSON"),
    ("[]", "The config must be an object, not a list"),
    ("[" * 100_000, "nested more than"),
    (" " * (2**20 + 1), "at most 1048576 are read"),
    (edited(version=3), "version 3; this pack reads version 2"),
    (edited(version="9" * 5000), "version '999"),
    (edited(grids=[25, 19, 13, -3]), "ROI grid of U-Net level 3 must be a whole number from 1 to 64, not -3"),
    (edited(grids=[2.5, 19, 13, 7]), "ROI grid of U-Net level 0 must be a whole number from 1 to 64, not 2.5"),
    (edited(grids=["a", 19, 13, 7]), "level 0 must be a whole number from 1 to 64, not 'a'"),
    (edited(grids=[25, 19, 13, 0]), "level 3 must be a whole number from 1 to 64, not 0"),
    (edited(grids=[True, 19, 13, 7]), "level 0 must be a whole number from 1 to 64, not True"),
    (edited(grids=[99999999, 19, 13, 7]), "level 0 must be a whole number from 1 to 64, not 99999999"),
    (edited(grids=[10**400, 19, 13, 7]), "holds a number of over 300 digits"),
    (edited(grids=7), "The config's grids must be a list, not a number"),
    (edited(grids=[25]), "has ROI grids for 1 levels only"),
    (edited(block_level=0.5), "U-Net level of block down_blocks.0.* must be a whole number from 0 to 999, not 0.5"),
    (edited(block_level=-1), "U-Net level of block .* must be a whole number from 0 to 999, not -1"),
    (edited(block_name="a..b"), "names a block 'a..b'; blocks are named as in diffusers' UNets"),
    (edited(block_name=".".join("a" * 1000)), "names a block 'a.a.a"),
    (edited(block_name=None), "names a block None"),
    (edited(block_name=json.loads(edited())["blocks"][1]["name"]), "names a block twice"),
    (edited(block_channels=0), "The number of channels of block .* from 1 to 16384, not 0"),
    (edited(block_heads=0), "The number of heads of block .* from 1 to 16, not 0"),
    (edited(block_heads=3), "The 16 channels of block .* cannot be shared among 3 heads"),
    (edited(block_more=1), "A block in the config has 'more', which is not known here"),
    (edited(blocks=[{}]), "A block in the config lacks name"),
    (edited(blocks=[3]), "A block in the config must be an object, not a number"),
    (edited(blocks="all"), "The config's blocks must be a list, not text"),
    (
        edited(blocks=[json.loads(edited())["blocks"][0]] * 1001),
        "number of blocks must be a whole number from 0 to 1000",
    ),
    (edited(slots=0), "number of slots must be a whole number from 1 to 256, not 0"),
    (edited(slots=10**9), "number of slots must be a whole number from 1 to 256"),
    (edited(token_width=-64), "width of the box tokens"),
    (edited(token_hidden="512"), "hidden width of the box embedding"),
    (edited(dropout=1.0), "dropout must be a number from 0 to below 1, not 1.0"),
    (edited(dropout="a"), "dropout must be a number from 0 to below 1, not 'a'"),
    (edited(self=1), "The config has 'self', which is not known here"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD_CONFIGS)
def test_configs_that_nothing_can_be_built_from(text, sentence):
    with pytest.raises(ValueError, match=sentence) as refusal:
        AdapterConfig.from_json(text)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("grid", [-3, 2.5, "a", 0, 65, None, True])
def test_grids_are_checked_wherever_they_come_from(grid):
    with pytest.raises(ValueError, match="The ROI grid of U-Net level 1 must be a whole number from 1 to 64"):
        AdapterConfig.for_unet(SDXL, grids=(25, grid, 7))


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
        (
            {"roi_mask": torch.zeros(2, 4, dtype=torch.bool)},
            r"roi_mask must have the shape \[rows, slots\] = \[2, 3\], not \[2, 4\]",
        ),
    ],
)
def test_instances_that_do_not_belong_together(change, sentence):
    good = {
        "boxes": torch.zeros(2, 3, 4),
        "roi_mask": torch.ones(2, 3) > 0,
        "token_mask": torch.ones(2, 3) > 0,
        "strength": torch.ones(2, 3),
    }
    with pytest.raises(ValueError, match=sentence):
        InstanceBatch(**{**good, **change})
