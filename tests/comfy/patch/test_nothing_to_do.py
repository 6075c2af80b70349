"""No instances, strength 0, outside the window: bit-exact the base model's, with nothing in the UNet's way."""

from __future__ import annotations

import pytest
import torch

BOX = (0.1, 0.1, 0.6, 0.8)


@pytest.mark.parametrize("which", ["apply", "apply_prompts", "apply_gligen"])
def test_boxes_change_the_picture(request, which, model, two_boxes, sample):
    """Or nothing that follows would say anything."""
    assert not torch.equal(sample(request.getfixturevalue(which)(model, two_boxes)), sample(model))


def test_the_input_model_is_untouched(model, apply, two_boxes, sample):
    before = sample(model)
    apply(model, two_boxes)
    assert (
        not model.wrappers
        and not model.additional_models
        and "patches" not in model.model_options["transformer_options"]
    )
    assert torch.equal(sample(model), before)


@pytest.mark.parametrize("which", ["apply", "apply_prompts", "apply_gligen"])
@pytest.mark.parametrize(
    "settings",
    [{"strength": 0.0}, {"start_percent": 0.5, "end_percent": 0.5}, {"start_percent": 0.3, "end_percent": 0.6}],
)
def test_settings_that_switch_the_boxes_off(request, which, settings, model, two_boxes, sample):
    patched = request.getfixturevalue(which)(model, two_boxes, **settings)
    assert torch.equal(sample(patched), sample(model))


@pytest.mark.parametrize("which", ["apply", "apply_prompts", "apply_gligen"])
def test_layouts_in_which_nothing_acts(request, which, model, layout, sample):
    run, base = request.getfixturevalue(which), sample(model)
    for nothing in (
        layout(),
        layout((BOX, "a fox", {"enabled": False})),
        layout((BOX, "a fox", {"strength": 0.0})),
        layout((BOX, "a fox", {"start": 0.3, "end": 0.6})),
    ):
        assert torch.equal(sample(run(model, nothing)), base)


@pytest.mark.parametrize("which", ["apply", "apply_prompts", "apply_gligen"])
def test_a_window_without_a_step_is_said(request, which, model, two_boxes, sample, caplog):
    sample(request.getfixturevalue(which)(model, two_boxes, start_percent=0.3, end_percent=0.6))
    assert caplog.text.count("No sampling step fell into the part of the schedule in which the boxes act") == 1


def test_an_instance_without_a_step_is_said(model, apply, layout, sample, caplog):
    boxes = layout((BOX, "a fox"), (BOX, "an owl", {"start": 0.3, "end": 0.6}), (BOX, "a hen", {"enabled": False}))
    sample(apply(model, boxes))
    assert caplog.text.count("No sampling step fell") == 1
    assert "in which instance 2 ('an owl') acts" in caplog.text
    caplog.clear()
    sample(apply(model, boxes), steps=6)
    assert "No sampling step" not in caplog.text
