"""Goldens of every family, from whole networks in float64 (tests/golden/models)."""

from __future__ import annotations

import pytest
import torch

from devtools import tiny_dits
from devtools.goldens import GOLDEN, tensors_of
from devtools.tiny_families import BOXES, error

MODELS = sorted(path.stem for path in (GOLDEN / "models").glob("*.safetensors"))


@pytest.mark.parametrize("name", MODELS)
def test_a_family(name, tiny, pack, monkeypatch, comfy):
    if name not in tiny_dits.present():
        pytest.skip("this ComfyUI does not have the family")
    golden, family = tensors_of(GOLDEN / "models" / f"{name}.safetensors"), tiny(name)
    plain, want = family.plain(), golden["out"]
    if abs(float(plain.double().norm()) / float(golden["plain_norm"]) - 1) > 1e-6:
        pytest.skip("other random numbers than the golden's")
    if "weights" in golden:
        prompts, core = pack.module("nodes.patch.methods.roi_prompts"), pack.module("roictrl_core.roi_prompts")
        monkeypatch.setattr(prompts, "plan_patches", lambda *args: _patches(core, golden["weights"], *args))
    got = family.sample(family.apply(_golden_layout(family)))
    assert error(got, want) < (2e-5 if name == "flux2" and comfy.version.startswith("0.3.") else 5e-6)
    assert error(plain, want) > 5e-3


def _golden_layout(family):
    captions = [tiny_dits.conditioning(family.name, 21), family.text(22, 9)]
    if family.name == "ltxv":
        captions[1][0][1]["attention_mask"] = (torch.arange(9) < 6)[None].long()
    return family.layout(*((box, "", {"conditioning": caption}) for box, caption in zip(BOXES, captions, strict=True)))


def _patches(core, weights, instances, height, width, global_weight, device):
    """The golden's weights [2, T, H, W]: of every token, where there are frames in each of them its own."""
    weights = (weights if weights.shape[1] > 1 else weights[:, 0]).to(device)
    return [
        core.Patch(number, pair.row, 0, height, 0, width, weights[pair.slot])
        for number, pair in enumerate(instances.pairs)
    ]
