"""Every setting of an Apply node, and every field of an instance, changes the picture.

One that does not is believed and does nothing.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

FIRST, SECOND = (0.05, 0.1, 0.5, 0.9), (0.4, 0.2, 0.95, 0.8)
CONNECTIONS = {"model", "adapter", "clip", "layout"}

# Another value than the default for each setting.
ROICTRL = {
    "strength": 0.5,
    "start_percent": 0.5,
    "end_percent": 0.5,
    "caption_suffix": "oil painting",
    "uncond_boxes": "none",
    "slot_shuffle_seed": 1,
    "mask_feather": 64,
    "speed": "balanced",
    "adaptive_roi_size": True,
}
BEHIND_SPEED = {"computed_share": 1.0, "compute_every": 1}
PROMPTS = {
    "strength": 0.5,
    "global_weight": 0.6,
    "start_percent": 0.5,
    "end_percent": 1.0,
    "caption_suffix": "oil painting",
    "mask_feather": 64,
    "blocks": "0-9",
    "own_pass": 0.5,
}
BEHIND_OWN_PASS = {"own_margin": 1.0, "own_patch": 0.0}
FASTER = {"speed": "balanced"}  # behind which some settings are
OWN = {"own_pass": 1.0}


@pytest.fixture(scope="module")
def masked(pack, layout):
    """Two boxes, the first with a mask of its left half, the second with all else that an instance can have."""
    mask = np.zeros((128, 192), bool)
    mask[:, :48] = True
    mask = pack.module("roictrl_core.masks").RunLengthMask.from_array(mask)
    return layout(
        (FIRST, "a red fox", {"mask": mask}),
        (SECOND, "a blue bird", {"scribble": (((0.5, 0.3), (0.9, 0.7)),), "point": (0.6, 0.4)}),
    )


def settings_of(node) -> set[str]:
    return {entry.id for entry in node.define_schema().inputs} - CONNECTIONS


@pytest.mark.parametrize(
    "module, name, use, table, behind, settings",
    [
        ("apply", "ApplyROICtrl", "apply", ROICTRL, BEHIND_SPEED, FASTER),
        ("roi_prompts", "ApplyROIPrompts", "apply_prompts", PROMPTS, BEHIND_OWN_PASS, OWN),
    ],
)
def test_every_setting_of_apply_changes_the_picture(
    request, pack, model, masked, sample, module, name, use, table, behind, settings
):
    """``behind``: those that act only with other ``settings``."""
    assert settings_of(getattr(pack.module(f"nodes.{module}"), name)) == table.keys() | behind.keys()
    use = request.getfixturevalue(use)
    plain, with_settings = sample(use(model, masked)), sample(use(model, masked, **settings))
    assert not torch.allclose(plain, sample(model), atol=1e-3)
    changed = {key: (sample(use(model, masked, **{key: value})), plain) for key, value in table.items()}
    changed |= {
        key: (sample(use(model, masked, **settings, **{key: value})), with_settings) for key, value in behind.items()
    }
    assert not [key for key, (picture, before) in changed.items() if torch.allclose(picture, before, atol=1e-5)]


FIELDS = {
    "caption": "an old stone",
    "negative": "a cat",
    "strength": 0.5,
    "start": 0.5,
    "end": 0.5,
    "enabled": False,
    "box": (0.2, 0.1, 0.7, 0.9),
}


@pytest.mark.parametrize("which", ["apply", "apply_prompts"])
def test_every_field_of_an_instance_changes_the_picture(request, pack, which, model, layout, sample, encode):
    use, settings = request.getfixturevalue(which), {} if which == "apply" else {"end_percent": 1.0}
    mask = pack.module("roictrl_core.masks").RunLengthMask.from_array(np.arange(192)[None].repeat(128, 0) > 40)

    def picture(**changes):
        caption, box = changes.pop("caption", "a red fox"), changes.pop("box", FIRST)
        return sample(use(model, layout((box, caption, changes), (SECOND, "a blue bird")), **settings))

    plain = picture()
    others = {**FIELDS, "mask": mask, "conditioning": encode("an old stone")}
    assert not [field for field, value in others.items() if torch.allclose(picture(**{field: value}), plain, atol=1e-4)]
