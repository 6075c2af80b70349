"""Numbers and choices that come over a link are held to their widget's limits."""

from __future__ import annotations

import math

import pytest
from comfy_api.latest import io

NODES = [
    ("apply", "ApplyROICtrl"),
    ("roi_prompts", "ApplyROIPrompts"),
    ("apply_boxes", "ApplyBoxes"),
    ("gligen", "ApplyGLIGEN"),
    ("eligen", "ApplyEliGen"),
    ("eligen", "LoadEliGenLoRA"),
    ("instance_diffusion", "ApplyInstanceDiffusion"),
    ("check", "CheckLayout"),
    ("crops", "CropLayout"),
    ("crops", "TileLayout"),
    ("convert", "LayoutToPrompt"),
    ("instance_lora", "InstanceLoRA"),
    ("instance_diffusion_sampling", "InstanceDiffusionSampler"),
    ("instance_diffusion_sampling", "MultiInstanceGuiderNode"),
    ("instance_diffusion_sampling", "MultiInstanceSamplerNode"),
    ("instance_diffusion_sampling", "PLMSScheduler"),
    ("train", "TrainAdapter"),
]
LISTS_OF_FILES = ("data", "lora_name")


def widgets(node) -> list[io.Input]:
    kinds = (io.Int.Input, io.Float.Input, io.Combo.Input)
    return [
        entry for entry in node.define_schema().inputs if isinstance(entry, kinds) and entry.id not in LISTS_OF_FILES
    ]


@pytest.mark.parametrize(("module", "name"), NODES)
def test_every_number_and_choice_is_checked(pack, module, name):
    node = getattr(pack.module(f"nodes.{module}"), name)
    sound = {entry.id: getattr(entry, "default", None) for entry in node.define_schema().inputs}
    assert widgets(node)
    for entry in widgets(node):
        wrong = (
            ["nowhere", None]
            if isinstance(entry, io.Combo.Input)
            else [math.nan, math.inf, "1", None, entry.max + 1, entry.min - 1]
        )
        for value in wrong + ([0.5 * (entry.min + entry.max) + 0.25] if isinstance(entry, io.Int.Input) else []):
            with pytest.raises(
                ValueError, match=rf"^{node.define_schema().display_name}: {entry.id} is .*; it must be (a |one of )"
            ):
                node.execute(**{**sound, entry.id: value})


def test_the_sentence_says_what_the_widget_takes(pack):
    node = pack.module("nodes.apply").ApplyROICtrl
    for setting, sentence in (
        ({"strength": math.nan}, "strength is nan; it must be a number from 0 to 2. Correct what is connected to it."),
        ({"mask_feather": 4.5}, "mask_feather is 4.5; it must be a whole number from 0 to 512."),
        ({"uncond_boxes": "all"}, "uncond_boxes is 'all'; it must be one of negative prompt, none, off."),
    ):
        with pytest.raises(ValueError, match=f"Apply ROICtrl: {sentence}"):
            node.execute(None, None, None, None, **setting)
