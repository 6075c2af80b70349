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
# Those that act only beside others: the others, and another value.
BESIDE = {
    "speed": ({"alpha": 1.0}, "balanced"),
    "computed_share": ({"alpha": 1.0, "speed": "balanced"}, 1.0),
    "compute_every": ({"alpha": 1.0, "speed": "balanced"}, 1),
}


def test_every_setting_changes_the_picture(pack, base, use, sample, all_formats):
    node = pack.module("nodes.instance_diffusion").ApplyInstanceDiffusion
    assert {entry.id for entry in node.define_schema().inputs} - CONNECTIONS == TABLE.keys() | BESIDE.keys()

    def picture(**settings):
        return sample(use(base.patcher, all_formats, **settings))

    assert not torch.allclose(picture(), sample(base.patcher), atol=1e-3)
    changes = [({}, key, value) for key, value in TABLE.items()]
    changes += [(others, key, value) for key, (others, value) in BESIDE.items()]
    idle = [
        key
        for others, key, value in changes
        if torch.allclose(picture(**others, **{key: value}), picture(**others), atol=1e-5)
    ]
    assert not idle
