"""Every setting of Apply InstanceDiffusion changes the picture."""

from __future__ import annotations

import torch

CONNECTIONS = {"model", "clip", "layout", "instance_diffusion"}
TABLE = {
    "formats": "box",
    "strength": 0.5,
    "alpha": 0.4,
    "start_percent": 0.5,
    "end_percent": 0.5,
    "scaleu": False,
    "masked_attention": "corrected",
    "null_missing": True,
}


def test_every_setting_changes_the_picture(pack, base, use, sample, all_formats):
    node = pack.module("nodes.instance_diffusion").ApplyInstanceDiffusion
    assert {entry.id for entry in node.define_schema().inputs} - CONNECTIONS == TABLE.keys()
    plain = sample(use(base.patcher, all_formats))
    assert not torch.allclose(plain, sample(base.patcher), atol=1e-3)
    idle = [
        key
        for key, value in TABLE.items()
        if torch.allclose(sample(use(base.patcher, all_formats, **{key: value})), plain, atol=1e-5)
    ]
    assert not idle
